import { whyNever } from "./classad/match";
import type { FreeRoom, Refusal, WaitingGroup } from "./demand";

/** An idle worker with room that a matching job did not get for so long was refused by the queue: some thirty negotiations (NEGOTIATOR_INTERVAL 2 s). */
export const REFUSED_AFTER_MS = 60_000;
const FIRST_PROBE_MS = 1_800_000;
const LONGEST_PROBE_MS = 24 * 3_600_000;

const isLongIdle = (f: FreeRoom): boolean => (f.idleForMs ?? 0) >= REFUSED_AFTER_MS;

/**
 * Groups that match and yet are not served, though workers with room for them stand idle: more workers would stand idle too. What is learnt
 * of a group ends with it, and says nothing about any other. `served` tells which groups have got a machine since the last look.
 */
export function learnRefusals(before: ReadonlyMap<string, Refusal>, groups: readonly WaitingGroup[], free: readonly FreeRoom[], served: ReadonlySet<string>, nowMs: number, queueNowMs: number): ReadonlyMap<string, Refusal> {
  const out = new Map<string, Refusal>();
  const idle = free.filter(isLongIdle);
  for (const g of groups) {
    if (served.has(g.key)) continue;
    const known = before.get(g.key);
    if (known !== undefined) out.set(g.key, known);
    else if (g.needsNoWorker !== true && g.gang === undefined && queueNowMs - g.queuedAtMs >= REFUSED_AFTER_MS && idle.some((f) => whyNever(g.request, f.room) === undefined)) {
      out.set(g.key, { sinceMs: nowMs, probeAtMs: nowMs + FIRST_PROBE_MS, probes: 0 });
    }
  }
  return out;
}

/** Whether nothing but a worker's answer keeps the group waiting: not its own wish, and no limit outside. */
export const waitsForRoom = (g: WaitingGroup, limitsLeft: Readonly<Record<string, number>> | undefined, queueNowMs: number): boolean =>
  (g.notBeforeMs ?? 0) <= queueNowMs && Object.entries(g.limits ?? {}).every(([name, units]) => (limitsLeft?.[name] ?? Number.POSITIVE_INFINITY) >= units);

/** A worker has been ordered to try the group once more: the next try is twice as far away. */
export const afterProbe = (r: Refusal, nowMs: number): Refusal => ({ ...r, probes: r.probes + 1, probeAtMs: nowMs + Math.min(LONGEST_PROBE_MS, FIRST_PROBE_MS * 2 ** Math.min(10, r.probes + 1)) });
