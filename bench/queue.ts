import { submitDescription } from "../demo/jobs";
import type { Master } from "../demo/ssh";

/** Sizes of the jobs, and so autoclusters. */
export const KINDS = 50;
/** The smallest size is more than any worker has; every kind is this much larger than the one before. */
const SMALLEST_MIB = 90_000, STEP_MIB = 128;

/**
 * Fills the queue with jobs that ask for more memory than any worker has. The number is written out for each job: left as an expression of
 * $(Process), every job would be an autocluster of its own.
 */
export async function fillQueue(master: Master, count: number, kinds: number = KINDS): Promise<void> {
  const text = submitDescription({ name: "long-queue", count, script: "exit 0" }).replace(
    "request_memory = 32MB", `size = ${SMALLEST_MIB} + ($(Process) % ${kinds}) * ${STEP_MIB}\nrequest_memory = $INT(size)`,
  );
  await master.run("cd /tmp && runuser -u grid -- condor_submit -terse - >/dev/null", text, 300_000);
}
