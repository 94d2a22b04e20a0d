import { expect } from "chai";
import { afterFailure, afterSuccess, gateOf, isOpen, LONGEST_PAUSE_MS, type BreakerState, type FailureClass } from "../../../components/policy/breaker";

const HOUR = 3_600_000;
/** `f`: one that failed, `s`: one that worked; a second apart. */
function after(history: string, failureClass: FailureClass = "never-joined", startMs = 1_000_000): BreakerState | undefined {
  return [...history].reduce<BreakerState | undefined>((s, what, n) => {
    const nowMs = startMs + n * 1_000;
    return what === "f" ? afterFailure(s, "worker", failureClass, nowMs, "w-1 did not join") : afterSuccess(s, "worker", failureClass, nowMs);
  }, undefined);
}
const pause = (s: BreakerState | undefined): number => (s === undefined ? 0 : Math.max(0, s.untilMs - s.lastFailureMs) / 1_000);

describe("the breaker", () => {
  const opens: Array<[string, string, boolean]> = [
    ["stays closed for two of three", "ff", false],
    ["opens for three of three", "fff", true],
    ["stays closed where each failure is followed by one that works", "fsfsfs", false],
    ["opens in a group of three that worked once", "sfff", true],
    ["stays closed for 30 of 300 that were ordered together, though the bad ones are noticed last", "s".repeat(270) + "f".repeat(30), false],
    ["opens where half of a large group fails", "s".repeat(50) + "f".repeat(50), true],
    ["closes with the first that works", "fffs", false],
  ];
  for (const [says, history, wanted] of opens) it(says, () => expect(isOpen(after(history)!)).to.equal(wanted));

  const pauses: Array<[string, FailureClass, string, number]> = [
    ["waits half a minute after one failed join", "never-joined", "f", 30], ["twice as long after the next", "never-joined", "ff", 60], ["half an hour when it is open", "never-joined", "fff", 1_800],
    ["not for ever longer where few of many fail", "never-joined", "s".repeat(270) + "f".repeat(30), 30],
    ["looks again soon after a lost answer, however often", "ambiguous", "ffffff", 15], ["waits for money half an hour at most", "funds", "f".repeat(40), 1_800], ["a minute at most for what passes", "transient", "f".repeat(40), 60],
  ];
  for (const [says, failureClass, history, wanted] of pauses) it(says, () => expect(pause(after(history, failureClass))).to.equal(wanted));

  it("never opens for what the cloud refuses: that is waited for, and all of it is tried again", () => expect(isOpen(after("ffffff", "capacity")!)).to.equal(false));

  it("forgets after an hour what worked, but not a row of failures", () => {
    const old = after("s".repeat(100))!;
    let s = afterFailure(old, "worker", "never-joined", 1_000_000 + 2 * HOUR, "x");
    s = afterFailure(s, "worker", "never-joined", 1_000_000 + 4 * HOUR, "x");
    s = afterFailure(s, "worker", "never-joined", 1_000_000 + 6 * HOUR, "x");
    expect(isOpen(s)).to.equal(true);
    expect(s.why).to.equal(`3 workers in a row did not join; one is tried every ${LONGEST_PAUSE_MS / 60_000} minutes until one works`);
  });

  it("keeps types and kinds of failure apart, and says the longest wait", () => {
    const states = [after("fff")!, { ...after("f", "funds")!, untilMs: 9e9, why: "no money" }, { ...after("fff")!, type: "big" }];
    expect(gateOf(states, "worker", 1_000_000)).to.deep.equal({ untilMs: 9e9, why: "no money", atMost: 1 });
    expect(gateOf(states, "small", 1_000_000)).to.deep.equal({});
    expect(gateOf([], "worker", 0, 2)).to.deep.include({ atMost: 1 });
    expect(gateOf([], "worker", 0, 3)).to.deep.include({ atMost: 0 });
  });
});
