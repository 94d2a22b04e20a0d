import { count, does, hold, isComing, isDrainRequested, isWorking, REASON_RETIRING, type Decision, type DecisionInput, type Limits, type WorkerView } from "./decision";
import { isSettled } from "./victims";

/*
 * A changed size or image reaches running workers by a rolling update, and a worker on which no job ends is renewed the same way: by drain,
 * so that every job ends where it began. Level-triggered: whatever is out of date now is out of date, so a crash interrupts nothing.
 * - Canary first: before the first old worker is drained, one of the new definition must be in the pool. Where it does not join, the
 *   breaker closes and the update stands still, with all old workers in service.
 * - Never more at a time than the disruption budget: max(1, x %) of what works.
 */

const DISRUPTION_PERCENT = 10;

/** What the update wants: workers to drain now, a canary to make, or why it waits. */
export interface Renewal {
  readonly decisions: readonly Decision[];
  /** Type of which one is wanted beyond the size, to prove the new definition. */
  readonly canary?: string;
  /** Workers on their way that are such a canary: not too many, whatever the size is. */
  readonly surge: number;
}

export function renew(i: DecisionInput, limits: Limits, staying: readonly WorkerView[]): Renewal {
  const due = staying.filter(isDue);
  if (due.length === 0) return { decisions: [], surge: 0 };
  const decisions: Decision[] = due
    .filter((w) => isComing(w) && !w.admitted && w.retiring !== undefined)
    .map((w): Decision => ({ do: "remove", id: w.id, basis: "not-admitted", why: w.retiring! }));
  const removed = new Set(decisions.flatMap((d) => ("id" in d ? [d.id] : [])));
  const working = staying.filter(isWorking);
  let budget = Math.max(1, Math.floor((working.length * (i.scaling.disruptionPercent ?? DISRUPTION_PERCENT)) / 100)) - disrupted(i, removed);
  let canary: string | undefined;
  let surge = 0;
  for (const type of new Set(due.map((w) => w.type))) {
    const mine = due.filter((w) => w.type === type && isWorking(w) && !isDrainRequested(i, w) && isSettled(i, w));
    const fresh = staying.filter((w) => w.type === type && w.retiring === undefined && w.unhealthy === undefined && !removed.has(w.id));
    const coming = fresh.filter(isComing).length;
    if (mine.length > 0 && !fresh.some(isWorking)) { // guard: canary first
      surge += Math.min(1, coming);
      const gate = i.types.find((t) => t.name === type)?.gate;
      if (coming > 0) decisions.push(hold(`${count(mine.length, "worker")} to be renewed; the first new one is on its way`));
      else if (gate?.untilMs !== undefined && gate.untilMs > i.nowMs) decisions.push(hold(`${count(mine.length, "worker")} to be renewed, ${does(mine.length, "it serves", "they serve")} on: ${gate.why}`));
      else if (i.workers.length < limits.max) canary ??= type;
      else if (budget > 0) budget -= drain(order(mine).slice(0, 1), decisions);
      else decisions.push(hold(`${count(mine.length, "worker")} to be renewed; room for the first new one comes when one of those that leave is gone`));
      continue;
    }
    budget -= drain(order(mine).slice(0, Math.max(0, budget)), decisions);
  }
  return { decisions, surge, ...(canary === undefined ? {} : { canary }) };
}

const isDue = (w: WorkerView): boolean => (w.retiring !== undefined || w.unhealthy !== undefined) && w.pinned !== true;

function drain(workers: readonly WorkerView[], decisions: Decision[]): number {
  for (const w of workers) decisions.push({ do: "fence", id: w.id, kind: "drain", reason: REASON_RETIRING, why: w.unhealthy ?? w.retiring! });
  return workers.length;
}

/** What is out of service for a renewal, with the substitutes that have not joined yet. */
const disrupted = (i: DecisionInput, removed: ReadonlySet<string>): number =>
  i.workers.filter((w) => (w.drainReason === REASON_RETIRING && w.phase !== "lost") || (w.phase === "removing" && w.retiring !== undefined) || (isComing(w) && w.retiring === undefined && !removed.has(w.id))).length;

/** Bad ones first, then idle ones, then those whose jobs began last. */
const order = (workers: readonly WorkerView[]): readonly WorkerView[] =>
  [...workers].sort((a, b) => Number(a.unhealthy === undefined) - Number(b.unhealthy === undefined) || Number(a.phase !== "idle") - Number(b.phase !== "idle") ||
    (b.oldestJobStartMs ?? 0) - (a.oldestJobStartMs ?? 0) || (a.id < b.id ? -1 : 1));
