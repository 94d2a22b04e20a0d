import { AMBIGUOUS_PAUSE_MS, isOpen, LONGEST_PAUSE_MS } from "../components/policy/breaker";
import { REASON_SCALE_IN, SURE_LOOKS, type Decision } from "../components/policy/decision";
import { noteFailure, noteSuccess } from "./learn";
import type { Memory, Merged } from "./memory";
import { freshWorker } from "./merge";
import type { Gate, GrowResult, Journal, Observed, Occupancy, Pool, PoolView, Queue } from "./ports";
import { remove } from "./remove";

export interface Hands {
  readonly pool: Pool;
  readonly queue: Queue;
  readonly gate: Gate;
  readonly journal: Pick<Journal, "write">;
  /** Monotonic. */
  readonly nowMs: () => number;
  readonly newName: (type: string) => string;
  readonly defaultType: string;
  readonly joinTimeoutSeconds: number;
  /** Asks what a machine does right now; questions of one moment go together. */
  readonly occupancy: (machine: string) => Promise<Observed<Occupancy>>;
  /** Under which a server's worker will have its name in the pool. */
  readonly poolDomain: string;
  /** The operator's wish for this worker is fulfilled. */
  readonly drainDone: (id: string) => void;
}

export const message = (e: unknown): string => (e instanceof Error ? e.message : String(e));

/** Carries one decision out. Answers whether something is on its way, so that the next look should come soon. */
export async function act(d: Decision, workers: ReadonlyMap<string, Merged>, memory: Memory, h: Hands): Promise<boolean> {
  if (d.do === "hold") return false;
  if (d.do === "grow") return grow(d, memory, h);
  const w = workers.get(d.id);
  if (w === undefined) return false;
  if (d.do === "start") return start(w, d.why, h);
  if (d.do === "fence") return fence(d, w, memory, h);
  if (d.do === "cancelDrain") return cancel(w, d.why, memory, h);
  return remove(d, w, memory, h);
}

async function grow(d: Extract<Decision, { do: "grow" }>, memory: Memory, h: Hands): Promise<boolean> {
  const names = Array.from({ length: d.count }, () => h.newName(d.type));
  h.journal.write("grow", `+${d.count}${d.type === h.defaultType ? "" : ` of type ${d.type}`}: ${d.why}`);
  const orderedAtMs = h.nowMs();
  const result = await h.pool.grow(names, d.type);
  const nowMs = h.nowMs();
  for (const { id, name } of result.created) {
    // Not listed yet, perhaps: it counts from now on, whatever the next list says. A controller that takes over reads it in the journal.
    const worker = freshWorker({ id, name, type: d.type, status: "unknown", copying: true, macs: [] }, h.poolDomain, nowMs);
    worker.orderedAtMs = orderedAtMs;
    memory.workers.set(id, worker);
    h.journal.write("created", `server ${id}`, worker.hostname);
    h.gate.created(id);
  }
  const ordered = result.created.length + (result.accepted ?? 0);
  if (ordered > 0) {
    memory.lastResizeMs = nowMs;
    memory.orders = [...memory.orders, { atMs: nowMs, count: ordered }];
    holdProbe(memory, d.type, nowMs);
  }
  if (d.byAlarm !== undefined && (ordered > 0 || result.failure !== undefined)) memory.actedMs.set(d.byAlarm, nowMs);
  // What is only ordered has not been made yet.
  if (result.created.length > 0) for (const c of ["funds", "capacity", "quota", "auth", "invalid", "gone", "refused", "transient"] as const) noteSuccess(memory, d.type, c, nowMs);
  if (result.failure !== undefined) noteCreateFailure(d, result, ordered, memory, h);
  return true;
}

function noteCreateFailure(d: Extract<Decision, { do: "grow" }>, result: GrowResult, ordered: number, memory: Memory, h: Hands): void {
  const failure = result.failure ?? "";
  if (result.ambiguous) memory.createGate = { untilMs: h.nowMs() + AMBIGUOUS_PAUSE_MS, why: `a create got no clear answer, so the cloud is looked at again first (${failure})` }; // guard: look before a repeat
  // One list may be wrong at just this moment.
  if (result.ambiguous) memory.listsToSee = SURE_LOOKS;
  if (!result.ambiguous || result.wait) noteFailure(memory, d.type, result.failureClass ?? (result.wait ? "refused" : "transient"), failure, h.nowMs());
  h.journal.write("create-failed", `${ordered} of ${d.count} made: ${failure}${result.ambiguous ? " (it may have had its effect: the cloud is looked at before it is repeated)" : ""}`);
}

/** While workers of a type do not work, one is tried at a time, and its outcome is waited for. */
function holdProbe(memory: Memory, type: string, nowMs: number): void {
  for (const [key, s] of memory.breakers) if (s.type === type && isOpen(s)) memory.breakers.set(key, { ...s, untilMs: nowMs + LONGEST_PAUSE_MS });
}

/** The cloud had accepted an order for workers, and could not make them: each such failure is said once, and the next order waits. */
export function noteGroupFailure(memory: Memory, view: PoolView, defaultType: string, journal: Pick<Journal, "write">, nowMs: number): void {
  const { failure } = view;
  for (const { type, failureClass, lastFailureMs } of [...memory.breakers.values()]) {
    if (failureClass !== "refused") continue;
    const works = view.members.some((m) => (m.type ?? defaultType) === type && m.status === "running" && (memory.workers.get(m.id)?.firstSeenMs ?? 0) > lastFailureMs);
    if (works) noteSuccess(memory, type, "refused", nowMs);
  }
  if (failure === undefined || failure.key === memory.failureKey) return;
  memory.failureKey = failure.key;
  noteFailure(memory, failure.type ?? defaultType, "refused", failure.why, nowMs);
  journal.write("create-failed", failure.why);
}

async function start(w: Merged, why: string, h: Hands): Promise<boolean> {
  try {
    if (await h.pool.start(w.id)) h.journal.write("start", why, w.name);
  } catch (e) {
    h.journal.write("start-failed", message(e), w.name);
  }
  return true;
}

async function fence(d: Extract<Decision, { do: "fence" }>, w: Merged, memory: Memory, h: Hands): Promise<boolean> {
  const { answer, detail } = await h.queue.fence(w.machineName, d.kind, d.reason);
  if (answer === "accepted") {
    const seen = memory.workers.get(w.id);
    if (seen !== undefined) seen.fenced = true;
    if (d.byAlarm !== undefined) memory.actedMs.set(d.byAlarm, h.nowMs());
    if (d.reason === REASON_SCALE_IN) memory.lastResizeMs = h.nowMs();
    h.journal.write(d.kind === "ifIdle" ? "fence" : "drain", `closed to new work: ${d.why}`, w.name);
    return true;
  }
  if (answer === "refusedBusy") h.journal.write("fence-refused", "a job got there first: it stays in service", w.name);
  else if (answer === "notNow") h.journal.write("fence-refused", detail, w.name);
  else if (answer !== "alreadyDraining") h.journal.write("fence-failed", `left as it is: ${detail}`, w.name);
  return answer === "alreadyDraining" || answer === "notNow";
}

async function cancel(w: Merged, why: string, memory: Memory, h: Hands): Promise<boolean> {
  const { answer, detail } = await h.queue.cancelDrain(w.machineName);
  h.journal.write(answer === "accepted" ? "cancel-drain" : "cancel-failed", answer === "accepted" ? `back in service: ${why}` : detail, w.name);
  const seen = memory.workers.get(w.id);
  if (answer === "accepted" && seen !== undefined) {
    seen.fenced = false;
    seen.cancelledAtMs = h.nowMs();
  }
  return true;
}
