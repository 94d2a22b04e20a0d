import { expect } from "chai";
import { HtcondorQueue } from "../../../controller/adapters/htcondor-queue";
import { invalidation, parseDrain } from "../../../controller/adapters/htcondor-drain";
import type { CommandResult } from "../../../controller/run-command";

const result = (over: Partial<CommandResult>): CommandResult => ({ code: 0, stdout: "", stderr: "", timedOut: false, ...over });
const queue = (answers: (program: string, args: readonly string[]) => Partial<CommandResult>, calls: string[] = []): HtcondorQueue =>
  new HtcondorQueue({ run: async (program, args) => { calls.push([program, ...args].join(" ")); return result(answers(program, args)); } });

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
