import type { Machine } from "../../../controller/ports";
import { ORDINARY, type JobKind, type Loss, type SimJob } from "./jobs";
import type { SimServer } from "./model-cloud";
import type { Dice } from "./random";
import { toldStart, type SimStartd } from "./startd";
import type { Timeline } from "./timeline";

/** UPDATE_INTERVAL, CLASSAD_LIFETIME and JOB_DEFAULT_LEASE_DURATION as `components/render/condor.ts` sets them. */
const UPDATE_MS = 10_000;
const AD_LIVES_MS = 60_000;
const LEASE_MS = 1_200_000;
const NEGOTIATION_MS = 2_000;
/** From match to the shadow's start. */
const ACTIVATION_MS = 1_500;

/** A schedd, a collector, a negotiator and startds. */
export class ModelQueue {
  readonly startds = new Map<string, SimStartd>();
  readonly jobs: SimJob[] = [];
  /** Those that are not done: what a look goes through. */
  readonly open = new Set<SimJob>();
  private readonly waiting = new Map<JobKind, SimJob[]>();
  readonly losses: { readonly job: SimJob; readonly machine: string; readonly why: Loss; readonly atMs: number }[] = [];
  /** Jobs that came back unfinished, newest first. */
  readonly returned: { id: string; machine: string; atMs: number }[] = [];
  done = 0;
  /** Neither schedd nor collector answers. */
  down = false;
  /** The next looks show no machine at all. */
  hideAds = 0;
  /** Chance that an update of an ad is lost, and that a change is told only with the next one. */
  lostAdChance = 0;
  /** Chance that an ad was on its way for long, so that its startd seems younger than it is; those of the next minute are in time. */
  lateAdChance = 0;
  /** Before claims are given up the adapter asks once more, and nothing fools it; a story may do without. */
  asksAgain = true;
  /** Chance that somebody puts a draining worker back just when the controller asks about it. */
  putBackChance = 0;
  /** Chance that a machine is missing in the answer to the last question, or that a question gets no answer. */
  silentChance = 0;
  limits: Readonly<Record<string, number>> = {};
  private joined = 0;
  private collectorFromMs = 0;
  private scheddFromMs = 0;
  private negotiating = false;

  constructor(
    private readonly time: Timeline,
    private readonly dice: Dice,
    private readonly size: { readonly cpus: number; readonly memoryMiB: number; readonly diskMiB: number },
  ) {}

  get pending(): number {
    return this.open.size;
  }

  /** Jobs that are neither done nor removed. */
  openJobs(): readonly SimJob[] {
    return [...this.open];
  }

  submit(count: number, o: { readonly runsMs: number | readonly [number, number]; readonly kind?: JobKind }): SimJob[] {
    const { runsMs, kind = ORDINARY } = o;
    const made = Array.from({ length: count }, (_, i): SimJob => ({
      id: this.jobs.length + 1 + i,
      kind,
      runsMs: typeof runsMs === "number" ? runsMs : this.dice.between(runsMs[0], runsMs[1]),
      queuedAtMs: this.time.nowMs(),
      state: "waiting",
      starts: 0,
      epoch: 0,
    }));
    this.jobs.push(...made);
    for (const j of made) this.enqueue(j);
    return made;
  }

  /** As condor_rm. */
  removeJob(j: SimJob): void {
    const d = j.on;
    this.leave(j);
    this.dequeue(j);
    j.state = "removed";
    this.open.delete(j);
    if (d !== undefined) this.changed(d);
  }

  private enqueue(j: SimJob): void {
    j.state = "waiting";
    j.epoch += 1;
    this.open.add(j);
    const line = this.waiting.get(j.kind);
    if (line === undefined) this.waiting.set(j.kind, [j]);
    else line.push(j);
    this.negotiateSoon();
  }

  private dequeue(j: SimJob): void {
    const line = this.waiting.get(j.kind);
    const at = line?.indexOf(j) ?? -1;
    if (line !== undefined && at >= 0) line.splice(at, 1);
    if (line?.length === 0) this.waiting.delete(j.kind);
  }

  /** Its startd begins. */
  join(server: SimServer, address?: string): SimStartd {
    const n = (this.joined += 1) + 1,
      name = `w-${server.id.slice(0, 8)}.grid.internal`;
    const d: SimStartd = {
      id: server.id,
      name,
      server,
      backMs: this.time.ms,
      address: address ?? `10.77.${n >> 8}.${n & 255}:9618`,
      beganMs: this.time.ms,
      lateMs: Number.NEGATIVE_INFINITY,
      cpus: this.size.cpus,
      memoryMiB: this.size.memoryMiB,
      alive: true,
      cut: false,
      jobs: new Set(),
      ad: undefined,
      heardMs: Number.NEGATIVE_INFINITY,
      total: this.size,
      whole: {
        Arch: '"X86_64"',
        OpSys: '"LINUX"',
        Cpus: `${this.size.cpus}`,
        Memory: `${this.size.memoryMiB}`,
        Disk: `${this.size.diskMiB * 1024}`,
        Machine: `"${name}"`,
      },
    };
    this.startds.set(d.id, d);
    this.advertise(d);
    this.time.after(this.dice.between(1_000, UPDATE_MS), () => this.heartbeat(d));
    this.negotiateSoon();
    return d;
  }

  private heartbeat(d: SimStartd): void {
    if (!d.alive) return;
    if (!this.dice.chance(this.lostAdChance)) {
      const unheard = this.time.ms - d.heardMs > AD_LIVES_MS;
      this.advertise(d);
      if (unheard && d.heardMs === this.time.ms) {
        d.backMs = this.time.ms;
        this.negotiateSoon();
      }
    }
    this.time.after(UPDATE_MS, () => this.heartbeat(d));
  }

  private advertise(d: SimStartd): void {
    if (!d.alive || d.cut || this.time.ms < this.collectorFromMs) return;
    const claims = d.jobs.size,
      free = this.freeOf(d),
      { diskMiB } = this.size;
    d.heardMs = this.time.ms;
    const late = this.time.ms - d.lateMs > AD_LIVES_MS && this.dice.chance(this.lateAdChance);
    if (late) d.lateMs = this.time.ms;
    d.ad = {
      name: d.name,
      serverId: d.id,
      claims,
      draining: d.draining !== undefined,
      drained: d.draining !== undefined && claims === 0,
      total: d.total,
      free: { ...free, diskMiB },
      cpuPercent: (1 - free.cpus / d.cpus) * 100,
      heardAtMs: this.time.nowMs(),
      startedAtMs: toldStart(d, this.time, late ? this.dice.between(5_000, 900_000) : 0),
      address: d.address,
      ad: d.whole,
      ...(d.draining === undefined ? {} : { drainReason: d.draining }),
    };
  }

  private freeOf(d: SimStartd): { cpus: number; memoryMiB: number } {
    let { cpus, memoryMiB } = d;
    for (const { kind } of d.jobs) {
      cpus -= kind.request.cpus;
      memoryMiB -= kind.request.memoryMiB;
    }
    return { cpus, memoryMiB };
  }

  /** Slots change: the startd tells so at once, or a little later, or with its next update. */
  changed(d: SimStartd): void {
    if (this.dice.chance(0.5)) this.advertise(d);
    else if (this.dice.chance(0.6)) this.time.after(this.dice.between(500, 4_000), () => this.advertise(d));
    this.negotiateSoon();
  }

  negotiateSoon(): void {
    if (this.negotiating) return;
    this.negotiating = true;
    this.time.after(this.dice.between(0, NEGOTIATION_MS), () => {
      this.negotiating = false;
      this.negotiate();
    });
  }

  /** The negotiator matches whom the collector knows; whether there is room the startd itself says when it is claimed. */
  negotiate(): void {
    if (this.waiting.size === 0 || this.down || this.time.ms < this.scheddFromMs) return;
    for (const [kind, line] of this.waiting) {
      for (const d of this.startds.values()) {
        while (line.length > 0 && this.takes(d, kind)) this.claim(line.shift()!, d);
        if (line.length === 0) break;
      }
      if (line.length === 0) this.waiting.delete(kind);
    }
  }

  private takes(d: SimStartd, kind: JobKind): boolean {
    if (!d.alive || d.cut || d.draining !== undefined || this.time.ms - d.heardMs > AD_LIVES_MS || !(kind.matches?.(d) ?? true))
      return false;
    if (kind.needsNoWorker === true || (kind.request.resources !== undefined && Object.values(kind.request.resources).some((n) => n > 0)))
      return false;
    const { cpus, memoryMiB } = this.freeOf(d);
    return cpus >= kind.request.cpus && memoryMiB >= kind.request.memoryMiB && this.limitAllows(kind);
  }

  private limitAllows(kind: JobKind): boolean {
    if (kind.limits === undefined) return true;
    const left = this.limitsLeft();
    return Object.entries(kind.limits).every(([name, n]) => (left[name] ?? Number.POSITIVE_INFINITY) >= n);
  }

  limitsLeft(): Record<string, number> {
    const left = { ...this.limits };
    for (const j of this.open)
      if (j.on !== undefined)
        for (const [name, n] of Object.entries(j.kind.limits ?? {})) if (name in left) left[name] = (left[name] ?? 0) - n;
    return left;
  }

  private claim(j: SimJob, d: SimStartd): void {
    j.state = "activating";
    j.on = d;
    d.jobs.add(j);
    const epoch = (j.epoch += 1);
    this.changed(d);
    this.time.after(this.dice.between(100, ACTIVATION_MS), () => {
      if (j.epoch !== epoch) return;
      j.state = "running";
      j.starts += 1;
      j.startedAtMs = this.time.nowMs();
      j.begunMs = this.time.ms;
      this.time.after(d.server.boot === "ends-no-job" ? 2_000 : j.runsMs, () => this.ends(j, epoch));
    });
  }

  private ends(j: SimJob, epoch: number): void {
    const d = j.on;
    if (j.epoch !== epoch || d === undefined) return;
    // The shadow hears of it as soon as both are there again.
    const waitMs = Math.max(0, this.scheddFromMs - this.time.ms, d.cut || this.down ? 30_000 : 0);
    if (waitMs > 0) {
      this.time.after(waitMs, () => this.ends(j, epoch));
      return;
    }
    if (d.server.boot === "ends-no-job") {
      this.returned.unshift({ id: `${j.id}.0`, machine: d.name, atMs: this.time.nowMs() });
      this.returned.splice(200);
      this.lose(j, "machine-is-bad");
      return;
    }
    this.leave(j);
    j.state = "done";
    j.epoch += 1;
    this.open.delete(j);
    this.done += 1;
    // A claim is kept for the next job of its kind.
    const next = d.draining === undefined && this.dice.chance(0.5) ? this.waiting.get(j.kind)?.[0] : undefined;
    if (next !== undefined && this.takes(d, j.kind)) {
      this.dequeue(next);
      this.claim(next, d);
    } else this.changed(d);
  }

  private leave(j: SimJob): void {
    j.on?.jobs.delete(j);
    j.on = undefined;
    j.startedAtMs = undefined;
    j.begunMs = undefined;
    j.epoch += 1;
  }

  lose(j: SimJob, why: Loss): void {
    const d = j.on;
    this.losses.push({ job: j, machine: d?.name ?? "?", why, atMs: this.time.ms });
    this.leave(j);
    if (d !== undefined) this.changed(d);
    this.enqueue(j);
  }

  /** Its host is off: the queue goes on believing in its jobs until their lease ends. */
  hostDown(id: string, why: Loss): void {
    const d = this.startds.get(id);
    if (d === undefined) return;
    d.alive = false;
    this.startds.delete(id);
    this.dead.add(d);
    for (const j of d.jobs) {
      const epoch = (j.epoch += 1),
        { state } = j;
      this.losses.push({ job: j, machine: d.name, why, atMs: this.time.ms });
      j.state = "stranded";
      // A match whose shadow does not run yet is given up within seconds.
      this.time.after(state === "activating" ? 2_000 : LEASE_MS, () => {
        if (j.epoch === epoch) this.requeue(j);
      });
    }
  }

  /** Daemons that no longer are, whose ads or jobs may still be there. */
  private readonly dead = new Set<SimStartd>();

  requeue(j: SimJob): void {
    this.leave(j);
    this.enqueue(j);
  }

  /** Cuts one worker off: its ad vanishes in its time, the job runs on, and reconnects if its lease allows. */
  cutOff(id: string, forMs: number): void {
    const d = this.startds.get(id);
    if (d === undefined) return;
    d.cut = true;
    const endLease = this.time.after(LEASE_MS, () => {
      for (const j of [...d.jobs]) this.lose(j, "lease");
    });
    this.time.after(forMs, () => {
      endLease();
      // It is heard again with its next update.
      d.cut = false;
    });
  }

  /** The collector forgets everybody, and hears from each in its time. */
  restartCollector(downMs = 0): void {
    this.collectorFromMs = this.time.ms + downMs;
    for (const d of [...this.startds.values(), ...this.dead]) d.heardMs = Number.NEGATIVE_INFINITY;
  }

  /** Jobs run on meanwhile, and are found again. */
  restartSchedd(downMs: number): void {
    this.scheddFromMs = this.time.ms + downMs;
    this.time.after(downMs + 1, () => this.negotiateSoon());
  }

  /** Why the schedd does not answer now. */
  get unreachable(): string | undefined {
    if (this.down) return "queue down";
    return this.time.ms < this.scheddFromMs ? "the schedd does not answer" : undefined;
  }

  /** Ads as the collector has them. */
  machines(): Machine[] {
    const out: Machine[] = [];
    const oldest = this.time.ms - AD_LIVES_MS;
    for (const { ad, heardMs } of this.startds.values()) if (heardMs >= oldest && ad !== undefined) out.push(ad);
    for (const d of this.dead) {
      if (d.heardMs >= oldest && d.ad !== undefined) out.push(d.ad);
      else if (d.jobs.size === 0) this.dead.delete(d);
    }
    return out;
  }

  /** The daemon behind an ad that the collector has, dead or alive. */
  listed(machine: string): SimStartd | undefined {
    for (const d of this.startds.values()) if (d.name === machine) return this.time.ms - d.heardMs <= AD_LIVES_MS ? d : undefined;
    return [...this.dead].find((d) => d.name === machine && this.time.ms - d.heardMs <= AD_LIVES_MS);
  }

  /** Somebody who is not the controller puts a worker back into service. */
  putBack(id: string): void {
    const d = this.startds.get(id);
    if (d?.draining === undefined) return;
    d.draining = undefined;
    this.changed(d);
  }

  /** Somebody says that the machine no longer exists: whether it does or not, its jobs start elsewhere. */
  forget(machine: string): void {
    for (const d of this.startds.values()) {
      if (d.name !== machine) continue;
      for (const j of [...d.jobs]) this.lose(j, "told-gone");
      d.heardMs = Number.NEGATIVE_INFINITY;
    }
    for (const d of this.dead) {
      if (d.name !== machine) continue;
      d.heardMs = Number.NEGATIVE_INFINITY;
      for (const j of [...d.jobs]) this.requeue(j);
      this.dead.delete(d);
    }
  }
}
