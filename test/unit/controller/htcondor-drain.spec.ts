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
    expect(calls).to.deep.equal(['condor_drain -graceful -reason elastigrid:scale-in -check State=="Unclaimed" w-1.grid']);
  });
  it("refuses a name that is none", async () => expect((await queue(() => ({})).fence('x" || true', "drain", "r")).answer).to.equal("unknown"));
  it("words the invalidation", () => expect(invalidation("Machine", "w-1.grid")).to.equal('MyType = "Query"\nTargetType = "Machine"\nRequirements = Machine == "w-1.grid"\n'));
});
