import type { ControllerConfig, ScalingSettings, WorkerLimits } from "../../../components/config/controller-config";
import { CloudError } from "../../../components/errors";
import type { Override } from "../../../components/policy/decision";
import { OpenstackPool } from "../../../controller/adapters/openstack-pool";
import { AdmissionGate } from "../../../controller/gate";
import { Controller } from "../../../controller/loop";
import type { JournalEntry, MemberStatus, Observed, Pool, QueueView } from "../../../controller/ports";
import { FakeHeat } from "../../support/fake-heat";
import type { JobKind, Loss, SimJob } from "./jobs";
import { ModelCloud, type Call, type SimServer } from "./model-cloud";
import { ModelQueue } from "./model-queue";
import { PromiseBroken, Promises } from "./promises";
import { QueuePort } from "./queue-port";
import { Dice } from "./random";
import { Timeline } from "./timeline";

/** A controller that was killed: nothing it calls has an effect any more. */
class Killed extends Error {}

export interface SimOptions {
  readonly seed: number;
  readonly min?: number;
  readonly max?: number;
  readonly vcpus?: number;
  readonly scaling?: Partial<ScalingSettings>;
  /** CPU alarms judged by the controller. @default false */
  readonly alarms?: boolean;
  /** Chance that a job arrives during any one call. @default 0 */
  readonly submitChance?: number;
  readonly jobMs?: readonly [number, number];
  /** Longest that a call takes before and after its effect. @default 600 */
  readonly callMs?: number;
  /** The group is Heat's, and Heat's own high alarm may make it grow at any call with this chance. */
  readonly heat?: { readonly nativeGrowth: number; readonly ambiguousChance?: number };
}

/** One controller with what lives in its process. */
interface Brain {
  readonly controller: Controller;
  readonly gate: AdmissionGate;
  dead: boolean;
  /** What its newest looks answered. */
  poolKnown: boolean;
  queueKnown: boolean;
  /** Removals that it has begun. */
  readonly begun: Set<string>;
}

/** Pause after a pass that has something on its way, as `controller/main.ts` makes it. */
const SOON_MS = 1_000;

/**
 * A cloud and a queue with a clock of their own around the unmodified controller. Every call of the controller takes time, and while it
 * does jobs arrive, start and end and ads grow old: each step of the controller is a chance for a race.
 */
export class GridSimulator {
  readonly time = new Timeline();
  readonly dice: Dice;
  readonly cloud: ModelCloud;
  readonly queue: ModelQueue;
  readonly promises: Promises;
  readonly journal: JournalEntry[] = [];
  readonly config: ControllerConfig;
  readonly heat: FakeHeat | undefined;
  /** Calls so far, of all controllers. */
  calls = 0;
  /** Whether jobs still arrive (see `submitChance`). */
  arrivals = true;
  override: Override = { drains: [] };
  /** Ends the controller at this call: before it has its effect, or after. */
  killAt: { readonly call: number; readonly after: boolean } | undefined;
  /** Whether it died in the pass that has just ended. */
  killed = false;
  /** Passes of the controller, of all its lives. */
  passes = 0;
  /** Called after each pass: for those who watch or steer a story. */
  onPass: (() => void) | undefined;
  private brain: Brain;
  private second: Brain | undefined;

  constructor(private readonly o: SimOptions) {
    this.dice = new Dice(o.seed);
    const rule = { enabled: o.alarms ?? false, thresholdPercent: 50, periodSeconds: 60, evaluationPeriods: 1, cooldownSeconds: 60 };
    const workers: WorkerLimits = {
      min: o.min ?? 0,
      max: o.max ?? 8,
      vcpus: o.vcpus ?? 1,
      memoryMiB: 1024 * (o.vcpus ?? 1),
      diskMiB: 4096,
    };
    this.config = {
      gridName: "sim",
      gridUid: "u",
      poolDomain: "grid.internal",
      cloud: { kind: "cloudsigma", endpoint: "-", templateUuid: "t" },
      enrolment: { address: "-", port: 1, leasesFile: "-" },
      workers,
      alarms: { cpuHigh: rule, cpuLow: { ...rule, thresholdPercent: 10 } },
      scaling: {
        intervalSeconds: 5,
        growStep: 8,
        shrinkStep: 8,
        cooldownSeconds: 5,
        idleSeconds: 20,
        joinTimeoutSeconds: 120,
        ...o.scaling,
      },
    };
    this.cloud = new ModelCloud(this.time, this.dice, {
      made: () => this.promises.made(),
      up: (s) => this.time.after(this.dice.between(3_000, 8_000), () => this.enrol(s)),
      down: (s, by) => this.down(s, by),
    });
    this.queue = new ModelQueue(this.time, this.dice, { cpus: workers.vcpus, memoryMiB: workers.memoryMiB - 24, diskMiB: workers.diskMiB });
    this.promises = new Promises({
      cloud: this.cloud,
      queue: this.queue,
      most: () => Math.max(this.override.max ?? workers.max, this.override.size ?? 0),
      isNow: (id) => this.isNow(id),
      nowMs: () => this.time.ms,
      says: () => `at ${(this.time.ms / 1000).toFixed(1)} s, call ${this.calls}`,
    });
    if (o.heat !== undefined) {
      this.heat = new FakeHeat("sim-workers-u-a", {
        min: workers.min,
        max: workers.max,
        nowMs: this.time.nowMs,
        random: this.dice.next,
        servers: { make: (name) => this.makeRunning(name), kill: (id) => this.heatKills(id), find: (id) => this.novaServer(id) },
      });
      const tick = (): void => {
        this.heat?.tick();
        this.time.after(500, tick);
      };
      tick();
    }
    this.brain = this.start();
  }

  get controller(): Controller {
    return this.brain.controller;
  }

  get members(): number {
    return this.cloud.servers.size;
  }

  /** Jobs that the controller or an accident took off a machine, by why. */
  lost(why: Loss): number {
    return this.queue.losses.filter((l) => l.why === why).length;
  }

  journalOf(what: string): JournalEntry[] {
    return this.journal.filter((e) => e.what === what);
  }

  /** A new controller with nothing in memory; the world stays. */
  restart(): void {
    this.brain = this.start();
  }

  /** A second controller that ignores the lock, with an enrolment server that nobody can reach: the first one has the port. */
  startSecond(): void {
    this.second = this.start();
  }

  private start(): Brain {
    const gate = new AdmissionGate();
    const call: Call = (_, effect) => this.call(brain, effect);
    const { time } = this;
    const queue = new QueuePort(this.queue, this.time, this.dice).through(call);
    const noted = (seen: Observed<QueueView>): Observed<QueueView> => {
      brain.queueKnown = seen.known;
      return seen;
    };
    const controller = new Controller({
      pool: this.watched(() => brain, this.heat === undefined ? this.cloud.pool(call) : this.heatPool(this.heat, call)),
      gate,
      queue: { ...queue, observe: async () => noted(await queue.observe()) },
      clock: time,
      config: this.config,
      randomSuffix: () =>
        Math.floor(this.dice.next() * 2 ** 24)
          .toString(16)
          .padStart(6, "0"),
      override: {
        get: () => this.override,
        drainDone: (id) => void (this.override = { ...this.override, drains: this.override.drains.filter((d) => d.worker !== id) }),
      },
      journal: {
        tail: (n) => this.journal.slice(-n),
        write: (what, why, worker) =>
          void this.journal.push({
            seq: this.journal.length + 1,
            at: new Date(time.nowMs()).toISOString(),
            what,
            why,
            ...(worker === undefined ? {} : { worker }),
          }),
      },
    });
    const brain: Brain = { controller, gate, dead: false, poolKnown: false, queueKnown: false, begun: new Set() };
    return brain;
  }

  /** Notes what a controller knew when it took something away. */
  private watched(brain: () => Brain, pool: Pool): Pool {
    return {
      observe: async () => {
        const seen = await pool.observe();
        brain().poolKnown = seen.known;
        return seen;
      },
      statusNow: (id) => pool.statusNow(id),
      grow: (names, type) => pool.grow(names, type),
      start: (id) => pool.start(id),
      ...(pool.tend === undefined ? {} : { tend: () => pool.tend!() }),
      ...(pool.consoleTail === undefined ? {} : { consoleTail: (id: string) => pool.consoleTail!(id) }),
      remove: (id, how) => {
        const b = brain(),
          s = this.cloud.servers.get(id);
        const begun = b.begun.has(id);
        b.begun.add(id);
        if (s !== undefined) this.promises.removal(s, { poolKnown: b.poolKnown, queueKnown: b.queueKnown, begun });
        return pool.remove(id, how);
      },
    };
  }

  /** Passes until `done` holds after one, or the time is up; answers whether it held. */
  async runUntil(done: () => boolean, limitSeconds: number, pauseMs?: number): Promise<boolean> {
    const until = this.time.ms + limitSeconds * 1000;
    while (this.time.ms < until) {
      const soon = await this.pass();
      if (done()) return true;
      this.elapse(pauseMs ?? (soon ? SOON_MS : this.config.scaling.intervalSeconds * 1000));
    }
    return false;
  }

  run(seconds: number, pauseMs?: number): Promise<boolean> {
    return this.runUntil(() => false, seconds, pauseMs);
  }

  /** One pass of every controller, side by side. */
  async pass(): Promise<boolean> {
    this.passes += 1;
    const both = this.second === undefined ? [this.brain] : [this.brain, this.second];
    const soon = await Promise.all(both.map((b) => b.controller.pass()));
    this.killed = this.brain.dead;
    if (this.brain.dead) this.brain = this.start();
    this.promises.losses();
    if (this.promises.broken.length > 0) throw new PromiseBroken(this.promises.broken.join("\n"));
    this.onPass?.();
    return soon.some(Boolean);
  }

  submit(count: number, o: { readonly runsMs?: number; readonly kind?: JobKind } = {}): SimJob[] {
    return this.queue.submit(count, {
      runsMs: o.runsMs ?? this.o.jobMs ?? [1_000, 30_000],
      ...(o.kind === undefined ? {} : { kind: o.kind }),
    });
  }

  /** Workers that are already in the pool, for tests of what comes after. */
  populate(count: number): SimServer[] {
    return Array.from({ length: count }, (_, i) => {
      const s = this.cloud.make(`sim-worker-${i}`, undefined, {
        status: "running",
        copying: false,
        hasToken: true,
        listedFromMs: 0,
        activeSinceMs: this.time.nowMs(),
      });
      this.join(s);
      return s;
    });
  }

  elapse(ms: number): void {
    this.time.advance(ms);
  }

  private isNow(id: string): boolean {
    return this.everNow.has(id) || this.override.drains.some((d) => d.worker === id && d.now);
  }

  private readonly everNow = new Set<string>();

  /** The operator's `drain NAME [--now]`. */
  drain(worker: string, now: boolean): void {
    if (now) this.everNow.add(worker);
    this.override = { ...this.override, drains: [...this.override.drains.filter((d) => d.worker !== worker), { worker, now }] };
  }

  private enrol(s: SimServer): void {
    if (s.status !== "running" || this.queue.startds.has(s.id)) return;
    if (s.boot === "never-joins") return;
    if (!s.hasToken) {
      // The enrolment server lives in the controller: none while that is dead.
      s.hasToken = !this.brain.dead && this.brain.gate.admit(s.id);
      this.time.after(s.hasToken ? this.dice.between(0, 6_000) : 2_000, () => this.enrol(s));
    } else this.join(s);
  }

  private join(s: SimServer): void {
    const d = this.queue.join(s);
    this.promises.knows(d.name, s.id);
  }

  private down(s: SimServer, by: "order" | "itself"): void {
    if (by === "order") this.promises.powerOff(s);
    this.queue.hostDown(s.id, by === "order" && !this.isNow(s.id) ? "removed-server" : "crash");
  }

  /** Wraps a call: time passes before and after its effect, and the controller may die on either side. */
  private async call<T>(brain: Brain, effect: () => T): Promise<T> {
    if (brain.dead) throw new Killed("killed");
    this.calls += 1;
    const n = this.calls;
    this.race();
    if (this.killAt?.call === n && !this.killAt.after) this.die(brain);
    try {
      return effect();
    } finally {
      this.race();
      if (this.killAt?.call === n && this.killAt.after) this.die(brain);
    }
  }

  private die(brain: Brain): never {
    brain.dead = true;
    throw new Killed("killed");
  }

  private race(): void {
    if (this.arrivals && this.dice.chance(this.o.submitChance ?? 0)) this.submit(1);
    this.elapse(Math.floor(this.dice.next() * (this.o.callMs ?? 600)));
    if (this.dice.chance(0.5)) this.queue.negotiate();
  }

  private makeRunning(name: string): string {
    const s = this.cloud.make(name, undefined, { copying: false, listedFromMs: 0 });
    this.cloud.powerOn(s);
    return s.id;
  }

  /** Heat deletes the server: whatever runs there ends. */
  private heatKills(id: string): void {
    const s = this.cloud.servers.get(id);
    if (s !== undefined) this.cloud.vanish(id, "order");
  }

  private novaServer(id: string): { status: string } | undefined {
    const s = this.cloud.servers.get(id);
    const words: Partial<Record<MemberStatus, string>> = { starting: "BUILD", running: "ACTIVE", stopped: "SHUTOFF" };
    return s && { status: words[s.status] ?? "UNKNOWN" };
  }

  private heatPool(heat: FakeHeat, call: Call): Pool {
    const { nativeGrowth = 0, ambiguousChance = 0 } = this.o.heat ?? {};
    const api = heat.api((label, effect) =>
      call(label, () => {
        if (!this.cloud.reachable) throw new CloudError("transient", "no answer", { ambiguous: true });
        if (this.dice.chance(nativeGrowth)) heat.signalUp();
        const dice = this.dice.next(),
          p = label.startsWith("PATCH") ? ambiguousChance : 0;
        if (dice < p / 2) throw new CloudError("transient", "no answer", { ambiguous: true });
        const result = effect();
        if (dice < p) throw new CloudError("transient", "no answer", { ambiguous: true });
        return result;
      }),
    );
    const target = {
      kind: "openstack",
      authUrl: "",
      stackName: heat.name,
      stackId: `id-${heat.name}`,
      stackPrefix: "sim-workers-u-",
    } as const;
    return new OpenstackPool({ api, target, limits: this.config.workers, nowMs: this.time.nowMs });
  }
}
