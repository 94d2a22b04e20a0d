import { expect } from "chai";
import { expectedCode } from "../../../demo/jobs";
import { judge, type Action, type JobRow, type Strike } from "../../soak/judge";
import { parseJobLog } from "../../soak/job-log";

const start = Date.parse("2026-01-01T10:00:00Z");
const stamp = (second: number): string => new Date(start + second * 1_000).toISOString().slice(0, 19).replace("T", " ");
const at = (second: number): number => start + second * 1_000;

/** Events as HTCondor 23.9 writes them: `runs 0 10 w-00000001` and so on. */
const event = (
  code: string, job: number, second: number, text: string,
): string => `${code} (001.${String(job).padStart(3, "0")}.000) ${stamp(second)} ${text}\n...\n`;
const executing = (job: number, second: number, worker: string): string =>
  event(
    "001", job, second,
    `Job executing on host: <10.77.0.31:9618?addrs=10.77.0.31-9618&alias=${worker}.grid.internal&noUDP>\n\tSlotName: slot1_1@${worker}.grid.internal\n\tCpus = 1`,
  );
const submitted = (job: number): string => event("000", job, 0, "Job submitted from host: <10.77.0.1:9618?alias=master.grid.internal>");
const terminated = (job: number, second: number): string => event(
  "005", job, second, `Job terminated.\n\t(1) Normal termination (return value ${expectedCode(job)})`,
);
const evicted = (job: number, second: number): string => event("004", job, second, "Job was evicted.\n\t(0) CPU times");
const row = (job: number, over: Partial<JobRow> = {}): JobRow =>
  ({ ClusterId: 1, ProcId: job, JobStatus: 4, ExitCode: expectedCode(job), NumJobStarts: 1, ...over });
const W = "w-00000001", V = "w-00000002";
const twice = submitted(0) + executing(0, 5, W) + evicted(0, 20) + executing(0, 25, V) + terminated(0, 40);
const strike = (kind: Strike["kind"], second: number, worker?: string, until = second): Strike =>
  ({ kind, atMs: at(second), untilMs: at(until), what: kind, ...(worker === undefined ? {} : { worker }) });
const action = (what: string, second: number, worker = W): Action => ({ atMs: at(second), what, why: "because", worker });
const judged = (
  log: string, rows: readonly JobRow[], strikes: readonly Strike[] = [], actions: readonly Action[] = [],
) => judge(parseJobLog(log), rows, strikes, actions);

describe("the job log", () => {
  it("is read with workers, times and exit codes", () => {
    const [first, second] = parseJobLog(executing(7, 5, W) + terminated(7, 9));
    expect(first).to.include({ code: 1, job: "1.7", worker: W, atMs: at(5) });
    expect(second).to.include({ code: 5, exitCode: expectedCode(7), atMs: at(9) });
  });
  it(
    "is read without an event that has no end yet",
    () => expect(parseJobLog(`${submitted(0)}001 (001.000.000) ${stamp(5)} Job exec`)).to.have.length(1),
  );
  it("is refused where it is none", () => expect(() => parseJobLog("something else\n...\n")).to.throw("not an event of a job log"));
});

describe("the judge of a soak", () => {
  it("finds nothing where every job started once and returned its own number", () => {
    const v = judged(submitted(0) + executing(0, 5, W) + terminated(0, 9), [row(0)]);
    expect(v).to.deep.equal({ jobs: 1, right: 1, starts: 1, losses: [], broken: [] });
  });
  it("excuses a second start after its own machine was killed", () => {
    for (const kind of ["worker", "startd"] as const) {
      const v = judged(twice, [row(0, { NumJobStarts: 2 })], [strike(kind, 18, W)], [action("replace", 19)]);
      expect(v.broken).to.deep.equal([]);
      expect(v.losses.map((l) => l.excused)).to.deep.equal([true]);
    }
  });
  it("excuses it also where the loss was noticed much later: no run outlives its startd", () => {
    const late = submitted(0) + executing(0, 5, W) + evicted(0, 2_000) + executing(0, 2_005, V) + terminated(0, 2_040);
    expect(judged(late, [row(0, { NumJobStarts: 2 })], [strike("startd", 18, W)]).losses.map((l) => l.excused)).to.deep.equal([true]);
    expect(judged(late, [row(0, { NumJobStarts: 2 })], [strike("startd", 18, V)]).losses.map((l) => l.excused)).to.deep.equal([false]);
  });
  it("accuses a second start without a cause, and says what was near", () => {
    const v = judged(twice, [row(0, { NumJobStarts: 2 })], [], [action("drain", 19), action("fence", 19, V)]);
    expect(v.broken).to.have.length(1);
    expect(v.broken[0]).to.match(/^job 1\.0 on w-00000001: lost without .* the controller: drain: because$/);
  });
  const noExcuse: [string, Strike[], Action[]][] = [
    ["another worker was killed", [strike("worker", 18, V)], []],
    ["its worker was killed long before", [strike("worker", -500, W)], []],
    ["its worker was killed after the loss", [strike("startd", 30, W)], []],
    ["the controller removed it before it was killed", [strike("worker", 19, W)], [action("remove", 17)]],
    ["its network was cut", [strike("network", 6, W, 18)], []],
    ["the cloud said a false word", [strike("false-status", 10, W, 18)], [action("replace", 12)]],
    ["the schedd was stopped", [strike("schedd", 6, undefined, 18)], []],
    ["the master was switched off", [strike("master", 6, undefined, 18)], []],
  ];
  for (const [says, strikes, actions] of noExcuse) it(
    `does not excuse it because ${says}`,
    () => expect(judged(twice, [row(0, { NumJobStarts: 2 })], strikes, actions).broken).to.have.length(1),
  );

  it("takes a run that failed to reconnect, or simply began again, for lost", () => {
    const failed = submitted(0) + executing(0, 5, W) + event(
      "022", 0, 10, "Job disconnected, attempting to reconnect",
    ) + event("024", 0, 20, "Job reconnection failed") + executing(0, 25, V) + terminated(0, 40);
    const silent = submitted(0) + executing(0, 5, W) + executing(0, 25, V) + terminated(0, 40);
    for (const log of [failed, silent]) expect(judged(log, [row(0, { NumJobStarts: 2 })]).broken).to.have.length(1);
  });
  it("takes a run that reconnected for one", () => {
    const log = submitted(0) + executing(0, 5, W) + event("022", 0, 10, "Job disconnected") + event(
      "023", 0, 12, "Job reconnected to slot1_1@w-00000001",
    ) + terminated(0, 40);
    expect(judged(log, [row(0)]).broken).to.deep.equal([]);
  });
  const wrong: [string, JobRow[], RegExp][] = [
    ["is nowhere any more", [], /neither in the queue nor in its history/],
    ["ended twice", [row(0), row(0)], /2 times in the history/],
    ["still waits", [row(0, { JobStatus: 1, ExitCode: undefined })], /has not completed \(status 1\)/],
    ["was removed", [row(0, { JobStatus: 3 })], /status 3/],
    ["returned another's number", [row(0, { ExitCode: 250 })], /returned 250 instead of 3/],
    ["started more often than its log shows", [row(0, { NumJobStarts: 2 })], /history counts 2 starts, its log shows 1/],
  ];
  for (const [says, rows, message] of wrong) it(`accuses a job that ${says}`, () => {
    const { broken } = judged(submitted(0) + executing(0, 5, W) + terminated(0, 9), rows);
    expect(broken).to.have.length(1);
    expect(broken[0]).to.match(message);
  });
});
