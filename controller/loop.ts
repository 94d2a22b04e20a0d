import { afterProbe } from "../components/policy/refusals";
import { DEFAULT_TYPE, type ControllerConfig } from "../components/config/controller-config";
import type { Decision, Override } from "../components/policy/decision";
import { isMendable } from "../components/policy/breaker";
import { decide } from "../components/policy/scaling";
import { act, message, noteGroupFailure, type Hands } from "./act";
import { newMemory, type Memory, type Merged } from "./memory";
import { dueForQuestion, freshWorker } from "./merge";
import { picture, type Picture } from "./observe";
import { releaseOrphans } from "./orphans";
import { unknown, type Clock, type CloudAlarms, type Gate, type Journal, type Pool, type Queue } from "./ports";
import { causeOf } from "./same-cause";
import { askTogether, atMostAtOnce } from "./together";

export interface ControllerParts {
  readonly pool: Pool;
  readonly queue: Queue;
  /** Where the cloud evaluates the CPU alarms. */
  readonly alarms?: CloudAlarms;
  readonly gate: Gate;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly config: ControllerConfig;
  readonly override: { get(): Override; drainDone(id: string): void };
  /** Six characters that no two workers share. */
  readonly randomSuffix: () => string;
}

/** The order matters: what takes work away from workers comes before what makes new ones. */
const STEPS: readonly Decision["do"][] = ["fence", "cancelDrain", "remove", "start", "grow"];
const HOLD_AGAIN_MS = 60_000;
const LIST_SETTLES_MS = 20_000;
/** Commands of HTCondor's tools or calls of the cloud at a time: they cost a process or a connection each. */
const AT_ONCE = 8;
const QUESTIONS_A_PASS = 20;
const JOURNAL_SEEN = 200;
/** What the one before us created and nobody has seen since: far longer than any list lags. */
const TAKEN_OVER_MS = 1_800_000;

/**
 * The loop: observe, decide, fence, act, verify. Level-triggered: every pass starts from what queue and cloud say now, so a
 * pass that was cut off at any point is simply followed by the next one.
 */
export class Controller {
  readonly memory: Memory = newMemory();
  /** Wall clock, as all times that are shown. */
  readonly startedAtMs: number;
  latest: Picture | undefined;
  passes = 0;
  lastPass: { readonly atMs: number; readonly tookMs: number; readonly error?: string } | undefined;
  lastKnown: { poolMs?: number; queueMs?: number } = {};
  private readonly said = new Map<string, number>();
  private lastSaid = "";

  constructor(private readonly parts: ControllerParts) {
    this.startedAtMs = parts.clock.nowMs();
    this.takeOver();
  }

  /** The one before us may have created workers that the cloud does not list yet: wait for the list before making more. */
  private takeOver(): void {
    const { journal, clock, config } = this.parts;
    const tail = journal.tail(1_000), nowMs = clock.monotonicMs();
    const ageMs = (at: string): number => Math.max(0, this.startedAtMs - Date.parse(at));
    const lastGrow = [...tail].reverse().find((e) => e.what === "grow");
    const waitMs = lastGrow === undefined ? 0 : LIST_SETTLES_MS - ageMs(lastGrow.at);
    if (waitMs > 0) this.memory.createGate = { untilMs: nowMs + waitMs, why: "workers were ordered just before this controller started: the cloud's list is watched first" };
    for (const e of tail) if (e.what === "proven") this.memory.proven.add(e.why);
    const gone = new Set(tail.filter((e) => e.what === "gone").map((e) => e.worker));
    for (const e of tail) {
      const id = e.what === "created" ? /^server (\S+)$/.exec(e.why)?.[1] : undefined;
      if (id === undefined || gone.has(e.worker) || ageMs(e.at) > TAKEN_OVER_MS) continue;
      this.memory.workers.set(id, freshWorker({ id, name: e.worker ?? id, status: "unknown", copying: true, macs: [] }, config.poolDomain, nowMs));
    }
  }

  /** One pass. Answers whether the next one should come soon, because something is on its way. */
  async pass(): Promise<boolean> {
    const { clock } = this.parts;
    const from = clock.monotonicMs();
    let soon = false;
    let error: string | undefined;
    try {
      soon = await this.observeAndAct();
    } catch (e) {
      error = message(e);
      this.say("pass-failed", error);
    }
    this.passes += 1;
    this.lastPass = { atMs: clock.nowMs(), tookMs: Math.round(clock.monotonicMs() - from), error };
    return soon;
  }

  private async observeAndAct(): Promise<boolean> {
    const { pool, queue, clock, config, gate, override, journal } = this.parts;
    const askedMs = clock.monotonicMs();
    const [poolSeen, queueSeen, alarms] = await Promise.all([
      pool.observe().catch((e: unknown) => unknown(message(e))),
      queue.observe().catch((e: unknown) => unknown(message(e))),
      this.parts.alarms?.observe().catch((e: unknown) => unknown(message(e))),
    ]);
    if (poolSeen.known) await this.askForUnlisted();
    const nowMs = clock.monotonicMs(), wallMs = clock.nowMs();
    if (poolSeen.known) this.lastKnown.poolMs = wallMs;
    if (queueSeen.known) this.lastKnown.queueMs = wallMs;
    if (poolSeen.known) noteGroupFailure(this.memory, poolSeen.value, DEFAULT_TYPE, { write: (what, why) => this.record(what, why) }, nowMs);
    const look = { pool: poolSeen, queue: queueSeen, ageMs: nowMs - askedMs, ...(alarms === undefined ? {} : { alarms }) };
    const now = picture(this.memory, { look, config, override: override.get(), gate, nowMs, wallMs, journal: journal.tail(JOURNAL_SEEN), previous: this.latest?.workers ?? [] });
    this.latest = now;
    if (poolSeen.known) {
      this.forgetVanishedDrains(now.workers);
      this.tellDisagreement(now.workers);
      this.noteProven(now.workers);
      await this.tend();
    }
    if (poolSeen.known && now.look.queue.known && now.look.queue.partial === undefined) await releaseOrphans(this.memory, this.hands());
    const unsure = this.memory.listsToSee > 0;
    // A list counts once it has had its time to show what was ordered last.
    if (poolSeen.known && unsure && nowMs >= (now.input.createGate?.untilMs ?? 0)) this.memory.listsToSee -= 1;
    const createGate = unsure ? { untilMs: nowMs + 1, why: "this controller has just begun, or a create got no clear answer: the cloud's list is looked at again before anything is made" } : now.input.createGate; // guard: a new controller looks twice
    const decisions = decide({ ...now.input, createGate });
    for (const d of decisions) if (d.do === "hold") this.say("hold", d.why);
    return (await this.carryOut(decisions, now)) || unsure;
  }

  /** Whom the cloud's lists have lacked for a while, they may lack wrongly: each is asked for by itself. */
  private async askForUnlisted(): Promise<void> {
    const { pool, clock } = this.parts;
    const due = dueForQuestion(this.memory, clock.monotonicMs(), QUESTIONS_A_PASS);
    await atMostAtOnce(AT_ONCE, due, async (id) => {
      const status = await pool.statusNow(id).catch((e: unknown) => unknown(message(e)));
      const seen = this.memory.workers.get(id);
      if (seen !== undefined) seen.saidGone = status.known && status.value === "gone";
    });
  }

  private tellDisagreement(workers: readonly Merged[]): void {
    for (const w of workers) {
      if (w.off !== undefined && w.machine !== undefined && w.phase !== "removing") this.say("disagreement", `the cloud says ${w.server}, but the pool hears from it: it is left alone`, w.name);
    }
  }

  /** In the journal, so that the next controller need not find out again. */
  private noteProven(workers: readonly Merged[]): void {
    const { proven, offers } = this.memory;
    for (const w of workers) {
      if (!w.everJoined || w.retiring !== undefined || proven.has(w.type)) continue;
      proven.add(w.type);
      this.record("proven", w.type, w.name);
    }
    // A changed definition has to prove itself anew, and what the former one offered says nothing of it.
    for (const w of workers) {
      if (w.retiring === undefined || workers.some((x) => x.type === w.type && x.retiring === undefined && x.everJoined)) continue;
      proven.delete(w.type);
      offers.delete(w.type);
    }
  }

  /** Before anything is decided: a group that is out of order could take a worker that nobody chose. */
  private async tend(): Promise<void> {
    try {
      for (const line of (await this.parts.pool.tend?.()) ?? []) this.record("tend", line);
    } catch (e) {
      this.record("tend-failed", message(e));
    }
  }

  private hands(): Hands {
    const { config, pool, queue, gate, clock, override, randomSuffix } = this.parts;
    return {
      pool, queue, gate, nowMs: () => clock.monotonicMs(), defaultType: DEFAULT_TYPE, joinTimeoutSeconds: config.scaling.joinTimeoutSeconds,
      newName: (type) => `${config.gridName}-${type === DEFAULT_TYPE ? "worker" : `worker-${type}`}-${randomSuffix()}`,
      occupancy: askTogether(queue),
      poolDomain: config.poolDomain,
      drainDone: (id) => override.drainDone(id),
      journal: { write: (what, why, worker) => this.record(what, why, worker) },
    };
  }

  private async carryOut(decisions: readonly Decision[], now: Picture): Promise<boolean> {
    const hands = this.hands();
    const workers = new Map(decisions.some((d) => "id" in d) ? now.workers.map((w) => [w.id, w]) : []);
    const gateBefore = this.memory.createGate, breakersBefore = new Map(this.memory.breakers);
    const learnt = (): boolean => this.memory.createGate !== gateBefore || [...this.memory.breakers].some(([k, s]) => s.untilMs > (breakersBefore.get(k)?.untilMs ?? 0));
    let soon = false;
    for (const step of STEPS) {
      const all = decisions.filter((d) => d.do === step);
      if (step !== "grow") {
        const results = await atMostAtOnce(AT_ONCE, all, (d) => act(d, workers, this.memory, hands));
        soon ||= results.some(Boolean);
        continue;
      }
      for (const d of all) {
        if (learnt()) soon = true; // this very pass has learnt a reason to wait
        else {
          soon = (await act(d, workers, this.memory, hands)) || soon;
          this.noteProbes(now);
        }
      }
    }
    return soon;
  }

  /** Groups for which a worker was tried once more wait longer for the next one. */
  private noteProbes(now: Picture): void {
    const { refused } = this.memory;
    for (const [key, r] of refused) if (r.probeAtMs <= now.input.nowMs) refused.set(key, afterProbe(r, now.input.nowMs));
  }

  /** Somebody wants workers now, perhaps after a repair: neither failed joins nor refusals of the cloud are waited out any longer. */
  tryAgain(): void {
    const held = [...this.memory.breakers].filter(([, s]) => isMendable(s.failureClass) && s.inARow > 0);
    if (held.length === 0) return;
    for (const [key] of held) this.memory.breakers.delete(key);
    this.record("operator", "workers are wanted now: creating is tried again at once");
  }

  /** A worker that is gone needs no drain any more, whoever took it away. */
  private forgetVanishedDrains(workers: readonly Merged[]): void {
    if (this.parts.override.get().drains.length === 0) return;
    const there = new Set(workers.map((w) => w.id));
    for (const d of this.parts.override.get().drains) if (!there.has(d.worker)) this.parts.override.drainDone(d.worker);
  }

  /** Repeated refusals and failures are worth one line each, not one per pass. */
  private record(what: string, why: string, worker?: string): void {
    if (/-(failed|refused)$|^stays$/.test(what)) this.say(what, why, worker);
    else {
      this.lastSaid = "";
      this.parts.journal.write(what, why, worker);
    }
  }

  /** Writes what is worth knowing once: the same cause with other figures waits until something else happened, or a minute. */
  private say(what: string, why: string, worker?: string): void {
    const key = `${what}/${worker ?? ""}/${causeOf(why)}`;
    const nowMs = this.parts.clock.monotonicMs();
    const before = this.said.get(key);
    if (key === this.lastSaid || (before !== undefined && nowMs - before < HOLD_AGAIN_MS)) return;
    if (this.said.size > 500) this.said.clear();
    this.said.set(key, nowMs);
    this.lastSaid = key;
    this.parts.journal.write(what, why, worker);
  }
}
