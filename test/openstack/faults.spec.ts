import { long, say, seed } from "../support/chaos";
import type { Hit } from "../support/openstack-fault-plan";
import { needLab } from "../support/openstack-lab";
import { mean, Trial } from "../support/openstack-trial";

/** Long: as many as promised. Most of a round is waiting, so some run side by side. */
const ROUNDS = long ? 50 : 2;
const WIDTH = long ? 3 : 2;

interface Round {
  readonly failures: readonly string[];
  readonly upSeconds: number;
  readonly destroySeconds: number;
}

describe("the whole grid through APIs of which every fifth creation fails", function () {
  this.timeout(long ? 3 * 3_600_000 : 560_000);
  const trials: Trial[] = [];
  const rounds: Round[] = [];
  let over = false;

  before(async function () {
    await needLab(this);
    say(`seed ${seed}`);
    for (let i = 0; i < Math.min(WIDTH, ROUNDS); i += 1) trials.push(await Trial.open(`faults${i}`, { seed: seed + i }, process.env["ELASTIGRID_FAULT_LOG"] === "1" ? (line) => console.log(`        ${i} ${line}`) : undefined));
    let next = 0;
    await Promise.all(trials.map(async (trial) => {
      for (let n = next++; n < ROUNDS && !over; n = next++) {
        const hitsBefore = trial.proxy.plan.hits.length;
        const round = await oneRound(trial);
        rounds.push(round);
        if (long || round.failures.length > 0) say(`round ${n + 1}: up ${round.upSeconds.toFixed(0)} s, destroy ${round.destroySeconds.toFixed(0)} s, struck: ${kinds(trial.proxy.plan.hits.slice(hitsBefore))}${round.failures.map((f) => `\n        ${f}`).join("")}`);
      }
    }));
  });
  after(async () => {
    over = true;
    for (const trial of trials) await trial.close();
  });

  const failures = (which: RegExp): string[] => rounds.flatMap((r) => r.failures).filter((f) => which.test(f));
  const none = (found: readonly string[]): void => {
    if (found.length > 0) throw new Error(found.join("\n"));
  };

  it(`comes up in one pulumi up, ${ROUNDS} times`, () => none(failures(/^up/)));
  it("exists once each", () => none(failures(/^duplicate/)));
  it("goes in one pulumi destroy", () => none(failures(/^destroy/)));
  it("leaves nothing behind", () => none(failures(/^leak/)));
  it("was really struck", () => {
    for (const { proxy } of trials) say(proxy.plan.summary());
    say(`${rounds.length} rounds; up ${mean(rounds.map((r) => r.upSeconds))} s, destroy ${mean(rounds.map((r) => r.destroySeconds))} s on average`);
    if (rounds.length !== ROUNDS) throw new Error(`${rounds.length} rounds of ${ROUNDS}`);
    if (trials.every((t) => t.proxy.plan.hits.length === 0)) throw new Error("nothing was struck");
  });
});

/** A stack from nothing to nothing. */
async function oneRound(trial: Trial): Promise<Round> {
  const failures: string[] = [];
  const attempt = async (what: string, work: () => Promise<string | void>): Promise<void> => {
    try {
      const wrong = await work();
      if (wrong !== undefined && wrong !== "") failures.push(`${what}: ${wrong}`);
    } catch (e) {
      failures.push(`${what}: ${(e as Error).message}`);
    }
  };
  const from = Date.now();
  const test = await trial.stack();
  await attempt("up", async () => void (await test.stack.up()));
  const up = Date.now();
  if (failures.length === 0) await attempt("duplicate", () => trial.wrong(test));
  const before = Date.now();
  await attempt("destroy", async () => void (await test.stack.destroy()));
  const end = Date.now();
  await attempt("leak", () => trial.left());
  trial.drop(test);
  return { failures, upSeconds: (up - from) / 1_000, destroySeconds: (end - before) / 1_000 };
}

const kinds = (hits: readonly Hit[]): string => (hits.length === 0 ? "nothing" : hits.map((h) => `${h.creates ?? `${h.method} ${h.path.replace(/[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{32}/g, "*")}`} ${h.kind} ${h.when}`).join(", "));
