import type { Backend } from "../backend";
import type { Clock, Timer } from "../clock";
import type { LibraryRow } from "../library";
import type { Store } from "../model/store";
import type { JobRow } from "../model/rows";

/** How long things take, in milliseconds. */
export interface Delays {
  readonly startMs: number;
  readonly stopMs: number;
  /** Between `running` and the address showing in `runtime`. */
  readonly addressMs: number;
  /** How long ACPI shutdown presses the button before it gives up; the service takes a minute. */
  readonly acpiMs: number;
  readonly driveCreateMs: number;
  readonly driveCloneMs: number;
  readonly driveResizeMs: number;
  /** How long a deleted drive stays readable. */
  readonly deleteMs: number;
  readonly snapshotMs: number;
  /** Handling time of each write, during which another write to the same object is refused if `concurrency` is on. */
  readonly writeMs: number;
}

/** Behaviour that the service shows now and then, or on which sources disagree. */
export interface Habits {
  /** New objects reach lists this late, deleted ones leave them this late. */
  readonly listLagMs: number;
  /** GET shows a server's old status this long after it changed. */
  readonly statusLagMs: number;
  /** Parallel writes to one object: 503 `concurrency`. */
  readonly concurrency: boolean;
  /** PUT on a running server changes drives and NICs too, instead of ignoring them silently. */
  readonly hotplug: boolean;
  /** `bulk_clone_start` is offered; only the ancestor thesis attests it. */
  readonly bulkClone: boolean;
  readonly fwpolicies: boolean;
  /** Error bodies are bare objects instead of lists, as one source saw. */
  readonly errorAsObject: boolean;
}

/** Outcomes that faults plant ahead, each used once. */
export interface Planted {
  readonly boots: { uuid?: string; reason: string }[];
  readonly clones: { uuid?: string }[];
}

/** Everything a rule of the cloud may touch. */
export interface World {
  readonly store: Store;
  readonly clock: Clock;
  readonly backend: Backend;
  readonly library: ReadonlyMap<string, LibraryRow>;
  readonly delays: Delays;
  readonly habits: Habits;
  readonly planted: Planted;
  readonly log: (text: string) => void;
  /** Base URL for this computer, with the trailing slash; known once the server listens. */
  endpoint: string;
  /** The same for guests. */
  guestEndpoint: string;
  /** True once the cloud is being closed: what ends now does not count as having been switched off. */
  closing: boolean;
  readonly tasks: Tasks;
  /** What a server's status was before, for the status lag. Not remembered across restarts. */
  readonly lastStatus: Map<string, { status: string; untilMs: number }>;
  /** Open consoles by server. */
  readonly consoles: Consoles;
}

export interface Consoles {
  /** `forGuest`: the URL is for a caller in a guest. */
  open(server: string, kind: "console" | "vnc", password: string, forGuest: boolean): Promise<string>;
  close(server: string, kind?: "console" | "vnc"): void;
  closeAll(): void;
}

/** Work that goes on after the answer. Failures are said aloud; nothing outlives `stop`. */
export class Tasks {
  private readonly timers = new Set<Timer>();
  private readonly running = new Set<Promise<void>>();
  private readonly queues = new Map<string, Promise<unknown>>();
  private stopped = false;
  constructor(private readonly clock: Clock, private readonly log: (text: string) => void) {}

  /** Goes on after the time; never when the cloud is stopped before. */
  sleep(ms: number): Promise<void> {
    if (this.stopped) return new Promise(() => undefined);
    return new Promise((resolve) => {
      const timer = this.clock.setTimeout(() => {
        this.timers.delete(timer);
        resolve();
      }, ms);
      this.timers.add(timer);
    });
  }

  run(what: string, work: () => Promise<void>): void {
    if (this.stopped) return;
    const task: Promise<void> = work()
      .catch((e: unknown) => this.log(`${what}: ${e instanceof Error ? (e.stack ?? e.message) : String(e)}`))
      .finally(() => this.running.delete(task));
    this.running.add(task);
  }

  /** One after the other for the same key: a back end never boots and unplugs one guest at once. */
  inTurn<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.queues.get(key) ?? Promise.resolve();
    const turn = before.then(work, work);
    const settled = turn.then(() => undefined, () => undefined);
    this.queues.set(key, settled);
    void settled.then(() => this.queues.get(key) === settled && this.queues.delete(key));
    return turn;
  }

  stop(): void {
    this.stopped = true;
    for (const timer of this.timers) timer.cancel();
    this.timers.clear();
  }
}

export function audit(world: World, action: string, category: string, uuid: string, failure?: string): void {
  world.store.addAudit({
    action, category, uuid, atMs: world.clock.now(), details: "", success: failure === undefined,
    error_message: failure ?? "", error_point: null, error_type: failure === undefined ? null : "backend",
  });
}

export function finishJob(world: World, job: JobRow | undefined, state: "success" | "failed"): void {
  if (job === undefined || job.state !== "started") return;
  job.state = state;
  job.progress = state === "success" ? 100 : job.progress;
  job.modifiedMs = world.clock.now();
  world.store.touch();
}
