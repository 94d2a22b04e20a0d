import { expect } from "chai";
import * as fc from "fast-check";
import type { RunningJob } from "../../../components/policy/demand";
import { afterTry, dueOrphans, isOlderThanStartd, noteOrphans, ORPHAN_CONFIRM_MS, ORPHAN_MARGIN_MS, type Orphans } from "../../../components/policy/orphans";
import { startdStart } from "../../../controller/adapters/condor-parse";

const STARTD_MS = 1_800_000_000_000;
const job = (over: Partial<RunningJob> = {}): RunningJob => ({ id: "7.0", owner: "ann", machine: "w-1.grid", state: "running", startedAtMs: STARTD_MS - 60_000, ...over });

describe("a job older than its startd", () => {
  const table: Array<[string, Partial<RunningJob>, boolean]> = [
    ["a minute older", {}, true],
    ["suspended, on a claim of the former startd", { state: "suspended" }, true],
    ["a minute younger", { startedAtMs: STARTD_MS + 60_000 }, false],
    ["older by the margin, and no more", { startedAtMs: STARTD_MS - ORPHAN_MARGIN_MS }, false],
    ["older by a second more than the margin", { startedAtMs: STARTD_MS - ORPHAN_MARGIN_MS - 1_000 }, true],
    ["of several machines", { machines: 2 }, false],
    ["told to go", { state: "removing" }, false],
    ["without a start", { startedAtMs: undefined }, false],
  ];
  for (const [says, over, wanted] of table) it(`${wanted ? "is" : "is not"} one that is ${says}`, () => expect(isOlderThanStartd(job(over), STARTD_MS)).to.equal(wanted));
});

describe("orphans from look to look", () => {
  interface Shown {
    readonly startedAtMs?: number;
    readonly heardAgoMs?: number;
    readonly jobs?: readonly RunningJob[];
  }
  /** Looks five seconds apart; answers how many are due after each. */
  const looks = (shown: readonly (Shown | "unknown")[], tried: number[] = []): number[] => {
    let orphans: Orphans | undefined, nowMs = 77_000_000;
    return shown.map((s, i) => {
      nowMs += 5_000;
      if (s === "unknown") return -1;
      const heardAtMs = "heardAgoMs" in s ? (s.heardAgoMs === undefined ? undefined : nowMs - s.heardAgoMs) : nowMs - 1_000;
      orphans = noteOrphans(orphans, { startedAtMs: "startedAtMs" in s ? s.startedAtMs : STARTD_MS, heardAtMs, jobs: s.jobs ?? [job()], nowMs });
      const due = orphans === undefined ? 0 : dueOrphans(orphans, heardAtMs, nowMs).length;
      if (orphans !== undefined && tried.includes(i)) orphans = afterTry(orphans, nowMs);
      return due;
    });
  };
  const five = (odd: Shown | "unknown"): number[] => looks([{}, {}, odd, {}, {}, {}]);

  it("are due after 15 s, of which each look shows them", () => expect(looks([{}, {}, {}, {}, {}])).to.deep.equal([0, 0, 0, 1, 1]));
  const resets: Array<[string, Shown]> = [
    ["does not show the job", { jobs: [] }],
    ["shows a startd that is older than the job", { startedAtMs: STARTD_MS - 3_600_000 }],
    ["does not tell the startd's start", { startedAtMs: undefined }],
    ["shows an ad that has not been heard for long", { heardAgoMs: 31_000 }],
    ["shows nothing heard", { heardAgoMs: undefined }],
    ["shows another start of the job", { jobs: [job({ startedAtMs: STARTD_MS - 50_000 })] }],
  ];
  for (const [says, odd] of resets) it(`begin anew after a look that ${says}`, () => expect(five(odd)).to.deep.equal([0, 0, 0, 0, 0, 0]));
  it("take a look without an answer for nothing, neither for them nor against them", () => expect(five("unknown")).to.deep.equal([0, 0, -1, 1, 1, 1]));
  it("need three looks, however far apart", () => expect(looks([{}, "unknown", "unknown", "unknown", {}, {}])).to.deep.equal([0, -1, -1, -1, 0, 1]));
  it("need an ad that was heard after they were first seen", () =>
    expect(looks([{ heardAgoMs: 1_000 }, { heardAgoMs: 6_000 }, { heardAgoMs: 11_000 }, { heardAgoMs: 16_000 }, { heardAgoMs: 21_000 }, { heardAgoMs: 1_000 }])).to.deep.equal([0, 0, 0, 0, 0, 1]));
  it("are tried again after a minute, and five times in all", () => {
    const due = looks(Array.from({ length: 120 }, () => ({})), Array.from({ length: 120 }, (_, i) => i).filter((i) => i >= 3 && (i - 3) % 12 === 0));
    expect(due.flatMap((n, i) => (n > 0 ? [i] : []))).to.deep.equal([3, 15, 27, 39, 51]);
  });
  it("each for itself: only those that were seen so for long enough", () => {
    const both = [job(), job({ id: "8.0" })];
    expect(looks([{}, {}, { jobs: both }, { jobs: both }, { jobs: both }, { jobs: both }])).to.deep.equal([0, 0, 0, 1, 1, 2]);
  });

  it("never are jobs that began on the startd there is, whatever the clocks of worker and master say, as long as ads come in time", () => {
    const hours = fc.integer({ min: -86_400, max: 86_400 });
    fc.assert(fc.property(hours, fc.integer({ min: 0, max: 1_000_000 }), fc.integer({ min: 1, max: 9_000 }), fc.array(fc.record({ age: fc.integer({ min: 0, max: 100_000 }), delay: fc.integer({ min: 0, max: 7 }) }), { minLength: 5 }), (skew, runsMs, afterMs, ads) => {
      // The startd began at STARTD_MS; its clock is `skew` s away; the job began `afterMs` later, told in whole seconds.
      const jobStart = Math.floor((STARTD_MS + afterMs) / 1000) * 1000;
      let orphans: Orphans | undefined, nowMs = runsMs;
      for (const { age, delay } of ads) {
        nowMs += 5_000;
        const startSeconds = Math.floor(STARTD_MS / 1000);
        const startedAtMs = startdStart({ DaemonStartTime: startSeconds + skew, MyCurrentTime: startSeconds + skew + age, LastHeardFrom: startSeconds + age + 1 + delay });
        orphans = noteOrphans(orphans, { startedAtMs, heardAtMs: nowMs, jobs: [job({ startedAtMs: jobStart })], nowMs });
        expect(orphans).to.equal(undefined);
      }
    }));
  });
  it("always become due in 15 s and three looks, whatever the clocks say, when every look shows them", () => {
    fc.assert(fc.property(fc.integer({ min: -86_400, max: 86_400 }), fc.integer({ min: ORPHAN_MARGIN_MS + 2_000, max: 100_000_000 }), fc.array(fc.integer({ min: 1_000, max: 20_000 }), { minLength: 20, maxLength: 20 }), (skew, olderMs, gaps) => {
      const start = Math.floor(STARTD_MS / 1000), jobStart = Math.floor((STARTD_MS - olderMs) / 1000) * 1000;
      let orphans: Orphans | undefined, nowMs = 0, count = 0;
      for (const gap of gaps) {
        nowMs += gap;
        count += 1;
        const age = Math.floor(nowMs / 1000);
        orphans = noteOrphans(orphans, { startedAtMs: startdStart({ DaemonStartTime: start + skew, MyCurrentTime: start + skew + age, LastHeardFrom: start + age }), heardAtMs: nowMs, jobs: [job({ startedAtMs: jobStart })], nowMs });
        expect(dueOrphans(orphans!, nowMs, nowMs).length, `look ${count}`).to.equal(count >= 3 && nowMs - gaps[0]! >= ORPHAN_CONFIRM_MS ? 1 : 0);
      }
    }));
  });
});
