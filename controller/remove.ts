import { REASON_SCALE_IN, type Decision, type RemovalBasis } from "../components/policy/decision";
import { message, type Hands } from "./act";
import { noteFailure } from "./learn";
import type { Memory, Merged, SeenWorker } from "./memory";

type Removal = Extract<Decision, { do: "remove" }>;

/** Jobs that were told to go get so long to say goodbye to the queue. */
const EVICTION_LIMIT_MS = 10_000;
/** A host that answers though the pool has lost it: it is kept so many times the joining limit, in which a cut network heals. */
const ANSWERS_KEPT_TIMES = 3;
const OFF: ReadonlySet<string> = new Set(["stopped", "failed", "gone"]);
/** A removal that rests on the server being off never stops it: what runs after all is left alone by the cloud itself. */
const onlyIfOff = (basis: RemovalBasis | undefined): boolean => basis === "off";
const JOURNAL_WORD: Partial<Record<RemovalBasis, string>> = { "never-joined": "replace", lost: "replace", off: "replace" };

/**
 * Takes the next step of a removal. From the first call on nobody takes the worker back into service, because the call may have had its
 * effect; but until a step has been answered the last question is put again each time.
 */
export async function remove(d: Removal, w: Merged, memory: Memory, h: Hands): Promise<boolean> {
  const seen = memory.workers.get(w.id);
  if (seen === undefined) return false;
  const basis = d.basis === "continue" ? seen.removing?.basis ?? "drained" : d.basis;
  const before = seen.removing;
  if (d.basis === "continue" && w.jobs > 0 && basis !== "now" && basis !== "off") return abandon(seen, "it runs a job: it was put back into service", w, h); // guard: whoever runs a job stays
  if (before?.answered !== true) {
    if (basis === "never-joined" && !seen.consoleTold) await tellConsole(w, seen, h);
    const verdict = await mayGo({ ...d, basis }, w, seen, h, before !== undefined);
    if (verdict === "wait") return true;
    if (verdict === "stays") return before === undefined ? true : abandon(seen, "it cannot be removed as it is now", w, h);
    seen.removing = { basis, answered: false };
  }
  let step;
  try {
    step = await h.pool.remove(w.id, { onlyIfOff: onlyIfOff(basis) });
  } catch (e) {
    h.journal.write("remove-failed", message(e), w.name);
    return true;
  }
  if (step === "runs") return abandon(seen, "the cloud says now that it runs", w, h);
  if (before?.answered !== true) begun({ ...d, basis }, w, seen, memory, h);
  if (step !== "gone") return true;
  const released = await h.queue.gone(w.machineName);
  memory.gone.set(w.id, h.nowMs());
  memory.workers.delete(w.id);
  h.drainDone(w.id);
  const jobs = released.known ? (released.value > 0 ? `; ${released.value} of its jobs may start elsewhere now` : "") : `; whether jobs were recorded there is not known (${released.reason}): they start elsewhere when their lease ends`;
  h.journal.write("gone", `server and disks are gone${jobs}`, w.name);
  return true;
}

function begun(d: Removal, w: Merged, seen: SeenWorker, memory: Memory, h: Hands): void {
  h.journal.write(JOURNAL_WORD[d.basis] ?? "remove", d.why, w.name);
  if (d.basis === "never-joined") noteFailure(memory, w.type, "never-joined", `${w.name} did not join`, h.nowMs());
  else if (d.basis === "off" && !seen.everJoined && w.server === "failed") noteFailure(memory, w.type, "boot-failed", `${w.name}: ${d.why}`, h.nowMs());
  seen.removing = { basis: d.basis, answered: true };
  seen.phase = "removing";
  seen.phaseSinceMs = h.nowMs();
  memory.lastResizeMs = h.nowMs();
}

function abandon(seen: SeenWorker, why: string, w: Merged, h: Hands): boolean {
  seen.removing = undefined;
  seen.off = undefined;
  h.pool.spare?.(w.id);
  h.journal.write("stays", why, w.name);
  return true;
}

/** `stays`: it may not go, as it is now; `wait`: not known, or closed only now: judged at the next look. */
type Verdict = "goes" | "stays" | "wait";

/**
 * The last question before the point of no return, put to queue and cloud for every basis, and to the host itself where they differ.
 * `again`: a first call got no answer, so that a worker which the pool does not know any more is no surprise.
 */
async function mayGo(d: Removal, w: Merged, seen: SeenWorker, h: Hands, again: boolean): Promise<Verdict> {
  const says = (verdict: Verdict, why: string): Verdict => {
    h.journal.write("stays", why, w.name);
    return verdict;
  };
  if (d.basis === "now") {
    h.gate.close(w.id);
    return w.jobs === 0 || (await evicted(d, w, seen, h)) ? "goes" : "wait";
  }
  // The host itself first, because that takes seconds; then whatever closes it for good, then whether anything is there.
  if ((d.basis === "off" || d.basis === "lost") && seen.address !== undefined) {
    const kept = await answering(d, w, seen.address, h);
    if (kept !== undefined) return says("stays", kept);
  }
  // The cloud's answer may take long: what is heard of HTCondor comes after it, closing first, and then what is there.
  const status = await h.pool.statusNow(w.id);
  if (!status.known) return says("wait", `the cloud does not say how it is: ${status.reason}`);
  const closed = await close(d, w, h, again);
  if (closed !== "goes") return closed.why === undefined ? closed.verdict : says(closed.verdict, closed.why);
  const there = await h.occupancy(w.machineName);
  if (!there.known) return says("wait", `HTCondor does not say what runs there: ${there.reason}`); // guard: unknown is never idle
  if (d.basis === "off") {
    if (!OFF.has(status.value)) return says("stays", `the cloud's list said ${w.server}, asked for it alone it says ${status.value}`); // guard: asked alone
    if (there.value.hasAd) return says("stays", "the cloud says that it is off, and the pool knows it"); // guard: a live ad at the last moment
  } else if (d.basis !== "drained" && there.value.hasAd) return says("stays", "the pool hears from it again"); // guard: heard again at the last moment
  else if (there.value.jobs > 0 || there.value.claims > 0) return says("stays", `${Math.max(there.value.jobs, there.value.claims)} jobs are there after all`); // guard: jobs are asked about
  return "goes";
}

/** Whoever answers at its own address is not off. One that is only lost may be cut off from its daemon's point of view: it gets longer. */
async function answering(d: Removal, w: Merged, address: string, h: Hands): Promise<string | undefined> {
  const { answer, detail } = await h.queue.probe(address);
  if (answer === "silent") return undefined;
  const forSeconds = (h.nowMs() - w.phaseSinceMs) / 1000;
  if (d.basis === "lost" && (answer === "unknown" || forSeconds >= ANSWERS_KEPT_TIMES * h.joinTimeoutSeconds)) return undefined;
  return answer === "answers" ? `its host answers: ${detail}` : `whether its host answers cannot be told: ${detail}`; // guard: the host itself is asked
}

/** Closes it to new work, as its basis allows. */
async function close(d: Removal, w: Merged, h: Hands, again: boolean): Promise<"goes" | { readonly verdict: Verdict; readonly why?: string }> {
  const shut = d.basis === "drained" || h.gate.close(w.id);
  if (d.basis === "not-admitted" && !shut) return { verdict: "stays", why: "it has just been let into the pool: it is drained first" }; // guard: the gate
  const { answer, detail } = await h.queue.fence(w.machineName, "ifIdle", w.drainReason ?? REASON_SCALE_IN);
  if (answer === "unknown") return { verdict: "wait", why: detail };
  if (d.basis === "drained") {
    // A live daemon that drains refuses a second drain; one that was put back into service meanwhile does not.
    if (answer === "alreadyDraining" || (again && answer === "notThere")) return "goes";
    if (answer === "accepted") return { verdict: "wait" };
    return answer === "notThere" ? { verdict: "wait", why: "the pool does not know it any more: it is watched" } : { verdict: "stays", why: "it was put back into service and works again" }; // guard: drained is asked anew
  }
  // Whoever the collector does not know cannot be given a job.
  return answer === "notThere" ? "goes" : { verdict: "stays", why: "the pool knows it after all" }; // guard: the collector is asked anew
}

/** Without its goodbye the queue would believe in a job for as long as it takes to notice a dead connection. */
async function evicted(d: Removal, w: Merged, seen: SeenWorker, h: Hands): Promise<boolean> {
  if (seen.evictedAtMs !== undefined) return h.nowMs() - seen.evictedAtMs > EVICTION_LIMIT_MS;
  const { answer, detail } = await h.queue.evict(w.machineName);
  h.journal.write("evict", answer === "accepted" ? d.why : `${d.why}; it does not listen (${detail})`, w.name);
  seen.evictedAtMs = h.nowMs();
  return answer !== "accepted";
}

/** Why a worker did not join is only on its console, which goes with it: so this comes first. It takes seconds, and the last question comes after it. */
async function tellConsole(w: Merged, seen: SeenWorker, h: Hands): Promise<void> {
  seen.consoleTold = true;
  if (h.pool.consoleTail === undefined) return;
  try {
    const text = await h.pool.consoleTail(w.id);
    h.journal.write("console", text === undefined ? "the cloud shows no console" : `last lines:\n${text}`, w.name);
  } catch (e) {
    h.journal.write("console", `not readable: ${message(e)}`, w.name);
  }
}
