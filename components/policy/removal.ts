import { BOOT_LIMIT_SECONDS, isDrainRequested, isOurs, secondsSince, SURE_LOOKS, type Decision, type DecisionInput, type Limits, type RemovalBasis, type WorkerView } from "./decision";

/**
 * Carries on what was begun, and replaces what has failed. No basis rests on one witness: the cloud's word that a server is off must be
 * repeated and uncontradicted, a worker that the pool does not show must be absent from several looks, and whatever runs a job by
 * either witness stays. Before the point of no return `act` asks both again.
 */
export function finish(i: DecisionInput, limits: Limits, paused: boolean): Decision[] {
  const needed = limits.size ?? (i.demand.placeable > 0 ? Number.POSITIVE_INFINITY : limits.min);
  let capacity = i.workers.filter(isCapacity).length;
  const removals: Decision[] = [];
  for (const w of i.workers) {
    const found = begun(i, w) ?? (paused ? undefined : failed(i, w) ?? (capacity > needed || isDrainRequested(i, w) ? unneeded(w) : undefined));
    if (found === undefined) continue;
    if (w.phase === "booting" || w.phase === "joining") capacity -= 1;
    removals.push({ do: "remove", id: w.id, ...found });
  }
  return removals;
}

const isCapacity = (w: WorkerView): boolean => w.phase === "idle" || w.phase === "busy" || w.phase === "booting" || w.phase === "joining";

type Found = { readonly basis: RemovalBasis; readonly why: string } | undefined;

function begun(i: DecisionInput, w: WorkerView): Found {
  if (w.phase === "removing") return { basis: "continue", why: "its removal has begun" };
  if (i.queuePartial !== undefined) return undefined;
  if (w.phase === "drained" && w.jobs === 0 && isOurs(w.drainReason)) return { basis: "drained", why: "drained: nothing runs there and nothing can start" };
  if (w.phase === "lost" && w.fenced && w.jobs === 0 && w.absentLooks >= SURE_LOOKS) return { basis: "gone-after-fence", why: "it was closed to new work and its daemon has gone" };
  return undefined;
}

function failed(i: DecisionInput, w: WorkerView): Found {
  const inPhase = secondsSince(i, w.phaseSinceMs), limit = i.scaling.joinTimeoutSeconds;
  const detail = w.detail === undefined ? "" : `: ${w.detail}`;
  const unheard = w.phase === "lost" || w.phase === "joining" || w.phase === "booting";
  if (w.off?.sure === true && unheard && w.absentLooks >= SURE_LOOKS) { // guard: a live ad beats the cloud's word
    if (w.server === "gone") return { basis: "off", why: "its server no longer exists" };
    if (w.server === "failed") return { basis: "off", why: `the cloud could not run it${detail}` };
    if (w.phase === "lost") return { basis: "off", why: "it was in the pool, and has been switched off or has crashed" };
  }
  if (i.queuePartial !== undefined || w.jobs > 0 || w.absentLooks < SURE_LOOKS) return undefined; // guard: whoever runs a job stays
  if (w.phase === "lost" && inPhase >= limit) return { basis: "lost", why: `the pool has not heard from it for ${inPhase} s, and no job is recorded there` };
  if (w.phase === "joining" && inPhase >= limit) return { basis: "never-joined", why: `it has run for ${inPhase} s and did not join (limit ${limit} s)` };
  if (w.phase === "booting" && inPhase >= Math.max(limit, BOOT_LIMIT_SECONDS)) return { basis: "never-joined", why: `it does not run ${inPhase} s after it was made` };
  return undefined;
}

const unneeded = (w: WorkerView): Found =>
  w.server === "stopped" && w.phase === "booting" && !w.copying && !w.pinned && w.off?.sure === true ? { basis: "off", why: "it does not run and is not needed" } : undefined;
