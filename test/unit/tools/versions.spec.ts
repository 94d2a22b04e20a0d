import { expect } from "chai";
import { isAtLeast, isGoodEngine, parseVersion, plugins } from "../../../tools/engine-versions";
import { packageRoot } from "../../../tools/paths";
import { readFileSync } from "node:fs";
import { join } from "node:path";

describe("versions", () => {
  const read: Array<[string, readonly number[] | undefined]> = [
    ["v3.245.0\n", [3, 245, 0]], ["v3.250.1-dev.12", [3, 250, 1]], ["go version go1.26.8 linux/amd64", [1, 26, 8]], ["go1.26", [1, 26, 0]], ["devel", undefined],
  ];
  for (const [text, wanted] of read) it(`reads ${JSON.stringify(text)}`, () => expect(parseVersion(text)).to.deep.equal(wanted));

  const order: Array<[string, string, boolean]> = [
    ["3.200.0", "3.200.0", true], ["3.199.9", "3.200.0", false], ["3.1000.0", "3.200.0", true], ["4.0.0", "3.200.0", true], ["2.300.0", "3.200.0", false], ["nothing", "0.0.0", false],
  ];
  for (const [have, want, yes] of order) it(`${have} ${yes ? "is" : "is not"} at least ${want}`, () => expect(isAtLeast(have, want)).to.equal(yes));

  it("refuses an engine of another major version", () => expect(isGoodEngine("v4.0.0")).to.equal(false));

  it("names the plugins in the versions of the installed packages", () => {
    const declared = (JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8")) as { dependencies: Record<string, string> }).dependencies;
    for (const p of plugins) expect(declared[p.npm], p.npm).to.equal(p.version);
  });
});
