import { table } from "../../demo/report";
import { strikeKinds } from "./judge";
import type { SoakResult } from "./course";

const KIND_TEXT: Readonly<Record<(typeof strikeKinds)[number], string>> = {
  worker: "worker's server switched off", startd: "worker's startd killed", master: "master's server switched off and on", condor: "master's condor_master killed",
  controller: "controller killed", schedd: "schedd stopped", network: "worker's network cut and healed", "false-status": "false status of a busy worker from the cloud",
};

/** `docs/soak.md`: what was done, what came of it, and whether the promises hold. */
export function soakReport(result: SoakResult, broken: readonly string[], madeAt: Date): string {
  const { verdict, strikes, drainSeconds, loadAverage } = result;
  const fenced = (text: string): string => `\`\`\`\n${text}\n\`\`\``;
  const byKind = strikeKinds.map((k) => [KIND_TEXT[k], String(strikes.filter((s) => s.kind === k).length)]);
  const losses = verdict.losses.map(
    (l) => [l.job, l.worker, `${((l.lostMs - l.startedMs) / 1_000).toFixed(0)} s`, l.excused ? "yes" : "NO", l.cause],
  );
  const excused = verdict.losses.filter((l) => l.excused).length;
  return `# Soak on real HTCondor

Written by \`npm run soak\`; the last run: ${madeAt.toISOString().slice(0, 16).replace("T", " ")} UTC, ${(result.seconds / 60).toFixed(0)} minutes, seed ${result.seed}.
A whole grid on local-cloud's hosts, made by the real engine: HTCondor, controller and guests are what a user gets. Sizes are ordered at random (every
second order takes workers away), jobs are submitted at random beside that, and now and then something is struck. Judged from HTCondor's own
log and history: one start per job, except where its own machine was killed by the soak; every job ends once, with its own exit code.

**${broken.length === 0 ? "All promises hold." : `${broken.length} broken:`}**
${broken.map((b) => `\n- ${b}`).join("")}${broken.length === 0 ? "" : "\n"}
${fenced(table(["what", "count"], [
    ["orders of a size", String(result.orders)], ["scale-downs (workers closed to new work)", String(result.scaleDowns)],
    ["workers removed", String(result.removed)], ["drains taken back", String(result.takenBack)], ["workers let in", String(result.joined)],
    ["jobs", String(verdict.jobs)], ["jobs that ended right, once", String(verdict.right)], ["starts of jobs", String(verdict.starts)],
    ["runs lost because their machine was struck", String(excused)], ["runs lost otherwise", String(verdict.losses.length - excused)],
  ]))}

From the order to close a worker until it was gone: median ${drainSeconds.median.toFixed(1)} s, longest ${drainSeconds.most.toFixed(1)} s (a busy worker ends its jobs
first). Load average of the computer: median ${loadAverage.median.toFixed(1)}, most ${loadAverage.most.toFixed(1)}.

## Struck

${fenced(table(["what", "times"], byKind))}

## Runs that were lost

${losses.length === 0 ? "None." : fenced(table(["job", "worker", "after", "excused", "cause"], losses))}
`;
}
