import { submitDescription } from "../demo/jobs";
import type { Master } from "../demo/ssh";

/** So many sizes, and so as many autoclusters. */
const SIZES = 50;

/** Fills the queue with jobs that ask for more memory than any worker has. */
export async function fillQueue(master: Master, count: number): Promise<void> {
  const text = submitDescription({ name: "long-queue", count, script: "exit 0" }).replace(
    "request_memory = 32MB", `request_memory = 90000 + ($(Process) % ${SIZES}) * 128`,
  );
  await master.run("cd /tmp && runuser -u grid -- condor_submit -terse - >/dev/null", text, 300_000);
}
