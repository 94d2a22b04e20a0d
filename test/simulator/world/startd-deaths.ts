import type { RunningJob } from "../../../components/policy/demand";
import type { ModelQueue } from "./model-queue";
import type { Dice } from "./random";
import type { Timeline } from "./timeline";

/** condor_master starts a startd that was killed again after this time. */
const STARTD_BACK_MS = [10_000, 13_000] as const;
/** The schedd tries a claim that was given up once more. */
const LAST_TRY_MS = 11_000;

/** Its startd is killed, and its master starts another one: that knows nothing of the former one's claims, whose jobs have ended. */
export function killStartd(q: ModelQueue, time: Timeline, dice: Dice, id: string): void {
  const d = q.startds.get(id);
  if (d === undefined) return;
  q.hostDown(id, "startd");
  time.after(dice.between(...STARTD_BACK_MS), () => {
    if (d.server.status !== "running" || d.server.deleting || q.startds.has(id)) return;
    d.heardMs = Number.NEGATIVE_INFINITY; // the new one's ad takes the place of the former one's
    q.join(d.server, d.address);
  });
}

/** Somebody says that this job's claim is lost, and it is given up whether it is or not. Answers whether the job was there. */
export function giveUpClaim(q: ModelQueue, time: Timeline, claim: Pick<RunningJob, "id" | "machine" | "startedAtMs">): boolean {
  for (const j of q.open) {
    if (`${j.id}.0` !== claim.id || j.on?.name !== claim.machine || j.startedAtMs !== claim.startedAtMs) continue;
    if (j.on.alive) {
      if (q.asksAgain) return false;
      q.lose(j, "told-gone");
      return true;
    }
    const epoch = (j.epoch += 1);
    j.startedAtMs = time.nowMs();
    time.after(LAST_TRY_MS, () => {
      if (j.epoch === epoch) q.requeue(j);
    });
    return true;
  }
  return false;
}
