import { expect } from "chai";
import { parseAds, parseMachines } from "../../../controller/adapters/condor-parse";

// As HTCondor 23.9.6 prints them.
const slot = (over: object = {}) => ({
  Activity: "Idle", Cpus: 2, Disk: 12341892, ElastigridCpuPercent: 12.5, ElastigridServerUuid: "11111111-2222", LastHeardFrom: 1795228047, Machine: "w-11111111.grid.internal", Memory: 2048,
  Name: "slot1@w-11111111.grid.internal", NumDynamicSlots: 0, PartitionableSlot: true, State: "Unclaimed", TotalSlotCpus: 2, TotalSlotDisk: 12341892.0, TotalSlotMemory: 2048, ...over,
});

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
  const times = { LastHeardFrom: 1_000_100, MyCurrentTime: 5_000_070, DaemonStartTime: 5_000_000 };
  const starts: Array<[string, object, number | undefined]> = [
    ["by the collector's clock, whatever the worker's says", times, 1_000_030_000],
    ["not at all without its own times", { ...times, MyCurrentTime: undefined }, undefined],
    ["not at all where its clock went back below its start", { ...times, MyCurrentTime: 4_999_999 }, undefined],
  ];
  for (const [says, over, wanted] of starts) it(`tells the startd's start ${says}`, () => expect(parseMachines([slot(over)])[0]?.startedAtMs).to.equal(wanted));
  it("takes the older start of slots that do not agree, and none where one is silent", () => {
    const two = (other: object) => parseMachines([slot(times), slot({ ...times, Name: "slot2@", ...other })])[0]?.startedAtMs;
    expect([two({ DaemonStartTime: 4_999_000 }), two({ DaemonStartTime: undefined })]).to.deep.equal([999_030_000, undefined]);
  });
  it("adds up several slots of one machine", () => expect(parseMachines([slot(), slot({ Name: "slot2@", State: "Claimed", NumDynamicSlots: 1 })])).to.have.length(1).and.to.have.nested.property("[0].claims", 2));
  it("refuses an ad without a machine", () => expect(() => parseMachines([{}])).to.throw(/Machine/));
  it("reads nothing as an empty list, as HTCondor prints it", () => expect(parseAds("\n")).to.deep.equal([]));
  it("reads resources by what the machine says it has", () => expect(parseMachines([slot({ MachineResources: "Cpus Memory Disk Swap GPUs license", GPUs: 1, TotalSlotGPUs: 2, license: 0, TotalSlotlicense: 3 })])[0]).to.deep.include({ free: { cpus: 2, memoryMiB: 2048, diskMiB: 12341892 / 1024, resources: { gpus: 1, license: 0 } } }));
  const bad: Array<[string, string, RegExp]> = [
    ["half a list", '[\n{\n  "Machine": "w",\n', /JSON|end/i],
    ["an ad that names an attribute twice", '[\n{\n  "Machine": "w",\n  "Cpus": 1,\n  "Cpus": 9\n}\n]\n', /twice/],
    ["an ad that is none", "[1]", /none/],
    ["no list", "{}", /list/],
  ];
  for (const [says, t, why] of bad) it(`refuses ${says}`, () => expect(() => parseAds(t)).to.throw(why));
  it("reads nested ads and texts that look like attributes", () => expect(parseAds('[\n{\n  "A": "x\\n  \\"A\\": 1",\n  "B": {\n    "A": 1\n  }\n}\n]')).to.have.length(1));
  it("refuses what is no JSON", () => expect(() => parseAds("Error: communication error")).to.throw());
});

