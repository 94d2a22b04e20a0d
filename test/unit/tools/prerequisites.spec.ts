import { expect } from "chai";
import { diskProblems, hostProblems, installable, mayInstall, type HostFacts } from "../../../tools/prerequisites";
import { problemLine } from "../../../tools/problem";
import { missingForHosts } from "../../../tools/setup";

const facts = (over: Partial<HostFacts> = {}): HostFacts => ({ platform: "linux", isRoot: true, missing: [], freeBytes: 50 * 2 ** 30, cache: "/c", ...over });
const lines = (f: HostFacts): string[] => hostProblems(f).map(problemLine);

describe("prerequisites", () => {
  it("finds nothing to say about a good computer", () => expect(lines(facts())).to.deep.equal([]));

  it("names another system, and nothing else that would follow from it", () => {
    expect(lines(facts({ platform: "darwin", isRoot: false, missing: ["mmdebstrap"] }))).to.have.length(1);
    expect(lines(facts({ platform: "darwin" }))[0]).to.match(/darwin.*use a Linux/);
  });

  it("names everything at once, each with the command that mends it", () => {
    const said = lines(facts({ isRoot: false, missing: ["mmdebstrap", "ssh"] }));
    expect(said).to.have.length(3);
    expect(said[0]).to.match(/root.*sudo/);
    expect(said[1]).to.contain("apt-get install -y mmdebstrap");
    expect(said[2]).to.contain("apt-get install -y openssh-client");
  });

  it("says what the kernel refuses to a root without rights", () =>
    expect(lines(facts({ namespaceFault: "unshare failed: Operation not permitted" }))[0]).to.match(/Operation not permitted.*--privileged/));

  it("asks for room only where something is to be built", () => {
    const full = facts({ freeBytes: 2 ** 30, missing: ["mmdebstrap"] });
    expect(missingForHosts(full, true)).to.deep.equal([]);
    expect(missingForHosts(full, false).map(problemLine).join("\n")).to.match(/mmdebstrap is missing[^]*only 1\.0 GiB free at \/c.*XDG_CACHE_HOME/);
  });

  it("takes exactly enough room as enough", () => expect(diskProblems({ freeBytes: 5, cache: "/c" }, 5)).to.deep.equal([]));

  it("installs by itself only what a fresh Debian lacks, and nothing where it is forbidden", () => {
    expect(installable(["ssh", "ip", "mmdebstrap"])).to.have.members(["openssh-client", "mmdebstrap"]);
    expect(mayInstall(facts({ isRoot: false }), {})).to.equal(false);
    expect(mayInstall(facts(), { ELASTIGRID_NO_APT: "1" })).to.equal(false);
  });
});
