import { expect } from "chai";
import { HtcondorQueue } from "../../../controller/adapters/htcondor-queue";
import type { QueueView } from "../../../controller/ports";
import type { CommandResult } from "../../../controller/run-command";

const result = (over: Partial<CommandResult>): CommandResult => ({ code: 0, stdout: "", stderr: "", timedOut: false, ...over });
const slot = { Machine: "w-1.grid", State: "Unclaimed", Activity: "Idle", NumDynamicSlots: 0, PartitionableSlot: true, Cpus: 2, Memory: 1000, Disk: 9000, TotalSlotCpus: 2, TotalSlotMemory: 1000, TotalSlotDisk: 9000, LastHeardFrom: 1 };
const row = (over: object = {}) => ({ Id: 1, JobCount: 3, JobIds: "2.0 ... 2.2", JobStatus: 1, JobUniverse: 5, Owner: "ann", ...over });
const alike = (over: object = {}) => row({ RequestCpus: 1, RequestMemory: 100, RequestDisk: 1024, Requirements: "/Expr(TARGET.Memory >= RequestMemory)/", ...over });

/** What each question is answered; `undefined`: nothing, as HTCondor prints an empty list. */
interface Answers {
  readonly machines?: readonly object[];
  readonly samples?: readonly object[];
  readonly occupied?: readonly object[];
  readonly started?: readonly object[];
  readonly clusters?: readonly object[];
  readonly counted?: readonly object[];
  readonly unseen?: (attributes: string) => readonly object[];
  readonly times?: readonly object[];
  readonly schedd?: readonly object[];
  readonly limits?: string;
}
const kindOf = (program: string, args: readonly string[]): keyof Answers => {
  const has = (a: string): boolean => args.includes(a);
  if (program === "condor_config_val") return "limits";
  if (program === "condor_status") return has("-schedd") ? "schedd" : has("-attributes") ? "machines" : "samples";
  if (has("-autocluster")) return "clusters";
  if (has("-group-by")) return has("-constraint") ? "unseen" : "counted";
  return args.some((a) => a.startsWith("(ClusterId")) ? "times" : args.some((a) => a.includes("JobCurrentStartDate >=")) ? "started" : "occupied";
};
function queue(answers: Answers, over: (kind: keyof Answers, args: readonly string[]) => Partial<CommandResult> | undefined = () => undefined) {
  const calls: (keyof Answers)[] = [];
  const q = new HtcondorQueue({
    nowMs: () => 1_000_000,
    run: async (program, args) => {
      const kind = kindOf(program, args);
      calls.push(kind);
      const other = over(kind, args);
      if (other !== undefined) return result(other);
      const a = answers[kind];
      const value = typeof a === "function" ? a(args[args.indexOf("-attributes") + 1] ?? "") : a;
      return result({ stdout: value === undefined ? "" : typeof value === "string" ? value : JSON.stringify(value) });
    },
  });
  return { q, calls, look: async (): Promise<QueueView> => { const v = await q.observe(); if (!v.known) throw new Error(v.reason); return v.value; } };
}

describe("HtcondorQueue's look", () => {
  it("is unknown when a question that matters has no answer", async () => {
    for (const bad of ["machines", "occupied", "counted"] as const) expect((await queue({}, (k) => (k === bad ? { code: 1, stderr: "down" } : undefined)).q.observe()).known, bad).to.equal(false);
    expect((await queue({ counted: [row()] }, (k) => (k === "unseen" ? { code: 1 } : undefined)).q.observe()).known).to.equal(false);
  });
  it("is unknown when an answer is cut off", async () => {
    for (const bad of ["machines", "occupied", "counted"] as const) expect((await queue({}, (k) => (k === bad ? { stdout: "[\n{" } : undefined)).q.observe()).known, bad).to.equal(false);
  });
  it("goes on without what only makes it cheaper or finer", async () => {
    const v = await queue({ machines: [slot], counted: [row()], unseen: () => [alike()] }, (k) => (["clusters", "schedd", "times", "samples", "limits"].includes(k) ? { code: 1 } : undefined)).look();
    expect(v.groups).to.have.length(1);
    expect(v.groups[0]).to.deep.include({ count: 3, queuedAtMs: 1_000_000 });
  });
  it("asks the same number of questions whatever the queue holds", async () => {
    const { look, calls } = queue({ machines: [slot], samples: [slot], counted: Array.from({ length: 200 }, (_, i) => row({ AutoClusterId: i, JobIds: `2.${i}`, JobCount: 1000 })), clusters: Array.from({ length: 200 }, (_, i) => ({ AutoClusterId: i, RequestMemory: i })), times: [{ ClusterId: 2, ProcId: 0, QDate: 5 }] });
    await look();
    calls.length = 0;
    const v = await look();
    expect(v.counts.waiting).to.equal(200_000);
    expect(v.groups).to.have.length(200);
    expect(calls).to.have.members(["machines", "occupied", "clusters", "schedd", "counted"]);
  });
  it("tells jobs with the same significant attributes apart by universe", async () => {
    const v = await queue({ counted: [row({ AutoClusterId: 1 }), row({ AutoClusterId: 1, JobUniverse: 11, MinHosts: 4, JobIds: "3.0", JobCount: 1 })], clusters: [{ AutoClusterId: 1, RequestMemory: 220 }] }).look();
    expect(v.groups.map((g) => [g.gang, g.count])).to.deep.equal([[undefined, 3], [4, 1]]);
  });
  it("counts jobs that no negotiation has seen by all that decides about them", async () => {
    const asked: string[] = [];
    const { look } = queue({ counted: [row({ JobCount: 5 })], unseen: (attributes) => { asked.push(attributes); return [alike({ Need: 1, JobCount: 2, Requirements: "/Expr(TARGET.X >= MY.Need)/" }), alike({ Need: 2, JobCount: 3, JobIds: "9.0", Requirements: "/Expr(TARGET.X >= MY.Need)/" })]; } });
    const v = await look();
    expect(asked.map((a) => a.split(",").includes("Need"))).to.deep.equal([false, true]);
    expect(v.groups.map((g) => g.count)).to.deep.equal([2, 3]);
    await look();
    expect(asked, "and remembers by what").to.have.length(3);
  });
  it("counts again when jobs were negotiated for between their count and the question what they ask for", async () => {
    let negotiated = false;
    const counted = (): string => JSON.stringify([row(negotiated ? { AutoClusterId: 7 } : {})]);
    const { q } = queue({ unseen: () => [] }, (kind) => {
      if (kind === "counted") return { stdout: counted() };
      if (kind === "unseen") negotiated = true;
      return kind === "clusters" && negotiated ? { stdout: JSON.stringify([{ AutoClusterId: 7, RequestMemory: 220 }]) } : undefined;
    });
    const v = await q.observe();
    expect(v.known && v.value.groups.map((g) => [g.count, g.request.memoryMiB])).to.deep.equal([[3, 220]]);
  });
  it("does not count for ever: jobs that are gone by the time of the question are left out", async () => {
    const { look, calls } = queue({ counted: [row()], unseen: () => [] });
    expect((await look()).groups).to.deep.equal([]);
    expect(calls.filter((c) => c === "counted")).to.have.length(3);
  });
  it("finds a job that was negotiated for after it asked for the autoclusters", async () => {
    const v = await queue({ counted: [row({ AutoClusterId: 9 })], clusters: [{ AutoClusterId: 1, RequestMemory: 5 }], unseen: () => [alike({ AutoClusterId: 9 })] }).look();
    expect(v.groups.map((g) => [g.count, g.request.memoryMiB])).to.deep.equal([[3, 100]]);
  });
  it("does not ask for autoclusters whose jobs are gone", async () => {
    const args: string[][] = [];
    await queue({}, (kind, a) => { if (kind === "clusters") args.push([...a]); return undefined; }).look();
    expect(args.map((a) => a.slice(a.indexOf("-constraint")))).to.deep.equal([["-constraint", "JobCount > 0"]]);
  });
  it("sees where jobs run that started between its two questions, and none that may have waited when it counted", async () => {
    const on = (proc: number, at: number) => ({ ClusterId: 4, ProcId: proc, JobStatus: 2, RemoteHost: `slot1_1@w-${proc}.grid`, JobCurrentStartDate: at });
    const running = row({ JobStatus: 2, AutoClusterId: 1, JobCount: 2 });
    const v = await queue({ occupied: [on(0, 900)], counted: [running], started: [on(2, 1001), on(1, 1000), on(0, 900)] }).look();
    expect(v.running.map((j) => j.machine)).to.deep.equal(["w-0.grid", "w-1.grid"]);
    const { look, calls } = queue({ occupied: [on(0, 900), on(1, 1000)], counted: [running] });
    await look();
    expect(calls, "only where one is lacking").not.to.include("started");
  });
  it("adds up groups that differ in nothing that matters", async () => {
    const v = await queue({ counted: [row({ AutoClusterId: 1 }), row({ AutoClusterId: 2, JobIds: "1.0" })], clusters: [{ AutoClusterId: 1, RequestMemory: 5 }, { AutoClusterId: 2, RequestMemory: 5 }], times: [{ ClusterId: 1, QDate: 3 }, { ClusterId: 2, QDate: 4 }] }).look();
    expect(v.groups).to.have.length(1);
    expect(v.groups[0]).to.deep.include({ count: 6, exampleId: "1.0", queuedAtMs: 3_000 });
  });
  it("lets one odd job spoil only itself", async () => {
    const v = await queue({ counted: [row({ JobCount: 2 })], unseen: () => [alike({ JobCount: 1 }), alike({ JobCount: 1, JobIds: "8.0", RequestMemory: "lots" })] }).look();
    expect(v.groups).to.have.length(1);
    expect(v.unreadable).to.deep.equal([{ id: "8.0", count: 1, why: 'RequestMemory is "lots", not a number' }]);
  });
  it("does not count jobs of the master's own universes as waiting, suspended ones as running, or removed ones as done", async () => {
    const v = await queue({ counted: [row({ JobUniverse: 7 }), row({ JobStatus: 7 }), row({ JobStatus: 3 }), row({ JobStatus: 5 }), row({ JobStatus: 2 })], schedd: [{ JobsCompleted: 12 }] }).look();
    expect(v.counts).to.deep.equal({ waiting: 0, running: 3, held: 3, suspended: 3, done: 12 });
    expect(v.groups.map((g) => g.needsNoWorker)).to.deep.equal([true]);
  });
  it("knows how much is left of the limits that jobs name", async () => {
    const v = await queue({
      counted: [row({ AutoClusterId: 1 })], clusters: [{ AutoClusterId: 1, ConcurrencyLimits: "lic,free" }], limits: "LIC_LIMIT = 3\nCONCURRENCY_LIMIT_DEFAULT = 2308032\n",
      occupied: [{ ClusterId: 7, ProcId: 0, JobStatus: 2, RemoteHost: "slot1_1@w-1.grid", ConcurrencyLimits: "LIC:2" }],
    }).look();
    expect(v.limitsLeft).to.deep.equal({ lic: 1 });
  });
  it("fetches one whole ad for each kind of worker, and not again", async () => {
    const { look, calls } = queue({ machines: [slot, { ...slot, Machine: "w-2.grid" }], samples: [{ ...slot, HasX: true }] });
    expect((await look()).machines.map((m) => m.ad?.["HasX"])).to.deep.equal(["true", undefined]);
    expect((await look()).machines.map((m) => m.ad?.["HasX"])).to.deep.equal(["true", undefined]);
    expect(calls.filter((c) => c === "samples")).to.have.length(1);
  });
  it("takes no draining worker for a sample: it takes no job, others of its kind do", async () => {
    const draining = { ...slot, Draining: true };
    expect((await queue({ machines: [draining], samples: [draining] }).look()).machines[0]!.ad).to.equal(undefined);
    expect((await queue({ machines: [slot], samples: [draining] }).look()).machines[0]!.ad, "it began to drain in between").to.equal(undefined);
  });
  it("asks for resources that a machine says it has", async () => {
    const { look, calls } = queue({ machines: [{ ...slot, MachineResources: "Cpus Memory Disk Swap license", license: 1, TotalSlotlicense: 2 }] });
    expect((await look()).machines[0]!.total.resources).to.deep.equal({ license: 2 });
    expect(calls.filter((c) => c === "machines"), "by name, once it has heard the name").to.have.length(2);
  });
});
