import { expect } from "chai";
import { parseAds, parseJobs, parseMachines } from "../../../controller/adapters/condor-parse";
import { HtcondorQueue } from "../../../controller/adapters/htcondor-queue";
import type { CommandResult } from "../../../controller/run-command";

// As HTCondor 23.9.6 prints them.
const slot = (over: object = {}) => ({
  Activity: "Idle", Cpus: 2, Disk: 12341892, ElastigridCpuPercent: 12.5, ElastigridServerUuid: "11111111-2222", LastHeardFrom: 1795228047, Machine: "w-11111111.grid.internal", Memory: 2048,
  Name: "slot1@w-11111111.grid.internal", NumDynamicSlots: 0, PartitionableSlot: true, State: "Unclaimed", TotalSlotCpus: 2, TotalSlotDisk: 12341892.0, TotalSlotMemory: 2048, ...over,
});
const job = (over: object = {}) => ({ ClusterId: 3, ProcId: 0, JobStatus: 2, JobUniverse: 5, RemoteHost: "slot1_1@w-11111111.grid.internal", Owner: "grid", QDate: 1795228097, JobCurrentStartDate: 1795228106, RequestCpus: 1, RequestDisk: 1024, RequestMemory: 100, Requirements: "/Expr(true)/", ...over });
const result = (over: Partial<CommandResult>): CommandResult => ({ code: 0, stdout: "", stderr: "", timedOut: false, ...over });

describe("parseMachines", () => {
  const table: Array<[string, object, object]> = [
    ["reads an idle worker", {}, { claims: 0, draining: false, drained: false, serverId: "11111111-2222", cpuPercent: 12.5 }],
    ["sees jobs although the partitionable slot says Unclaimed and Idle", { NumDynamicSlots: 2 }, { claims: 2 }],
    ["takes a slot that does not tell its number for one in use", { NumDynamicSlots: undefined }, { claims: 1 }],
    ["reads a worker that drains with a job", { State: "Drained", Activity: "Retiring", NumDynamicSlots: 1, Draining: true, DrainReason: "elastigrid:drain" }, { claims: 1, draining: true, drained: false, drainReason: "elastigrid:drain" }],
    ["reads a drained worker", { State: "Drained", Draining: true, DrainReason: "elastigrid:scale-in" }, { claims: 0, draining: true, drained: true }],
    ["does not believe Drained and Idle while a slot is left", { State: "Drained", NumDynamicSlots: 1 }, { drained: false }],
    ["takes a static slot in use for a claim", { PartitionableSlot: undefined, NumDynamicSlots: undefined, State: "Claimed" }, { claims: 1 }],
    ["takes an unknown state for one in use", { PartitionableSlot: undefined, State: "Something" }, { claims: 1 }],
  ];
  for (const [says, over, wanted] of table) it(says, () => expect(parseMachines([slot(over)])[0]).to.deep.include(wanted));
  it("adds up several slots of one machine", () => expect(parseMachines([slot(), slot({ Name: "slot2@", State: "Claimed", NumDynamicSlots: 1 })])).to.have.length(1).and.to.have.nested.property("[0].claims", 2));
  it("refuses an ad without a machine", () => expect(() => parseMachines([{}])).to.throw(/Machine/));
  it("reads nothing as an empty list, as HTCondor prints it", () => expect(parseAds("\n")).to.deep.equal([]));
  it("refuses what is no JSON", () => expect(() => parseAds("Error: communication error")).to.throw());
});

describe("parseJobs", () => {
  const table: Array<[string, object, object]> = [
    ["reads a running job and where", {}, { state: "running", machine: "w-11111111.grid.internal", startedAtMs: 1795228106000, diskMiB: 1 }],
    ["reads a waiting job", { JobStatus: 1, RemoteHost: undefined }, { state: "waiting", startedAtMs: undefined }],
    ["reads a held job with its reason", { JobStatus: 5, RemoteHost: undefined, HoldReason: "by user" }, { state: "held", holdReason: "by user" }],
    ["counts a removed job that is still on a machine as running", { JobStatus: 3 }, { state: "running" }],
    ["counts output transfer as running", { JobStatus: 6 }, { state: "running" }],
    ["leaves out a job of the scheduler universe", { JobUniverse: 7, JobStatus: 1 }, { state: "other" }],
    ["works out the memory that a user did not name", { RequestMemory: "/Expr(ifThenElse(...))/", ImageSize: 2049 }, { memoryMiB: 3 }],
  ];
  for (const [says, over, wanted] of table) it(says, () => expect(parseJobs([job(over)])[0]).to.deep.include(wanted));
});

describe("HtcondorQueue", () => {
  const queue = (answers: (program: string, args: readonly string[]) => Partial<CommandResult>, calls: string[] = []) =>
    new HtcondorQueue({ run: async (program, args) => { calls.push([program, ...args].join(" ")); return result(answers(program, args)); } });

  it("is unknown when either tool fails", async () => {
    for (const bad of ["condor_status", "condor_q"]) expect((await queue((p) => (p === bad ? { code: 1, stderr: "down" } : {})).observe()).known).to.equal(false);
  });
  it("is unknown when an answer cannot be read", async () => expect((await queue(() => ({ stdout: "{" })).observe()).known).to.equal(false));
  it("asks twice per look, not per machine", async () => {
    const calls: string[] = [];
    expect((await queue(() => ({}), calls).observe()).known).to.equal(true);
    expect(calls).to.have.length(2);
  });
});
