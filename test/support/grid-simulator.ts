import type { ControllerConfig } from "../../components/config/controller-config";
import type { QueueJob } from "../../components/policy/demand";
import type { Override } from "../../components/policy/scaling";
import { AdmissionGate } from "../../controller/gate";
import { Controller } from "../../controller/loop";
import { OpenstackPool } from "../../controller/adapters/openstack-pool";
import { CloudError } from "../../components/errors";
import { FakeHeat } from "./fake-heat";
import { known, unknown, type FenceResult, type GrowResult, type JournalEntry, type Machine, type MemberStatus, type Pool, type Queue, type RemovalStep } from "../../controller/ports";

/** Small deterministic generator: a failing seed can be run again. */
export function seeded(seed: number): () => number {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

interface SimServer {
  readonly id: string;
  readonly name: string;
  status: MemberStatus;
  nextMs: number;
  listedFromMs: number;
  hasToken: boolean;
  deleting: boolean;
}
interface SimStartd { readonly id: string; readonly name: string; draining?: string; updatedMs: number; ad: Machine }
export interface SimJob { readonly id: number; readonly runsMs: number; readonly queuedMs: number; startedMs?: number; on?: string; done: boolean; starts: number }

/** A controller that was killed: nothing it calls has an effect any more. */
export class Killed extends Error {}

export interface SimOptions {
  readonly seed: number;
  readonly config?: Partial<{ min: number; max: number; idleSeconds: number; cooldownSeconds: number; joinTimeoutSeconds: number; growStep: number; vcpus: number; alarms: boolean }>;
  /** Chance that a job arrives during any one call. @default 0 */
  readonly submitChance?: number;
  readonly jobMs?: readonly [number, number];
  /** Chance that a clone call gets no clear answer, before or after its effect. @default 0 */
  readonly ambiguousChance?: number;
  /** Longest time until a new server is listed. @default 3000 */
  readonly listLagMs?: number;
  /** Workers never ask for their token. */
  readonly blackHole?: boolean;
  /** The group is Heat's, and Heat's own high alarm may make it grow at any call with this chance. */
  readonly heat?: { readonly nativeGrowth: number };
}

const UPDATE_MS = 20_000;

/**
 * A cloud and a queue with a clock of their own. Every call of the controller takes time, and while it does jobs arrive,
 * start and end and ads grow old: each step of the controller is a chance for a race.
 */
export class GridSimulator {
  nowMs = 1_000_000_000_000;
  readonly servers = new Map<string, SimServer>();
  readonly startds = new Map<string, SimStartd>();
  readonly jobs: SimJob[] = [];
  readonly journal: JournalEntry[] = [];
  evicted = 0;
  deleted = 0;
  mostServers = 0;
  calls = 0;
  queueDown = false;
  cloudDown = false;
  /** Whether jobs still arrive (see `submitChance`). */
  arrivals = true;
  hideAds = 0;
  override: Override = { drains: [] };
  controller: Controller;
  /** Ends the controller at this call: before it has its effect, or after. */
  killAt: { call: number; after: boolean } | undefined;
  readonly heat: FakeHeat | undefined;
  private dead = false;
  private gate = new AdmissionGate();
  private nextId = 1;
  readonly random: () => number;
  readonly config: ControllerConfig;

  constructor(private readonly o: SimOptions) {
    this.random = seeded(o.seed);
    const c = { min: 0, max: 8, idleSeconds: 20, cooldownSeconds: 5, joinTimeoutSeconds: 120, growStep: 8, vcpus: 1, alarms: false, ...o.config };
    const rule = { enabled: c.alarms, thresholdPercent: 50, periodSeconds: 60, evaluationPeriods: 1, cooldownSeconds: 60 };
    this.config = {
      gridName: "sim", gridUid: "u", poolDomain: "grid.internal", cloud: { kind: "cloudsigma", endpoint: "-", templateUuid: "t" }, enrolment: { address: "-", port: 1, leasesFile: "-" },
      workers: { min: c.min, max: c.max, vcpus: c.vcpus, memoryMiB: 1024, diskMiB: 4096 },
      scaling: { intervalSeconds: 5, growStep: c.growStep, shrinkStep: 8, cooldownSeconds: c.cooldownSeconds, idleSeconds: c.idleSeconds, joinTimeoutSeconds: c.joinTimeoutSeconds },
      alarms: { cpuHigh: rule, cpuLow: { ...rule, thresholdPercent: 10 } },
    };
    if (o.heat !== undefined) {
      this.heat = new FakeHeat("sim-workers-u-a", {
        min: c.min, max: c.max, nowMs: () => this.nowMs, random: this.random,
        servers: { make: (name) => this.makeRunning(name), kill: (id) => this.killed(id), find: (id) => this.novaServer(id) },
      });
    }
    this.controller = this.start();
  }

  /** A new controller with nothing in memory; the world stays. */
  start(): Controller {
    this.dead = false;
    this.gate = new AdmissionGate();
    const world = this;
    this.controller = new Controller({
      pool: this.heat === undefined ? this.pool() : this.heatPool(this.heat), queue: this.queue(), gate: this.gate, clock: { nowMs: () => this.nowMs }, config: this.config,
      randomSuffix: () => Math.floor(this.random() * 2 ** 24).toString(16).padStart(6, "0"),
      override: { get: () => this.override, drainDone: (id) => void (this.override = { ...this.override, drains: this.override.drains.filter((d) => d.worker !== id) }) },
      journal: {
        tail: (n) => world.journal.slice(-n),
        write: (what, why, worker) => void world.journal.push({ seq: world.journal.length + 1, at: new Date(world.nowMs).toISOString(), what, why, worker }),
      },
    });
    return this.controller;
  }

  /** Passes until `done` holds after one, or the time is up; answers whether it held. */
  async runUntil(done: () => boolean, limitSeconds: number): Promise<boolean> {
    const until = this.nowMs + limitSeconds * 1000;
    while (this.nowMs < until) {
      const soon = await this.controller.pass();
      if (this.dead) this.start();
      if (done()) return true;
      this.elapse(soon ? 1_000 : this.config.scaling.intervalSeconds * 1000);
    }
    return false;
  }

  submit(count: number, runsMs?: number): void {
    const [from, to] = this.o.jobMs ?? [1_000, 30_000];
    for (let i = 0; i < count; i += 1) this.jobs.push({ id: this.jobs.length + 1, runsMs: runsMs ?? from + this.random() * (to - from), queuedMs: this.nowMs, done: false, starts: 0 });
  }

  /** Workers that are already in the pool, for tests of what comes after. */
  populate(count: number): void {
    for (let i = 0; i < count; i += 1) {
      const s = this.make(`sim-worker-${i}`);
      Object.assign(s, { status: "running", hasToken: true, listedFromMs: 0, nextMs: Number.POSITIVE_INFINITY });
      this.join(s);
    }
  }

  get pending(): number { return this.jobs.filter((j) => !j.done).length; }
  get members(): number { return this.servers.size; }

  elapse(ms: number): void {
    const until = this.nowMs + ms;
    while (this.nowMs < until) {
      this.nowMs = Math.min(until, this.nowMs + 500);
      this.tick();
    }
  }

  private tick(): void {
    this.heat?.tick();
    for (const s of this.servers.values()) this.tickServer(s);
    for (const j of this.jobs) if (j.on !== undefined && j.startedMs !== undefined && this.nowMs - j.startedMs >= j.runsMs) Object.assign(j, { done: true, on: undefined });
    for (const d of this.startds.values()) if (this.nowMs - d.updatedMs >= UPDATE_MS) this.advertise(d);
    if (this.random() < 0.4) this.negotiate();
  }

  private tickServer(s: SimServer): void {
    if (this.nowMs < s.nextMs) return;
    if (s.deleting) {
      this.servers.delete(s.id);
      this.deleted += 1;
    } else if (s.status === "starting") {
      s.status = "running";
      s.nextMs = this.nowMs + 3_000 + this.random() * 5_000;
    } else if (s.status === "stopping") {
      s.status = "stopped";
      s.nextMs = Number.POSITIVE_INFINITY;
    } else if (s.status === "running" && !this.startds.has(s.id)) {
      if (!s.hasToken) {
        // The enrolment server lives in the controller: none while that is dead.
        s.hasToken = !this.o.blackHole && !this.dead && this.gate.admit(s.id);
        s.nextMs = this.nowMs + (s.hasToken ? this.random() * 6_000 : 2_000);
      } else this.join(s);
    }
  }

  private join(s: SimServer): void {
    const d: SimStartd = { id: s.id, name: `w-${s.id.slice(0, 8)}.grid.internal`, updatedMs: 0, ad: undefined as unknown as Machine };
    this.startds.set(s.id, d);
    this.advertise(d);
  }

  private claimsOn(id: string): number { return this.jobs.filter((j) => j.on === id).length; }

  private advertise(d: SimStartd): void {
    const claims = this.claimsOn(d.id), cpus = this.config.workers.vcpus;
    const size = (n: number): Machine["free"] => ({ cpus: n, memoryMiB: 1024 * n, diskMiB: 4096 });
    d.updatedMs = this.nowMs;
    d.ad = {
      name: d.name, serverId: d.id, claims, draining: d.draining !== undefined, drainReason: d.draining, drained: d.draining !== undefined && claims === 0,
      total: size(cpus), free: size(cpus - claims), cpuPercent: (claims / cpus) * 100, heardAtMs: this.nowMs,
    };
  }

  /** The schedd gives waiting jobs to whatever startd really has room, not to what the ads say. */
  private negotiate(): void {
    for (const j of this.jobs) {
      if (j.done || j.on !== undefined) continue;
      const d = [...this.startds.values()].find((x) => x.draining === undefined && this.claimsOn(x.id) < this.config.workers.vcpus);
      if (d === undefined) return;
      Object.assign(j, { on: d.id, startedMs: this.nowMs, starts: j.starts + 1 });
    }
  }

  private pullPlug(s: SimServer, byOrder: boolean): void {
    for (const j of this.jobs) {
      if (j.on !== s.id) continue;
      if (!byOrder) this.evicted += 1;
      Object.assign(j, { on: undefined, startedMs: undefined });
    }
    this.startds.delete(s.id);
  }

  /** A worker's host dies. */
  crash(id: string): void {
    const s = this.servers.get(id);
    if (s === undefined) return;
    this.pullPlug(s, true);
    Object.assign(s, { status: "stopped", nextMs: Number.POSITIVE_INFINITY });
  }

  private make(name: string): SimServer {
    const id = `${(this.nextId++).toString(16).padStart(8, "0")}-sim`;
    const s: SimServer = { id, name, status: "stopped", nextMs: Number.POSITIVE_INFINITY, listedFromMs: this.nowMs + this.random() * (this.o.listLagMs ?? 3_000), hasToken: false, deleting: false };
    this.servers.set(id, s);
    this.mostServers = Math.max(this.mostServers, this.servers.size);
    return s;
  }

  /** Wraps a call: time passes before and after its effect, and the controller may die on either side. */
  private async call<T>(effect: () => T): Promise<T> {
    if (this.dead) throw new Killed("killed");
    this.calls += 1;
    const n = this.calls;
    this.race();
    if (this.killAt?.call === n && !this.killAt.after) this.die();
    const result = effect();
    this.race();
    if (this.killAt?.call === n && this.killAt.after) this.die();
    return result;
  }

  private die(): never {
    this.dead = true;
    throw new Killed("killed");
  }

  private race(): void {
    if (this.arrivals && this.random() < (this.o.submitChance ?? 0)) this.submit(1);
    this.elapse(Math.floor(this.random() * 600));
    if (this.random() < 0.5) this.negotiate();
  }

  private makeRunning(name: string): string {
    const s = this.make(name);
    Object.assign(s, { status: "starting", listedFromMs: 0, nextMs: this.nowMs + 1_000 + this.random() * 4_000 });
    return s.id;
  }

  /** Heat deletes the server: whatever runs there ends. */
  private killed(id: string): void {
    const s = this.servers.get(id);
    if (s === undefined) return;
    this.pullPlug(s, this.override.drains.some((d) => d.worker === id && d.now));
    this.servers.delete(id);
    this.deleted += 1;
  }

  private novaServer(id: string): { status: string } | undefined {
    const s = this.servers.get(id);
    const words: Partial<Record<MemberStatus, string>> = { starting: "BUILD", running: "ACTIVE", stopped: "SHUTOFF" };
    return s && { status: words[s.status] ?? "UNKNOWN" };
  }

  private heatPool(heat: FakeHeat): Pool {
    const api = heat.api((label, effect) => this.call(() => {
      if (this.cloudDown) throw new CloudError("transient", "no answer", { ambiguous: true });
      if (this.random() < (this.o.heat?.nativeGrowth ?? 0)) heat.signalUp();
      const dice = this.random(), p = label.startsWith("PATCH") ? (this.o.ambiguousChance ?? 0) : 0;
      if (dice < p / 2) throw new CloudError("transient", "no answer", { ambiguous: true });
      const result = effect();
      if (dice < p) throw new CloudError("transient", "no answer", { ambiguous: true });
      return result;
    }));
    const target = { kind: "openstack", authUrl: "", stackName: heat.name, stackId: `id-${heat.name}`, stackPrefix: "sim-workers-u-" } as const;
    return new OpenstackPool({ api, target, limits: this.config.workers, nowMs: () => this.nowMs });
  }

  private pool(): Pool {
    return {
      observe: () => this.call(() => this.cloudDown ? unknown("cloud down") : known({ members: [...this.servers.values()].filter((s) => s.listedFromMs <= this.nowMs).map((s) => ({ id: s.id, name: s.name, status: s.status, copying: false, macs: [] })) })),
      grow: (names) => this.call((): GrowResult => {
        const created: { id: string; name: string }[] = [];
        for (const name of names) {
          const dice = this.random(), p = this.o.ambiguousChance ?? 0;
          if (dice < p / 2) return { created, failure: "no answer", ambiguous: true, wait: false };
          const { id } = this.make(name);
          if (dice < p) return { created, failure: "no answer", ambiguous: true, wait: false };
          created.push({ id, name });
        }
        return { created, ambiguous: false, wait: false };
      }),
      start: (id) => this.call(() => {
        const s = this.servers.get(id);
        if (s?.status !== "stopped" || s.deleting) return false;
        Object.assign(s, { status: "starting", nextMs: this.nowMs + 1_000 + this.random() * 4_000 });
        return true;
      }),
      remove: (id) => this.call((): RemovalStep => {
        const s = this.servers.get(id);
        if (s === undefined) return "gone";
        if (s.status === "stopping") return "stopping";
        if (s.status !== "stopped") {
          this.pullPlug(s, this.override.drains.some((d) => d.worker === id && d.now));
          Object.assign(s, { status: "stopping", nextMs: this.nowMs + 1_000 + this.random() * 2_000 });
          return "stopping";
        }
        if (!s.deleting) Object.assign(s, { deleting: true, nextMs: this.nowMs + this.random() * 2_000 });
        return "deleting";
      }),
    };
  }

  private queue(): Queue {
    const find = (machine: string): SimStartd | undefined => [...this.startds.values()].find((d) => d.name === machine);
    const drain = (machine: string, check: boolean, reason: string): FenceResult => {
      if (this.queueDown) return { answer: "unknown", detail: "queue down" };
      const d = find(machine);
      if (d === undefined) return { answer: "notThere", detail: "" };
      if (d.draining !== undefined) return { answer: "alreadyDraining", detail: "" };
      if (check && this.claimsOn(d.id) > 0) return { answer: "refusedBusy", detail: "" };
      d.draining = reason;
      this.advertise(d);
      return { answer: "accepted", detail: "" };
    };
    return {
      observe: () => this.call(() => {
        if (this.queueDown) return unknown("queue down");
        const jobs = this.jobs.filter((j) => !j.done).map((j): QueueJob => ({
          id: `${j.id}.0`, owner: "u", state: j.on === undefined ? "waiting" : "running", machine: j.on === undefined ? undefined : this.startds.get(j.on)?.name,
          startedAtMs: j.startedMs, queuedAtMs: j.queuedMs, cpus: 1, memoryMiB: 100, diskMiB: 1, requirements: "",
        }));
        const of = (state: string): number => jobs.filter((j) => j.state === state).length;
        const hidden = this.hideAds > 0 ? this.hideAds-- : 0;
        return known({ machines: hidden > 0 ? [] : [...this.startds.values()].map((d) => d.ad), jobs, counts: { waiting: of("waiting"), running: of("running"), held: 0 } });
      }),
      fence: (machine, kind, reason) => this.call(() => drain(machine, kind === "ifIdle", reason)),
      cancelDrain: (machine) => this.call(() => {
        const d = find(machine);
        if (d === undefined || this.queueDown) return { answer: "unknown", detail: "" } as const;
        d.draining = undefined;
        this.advertise(d);
        return { answer: "accepted", detail: "" } as const;
      }),
      evict: (machine) => this.call(() => {
        const answer = drain(machine, false, "elastigrid:now");
        for (const j of this.jobs) if (j.on !== undefined && j.on === find(machine)?.id) Object.assign(j, { on: undefined, startedMs: undefined });
        return answer.answer === "alreadyDraining" ? ({ answer: "accepted", detail: "" } as const) : answer;
      }),
      gone: () => this.call(() => known(0)),
    };
  }
}
