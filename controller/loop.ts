import type { ControllerConfig } from "../components/config/controller-config";
import { decide, type Decision, type Override } from "../components/policy/scaling";
import { act, message, noteGroupFailure, type Hands } from "./act";
import { newMemory, type Memory, type Merged } from "./memory";
import { picture, type Picture } from "./observe";
import { unknown, type Clock, type CloudAlarms, type Gate, type Journal, type Pool, type Queue } from "./ports";

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
const ORDER: Record<Decision["do"], number> = { fence: 0, cancelDrain: 1, remove: 2, start: 3, grow: 4, hold: 5 };
const HOLD_AGAIN_MS = 60_000;
const LIST_SETTLES_MS = 20_000;

/**
 * The loop: observe, decide, fence, act, verify. Level-triggered: every pass starts from what queue and cloud say now, so a
 * pass that was cut off at any point is simply followed by the next one.
 */
export class Controller {
  readonly memory: Memory = newMemory();
  readonly startedAtMs: number;
  latest: Picture | undefined;
  passes = 0;
  lastPass: { readonly atMs: number; readonly tookMs: number; readonly error?: string } | undefined;
  lastKnown: { poolMs?: number; queueMs?: number } = {};
  private readonly said = new Map<string, number>();
  private lastSaid = "";

  constructor(private readonly parts: ControllerParts) {
    this.startedAtMs = parts.clock.nowMs();
    // The one before us may have created workers that the cloud does not list yet: wait for the list before making more.
    const lastGrow = [...parts.journal.tail(50)].reverse().find((e) => e.what === "grow");
    const untilMs = lastGrow === undefined ? 0 : Date.parse(lastGrow.at) + LIST_SETTLES_MS;
    if (untilMs > this.startedAtMs) this.memory.createGate = { untilMs, mendable: false, why: "workers were ordered just before this controller started: the cloud's list is watched first" };
  }

  /** One pass. Answers whether the next one should come soon, because something is on its way. */
  async pass(): Promise<boolean> {
    const { clock } = this.parts;
    const from = clock.nowMs();
    let soon = false;
    let error: string | undefined;
    try {
      soon = await this.observeAndAct();
    } catch (e) {
      error = message(e);
      this.say("pass-failed", error);
    }
    this.passes += 1;
    this.lastPass = { atMs: clock.nowMs(), tookMs: clock.nowMs() - from, error };
    return soon;
  }

  private async observeAndAct(): Promise<boolean> {
    const { pool, queue, clock, config, gate, override } = this.parts;
    const [poolSeen, queueSeen, alarms] = await Promise.all([
      pool.observe().catch((e: unknown) => unknown(message(e))),
      queue.observe().catch((e: unknown) => unknown(message(e))),
      this.parts.alarms?.observe().catch((e: unknown) => unknown(message(e))),
    ]);
    const nowMs = clock.nowMs();
    if (poolSeen.known) this.lastKnown.poolMs = nowMs;
    if (queueSeen.known) this.lastKnown.queueMs = nowMs;
    const previous: readonly Merged[] = this.latest?.workers ?? [];
    if (poolSeen.known) noteGroupFailure(this.memory, poolSeen.value, { write: (what, why) => this.record(what, why) }, nowMs);
    const now = picture(this.memory, { pool: poolSeen, queue: queueSeen, ...(alarms === undefined ? {} : { alarms }) }, config, override.get(), gate, nowMs, previous);
    this.latest = now;
    if (poolSeen.known) {
      this.forgetVanishedDrains(now.workers);
      await this.tend();
    }
    const decisions = decide(now.input);
    for (const d of decisions) if (d.do === "hold") this.say("hold", d.why);
    return this.carryOut(decisions, now.workers);
  }

  /** Before anything is decided: a group that is out of order could take a worker that nobody chose. */
  private async tend(): Promise<void> {
    try {
      for (const line of (await this.parts.pool.tend?.()) ?? []) this.record("tend", line);
    } catch (e) {
      this.record("tend-failed", message(e));
    }
  }

  private async carryOut(decisions: readonly Decision[], workers: readonly Merged[]): Promise<boolean> {
    const { config, pool, queue, gate, journal, clock, override, randomSuffix } = this.parts;
    const hands: Hands = {
      pool, queue, gate, nowMs: () => clock.nowMs(), newName: () => `${config.gridName}-worker-${randomSuffix()}`,
      drainDone: (id) => override.drainDone(id),
      journal: { tail: (n) => journal.tail(n), write: (what, why, worker) => this.record(what, why, worker) },
    };
    let soon = false;
    const ordered = [...decisions].sort((a, b) => ORDER[a.do] - ORDER[b.do]);
    const removals = ordered.filter((d) => d.do === "remove");
    const gateBefore = this.memory.createGate;
    for (const d of ordered) {
      if (d.do === "remove") {
        if (d !== removals[0]) continue; // all removals go together: each waits for its own server
        const results = await Promise.all(removals.map((r) => act(r, workers, this.memory, hands)));
        soon ||= results.some(Boolean);
      } else if (d.do === "grow" && this.memory.createGate !== gateBefore) soon = true; // this very pass has learnt a reason to wait
      else if (d.do !== "hold") soon = (await act(d, workers, this.memory, hands)) || soon;
    }
    return soon;
  }

  /** Somebody wants workers now, perhaps after a repair: neither failed joins nor refusals of the cloud are waited out any longer. */
  tryAgain(): void {
    if (this.memory.createGate?.mendable !== true) return;
    Object.assign(this.memory, { createGate: undefined, joinFailures: 0, createFailures: 0 } satisfies Partial<Memory>);
    this.record("operator", "workers are wanted now: creating is tried again at once");
  }

  /** A worker that is gone needs no drain any more, whoever took it away. */
  private forgetVanishedDrains(workers: readonly Merged[]): void {
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

  /** Writes what is worth knowing once: the same words with other figures wait until something else happened, or a minute. */
  private say(what: string, why: string, worker?: string): void {
    const key = `${what}/${worker ?? ""}/${why.replace(/\d+(\.\d+)?/g, "#")}`;
    const nowMs = this.parts.clock.nowMs();
    const before = this.said.get(key);
    if (key === this.lastSaid || (before !== undefined && nowMs - before < HOLD_AGAIN_MS)) return;
    if (this.said.size > 500) this.said.clear();
    this.said.set(key, nowMs);
    this.lastSaid = key;
    this.parts.journal.write(what, why, worker);
  }
}
