/** One look at the grid, as the chart and the summary need it. */
export interface Sample {
  /** Seconds since the run began. */
  readonly atSeconds: number;
  readonly workers: number;
  readonly busy: number;
  readonly waiting: number;
  readonly running: number;
}

export interface CheckResult {
  readonly name: string;
  readonly ok: boolean;
  /** What was measured here, in one phrase. */
  readonly ours: string;
  /** What the ancestor, an OpenStack grid of 2017, measured. */
  readonly ancestor: string;
  /** Why it does not hold. */
  readonly why?: string;
  readonly seconds: number;
}

export interface RunResult {
  /** `cloudsigma` (local-cloud) or `openstack` (the lab). */
  readonly cloud: string;
  readonly jobs: number;
  readonly evicted: number;
  readonly scalingFactor: number;
  /** What `workersMax` workers could reach with that many jobs. */
  readonly scalingCeiling: number;
  readonly workersMax: number;
  readonly workersPeak: number;
  readonly firstJobSeconds: number;
  readonly upSeconds: number;
  readonly leaks: number;
  readonly checks: Readonly<Record<string, boolean>>;
  /** Checks that could not be made here. */
  readonly skipped?: readonly string[];
  readonly ok: boolean;
}

const pad = (text: string, width: number): string => text + " ".repeat(Math.max(0, width - text.length));

/** A plain table; the last column may be as long as it likes. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((h, i) => Math.max(h.length, ...rows.map((r) => (r[i] ?? "").length)));
  const line = (cells: readonly string[]): string => cells.map((c, i) => (i === cells.length - 1 ? c : pad(c, widths[i] ?? 0))).join("  ").trimEnd();
  return [line(head), line(widths.map((w, i) => "-".repeat(i === widths.length - 1 ? (head[i] ?? "").length : w))), ...rows.map(line)].join("\n");
}

export function checkTable(checks: readonly CheckResult[]): string {
  return table(
    ["check", "holds", "here", "ancestor (2017)"],
    checks.map((c) => [c.name, c.ok ? "yes" : "NO", c.why === undefined ? c.ours : `${c.ours}: ${c.why}`, c.ancestor]),
  );
}

/**
 * Workers and queue over time, `width` columns wide: the number of workers as bars of `#` (busy) and `.` (not busy),
 * under it the waiting jobs as a line of digits by magnitude.
 */
export function chart(samples: readonly Sample[], width = 72): string {
  const first = samples[0], last = samples[samples.length - 1];
  if (first === undefined || last === undefined) return "(nothing was seen)";
  const span = Math.max(1, last.atSeconds - first.atSeconds);
  const columns = Array.from({ length: width }, (_, i) => {
    const from = first.atSeconds + (span * i) / width, to = first.atSeconds + (span * (i + 1)) / width;
    const inside = samples.filter((s) => s.atSeconds >= from && s.atSeconds < to);
    const before = samples.filter((s) => s.atSeconds < to).at(-1) ?? first;
    return (inside.length > 0 ? inside : [before]).reduce((a, b) => (b.workers + b.waiting / 1e6 > a.workers + a.waiting / 1e6 ? b : a));
  });
  const top = Math.max(1, ...columns.map((c) => c.workers));
  const rows: string[] = [];
  for (let level = top; level >= 1; level -= 1) {
    rows.push(`${String(level).padStart(3)} |${columns.map((c) => (c.busy >= level ? "#" : c.workers >= level ? "." : " ")).join("")}`);
  }
  rows.push(`    +${"-".repeat(width)}`);
  rows.push(`jobs ${columns.map((c) => (c.waiting + c.running === 0 ? " " : String(Math.floor(Math.log10(c.waiting + c.running))))).join("")}`);
  const end = `${Math.round(last.atSeconds)} s`;
  rows.push(`     ${pad(`${Math.round(first.atSeconds)} s`, width - end.length)}${end}`);
  rows.push("     # busy worker  . idle, booting or draining worker  jobs: power of ten of jobs in the queue (0 = 1 to 9)");
  return rows.join("\n");
}
