import type { ModelCloud, SimServer } from "./model-cloud";
import type { Loss } from "./jobs";
import type { ModelQueue } from "./model-queue";

/** A promise that was broken, in words. */
export class PromiseBroken extends Error {}

/** Losses that are nobody's fault but the machine's own. */
const NOT_OURS: readonly Loss[] = ["crash", "startd", "lease", "machine-is-bad"];

export interface Watched {
  readonly cloud: ModelCloud;
  readonly queue: ModelQueue;
  /** Servers that there may be at most, as configured or ordered. */
  most(): number;
  /** The operator said that this worker goes at once, with its jobs. */
  isNow(id: string): boolean;
  /** The world's own time. */
  nowMs(): number;
  says(): string;
}

/**
 * The promises, looked at in every step of the world: whatever breaks one is noted at the moment it happens, and ends the story at the
 * end of that pass.
 */
export class Promises {
  readonly broken: string[] = [];
  /** Most servers that the story's wish can justify; a further one is a duplicate. */
  wish: (() => number) | undefined;
  /** Servers beyond the most: none, but in stories about two controllers. */
  slack = 0;
  /** A worker that the pool hears from for less than this is nobody's promise: 0, but in stories about what comes within one call. */
  newcomerMs = 0;
  /** Machines of such newcomers that went. */
  readonly spared = new Set<string>();
  private seenLosses = 0;

  constructor(private readonly w: Watched) {}

  breaks(what: string): void {
    if (this.broken.length < 5) this.broken.push(`${this.w.says()}: ${what}`);
  }

  /** The controller's order takes this server's power. */
  powerOff(s: SimServer): void {
    const d = this.w.queue.startds.get(s.id);
    const jobs = d === undefined ? [] : [...d.jobs];
    if (d !== undefined && this.w.nowMs() - d.backMs < this.newcomerMs) this.spared.add(d.name);
    else if (jobs.length > 0 && !this.w.isNow(s.id))
      this.breaks(`${s.name} (${s.id}) is switched off while job ${jobs.map((j) => `${j.id} is ${j.state}`).join(", ")} there`);
  }

  /** The controller's order begins or goes on to take this server away. */
  removal(s: SimServer, source: { readonly poolKnown: boolean; readonly queueKnown: boolean; readonly begun: boolean }): void {
    if (source.begun) return;
    if (!source.poolKnown) this.breaks(`${s.name} (${s.id}) is taken away although the cloud was not known`);
    if (!source.queueKnown && !this.w.isNow(s.id)) this.breaks(`${s.name} (${s.id}) is taken away although the queue was not known`);
  }

  made(): void {
    const { servers } = this.w.cloud;
    const most = this.w.most() + this.slack;
    if (servers.size > most) this.breaks(`${servers.size} servers exist, ${most} are the most`);
    const wish = this.wish?.();
    if (wish === undefined) return;
    let alive = 0;
    for (const s of servers.values()) if (!s.deleting && s.status !== "stopping" && s.status !== "failed") alive += 1;
    if (alive > wish) this.breaks(`${alive} servers for a wish of ${wish}: a duplicate`);
  }

  /** Jobs that left a machine unfinished. */
  losses(): void {
    const { losses } = this.w.queue;
    for (; this.seenLosses < losses.length; this.seenLosses += 1) {
      const l = losses[this.seenLosses]!;
      if (NOT_OURS.includes(l.why) || this.spared.has(l.machine)) continue;
      const id = this.idOf(l.machine);
      if (id === undefined || !this.w.isNow(id)) this.breaks(`job ${l.job.id} lost its place on ${l.machine} (${l.why})`);
    }
  }

  private readonly ids = new Map<string, string>();
  knows(machine: string, id: string): void {
    this.ids.set(machine, id);
  }

  private idOf(machine: string): string | undefined {
    return this.ids.get(machine);
  }
}
