import { count, does } from "../components/policy/decision";
import type { RunningJob } from "../components/policy/demand";
import { afterTry, dueOrphans } from "../components/policy/orphans";
import { message, type Hands } from "./act";
import type { Memory, SeenWorker } from "./memory";
import { atMostAtOnce } from "./together";

/** A machine costs two questions and a command for each job; most of them at once would mean that a clock has jumped. */
const MACHINES_A_PASS = 4;

/** Lets jobs of startds that have ended start anew: the queue believes in them until their lease ends. Only after a look at all of it. */
export async function releaseOrphans(memory: Memory, h: Pick<Hands, "queue" | "journal" | "nowMs">): Promise<void> {
  const due = workersDue(memory, h.nowMs());
  if (due.length === 0) return;
  await atMostAtOnce(MACHINES_A_PASS, due, async ({ seen, jobs }) => {
    if (seen.orphans !== undefined) seen.orphans = afterTry(seen.orphans, h.nowMs());
    try {
      const released = await h.queue.releaseLostClaims(seen.machine, jobs);
      if (!released.known) h.journal.write("release-failed", released.reason, seen.hostname);
      else if (released.value > 0) h.journal.write("release", told(released.value), seen.hostname);
    } catch (e) {
      h.journal.write("release-failed", message(e), seen.hostname);
    }
  });
}

const told = (jobs: number): string => `${count(jobs, "job")} of a startd that has ended ${does(jobs, "starts", "start")} anew`;

function workersDue(memory: Memory, nowMs: number): { readonly seen: SeenWorker; readonly jobs: readonly RunningJob[] }[] {
  const due: { readonly seen: SeenWorker; readonly jobs: readonly RunningJob[] }[] = [];
  for (const seen of memory.workers.values()) {
    if (seen.orphans === undefined) continue;
    const jobs = dueOrphans(seen.orphans, seen.heard?.atMs, nowMs);
    if (jobs.length > 0) due.push({ seen, jobs });
    if (due.length >= MACHINES_A_PASS) break;
  }
  return due;
}
