import { expect } from "chai";
import { expectedCode, judge, submitDescription, type JobRecord } from "../../../demo/jobs";
import { isEmptyChange, parseSummary } from "../../../demo/pulumi";

const record = (ProcId: number, over: Partial<JobRecord> = {}): JobRecord => ({ ProcId, ExitCode: expectedCode(ProcId), NumJobStarts: 1, ...over });

describe("judge", () => {
  const table: [string, JobRecord[], number, { verified: number; evicted: number }][] = [
    ["accepts every job that returned its own number once", [record(0), record(1)], 0, { verified: 2, evicted: 0 }],
    ["refuses a wrong exit code", [record(0), record(1, { ExitCode: 0 })], 0, { verified: 1, evicted: 0 }],
    ["refuses a job that is missing", [record(0)], 0, { verified: 1, evicted: 0 }],
    ["refuses a job that is there twice", [record(0), record(1), record(1)], 0, { verified: 1, evicted: 0 }],
    ["counts a second start as an eviction even when the log is silent", [record(0), record(1, { NumJobStarts: 2 })], 0, { verified: 2, evicted: 1 }],
    ["counts evictions of the log", [record(0), record(1)], 3, { verified: 2, evicted: 3 }],
  ];
  for (const [says, records, evictions, wanted] of table) it(says, () => expect(judge(records, evictions, 2)).to.include(wanted));
  it("gives neighbours different numbers", () => {
    for (let i = 0; i < 1000; i += 1) expect(expectedCode(i)).to.not.equal(expectedCode(i + 1));
  });
});

describe("submitDescription", () => {
  it("transfers no file and names its log", () => {
    const text = submitDescription({ name: "x", count: 5, script: "exit $INT(code)" });
    expect(text).to.include("should_transfer_files = NO").and.include("log = /home/grid/x.log").and.match(/queue 5\n$/);
  });
});

describe("parseSummary", () => {
  it("reads the engine's closing block", () => {
    const text = "Outputs:\n    a: 1\n\nResources:\n    + 3 created\n    ~ 1 updated\n    +-1 replaced\n    5 unchanged\n\nDuration: 3s\n";
    expect(parseSummary(text)).to.deep.equal({ create: 3, update: 1, replace: 1, same: 5 });
  });
  it("takes unchanged resources as no change", () => expect(isEmptyChange({ same: 12, update: 0 })).to.equal(true));
  it("takes one update as a change", () => expect(isEmptyChange({ same: 12, update: 1 })).to.equal(false));
});
