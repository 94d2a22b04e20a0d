import { expect } from "chai";
import { HtcondorQueue } from "../../../controller/adapters/htcondor-queue";
import { parseDrain } from "../../../controller/adapters/htcondor-drain";
import { invalidation, refusal } from "../../../controller/adapters/htcondor-gone";
import { sameStart, shadowsOf } from "../../../controller/adapters/htcondor-release";
import type { Connect } from "../../../controller/adapters/tcp-probe";
import type { CommandResult } from "../../../controller/run-command";

const result = (over: Partial<CommandResult>): CommandResult => ({ code: 0, stdout: "", stderr: "", timedOut: false, ...over });
const queue = (answers: (program: string, args: readonly string[]) => Partial<CommandResult>, calls: string[] = [], connect?: Connect): HtcondorQueue =>
  new HtcondorQueue({ connect, run: async (program, args) => { calls.push([program, ...args].join(" ")); return result(answers(program, args)); } });

describe("HTCondor's answers to a drain", () => {
  const table: Array<[string, Partial<CommandResult>, string | undefined, unknown]> = [
    ["accepted", {}, undefined, "accepted"],
    ["refused because busy", { code: 1, stderr: "error code 10003: Draining check expression is false on slot1_1@w." }, "x", "refusedBusy"],
    ["already draining", { code: 1, stderr: "error code 10001: Draining already in progress." }, "x", "alreadyDraining"],
    ["anything else is unknown", { code: 1, stderr: "Failed to connect" }, "x", "unknown"],
    ["a timeout is unknown", { code: -1, timedOut: true, stderr: "error code 10003" }, "x", "unknown"],
  ];
  for (const [says, r, failure, wanted] of table) it(says, () => expect(parseDrain(result(r), failure)).to.have.property("answer", wanted));
});

describe("a drain", () => {
  it("believes in an absent machine only when the collector itself denies it", async () => {
    const gone = { code: 1, stderr: "ERROR: Can't find address for startd w" };
    expect((await queue((p) => (p === "condor_drain" ? gone : {})).fence("w", "ifIdle", "r")).answer).to.equal("notThere");
    expect((await queue((p) => (p === "condor_drain" ? gone : { code: 1 })).fence("w", "ifIdle", "r")).answer).to.equal("unknown");
    expect((await queue((p) => (p === "condor_drain" ? gone : { stdout: JSON.stringify([{ Machine: "w" }]) })).fence("w", "ifIdle", "r")).answer).to.equal("unknown");
  });
  it("compares and drains in one command", async () => {
    const calls: string[] = [];
    await queue(() => ({}), calls).fence("w-1.grid", "ifIdle", "elastigrid:scale-in");
    expect(calls).to.deep.equal(['condor_drain -graceful -reason elastigrid:scale-in -check State == "Unclaimed" w-1.grid']);
  });
  const answering = (...codes: string[]) => {
    const calls: string[] = [];
    const drains: string[] = [];
    const q = queue((p, args) => {
      if (p !== "condor_drain") return { stdout: JSON.stringify([{ Machine: "w", State: "Unclaimed", Draining: false }]) };
      drains.push(args.join(" "));
      const code = codes[drains.length - 1] ?? "";
      return code === "" ? {} : { code: 1, stderr: `error code ${code}: x` };
    }, calls);
    return { q, calls, drains };
  };
  it("lets the startd itself refuse a drain that would end jobs", async () => {
    const { q, drains } = answering();
    expect((await q.fence("w", "drain", "elastigrid:drain")).answer).to.equal("accepted");
    expect(drains).to.deep.equal(["-graceful -reason elastigrid:drain -check MaxJobRetirementTime > 0 w"]);
  });
  it("closes a worker without the promise while nothing runs there, and else not now", async () => {
    const idle = answering("10003", "");
    expect((await idle.q.fence("w", "drain", "r")).answer).to.equal("accepted");
    expect(idle.drains[1]).to.include('-check State == "Unclaimed"');
    const busy = answering("10003", "10003");
    expect((await busy.q.fence("w", "drain", "r")).answer).to.equal("notNow");
    expect(busy.drains).to.have.length(2);
  });
  it("takes a busy worker back with one refused question more", async () => {
    const { q, calls, drains } = answering("", "10003");
    expect(await q.cancelDrain("w")).to.deep.equal({ answer: "accepted", detail: "" });
    expect(drains[0]).to.equal("-cancel w");
    expect(drains[1]).to.match(/^-graceful -resume-on-completion -reason (?!elastigrid:).*State == "Unclaimed" && MaxJobRetirementTime =\?= 0 w$/);
    expect(calls).to.have.length(2);
  });
  it("brings the drain to its end where the last job ended in that moment", async () => {
    const { q, calls } = answering("", "");
    expect((await q.cancelDrain("w")).answer).to.equal("accepted");
    expect(calls[2]).to.match(/^condor_status/);
  });
  it("does nothing more when the cancel had no clear answer", async () => {
    const { q, drains } = answering("10002");
    expect((await q.cancelDrain("w")).answer).to.equal("unknown");
    expect(drains).to.have.length(1);
  });
  it("refuses a name that is none", async () => expect((await queue(() => ({})).fence('x" || true', "drain", "r")).answer).to.equal("unknown"));
  it("words the invalidation", () => expect(invalidation("Machine", "w-1.grid")).to.equal('MyType = "Query"\nTargetType = "Machine"\nRequirements = Machine == "w-1.grid"\n'));
});

describe("the question who is on these machines", () => {
  const answers = (slots: object[], jobs: object[]) => (p: string): Partial<CommandResult> => ({ stdout: JSON.stringify(p === "condor_q" ? jobs : slots) });
  const slot = (over: object = {}) => ({ Machine: "w-1.grid", State: "Unclaimed", Activity: "Idle", PartitionableSlot: true, NumDynamicSlots: 0, ...over });
  const table: Array<[string, object[], object[], object]> = [
    ["nothing is on an idle one", [slot()], [], { jobs: 0, claims: 0, hasAd: true }],
    ["a job that the collector does not show yet", [slot()], [{ ClusterId: 1, ProcId: 0, RemoteHost: "slot1_1@w-1.grid" }], { jobs: 1, claims: 0, hasAd: true }],
    ["a claim that the schedd does not show yet", [slot({ NumDynamicSlots: 2 })], [], { jobs: 0, claims: 2, hasAd: true }],
    ["a slot that does not tell its number is in use", [slot({ NumDynamicSlots: undefined })], [], { jobs: 0, claims: 1, hasAd: true }],
    ["a job of a machine without an ad", [], [{ ClusterId: 1, ProcId: 0, RemoteHost: "slot1_1@w-1.grid" }], { jobs: 1, claims: 0, hasAd: false }],
    ["a parallel job on its second machine", [slot()], [{ ClusterId: 1, ProcId: 0, RemoteHost: "slot1@w-2.grid", AllRemoteHosts: "slot1@w-2.grid,slot1_1@w-1.grid" }], { jobs: 1, claims: 0, hasAd: true }],
    ["no job of a machine whose name only begins alike", [slot()], [{ ClusterId: 1, ProcId: 0, RemoteHost: "slot1_1@w-1.grid.example" }], { jobs: 0, claims: 0, hasAd: true }],
  ];
  for (const [says, slots, jobs, wanted] of table) it(says, async () => {
    const seen = await queue(answers(slots, jobs)).occupancy(["w-1.grid"]);
    expect(seen.known && seen.value.get("w-1.grid")).to.deep.equal(wanted);
  });
  it("is unknown when either is silent, or answers with something else", async () => {
    for (const bad of ["condor_status", "condor_q"]) for (const how of [{ code: 1 }, { stdout: "[{" }, { stdout: "{}" }]) {
      expect((await queue((p) => (p === bad ? how : {})).occupancy(["w-1.grid"])).known, `${bad} ${JSON.stringify(how)}`).to.equal(false);
    }
  });
  it("asks two questions for any number of machines, and none for none", async () => {
    const calls: string[] = [];
    await queue(() => ({}), calls).occupancy(["w-1.grid", "w-2.grid"]);
    expect(calls).to.have.length(2);
    await queue(() => ({}), calls).occupancy([]);
    expect(calls).to.have.length(2);
  });
  it("refuses a name that is none", async () => expect((await queue(() => ({})).occupancy(['w"} || true'])).known).to.equal(false));
});

describe("a machine that is gone", () => {
  const PS = "  41 condor_shadow -f 7.0 --schedd=<10.77.0.1:9618> <10.77.0.5:9618> -\n  42 condor_shadow -f 17.0 --schedd=<10.77.0.1:9618> <10.77.0.6:9618> -\n";
  const job = (over: object = {}) => ({ ClusterId: 7, ProcId: 0, RemoteHost: "slot1_1@w-1.grid", StartdIpAddr: "<10.77.0.5:9618?alias=w-1.grid>", JobCurrentStartDate: 1700000000, NumShadowStarts: 1, ...over });
  const EDITED = { stdout: 'Set attribute "LastJobLeaseRenewal" for 1 matching jobs.\n' };
  const gone = (jobs: object[], connect: Connect, ps = PS, edit: Partial<CommandResult> = EDITED) => {
    const calls: string[] = [];
    return { calls, q: queue((p) => (p === "condor_qedit" ? edit : { stdout: p === "condor_q" ? JSON.stringify(jobs) : p === "ps" ? ps : "" }), calls, connect) };
  };
  const silent: Connect = async () => "EHOSTUNREACH";
  const kills = (calls: readonly string[]): string[] => calls.filter((c) => c.startsWith("kill"));

  it("lets its jobs go, and nobody else's", async () => {
    const { q, calls } = gone([job(), job({ ClusterId: 17, RemoteHost: "slot1_1@w-11.grid" })], silent);
    expect(await q.gone("w-1.grid")).to.deep.equal({ known: true, value: 1 });
    expect(kills(calls)).to.deep.equal(["kill -KILL 41"]);
  });
  it("is forgotten by the collector, jobs or not", async () => {
    const { q, calls } = gone([], silent);
    expect(await q.gone("w-1.grid")).to.deep.equal({ known: true, value: 0 });
    expect(calls.filter((c) => c.startsWith("condor_advertise"))).to.have.length(2);
  });
  const alive: Array<[string, Connect]> = [
    ["accepts a connection", async () => undefined], ["refuses one", async () => "ECONNREFUSED"], ["cannot be asked", async () => "ENETUNREACH"],
  ];
  for (const [says, connect] of alive) it(`keeps its jobs while its host ${says}`, async () => {
    const { q, calls } = gone([job()], connect);
    expect((await q.gone("w-1.grid")).known).to.equal(false);
    expect(kills(calls)).to.have.length(0);
  });
  it("keeps jobs that do not say where their host was", async () => {
    const { q, calls } = gone([job({ StartdIpAddr: undefined })], silent);
    expect((await q.gone("w-1.grid")).known).to.equal(false);
    expect(kills(calls)).to.have.length(0);
  });
  it("leaves a job of several machines to its lease", async () => {
    const { q, calls } = gone([job({ AllRemoteHosts: "slot1_1@w-1.grid,slot1_1@w-2.grid" })], silent);
    expect(await q.gone("w-1.grid")).to.deep.equal({ known: true, value: 0 });
    expect(kills(calls)).to.have.length(0);
  });
  it("does nothing when the schedd does not answer", async () => {
    const calls: string[] = [];
    expect((await queue((p) => (p === "condor_q" ? { code: 1 } : {}), calls, silent).gone("w-1.grid")).known).to.equal(false);
    expect(kills(calls)).to.have.length(0);
  });
  it("says for this very start of the job that its lease is over, after its shadow was looked up and before that is ended", async () => {
    const { q, calls } = gone([job()], silent);
    await q.gone("w-1.grid");
    const edit = `condor_qedit -constraint ${sameStart(job())} LastJobLeaseRenewal 1`;
    expect(sameStart(job())).to.equal('ClusterId == 7 && ProcId == 0 && RemoteHost =?= "slot1_1@w-1.grid" && JobCurrentStartDate =?= 1700000000 && NumShadowStarts =?= 1');
    expect(calls.filter((c) => /^(ps|condor_qedit|kill)/.test(c))).to.deep.equal(["ps -C condor_shadow -o pid=,args=", edit, "kill -KILL 41"]);
  });
  const uncertain: Array<[string, object, string, Partial<CommandResult>]> = [
    ["has begun anew meanwhile", {}, PS, { code: 1 }],
    ["is not said to be the one", {}, PS, { stdout: "Set attribute for 0 matching jobs." }],
    ["does not tell its starts apart", { NumShadowStarts: undefined }, PS, EDITED],
    ["has no shadow", {}, "", EDITED],
    ["has two shadows", {}, `${PS}  43 condor_shadow 7.0 -\n`, EDITED],
  ];
  for (const [says, over, ps, edit] of uncertain) it(`leaves a job to its lease that ${says}`, async () => {
    const { q, calls } = gone([job(over)], silent, ps, edit);
    expect((await q.gone("w-1.grid")).known).to.equal(false);
    expect(kills(calls)).to.have.length(0);
  });
  it("words the refusal so that it ends by itself", () => expect(refusal(["10.77.0.5"])).to.match(/flags timeout[^]*10\.77\.0\.5 timeout \d+s/));
  it("finds a shadow by its job's whole id", () => expect(shadowsOf(PS, new Set(["7.0"]))).to.deep.equal(["41"]));
});
