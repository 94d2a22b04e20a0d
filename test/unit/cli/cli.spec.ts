import { expect } from "chai";
import { mkdtempSync, rmSync, statSync, readFileSync, writeFileSync, mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { helpText, parseCommandLine, wholeNumber } from "../../../cli/args";
import { masterApply } from "../../../cli/master-apply";
import { setupProblems } from "../../../controller/setup-problems";
import { planSsh, quote, readOutputs, remoteCommand, whyUnreached } from "../../../cli/remote";
import { duration, jobsTable, statusScreen, warnings, workersTable } from "../../../cli/tables";
import { waitForWorkers } from "../../../cli/wait";
import { ControllerError } from "../../../cli/ask";
import { masterPaths } from "../../../controller/paths";
import type { GridStatus, WorkerPhase } from "../../../controller/status";

const NOW = Date.parse("2026-01-01T00:00:10Z");
const status = (phases: WorkerPhase[], over: Partial<GridStatus> = {}): GridStatus => ({
  version: 1, gridName: "grid", at: "2026-01-01T00:00:10Z", startedAt: "2026-01-01T00:00:00Z", lastPassAt: "2026-01-01T00:00:09Z", lastPassMs: 40, passes: 3, intervalSeconds: 5, mode: "auto",
  size: { min: 1, max: 4, configuredMin: 1, configuredMax: 4, have: phases.length, ready: 0 }, pool: { known: true }, htcondor: { known: true },
  workers: phases.map((phase, i) => ({ name: `w-${i}`, type: "worker", boot: {}, serverUuid: `${i}`, serverName: `s${i}`, serverStatus: "running", phase, phaseSince: "2026-01-01T00:00:00Z", phaseSeconds: 10, jobs: 0, ageSeconds: 300, why: "has its token, not in the pool yet" })),
  queue: { waiting: 2, running: 1, held: 0, suspended: 0, unmatchable: 0, reasons: [], done: 5 }, alarms: [], decisions: [{ seq: 1, at: "2026-01-01T00:00:01Z", what: "grow", why: "+1: 2 jobs wait" }], ...over,
});

describe("the command line", () => {
  const good: Array<[string, object]> = [
    ["status --json", { command: "status" }], ["--stack local status", { command: "status", flags: { stack: "local" } }], ["scale 3", { command: "scale", positionals: ["3"] }],
    ["drain w-1 --now", { command: "drain", positionals: ["w-1"], flags: { now: true } }], ["journal -f -n 5", { command: "journal", flags: { follow: true, n: "5" } }],
    ["local-cloud start --port 1", { command: "local-cloud", positionals: ["start", "--port", "1"] }], ["--stack a ssh -- ls -l", { command: "ssh", positionals: ["ls", "-l"] }],
  ];
  for (const [line, wanted] of good) {
    it(`understands ${line}`, () => {
      const p = parseCommandLine(line.split(" "));
      const { flags, ...rest } = wanted as { flags?: object };
      expect(p.ok && p.value).to.deep.include(rest);
      if (flags) expect(p.ok && { ...p.value.flags }).to.deep.include(flags);
    });
  }
  for (const line of ["", "nonsense", "status extra", "drain", "status --nonsense", "scale 1 2"]) {
    it(`refuses "${line}"`, () => expect(parseCommandLine(line === "" ? [] : line.split(" "))).to.include({ ok: false }).and.to.have.property("problem"));
  }
  it("helps", () => {
    expect(helpText()).to.match(/scale N/);
    expect(parseCommandLine(["scale", "--help"])).to.have.property("help").that.matches(/usage: elastigrid scale/);
  });
  it("takes whole numbers only", () => {
    expect(wholeNumber("3", "n")).to.equal(3);
    for (const bad of ["-1", "1.5", "x", "", undefined, true]) expect(wholeNumber(bad, "n")).to.be.a("string");
  });
});

describe("the call to the master", () => {
  const outputs = { masterAddress: "127.66.1.1", sshPort: 2222, sshUser: "root", sshPrivateKey: "PRIVATE", gridUid: "abc" };
  it("says which outputs are missing", () => expect(readOutputs({ sshPort: 22 })).to.match(/masterAddress, sshUser, sshPrivateKey/));
  it("refuses an address that is an option", () => expect(readOutputs({ ...outputs, masterAddress: "-oProxyCommand=x" })).to.be.a("string"));
  it("has no secret on its command line", () => {
    const o = readOutputs(outputs);
    if (typeof o === "string") throw new Error(o);
    const plan = planSsh(o, { key: "/t/key", knownHosts: "/t/known" }, ["elastigrid", "status"], false);
    expect(plan.args.join(" ")).to.not.include("PRIVATE");
    expect(plan.args.slice(-3)).to.deep.equal(["root@127.66.1.1", "--", "elastigrid status"]);
    expect(plan.args).to.include.members(["-p", "2222", "-i", "/t/key"]);
  });
  it("says in one line why the master did not let it in", () => {
    const why = (said: string): string => whyUnreached({ address: "127.66.1.1", port: 2222 }, said, "/k");
    expect(why("ssh: connect to host 127.66.1.1 port 2222: Connection refused\r\n")).to.match(/^the master at 127\.66\.1\.1:2222 cannot be reached by ssh \(Connection refused\): /);
    expect(why("@@@\n@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.\r\n")).to.match(/another host key.*remove \/k/);
    expect(why("root@127.66.1.1: Permission denied (publickey).\r\n")).to.match(/refuses the stack's ssh key/);
    expect(why("Connection to 127.66.1.1 closed by remote host.\r\n")).to.match(/^the connection to the master at 127\.66\.1\.1:2222 was lost/);
    expect(why("")).to.match(/cannot be reached by ssh: is it/);
  });
  it("leaves out what only finds the master, and quotes the rest", () => {
    expect(remoteCommand(["--stack", "local", "drain", "w 1", "--cwd=x", "--now"])).to.deep.equal(["elastigrid", "drain", "'w 1'", "--now"]);
    expect(quote("a'b;c")).to.equal(`'a'\\''b;c'`);
  });
});

describe("what people read", () => {
  it("shows the grid on one screen", () => {
    const screen = statusScreen(status(["idle", "busy"]), NOW);
    expect(screen).to.include("1 to 4 workers").and.to.include("2: 1 idle, 1 busy").and.to.include("2 waiting, 1 running").and.to.include("grow: +1");
    expect(screen.split("\n").length).to.be.below(15);
  });
  it("is loud when what it shows is old or a witness is silent", () => {
    expect(warnings(status([]), NOW)).to.deep.equal([]);
    expect(warnings(status([]), NOW + 600_000).join()).to.match(/STALE/);
    expect(warnings(status([], { htcondor: { known: false, reason: "x" } }), NOW).join()).to.match(/HTCONDOR DOES NOT ANSWER/);
  });
  it("shows workers and jobs, and that there are none", () => {
    expect(workersTable(status(["draining"]).workers)).to.match(/w-0 +draining +10 s/);
    expect(workersTable([])).to.match(/no workers/);
    const job = { id: "1.0", owner: "g", state: "held" as const, queuedAtMs: NOW - 5_000, holdReason: "no file", cpus: 1, memoryMiB: 1, diskMiB: 1 };
    expect(jobsTable([job], [], NOW, false)).to.match(/held +5 s .*no file/);
    expect(jobsTable(Array.from({ length: 40 }, () => job), [], NOW, false)).to.match(/10 more/);
  });
  it("words durations", () => expect([5, 130, 8_000, 200_000].map(duration)).to.deep.equal(["5 s", "2 min", "2 h", "2 d"]));
});

describe("wait", () => {
  const run = async (looks: Array<GridStatus | Error>, workers: number, timeoutSeconds: number) => {
    let now = NOW, n = 0;
    const lines: string[] = [];
    const result = await waitForWorkers({
      workers, timeoutSeconds, nowMs: () => now, sleep: async (ms) => void (now += ms), print: (l) => void lines.push(l), console: async () => ({ text: "kernel panic" }), serviceLog: async () => "LOG",
      tryAgain: async () => void lines.push("TRY AGAIN"),
      status: async () => { const x = looks[Math.min(n++, looks.length - 1)]!; if (x instanceof Error) throw x; return x; },
    });
    return { ...result, lines };
  };
  it("ends when enough are in the pool, and shows the way there once per change", async () => {
    const r = await run([new ControllerError("down", true), status(["booting"]), status(["joining"]), status(["joining"]), status(["idle"])], 1, 60);
    expect(r).to.deep.include({ ok: true, ready: 1, seconds: 4 });
    expect(r.lines).to.have.length(4);
  });
  it("fails with what each missing worker does and its console", async () => {
    const r = await run([status(["idle", "joining"])], 2, 5);
    expect(r.ok).to.equal(false);
    expect(r.problem).to.match(/1 of 2 workers joined within 5 s/).and.to.match(/w-1 +joining/).and.to.match(/kernel panic/);
  });
  it("has creating tried again once where it is held back", async () => {
    const blocked = status([], { createBlocked: { until: "2026-01-01T00:30:00Z", why: "3 workers in a row did not join" } });
    const r = await run([blocked, blocked, status(["joining"]), status(["idle"])], 1, 60);
    expect(r.ok).to.equal(true);
    expect(r.lines.filter((l) => l === "TRY AGAIN")).to.have.length(1);
  });
  it("fails with the service's log when the controller never answers", async () => expect((await run([new ControllerError("down", true)], 1, 3)).problem).to.match(/down\nLOG/));
});

describe("master-apply", () => {
  const setup = {
    poolKey: "0123456789abcdef".repeat(4), credentials: { username: "u", password: "hush-hush" },
    controller: {
      gridName: "grid", gridUid: "abc", poolDomain: "grid.internal", cloud: { kind: "cloudsigma", endpoint: "http://x/", templateUuid: "t" }, enrolment: { address: "10.77.0.1", port: 9600, leasesFile: "/x" },
      workers: { min: 1, max: 3, vcpus: 1, memoryMiB: 1024, diskMiB: 5120 }, scaling: { intervalSeconds: 5, growStep: 3, shrinkStep: 3, cooldownSeconds: 60, idleSeconds: 300, joinTimeoutSeconds: 600 },
      alarms: { cpuHigh: { enabled: true, thresholdPercent: 50, periodSeconds: 60, evaluationPeriods: 1, cooldownSeconds: 60 }, cpuLow: { enabled: true, thresholdPercent: 10, periodSeconds: 60, evaluationPeriods: 1, cooldownSeconds: 60 } },
    },
  };
  let root: string;
  beforeEach(() => { root = mkdtempSync(join(tmpdir(), "elastigrid-")); });
  afterEach(() => rmSync(root, { recursive: true, force: true }));
  const apply = async (input: unknown) => {
    const lines: string[] = [], calls: string[] = [];
    await masterApply(typeof input === "string" ? input : JSON.stringify(input), {
      paths: masterPaths(root), print: (l) => void lines.push(l), sleep: async () => undefined, nowMs: () => NOW, controllerAnswers: async () => true,
      run: async (program, args) => {
        const call = [program, ...args].join(" ");
        calls.push(call);
        if (args[0] === "is-active") return { code: running.has(args[2]!) ? 0 : 3, stdout: "", stderr: "", timedOut: false };
        if (args[0] === "start" || args[0] === "restart") running.add(args[1]!);
        return { code: 0, stdout: program === "condor_status" ? "grid" : "", stderr: "", timedOut: false };
      },
    });
    return { lines, calls: calls.filter((c) => !c.includes("is-active")) };
  };
  let running: Set<string>;
  beforeEach(() => { running = new Set(); });

  it("writes what is secret for root alone, and starts both services", async () => {
    const { calls } = await apply(setup);
    const p = masterPaths(root);
    expect(statSync(p.credentials).mode & 0o777).to.equal(0o600);
    expect(statSync(p.poolKey).mode & 0o777).to.equal(0o600);
    expect(readFileSync(p.poolKey).toString("latin1")).to.not.include("0123456789");
    expect(readFileSync(p.config, "utf8")).to.not.include("hush");
    expect(calls).to.include.members(["systemctl start condor.service", "systemctl restart elastigrid-controller.service"]);
    expect(calls.join()).to.not.match(/hush|0123456789/);
  });
  it("restarts nothing the second time", async () => {
    await apply(setup);
    const { calls, lines } = await apply(setup);
    expect(calls.filter((c) => /start |restart|reconfig/.test(c))).to.deep.equal([]);
    expect(lines).to.deep.equal(["controller: unchanged, runs"]);
  });
  it("restarts the controller alone when its configuration or program changes", async () => {
    await apply(setup);
    expect((await apply({ ...setup, controller: { ...setup.controller, workers: { ...setup.controller.workers, max: 4 } } })).calls.filter((c) => / restart|start condor/.test(c))).to.deep.equal(["systemctl restart elastigrid-controller.service"]);
    const bundle = masterPaths(root).bundle;
    mkdirSync(dirname(bundle), { recursive: true });
    writeFileSync(bundle, "new");
    expect((await apply(setup)).calls).to.include("systemctl restart elastigrid-controller.service");
  });
  it("refuses what is no set-up, with every problem and no secret", async () => {
    const message = async (input: unknown): Promise<string> => (await apply(input).then(() => "", (e: Error) => e.message));
    expect(await message("hush {")).to.match(/no JSON/).and.not.match(/hush/);
    const m = await message({ ...setup, poolKey: "hush", controller: { ...setup.controller, workers: { ...setup.controller.workers, min: 9 } } });
    expect(m).to.match(/poolKey/).and.to.match(/min is above/).and.not.match(/hush/);
    expect(setupProblems(setup)).to.deep.equal([]);
  });
  it("wants a template for each worker type, and rules that can be judged", () => {
    const { controller } = setup;
    const types = [{ name: "large", vcpus: 4, memoryMiB: 8064, diskMiB: 20_480 }];
    const rule = { name: "r", metric: "queueLength", above: 1, step: 1, periodSeconds: 60, evaluationPeriods: 1, cooldownSeconds: 300 };
    const given = (cloud: object, workers: object, alarms: object) => setupProblems({ ...setup, controller: { ...controller, cloud: { ...controller.cloud, ...cloud }, workers: { ...controller.workers, ...workers }, alarms: { ...controller.alarms, ...alarms } } });
    expect(given({ templates: { large: "t2" } }, { types }, { rules: [rule] })).to.deep.equal([]);
    expect(given({ templates: {} }, { types: [...types, 7] }, { rules: [{ ...rule, target: 2, periodSeconds: 0 }, "x"] })).to.include.members([
      "controller.cloud.templates.large is missing or no text", "controller.workers.types[1] is missing or no object",
      "controller.alarms.rules[0].periodSeconds must be a number of at least 1", "controller.alarms.rules[0] must have exactly one of above, below and target", "controller.alarms.rules[1] is missing or no object",
    ]);
    expect(given({}, { types: {} }, {})).to.deep.equal(["controller.workers.types is no list"]);
  });
});
