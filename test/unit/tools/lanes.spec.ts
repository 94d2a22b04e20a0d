import { expect } from "chai";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { laneFault, skipReason, verdict } from "../../../tools/lanes";
import { packageRoot } from "../../../tools/paths";
import { runCommand } from "../../../tools/process";
import { numberedSteps } from "../../../tools/steps";

const none = { problems: [] };
const noEngine = { problems: [{ what: "go is missing", fix: "install Go" }] };
const noRoot = { problems: [{ what: "servers need root", fix: "sudo -E npm test" }] };

describe("the lane runner", () => {
  it("runs unit everywhere", () => expect(skipReason("unit", { engine: noEngine, hosts: noRoot })).to.equal(undefined));
  it("skips the engine lane for want of an engine only", () => {
    expect(skipReason("engine", { engine: none, hosts: noRoot })).to.equal(undefined);
    expect(skipReason("engine", { engine: noEngine, hosts: none })).to.equal("go is missing: install Go");
  });
  it("gives every reason for a lane with real hosts, in one line", () =>
    expect(skipReason("grid", { engine: { problems: [{ what: "a\nb", fix: "c" }] }, hosts: noRoot })).to.equal("a | b: c; servers need root: sudo -E npm test"));

  it("ends well only if something ran and nothing failed", () => {
    expect(verdict({ passed: 3, failed: 0, skipped: 1 })).to.deep.equal({ code: 0, line: "3 passed, 0 failed, 1 skipped" });
    expect(verdict({ passed: 3, failed: 1, skipped: 0 }).code).to.equal(1);
    expect(verdict({ passed: 0, failed: 0, skipped: 4 })).to.deep.equal({ code: 1, line: "0 passed, 0 failed, 4 skipped", note: "no test ran" });
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
