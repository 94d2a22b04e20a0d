import { expect } from "chai";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { laneFault } from "../../../tools/lane-run";
import { allLanes, lanes } from "../../../tools/lane-table";
import { choose, longestFirst, skipReason } from "../../../tools/lanes";
import { packageRoot } from "../../../tools/paths";
import { runCommand } from "../../../tools/process";
import { labProblems, notUp } from "../../../tools/openstack-lane";
import { conclude, verdict } from "../../../tools/totals";
import { numberedSteps } from "../../../tools/steps";

const none = { problems: [] };
const noEngine = { problems: [{ what: "go is missing", fix: "install Go" }] };
const noRoot = { problems: [{ what: "servers need root", fix: "sudo -E npm test" }] };

describe("the lane runner", () => {
  it("begins the longest first", () => {
    expect(longestFirst(choose(["unit", "engine", "openstack"], (lane) => [lane])).map((c) => c.lane)).to.deep.equal(["openstack", "engine", "unit"]);
  });
  describe("chooses", () => {
    const files = (lane: string): string[] => (lane === "grid" ? ["/t/grid/hosts.spec.js", "/t/grid/deep/hosts.spec.js", "/t/grid/more-hosts.spec.js"] : [`/t/${lane}/a.spec.js`]);
    const chosen = (...words: string[]): string[] => choose(words, files).flatMap((c) => c.files);
    it("all lanes without a word", () => expect(choose([], files).map((c) => c.lane)).to.deep.equal([...allLanes]));
    it("a lane, in the order of the lanes and once", () => expect(chosen("model", "unit", "model")).to.deep.equal(["/t/unit/a.spec.js", "/t/model/a.spec.js"]));
    it("one spec file by its name, and no other that ends like it", () => {
      expect(chosen("grid/more-hosts")).to.deep.equal(["/t/grid/more-hosts.spec.js"]);
      expect(chosen("grid/deep/hosts.spec.ts", "unit/a")).to.deep.equal(["/t/unit/a.spec.js", "/t/grid/deep/hosts.spec.js"]);
      expect(chosen("grid/hosts")).to.deep.equal(["/t/grid/hosts.spec.js", "/t/grid/deep/hosts.spec.js"]);
    });
    it("nothing where a word is wrong, and says all that are", () =>
      expect(() => choose(["gird", "grid/host", "unit"], files)).to.throw(/no such lane: gird; there are: unit, .*\nno spec file host in lane grid; there are: hosts, hosts, more-hosts/));
  });
  it("runs unit everywhere", () => expect(skipReason("unit", { engine: noEngine, hosts: noRoot })).to.equal(undefined));
  it("skips the engine lane for want of an engine only", () => {
    expect(skipReason("engine", { engine: none, hosts: noRoot })).to.equal(undefined);
    expect(skipReason("engine", { engine: noEngine, hosts: none })).to.equal("go is missing: install Go");
  });
  it("runs simulator and model where there is neither engine nor root", () => {
    for (const name of ["simulator", "model"] as const) expect(skipReason(name, { engine: noEngine, hosts: noRoot })).to.equal(undefined);
  });
  it("lets only lanes without time limits of guests yield the processor", () =>
    expect(allLanes.filter((l) => lanes[l].load === "busy" && lanes[l].needsHosts)).to.deep.equal([]));
  it("gives every reason for a lane with real hosts, in one line", () =>
    expect(skipReason("grid", { engine: { problems: [{ what: "a\nb", fix: "c" }] }, hosts: noRoot })).to.equal("a | b: c; servers need root: sudo -E npm test"));

  it("skips the openstack lane in one line when its cloud is not up", () =>
    expect(skipReason("openstack", { engine: none, hosts: noRoot, lab: { problems: [notUp] } })).to.match(/^the OpenStack lab is not up: npm run test:openstack/));

  it("ends well only if something ran and nothing failed", () => {
    expect(verdict({ passed: 3, failed: 0, skipped: 1 })).to.deep.equal({ code: 0, line: "3 passed, 0 failed, 1 skipped" });
    expect(verdict({ passed: 3, failed: 1, skipped: 0 }).code).to.equal(1);
    expect(verdict({ passed: 0, failed: 0, skipped: 4 })).to.deep.equal({ code: 1, line: "0 passed, 0 failed, 4 skipped", note: "no test ran" });
  });

  it("prints one sum at the end of a run in several parts, whatever its parts came to", async () => {
    const dir = mkdtempSync(join(tmpdir(), "elastigrid-totals-"));
    const file = join(dir, "totals");
    const sum = (...parts: string[]) => runCommand(process.execPath, [join(packageRoot, "tools", "lib", "totals.mjs"), file, ...parts], { timeoutMs: 20_000 });
    try {
      const said: string[] = [];
      const part = (name: string, passed: number, failed: number, skipped: number): number => conclude(name, { passed, failed, skipped }, { ELASTIGRID_TEST_TOTALS: file }, (t) => said.push(t));
      expect(part("test", 7, 0, 1)).to.equal(0);
      expect(part("test:openstack", 0, 0, 1), "skipped aloud is no failure of the whole").to.equal(0);
      expect(said.join("")).to.not.match(/^\d+ passed/m);
      const good = await sum("test", "test:openstack");
      expect(good.stdout).to.equal("\n7 passed, 0 failed, 2 skipped\n");
      expect(good.code).to.equal(0);
      const lost = await sum("test", "another");
      expect(lost.stdout).to.match(/part another ended before it had a result\n\n7 passed, 1 failed, 1 skipped\n$/);
      expect(lost.code).to.equal(1);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });

  it("says why the OpenStack lab cannot run here", () => {
    const facts = { platform: "linux", isRoot: true, missing: ["mmdebstrap"], freeBytes: 1e12, cache: "/cache", freeMemoryBytes: 32e9 };
    const why = (over: object, installed = false): string => labProblems({ ...facts, ...over }, installed).map((p) => p.what).join("; ");
    expect(why({}, true)).to.equal("");
    expect(why({})).to.contain("mmdebstrap");
    expect(why({ missing: [], freeBytes: 1e9 })).to.contain("5.0 GiB needed");
    expect(why({ freeMemoryBytes: 2e9 }, true)).to.contain("1.9 GiB are free");
    expect(why({ isRoot: false }, true)).to.contain("root");
  });

  it("counts a lane that crashed, hung or left something running as failed", () => {
    const counts = { passed: 5, failed: 0, skipped: 0 };
    const fault = (over: object): string | undefined => laneFault("grid", { code: 0, signal: null, stopped: undefined, ...over }, counts, 9);
    expect(fault({})).to.equal(undefined);
    expect(fault({ code: 1 })).to.contain("code 1");
    expect(fault({ code: null, signal: "SIGSEGV" })).to.contain("SIGSEGV");
    expect(fault({ code: null, signal: "SIGTERM", stopped: "limit" })).to.contain("within 9 s");
    expect(fault({ code: null, signal: "SIGTERM", stopped: "lingering" })).to.contain("still ran");
    expect(laneFault("grid", { code: 2, signal: null, stopped: undefined }, { ...counts, failed: 2 }, 9)).to.equal(undefined);
  });

  it("counts passed, pending and failed tests, and hooks that fail", async () => {
    const dir = mkdtempSync(join(tmpdir(), "elastigrid-reporter-"));
    try {
      writeFileSync(join(dir, "a.js"), 'it("a", () => {}); it("p"); it("f", () => { throw new Error("x") }); describe("d", () => { before(() => { throw new Error("hook") }); it("never", () => {}) })');
      const env = { ...process.env, ELASTIGRID_LANE_COUNTS: join(dir, "counts") };
      const reporter = join(__dirname, "..", "..", "..", "tools", "lane-reporter.js");
      await runCommand(process.execPath, [join(packageRoot, "node_modules", "mocha", "bin", "_mocha"), "--no-config", "--no-package", "--reporter", reporter, join(dir, "a.js")], { env, timeoutMs: 20_000 });
      expect(JSON.parse(readFileSync(join(dir, "counts"), "utf8"))).to.deep.equal({ passed: 1, failed: 2, skipped: 1 });
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
});

describe("a step of set-up", () => {
  it("says when it begins, what it does, and how long it took", async () => {
    const said: string[] = [];
    let now = 0;
    const steps = numberedSteps(3, 5, (l) => said.push(l), () => now);
    await steps.run("engine", async (tell) => {
      tell.say("building");
      tell.note("kept for the next line about time");
      now = 12_340;
    });
    expect(said).to.deep.equal(["[set-up 3/5] engine ...", "[set-up 3/5]   building", "[set-up 3/5] engine: 12.3 s"]);
    await steps.run("tree", async () => undefined);
    expect(said.at(-1)).to.equal("[set-up 4/5] tree: 0.0 s");
  });
});
