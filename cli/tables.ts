import { DEFAULT_TYPE } from "../components/config/controller-config";
import type { DemandReason, QueueJob } from "../components/policy/demand";
import type { JournalEntry } from "../controller/ports";
import type { GridStatus, WorkerStatus } from "../controller/status";

/** Text for people; pure. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, i) => Math.max(...all.map((r) => (r[i] ?? "").length)));
  return all.map((r) => r.map((cell, i) => (i === head.length - 1 ? cell : cell.padEnd(widths[i] ?? 0))).join("  ").trimEnd()).join("\n");
}

export function duration(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  if (s < 120) return `${s} s`;
  if (s < 7_200) return `${Math.floor(s / 60)} min`;
  if (s < 172_800) return `${Math.floor(s / 3_600)} h`;
  return `${Math.floor(s / 86_400)} d`;
}

const ageSeconds = (iso: string, nowMs: number): number => (nowMs - Date.parse(iso)) / 1000;
const time = (iso: string): string => iso.slice(11, 19);

/** What an operator must not overlook: nothing, or lines in capitals. */
export function warnings(s: GridStatus, nowMs: number): string[] {
  const out: string[] = [];
  const silent = s.lastPassAt === undefined ? ageSeconds(s.startedAt, nowMs) : ageSeconds(s.lastPassAt, nowMs);
  if (silent > 3 * s.intervalSeconds + 60) out.push(`STALE: the controller's last look was ${duration(silent)} ago; what follows may not be so any more`);
  if (s.passError !== undefined) out.push(`THE LAST LOOK FAILED: ${s.passError}`);
  if (!s.pool.known) out.push(`THE CLOUD DOES NOT ANSWER (${s.pool.reason ?? "?"}): nothing is done until it does`);
  if (!s.htcondor.known) out.push(`HTCONDOR DOES NOT ANSWER (${s.htcondor.reason ?? "?"}): no worker is taken away until it does`);
  if (s.pool.partial !== undefined) out.push(`THE CLOUD'S ANSWER IS NOT THE WHOLE (${s.pool.partial}): nothing is created`);
  if (s.htcondor.partial !== undefined) out.push(`HTCONDOR'S ANSWER IS NOT THE WHOLE (${s.htcondor.partial}): the size is left as it is`);
  if (s.pool.closing !== undefined) out.push(`nothing is created: ${s.pool.closing}`);
  if (s.credential?.warning !== undefined) out.push(s.credential.warning);
  if (s.createBlocked !== undefined) out.push(`no worker is created until ${time(s.createBlocked.until)} UTC: ${s.createBlocked.why}`);
  return out;
}

export function statusScreen(s: GridStatus, nowMs: number): string {
  const phases = new Map<string, number>();
  for (const w of s.workers) phases.set(w.phase, (phases.get(w.phase) ?? 0) + 1);
  const kinds = [...phases].map(([p, n]) => `${n} ${p}`).join(", ");
  const mode = s.mode === "manual" ? `manual, size ${s.size.manual}` : s.mode;
  const q = s.queue;
  const declared = s.size.min === s.size.configuredMin && s.size.max === s.size.configuredMax ? "" : ` (declared ${s.size.configuredMin} to ${s.size.configuredMax})`;
  const lines = [
    ...warnings(s, nowMs).map((w) => `! ${w}`),
    `grid     ${s.gridName}: ${mode}; ${s.size.min} to ${s.size.max} workers${declared}; last look ${s.lastPassAt === undefined ? "not yet" : `${duration(ageSeconds(s.lastPassAt, nowMs))} ago, took ${s.lastPassMs} ms`}`,
    `workers  ${s.size.have}${kinds === "" ? "" : `: ${kinds}`}`,
    q === undefined ? "jobs     unknown" : `jobs     ${q.waiting} waiting, ${q.running} running, ${q.suspended > 0 ? `${q.suspended} suspended, ` : ""}${q.done} done, ${q.held} held${q.unmatchable > 0 ? `; ${q.unmatchable} that no worker can take (${q.unmatchableWhy ?? "?"})` : ""}`,
    ...s.alarms.map((a) => `alarm    ${a.name}: ${a.enabled ? `${a.state}; ${a.why}` : "off"}`),
    ...s.decisions.slice(-5).map((d) => `${time(d.at)} ${inOneLine(describe(d))}`),
  ];
  return lines.join("\n");
}

/** A console's lines take the screen: the last one tells most. */
const inOneLine = (text: string): string => {
  const all = text.split("\n");
  return all.length === 1 ? text : `${all[0]?.split(": ")[0] ?? ""}: ... ${all.at(-1)?.trim() ?? ""} (${all.length} lines, see \`elastigrid journal\`)`;
};
export const indented = (text: string): string => text.replaceAll("\n", "\n      ");
export const describe = (e: { what: string; why: string; worker?: string }): string => `${e.what}${e.worker === undefined ? "" : ` ${e.worker}`}: ${e.why}`;
export const journalLine = (e: JournalEntry): string => `${e.at.slice(0, 19)}Z ${indented(describe(e))}`;

export function workersTable(workers: readonly WorkerStatus[]): string {
  if (workers.length === 0) return "there are no workers";
  return table(["WORKER", "PHASE", "FOR", "CPU", "JOBS", "AGE", "BOOT", "SERVER", "WHY"], workers.map((w) => [
    w.name, w.phase, duration(w.phaseSeconds), w.cpuPercent === undefined ? "-" : `${Math.round(w.cpuPercent)} %`, String(w.jobs), duration(w.ageSeconds), boot(w), w.serverUuid, w.why,
  ]));
}

/** From the order to the pool: until the cloud ran it, and from then until it had joined; as far as the controller watched. */
function boot({ boot: b, type }: WorkerStatus): string {
  const kind = type === DEFAULT_TYPE ? "" : `${type} `;
  if (b.totalSeconds === undefined) return `${kind}-`;
  return `${kind}${Math.round(b.serverSeconds ?? 0)} + ${Math.round(b.joinSeconds ?? 0)} s`;
}

const SHOWN_JOBS = 30;
const SHOWN_REASONS = 10;

export function jobsTable(jobs: readonly QueueJob[], reasons: readonly DemandReason[], nowMs: number, all: boolean): string {
  if (jobs.length === 0) return "the queue is empty";
  const rank = { held: 0, suspended: 1, running: 2, removing: 3, waiting: 4, other: 5, done: 6 } as const;
  const sorted = [...jobs].sort((a, b) => rank[a.state] - rank[b.state] || a.queuedAtMs - b.queuedAtMs);
  const shown = all ? sorted : sorted.slice(0, SHOWN_JOBS);
  const text = table(["JOB", "OWNER", "STATE", "FOR", "CPUS", "MEMORY", "WHERE / WHY"], shown.map((j) => [
    j.id, j.owner, j.state, duration((nowMs - (j.startedAtMs ?? j.queuedAtMs)) / 1000), String(j.cpus), `${j.memoryMiB} MiB`, j.state === "held" ? (j.holdReason ?? "") : (j.machine ?? ""),
  ]));
  const more = shown.length < jobs.length ? [`... and ${jobs.length - shown.length} more (--all)`] : [];
  const why = reasons.slice(0, all ? undefined : SHOWN_REASONS).map((r) => `${r.kind}: job ${r.exampleId}${r.count > 1 ? ` and ${r.count - 1} like it` : ""}: ${r.why}`);
  return [text, ...more, ...why].join("\n");
}
