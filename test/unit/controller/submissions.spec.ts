import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { Submissions } from "../../../controller/adapters/submissions";

const ONE_JOB = "105 \n101 07.-1 Job Machine\n103 07.-1 Owner \"ann\"\n101 7.0 Job Machine\n106 \n";
const REJECTED = "103 7.0 LastRejMatchReason \"no match found \"\n103 7.0 LastRejMatchTime 101 \n";

describe("Submissions", () => {
  let dir: string, log: string, noticed: number, watch: Submissions, asked: number;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "submissions-"));
    log = join(dir, "job_queue.log");
    noticed = asked = 0;
    watch = new Submissions({ submitted: () => (noticed += 1), run: async () => { asked += 1; return { code: 0, stdout: `${log}\n`, stderr: "", timedOut: false }; }, everyMs: 1 });
  });
  afterEach(() => {
    watch.stop();
    rmSync(dir, { recursive: true });
  });
  const noticedAfter = async (change: () => void): Promise<number> => {
    const before = noticed;
    change();
    await watch.look();
    return noticed - before;
  };

  it("notices a submission once, and none that was there before it began", async () => {
    writeFileSync(log, `107 1\n${ONE_JOB}`);
    expect(await noticedAfter(() => undefined)).to.equal(0);
    expect(await noticedAfter(() => appendFileSync(log, ONE_JOB))).to.equal(1);
    expect(await noticedAfter(() => undefined)).to.equal(0);
    expect(asked, "where the log is").to.equal(1);
  });
  it("does not take what negotiations and running jobs write for submissions", async () => {
    writeFileSync(log, ONE_JOB);
    await watch.look();
    expect(await noticedAfter(() => appendFileSync(log, REJECTED.repeat(100)))).to.equal(0);
  });
  it("notices one whose line was cut anywhere by a look", async () => {
    for (let at = 1; at < 12; at += 1) {
      const text = "103 7.0 A 1\n101 8.0 Job Machine\n", cut = text.indexOf("101 ") - 6 + at;
      writeFileSync(log, REJECTED);
      await watch.look();
      noticed = 0;
      await noticedAfter(() => appendFileSync(log, text.slice(0, cut)));
      await noticedAfter(() => appendFileSync(log, text.slice(cut)));
      expect(noticed, `cut at ${cut}`).to.equal(1);
      rmSync(log);
    }
  });
  it("goes on with a log that was written anew, in which a submission may be", async () => {
    writeFileSync(log, REJECTED.repeat(10));
    await watch.look();
    expect(await noticedAfter(() => { writeFileSync(`${log}.tmp`, ONE_JOB); renameSync(`${log}.tmp`, log); })).to.equal(1);
    expect(await noticedAfter(() => appendFileSync(log, REJECTED))).to.equal(0);
    expect(await noticedAfter(() => writeFileSync(log, ONE_JOB))).to.equal(1);
  });
  it("does not search for long in what a moment has brought", async () => {
    writeFileSync(log, "");
    await watch.look();
    expect(await noticedAfter(() => appendFileSync(log, Buffer.alloc(5 * 2 ** 20)))).to.equal(1);
  });
  it("shows nothing where it cannot read, and asks for the log's place no more than once a minute", async () => {
    await watch.look();
    writeFileSync(log, ONE_JOB);
    expect(await noticedAfter(() => undefined)).to.equal(0);
    const lost = new Submissions({ submitted: () => (noticed += 1), run: async () => { asked += 1; return { code: 1, stdout: "", stderr: "down", timedOut: false }; } });
    asked = 0;
    await lost.look();
    await lost.look();
    expect([asked, noticed]).to.deep.equal([1, 0]);
  });
  it("looks by itself until it is stopped", async () => {
    writeFileSync(log, REJECTED);
    await watch.look();
    watch.start();
    appendFileSync(log, ONE_JOB);
    while (noticed === 0) await new Promise((r) => setTimeout(r, 1));
    watch.stop();
    appendFileSync(log, ONE_JOB);
    await new Promise((r) => setTimeout(r, 20));
    expect(noticed).to.equal(1);
  });
});
