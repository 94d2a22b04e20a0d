import { REASON_SCALE_IN, type Decision } from "../components/policy/scaling";
import type { Memory, Merged, SeenWorker } from "./memory";
import type { Gate, Journal, Pool, PoolView, Queue } from "./ports";

export interface Hands {
  readonly pool: Pool;
  readonly queue: Queue;
  readonly gate: Gate;
  readonly journal: Journal;
  readonly nowMs: () => number;
  readonly newName: () => string;
  /** The operator's wish for this worker is fulfilled. */
  readonly drainDone: (id: string) => void;
}

const AMBIGUOUS_PAUSE_MS = 15_000;
const FIRST_PAUSE_MS = 30_000;
const LONGEST_PAUSE_MS = 1_800_000;
const BREAKS_AFTER = 3;
const EVICTION_LIMIT_MS = 10_000;
const pauseMs = (failures: number): number => Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.max(0, failures - 1));
export const message = (e: unknown): string => (e instanceof Error ? e.message : String(e));

/** Carries one decision out. Answers whether something is on its way, so that the next look should come soon. */
export async function act(d: Decision, workers: readonly Merged[], memory: Memory, h: Hands): Promise<boolean> {
  if (d.do === "hold") return false;
  if (d.do === "grow") return grow(d, memory, h);
  const w = workers.find((x) => x.id === d.id);
  if (w === undefined) return false;
  if (d.do === "start") return start(w, d.why, h);
  if (d.do === "fence") return fence(d, w, memory, h);
  if (d.do === "cancelDrain") return cancel(w, d.why, memory, h);
  return remove(d, w, memory, h);
}

async function grow(d: Extract<Decision, { do: "grow" }>, memory: Memory, h: Hands): Promise<boolean> {
  const names = Array.from({ length: d.count }, () => h.newName());
  h.journal.write("grow", `+${d.count}: ${d.why}`);
  const result = await h.pool.grow(names);
  const nowMs = h.nowMs();
  for (const { id, name } of result.created) {
    memory.recentCreates.set(id, { name, atMs: nowMs });
    h.gate.created(id);
  }
  const ordered = result.created.length + (result.accepted ?? 0);
  if (ordered > 0) memory.lastResizeMs = nowMs;
  if (d.byAlarm && (ordered > 0 || result.failure !== undefined)) memory.highActedMs = nowMs;
  if (memory.joinFailures >= BREAKS_AFTER && ordered > 0) {
    memory.createGate = { untilMs: nowMs + LONGEST_PAUSE_MS, mendable: true, why: `${memory.joinFailures} workers in a row did not join; one is tried every ${LONGEST_PAUSE_MS / 60_000} minutes until one does` };
  }
  if (result.failure === undefined) {
    // What is only ordered has not been made yet.
    if (result.accepted === undefined) memory.createFailures = 0;
    return true;
  }
  memory.createFailures += 1;
  const untilMs = nowMs + (result.ambiguous && !result.wait ? AMBIGUOUS_PAUSE_MS : result.wait ? pauseMs(memory.createFailures) : Math.min(pauseMs(memory.createFailures) / 6, 60_000));
  memory.createGate = { untilMs, mendable: !result.ambiguous, why: result.ambiguous ? `a create got no clear answer, so the cloud is looked at again first (${result.failure})` : result.failure };
  h.journal.write("create-failed", `${ordered} of ${d.count} made: ${result.failure}${result.ambiguous ? " (it may have had its effect: the cloud is looked at before it is repeated)" : ""}`);
  return true;
}

/** The cloud had accepted an order for workers, and could not make them: each such failure is said once, and the next order waits. */
export function noteGroupFailure(memory: Memory, view: PoolView, journal: Pick<Journal, "write">, nowMs: number): void {
  const { failure } = view;
  const since = memory.lastCreateFailureMs;
  if (since !== undefined && view.members.some((m) => m.status === "running" && (memory.workers.get(m.id)?.firstSeenMs ?? 0) > since)) {
    Object.assign(memory, { createFailures: 0, lastCreateFailureMs: undefined } satisfies Partial<Memory>);
  }
  if (failure === undefined || failure.key === memory.failureKey) return;
  memory.failureKey = failure.key;
  memory.createFailures += 1;
  memory.lastCreateFailureMs = nowMs;
  memory.createGate = { untilMs: nowMs + pauseMs(memory.createFailures), mendable: true, why: failure.why };
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
    if (d.byAlarm) memory.lowActedMs = h.nowMs();
    if (d.reason === REASON_SCALE_IN) memory.lastResizeMs = h.nowMs();
    h.journal.write(d.kind === "ifIdle" ? "fence" : "drain", `closed to new work: ${d.why}`, w.name);
    return true;
  }
  if (answer === "refusedBusy") h.journal.write("fence-refused", "a job got there first: it stays in service", w.name);
  else if (answer === "notNow") h.journal.write("fence-refused", detail, w.name);
  else if (answer !== "alreadyDraining") h.journal.write("fence-failed", `left as it is: ${detail}`, w.name);
  return answer === "alreadyDraining";
}

async function cancel(w: Merged, why: string, memory: Memory, h: Hands): Promise<boolean> {
  const { answer, detail } = await h.queue.cancelDrain(w.machineName);
  h.journal.write(answer === "accepted" ? "cancel-drain" : "cancel-failed", answer === "accepted" ? `back in service: ${why}` : detail, w.name);
  const seen = memory.workers.get(w.id);
  if (answer === "accepted" && seen !== undefined) seen.fenced = false;
  return true;
}

async function remove(d: Extract<Decision, { do: "remove" }>, w: Merged, memory: Memory, h: Hands): Promise<boolean> {
  const seen = memory.workers.get(w.id);
  if (seen === undefined) return false;
  if (d.basis !== "continue") {
    if (!(await mayGo(d, w, seen, h))) return true;
    h.journal.write(d.basis === "never-joined" || d.basis === "lost" || d.basis === "stopped" ? "replace" : "remove", d.why, w.name);
    if (d.basis === "never-joined") await explain(w, memory, h);
    seen.removing = d.basis;
    if (seen.phase !== "removing") {
      seen.phase = "removing";
      seen.phaseSinceMs = h.nowMs();
    }
    memory.lastResizeMs = h.nowMs();
  }
  try {
    if ((await h.pool.remove(w.id)) !== "gone") return true;
  } catch (e) {
    h.journal.write("remove-failed", message(e), w.name);
    return true;
  }
  const released = seen.everJoined ? await h.queue.gone(w.machineName) : undefined;
  memory.gone.set(w.id, h.nowMs());
  memory.workers.delete(w.id);
  memory.recentCreates.delete(w.id);
  h.drainDone(w.id);
  const jobs = released === undefined ? "" : !released.known ? `; ${released.reason}` : released.value > 0 ? `; ${released.value} job${released.value === 1 ? "" : "s"} of it may start elsewhere` : "";
  h.journal.write("gone", `server and disks are gone${jobs}`, w.name);
  return true;
}

/** The last question before the point of no return, put to whoever knows at this instant. */
async function mayGo(d: Extract<Decision, { do: "remove" }>, w: Merged, seen: SeenWorker, h: Hands): Promise<boolean> {
  const stays = (why: string): false => {
    h.journal.write("stays", why, w.name);
    return false;
  };
  switch (d.basis) {
    case "now":
      h.gate.close(w.id);
      return w.jobs === 0 || evicted(d, w, seen, h);
    case "not-admitted":
      return h.gate.close(w.id) || stays("it has just been let into the pool: it is drained first");
    case "stopped":
      h.gate.close(w.id);
      return true;
    case "drained": {
      // A live daemon that drains refuses a second drain; one that was put back into service meanwhile does not.
      const { answer, detail } = await h.queue.fence(w.machineName, "ifIdle", w.drainReason ?? REASON_SCALE_IN);
      if (answer === "alreadyDraining" || answer === "notThere") return true;
      if (answer === "accepted") return false;
      return stays(answer === "refusedBusy" ? "it was put back into service and works again" : detail);
    }
    default: {
      h.gate.close(w.id);
      // Whoever the collector does not know cannot be given a job.
      const { answer, detail } = await h.queue.fence(w.machineName, "ifIdle", REASON_SCALE_IN);
      return answer === "notThere" || stays(answer === "unknown" ? detail : "the pool knows it after all");
    }
  }
}

/** Without its goodbye the queue would believe in a job for as long as it takes to notice a dead connection. */
async function evicted(d: Extract<Decision, { do: "remove" }>, w: Merged, seen: SeenWorker, h: Hands): Promise<boolean> {
  if (seen.evictedAtMs !== undefined) return h.nowMs() - seen.evictedAtMs > EVICTION_LIMIT_MS;
  const { answer, detail } = await h.queue.evict(w.machineName);
  h.journal.write("evict", answer === "accepted" ? d.why : `${d.why}; it does not listen (${detail})`, w.name);
  seen.evictedAtMs = h.nowMs();
  return answer !== "accepted";
}

/** Why a worker did not join is only on its console, which goes with it. */
async function explain(w: Merged, memory: Memory, h: Hands): Promise<void> {
  memory.joinFailures += 1;
  memory.lastJoinFailureMs = h.nowMs();
  const n = memory.joinFailures;
  memory.createGate = n >= BREAKS_AFTER
    ? { untilMs: h.nowMs() + LONGEST_PAUSE_MS, mendable: true, why: `${n} workers in a row did not join; one is tried every ${LONGEST_PAUSE_MS / 60_000} minutes until one does` }
    : { untilMs: h.nowMs() + pauseMs(n), mendable: true, why: `${w.name} did not join` };
  if (h.pool.consoleTail === undefined) return;
  try {
    const text = await h.pool.consoleTail(w.id);
    h.journal.write("console", text === undefined ? "the cloud shows no console" : `last lines:\n${text}`, w.name);
  } catch (e) {
    h.journal.write("console", `not readable: ${message(e)}`, w.name);
  }
}
