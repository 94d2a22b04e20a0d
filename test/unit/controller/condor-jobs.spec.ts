import { expect } from "chai";
import { groupOf, KnownKinds, limitsIn, missingNames, parseCounted, parseLimitSettings, parseListed, parseOccupied, type GroupContext } from "../../../controller/adapters/condor-jobs";

const NOW = 1_796_000_000;
const kinds = (startReads: readonly string[]): KnownKinds => {
  const k = new KnownKinds();
  k.next(startReads);
  return k;
};
const context = (over: Partial<GroupContext> = {}): GroupContext => ({ nowSeconds: NOW, queuedAtMs: (c) => c * 1000, kinds: kinds([]), ...over });

// As HTCondor 23.9.6 prints them.
const TRANSFER = "((TARGET.FileSystemDomain == MY.FileSystemDomain) || (TARGET.HasFileTransfer))";
const REQUIREMENTS = `/Expr((TARGET.Arch == "X86_64") && (TARGET.OpSys == "LINUX") && (TARGET.Disk >= RequestDisk) && (TARGET.Memory >= RequestMemory) && ${TRANSFER})/`;
const counted = (over: object = {}) => ({ Id: 1, JobCount: 3, JobIds: "2.0 ... 2.2", JobStatus: 1, JobUniverse: 5, Owner: "ann", AutoClusterId: 4, MinHosts: 1, ...over });
const shared = (over: object = {}) => ({ AutoClusterId: 4, FileSystemDomain: "x", JobCount: 3, JobIds: "2.0 ... 2.2", RequestCpus: 1, RequestDisk: 1024, RequestMemory: 100, Requirements: REQUIREMENTS, ...over });
const group = (row: object = {}, ad: object = {}, over: Partial<GroupContext> = {}) => groupOf(parseCounted([counted(row)])[0]!, { ...shared(), ...ad }, context(over));

describe("waiting jobs that are alike", () => {
  const table: Array<[string, object, object, object]> = [
    ["are one group with an example and its time", {}, {}, { count: 3, exampleId: "2.0", owner: "ann", queuedAtMs: 2_000, request: { cpus: 1, memoryMiB: 100, diskMiB: 1 } }],
    ["have their requests evaluated", {}, { RequestCpus: "/Expr(2 * 4)/", RequestMemory: "/Expr(ifThenElse(MemoryUsage =!= undefined, MemoryUsage * 3 / 2, 2000))/", RequestDisk: "/Expr(DiskUsage)/", DiskUsage: 2048 }, { request: { cpus: 8, memoryMiB: 2_000, diskMiB: 2 } }],
    ["take what they have used where nothing is requested", {}, { RequestCpus: undefined, RequestMemory: undefined, ImageSize: 2049 }, { request: { cpus: 1, memoryMiB: 3, diskMiB: 1 } }],
    ["ask for resources by name", {}, { RequestGPUs: 2, Requestlicense: 1 }, { request: { cpus: 1, memoryMiB: 100, diskMiB: 1, resources: { gpus: 2, license: 1 } } }],
    ["are a gang in the parallel universe", { JobUniverse: 11, MinHosts: 6 }, {}, { gang: 6 }],
    ["need no worker in the scheduler universe", { JobUniverse: 7 }, {}, { needsNoWorker: true }],
    ["nor in the local one", { JobUniverse: 12 }, {}, { needsNoWorker: true }],
    ["nor in the grid universe", { JobUniverse: 9 }, {}, { needsNoWorker: true }],
    ["take concurrency limits", {}, { ConcurrencyLimits: "db:2,license" }, { limits: { db: 2, license: 1 } }],
    ["wait until their deferral less its preparation", {}, { DeferralTime: NOW + 1_000, DeferralPrepTime: 300 }, { notBeforeMs: (NOW + 700) * 1000 }],
    ["do not wait any more when that has come", {}, { DeferralTime: NOW + 100, DeferralPrepTime: 300 }, { notBeforeMs: undefined }],
    ["make no sense with a request that is a text", {}, { RequestMemory: "lots" }, { id: "2.0", count: 3, why: 'RequestMemory is "lots", not a number' }],
    ["make no sense with a request that is an error", {}, { RequestCpus: "/Expr(1 / 0)/" }, { id: "2.0", count: 3, why: "RequestCpus is error, not a number" }],
    ["make no sense with 10 MB of Requirements", {}, { Requirements: `/Expr(${"true && ".repeat(1_250_000)}true)/` }, { id: "2.0" }],
  ];
  for (const [says, row, ad, wanted] of table) {
    it(says, () => {
      const g = group(row, ad) as unknown as Record<string, unknown>;
      for (const [k, v] of Object.entries(wanted)) expect(g[k], k).to.deep.equal(v);
    });
  }
  const keyOf = (row: object = {}, ad: object = {}, over: Partial<GroupContext> = {}): string => (group(row, ad, over) as { key: string }).key;
  const apart: Array<[string, object, object]> = [
    ["universe", { JobUniverse: 11 }, {}], ["owner", { Owner: "bob" }, {}], ["size", {}, { RequestMemory: 101 }], ["Requirements", {}, { Requirements: "/Expr(true)/" }],
    ["limits", {}, { ConcurrencyLimits: "x" }], ["an attribute that the Requirements refer to", {}, { FileSystemDomain: "y" }], ["a resource", {}, { RequestGPUs: 1 }],
  ];
  for (const [what, row, ad] of apart) it(`are told apart by ${what}`, () => expect(keyOf(row, ad)).to.not.equal(keyOf()));
  it("are told apart by the size of a gang", () => expect(keyOf({ JobUniverse: 11, MinHosts: 2 })).to.not.equal(keyOf({ JobUniverse: 11, MinHosts: 3 })));
  it("are worked out once, however many of them wait, and again when the workers' own START reads something else", () => {
    const k = new KnownKinds();
    k.next([]);
    const first = k.of({ RequestMemory: 5, Project: "a", JobCount: 1, JobIds: "1.0" }, "ann", 5);
    k.next([]);
    expect(k.of({ RequestMemory: 5, Project: "a", JobCount: 2, JobIds: "1.0 1.1" }, "ann", 5)).to.equal(first);
    for (const [ad, owner, universe] of [[{ RequestMemory: 6 }, "ann", 5], [{ RequestMemory: 5, Project: "a" }, "bob", 5], [{ RequestMemory: 5, Project: "a" }, "ann", 11]] as const)
      expect(k.of(ad, owner, universe)).to.not.deep.equal(first);
    k.next(["Project"]);
    expect(k.of({ RequestMemory: 5, Project: "a" }, "ann", 5)).to.not.deep.equal(first);
  });
  it("are forgotten when no look shows them", () => {
    const k = new KnownKinds();
    k.next([]);
    const first = k.of({ RequestMemory: 5 }, "ann", 5);
    k.next([]);
    k.next([]);
    expect(k.of({ RequestMemory: 5 }, "ann", 5)).to.not.equal(first);
  });
  it("are told apart by what the workers' own START reads", () => expect(keyOf({}, { Project: "a" }, { kinds: kinds(["Project"]) })).to.not.equal(keyOf({}, { Project: "b" }, { kinds: kinds(["Project"]) })));
  it("have the same key under another number of HTCondor's, and with attributes that do not matter", () => expect(keyOf({ AutoClusterId: 9, JobIds: "7.1", JobCount: 1 }, { AutoClusterId: 9, ImageSize: 77 })).to.equal(keyOf()));
  it("name the attributes that have not been asked for", () => expect(missingNames([{ Requirements: "/Expr(TARGET.X >= MY.Need && Want)/", RequestMemory: "/Expr(Base * 2)/" }], new Set(["base"]))).to.have.members(["Need", "Want"]));

  for (const [says, row] of [["without a number", { JobCount: "3" }], ["with half a job", { JobCount: 1.5 }], ["without ids", { JobIds: undefined }]] as const) {
    it(`are no answer ${says}`, () => expect(() => parseCounted([counted(row)])).to.throw(/JobCount/));
  }
});

describe("jobs on machines", () => {
  const running = (over: object = {}) => ({ ClusterId: 3, ProcId: 0, JobStatus: 2, Owner: "ann", RemoteHost: "slot1_1@w-1.grid", JobCurrentStartDate: 100, ...over });
  const states: Array<[string, object, object]> = [
    ["running", {}, { id: "3.0", machine: "w-1.grid", state: "running", startedAtMs: 100_000 }], ["sending their output", { JobStatus: 6 }, { state: "running" }],
    ["suspended", { JobStatus: 7 }, { state: "suspended" }], ["removed, and not off their machine yet", { JobStatus: 3 }, { state: "removing" }],
  ];
  for (const [says, over, wanted] of states) it(`are ${says}`, () => expect(parseOccupied([running(over)]).running[0]).to.deep.include(wanted));
  it("are on all machines of a gang", () => expect(parseOccupied([running({ AllRemoteHosts: "slot1_1@w-1.grid,slot1_1@w-2.grid,slot1_2@w-2.grid" })]).running.map((r) => r.machine)).to.deep.equal(["w-1.grid", "w-2.grid"]));
  it("say how many machines they have, where it is more than one", () =>
    expect([{}, { AllRemoteHosts: "slot1_1@w-1.grid,slot1_1@w-2.grid" }].map((over) => parseOccupied([running(over)]).running[0]?.machines)).to.deep.equal([undefined, 2]));
  it("are not those that run on the master itself", () => expect(parseOccupied([running({ JobUniverse: 12, RemoteHost: "master.grid" })]).running).to.deep.equal([]));
  it("hold their limits", () => expect(parseOccupied([running({ ConcurrencyLimits: "lic,db:2" }), running({ ProcId: 1, ConcurrencyLimits: "db" })]).limitsHeld).to.deep.equal({ lic: 1, db: 3 }));
  it("have come back where they wait again", () => {
    const back = { RemoteHost: undefined, JobStatus: 1, LastRemoteHost: "slot1_1@w-1.grid" };
    const seen = parseOccupied([running({ ...back, EnteredCurrentStatus: 5 }), running({ ...back, ProcId: 1, EnteredCurrentStatus: 9 })]);
    expect(seen.running).to.deep.equal([]);
    expect(seen.returned).to.deep.equal([{ id: "3.1", machine: "w-1.grid", atMs: 9_000 }, { id: "3.0", machine: "w-1.grid", atMs: 5_000 }]);
  });
  it("are no answer without an id or a status", () => {
    for (const bad of [{ ClusterId: undefined }, { ProcId: "x" }, { JobStatus: undefined }]) expect(() => parseOccupied([running(bad)])).to.throw(/job ad without/);
  });
});

describe("the list of jobs", () => {
  const listed = (over: object = {}) => parseListed([{ ClusterId: 3, ProcId: 0, JobStatus: 1, JobUniverse: 5, Owner: "ann", QDate: 7, RequestCpus: 1, RequestDisk: 1024, RequestMemory: 100, ...over }], NOW)[0];
  const table: Array<[string, object, object]> = [
    ["shows a waiting job", {}, { id: "3.0", state: "waiting", universe: "vanilla", queuedAtMs: 7_000, memoryMiB: 100 }],
    ["shows a held one with its reason", { JobStatus: 5, HoldReason: "by ann" }, { state: "held", holdReason: "by ann" }],
    ["does not call a removed job done", { JobStatus: 3 }, { state: "other" }],
    ["does not call a suspended one running", { JobStatus: 7, RemoteHost: "slot1@w", JobCurrentStartDate: 8 }, { state: "suspended", startedAtMs: 8_000, machine: "w" }],
    ["evaluates requests", { RequestCpus: "/Expr(2 * 4)/" }, { cpus: 8 }],
    ["shows one whose request makes no sense", { RequestCpus: "many" }, { cpus: 0, state: "waiting" }],
  ];
  for (const [says, over, wanted] of table) it(says, () => expect(listed(over)).to.deep.include(wanted));
});

describe("concurrency limits", () => {
  it("are read as HTCondor writes them", () => expect(limitsIn("Lic, db:2 sw.a:0.5")).to.deep.equal({ lic: 1, db: 2, "sw.a": 0.5 }));
  it("are set by NAME_LIMIT", () => expect(parseLimitSettings("# Configuration from master\nLIC_LIMIT = 3\nCONCURRENCY_LIMIT_DEFAULT = 2308032\nODD_LIMIT = $(X)\n")).to.deep.equal({ lic: 3 }));
});
