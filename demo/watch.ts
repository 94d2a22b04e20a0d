import type { GridStatus } from "../controller/status";
import type { Master } from "./ssh";
import type { Sample } from "./report";

/** Follows the controller's own status, prints what changes, and keeps the samples for the chart. */
export class Watcher {
  readonly samples: Sample[] = [];
  latest: GridStatus | undefined;
  peakWorkers = 0;
  private stop: (() => void) | undefined;
  private lastLine = "";
  private lastDecision = -1;
  private readonly waiters = new Set<() => void>();

  constructor(private readonly print: (line: string) => void, private readonly startedMs: number) {}

  follow(master: Master): void {
    this.lastDecision = -1;
    const script = "while sleep 1; do curl -s --max-time 5 --unix-socket /run/elastigrid/controller.sock http://controller/status || true; echo; done";
    this.stop = master.follow(script, (line) => this.take(line));
  }

  unfollow(): void {
    this.stop?.();
    this.stop = undefined;
    this.latest = undefined;
  }

  /** Resolves once the status satisfies `wanted`; says what was last seen when the limit passes. */
  async until(what: string, wanted: (s: GridStatus) => boolean, limitSeconds: number): Promise<GridStatus> {
    const deadline = Date.now() + limitSeconds * 1000;
    for (;;) {
      const seen = this.latest;
      if (seen !== undefined && wanted(seen)) return seen;
      const left = deadline - Date.now();
      if (left <= 0) throw new Error(`waited ${limitSeconds} s for ${what}; last seen: ${this.lastLine || "nothing"}`);
      await new Promise<void>((resolve) => {
        const done = (): void => { this.waiters.delete(done); clearTimeout(timer); resolve(); };
        const timer = setTimeout(done, Math.min(left, 5_000));
        this.waiters.add(done);
      });
    }
  }

  private take(line: string): void {
    if (!line.startsWith("{")) return;
    let status: GridStatus;
    try {
      status = JSON.parse(line) as GridStatus;
    } catch {
      return; // a line cut off by a restart of the controller; the next one follows in a second
    }
    if (status.lastPassAt === undefined) return; // a controller that has just started has not looked yet
    this.latest = status;
    const { phases, queue } = summary(status);
    const workers = Object.values(phases).reduce((a, b) => a + b, 0);
    this.peakWorkers = Math.max(this.peakWorkers, workers);
    this.samples.push({ atSeconds: (Date.now() - this.startedMs) / 1000, workers, busy: phases["busy"] ?? 0, waiting: queue.waiting, running: queue.running });
    const text = `jobs ${queue.waiting} waiting, ${queue.running} running | workers ${workers}${workers ? ` (${Object.entries(phases).map(([p, n]) => `${n} ${p}`).join(", ")})` : ""}`;
    const news = status.decisions.filter((d) => d.seq > this.lastDecision && d.what !== "hold");
    this.lastDecision = Math.max(this.lastDecision, ...status.decisions.map((d) => d.seq));
    for (const d of news) this.print(`  controller: ${d.what}: ${d.why}`);
    // Hundreds of short jobs change the count every second: print a round figure or a change of the workers only.
    const line2 = `${Object.entries(phases).sort().map(([p, n]) => `${p}${n}`).join()} ${queue.waiting === 0} ${Math.floor(queue.waiting / 50)}`;
    if (line2 !== this.lastLine) this.print(`  ${text}`);
    this.lastLine = line2;
    for (const wake of [...this.waiters]) wake();
  }
}

function summary(status: GridStatus): { phases: Record<string, number>; queue: { waiting: number; running: number } } {
  const phases: Record<string, number> = {};
  for (const w of status.workers) phases[w.phase] = (phases[w.phase] ?? 0) + 1;
  return { phases, queue: { waiting: status.queue?.waiting ?? 0, running: status.queue?.running ?? 0 } };
}
