import { spawn } from "node:child_process";
import { performance } from "node:perf_hooks";
import type { ControllerConfig } from "../components/config/controller-config";
import type { RunningJob, WaitingGroup } from "../components/policy/demand";
import { workerHostname } from "../components/policy/names";
import { Controller } from "../controller/loop";
import {
  known, type JournalEntry, type Machine, type Member, type Pool, type PoolView, type Queue, type QueueView,
} from "../controller/ports";
import { percentile, positive, round, type Bench } from "./bench";

const GOAL_MS = 100, GOAL_MIB = 200;
const VCPUS = 4, WARM = 5;
/** Kinds of waiting jobs: many users, each with jobs of a few sizes. */
const GROUPS = 500;
const DOMAIN = "grid.internal";
/** Clocks as large as real ones, so that their figures take as much memory. */
const WALL_MS = 1_800_000_000_000, MONOTONIC_MS = 86_400_000.125, LOOK_MS = 5_000;
/** Of the slots, so many are free at a look: a job has just ended there. */
const FREE_ONE_IN = 20;
/** Coprime to any number of jobs up to here: jobs come in the order of their ids, not of the machines that run them. */
const STRIDE = 1_000_003;

/** One pass of the controller over a large pool and a long queue: what it costs beyond asking for them. */
export const pass: Bench = {
  about: `one pass of the controller with a large pool and queue (goal ${GOAL_MS} ms, ${GOAL_MIB} MiB), against a tenth of both`,
  flags: {
    workers: ["10000", "workers in the pool"], jobs: ["100000", "jobs in the queue: as many run as fit, the others wait"],
    passes: ["30", "passes that are measured"],
  },
  needs: "nothing",
  async run(flags, print) {
    const size = { workers: positive(flags, "workers"), jobs: positive(flags, "jobs"), passes: positive(flags, "passes") };
    const small = await inProcess({ ...size, workers: Math.ceil(size.workers / 10), jobs: Math.ceil(size.jobs / 10) });
    print(describe(small));
    const large = await inProcess(size);
    print(describe(large));
    return {
      workers: large.workers, jobs: large.jobs, passMs: large.medianMs, passCpuMs: large.cpuMs, passP95Ms: large.p95Ms, firstPassMs: large.firstMs,
      heapMiB: large.heapMiB, rssMiB: large.rssMiB, tenthPassCpuMs: small.cpuMs, timesATenth: round(large.cpuMs / small.cpuMs),
      // Of the processor's time, which other work on the computer hardly changes.
      ofGoalTime: round(large.cpuMs / GOAL_MS), ofGoalMemory: round(large.rssMiB / GOAL_MIB), ok: large.cpuMs <= GOAL_MS && large.rssMiB <= GOAL_MIB,
    };
  },
};

interface Size {
  readonly workers: number;
  readonly jobs: number;
  readonly passes: number;
}
interface Measured extends Size {
  readonly firstMs: number;
  readonly medianMs: number;
  /** Median of the time that a processor worked on it, the collection of garbage included. */
  readonly cpuMs: number;
  readonly p95Ms: number;
  /** Live after a collection: the controller with its last look. */
  readonly heapMiB: number;
  /** Of the whole process, at most. */
  readonly rssMiB: number;
}

const describe = (m: Measured): string =>
  `${m.workers} workers, ${m.jobs} jobs: ${m.medianMs} ms a pass, ${m.cpuMs} of a processor (95 % within ${m.p95Ms}, the first ${m.firstMs}), heap ${m.heapMiB} MiB, process ${m.rssMiB} MiB`;

/** Memory is a process's own: each size gets one. */
function inProcess(size: Size): Promise<Measured> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["--expose-gc", __filename, JSON.stringify(size)], { stdio: ["ignore", "pipe", "inherit"] });
    let out = "";
    child.stdout.setEncoding("utf8").on("data", (t: string) => (out += t));
    child.on("error", reject);
    child.on(
      "close", (code) => (code === 0 ? resolve(JSON.parse(out) as Measured) : reject(new Error(`the measured process ended with ${code}`))),
    );
  });
}

/** A text of its own, as each one is that was read out of an answer. */
const text = (s: string): string => Buffer.from(s, "latin1").toString("latin1");
const uuid = (i: number): string => `${i.toString(16).padStart(8, "0")}-0000-4000-8000-000000000000`;

/** A look as the adapters give it, made anew for each pass: nothing of the last one may be reused by identity. */
class World {
  private turn = 0;
  constructor(private readonly size: Size) {}

  /** Before a pass, outside its time. */
  next(): { pool: PoolView; queue: QueueView } {
    this.turn += 1;
    const slots = Math.min(this.size.jobs, this.size.workers * VCPUS), heardAtMs = WALL_MS + this.turn * LOOK_MS;
    const claims = new Array<number>(this.size.workers).fill(0);
    const running: RunningJob[] = [];
    for (let k = 0; k < slots; k += 1) {
      const slot = (k * STRIDE) % slots, i = Math.floor(slot / VCPUS);
      if (slot % FREE_ONE_IN === this.turn % FREE_ONE_IN) continue;
      claims[i]! += 1;
      // A tenth of the jobs is new at each look, as with jobs of a minute and looks every few seconds.
      const isNew = slot % 10 === this.turn % 10 ? this.turn : 0;
      const startedAtMs = heardAtMs - 30_000 - k;
      running.push({ id: text(`${k}.${isNew}`), owner: text(`user${i % 50}`), machine: text(nameOf(i)), state: "running", startedAtMs });
    }
    const machines: Machine[] = [], members: Member[] = [];
    for (let i = 0; i < this.size.workers; i += 1) {
      const mac = text(`22:00:00:00:${(i >> 8).toString(16)}:${(i & 255).toString(16)}`), claimed = claims[i] ?? 0;
      const room = (cpus: number) => ({ cpus, memoryMiB: cpus * 1_024, diskMiB: cpus * 4_096 - (i % 1_024) / 1_024 });
      members.push({ id: text(uuid(i)), name: text(`grid-worker-${i}`), status: "running", copying: false, macs: [mac] });
      machines.push({
        name: text(nameOf(i)), serverId: text(uuid(i)), claims: claimed, draining: false, drained: false, total: room(VCPUS),
        free: room(VCPUS - claimed), cpuPercent: 90.5, heardAtMs: heardAtMs - i, startedAtMs: WALL_MS - 3_600_000 - i, address: text(`10.77.${i >> 8}.${i & 255}:9618`),
      });
    }
    const waiting = this.size.jobs - running.length, counts = { waiting, running: running.length, held: 0 };
    return { pool: { members }, queue: { machines, running, groups: this.groups(waiting), counts } };
  }

  private groups(waiting: number): WaitingGroup[] {
    return Array.from({ length: Math.min(waiting, GROUPS) }, (_, g) => {
      const request = { cpus: 1 + (g % VCPUS), memoryMiB: 128 * (1 + (g % 7)), diskMiB: 1 };
      // A tenth of the groups is new at each look, and like no other one.
      const since = g % 10 === this.turn % 10 ? this.turn : 0;
      return {
        key: text(`${since}/${g}`), count: Math.floor(waiting / GROUPS) + (g < waiting % GROUPS ? 1 : 0),
        exampleId: text(`${1_000_000 + g}.0`), owner: text(`user${g % 50}`), queuedAtMs: WALL_MS - 600_000, request,
        ad: {
          RequestCpus: text(`${request.cpus}`), RequestMemory: text(`${request.memoryMiB}`), RequestDisk: text("1024"), Rank: text(`${since}`),
          Requirements: text('(TARGET.Arch == "X86_64") && (TARGET.Memory >= RequestMemory) && (TARGET.Cpus >= RequestCpus)'),
        },
      };
    });
  }
}

const nameOf = (i: number): string => `${workerHostname(uuid(i))}.${DOMAIN}`;

async function measure(size: Size): Promise<Measured> {
  const world = new World(size);
  let look = world.next(), elapsedMs = 0;
  const refuse = (): never => {
    throw new Error("a pass over a steady pool must not act");
  };
  const pool: Pool = {
    observe: async () => known(look.pool), statusNow: async () => known("running"), grow: refuse, start: refuse, remove: refuse,
  };
  const queue: Queue = {
    observe: async () => known(look.queue), occupancy: async () => known(new Map()), probe: async () => ({ answer: "silent" as const, detail: "" }), jobs: async () => known([]),
    fence: refuse, cancelDrain: refuse, evict: refuse, gone: refuse, releaseLostClaims: refuse,
  };
  const journal: JournalEntry[] = [];
  const alarm = { enabled: true, thresholdPercent: 80, periodSeconds: 60, evaluationPeriods: 1, cooldownSeconds: 60 };
  const config: ControllerConfig = {
    gridName: "bench", gridUid: "u", poolDomain: DOMAIN,
    cloud: { kind: "cloudsigma", endpoint: "-", templateUuid: "t" }, enrolment: { address: "-", port: 1 },
    workers: { min: 0, max: size.workers, vcpus: VCPUS, memoryMiB: VCPUS * 1_024, diskMiB: VCPUS * 4_096 },
    scaling: { intervalSeconds: 5, growStep: 100, shrinkStep: 100, cooldownSeconds: 60, idleSeconds: 300, joinTimeoutSeconds: 600 },
    alarms: { cpuHigh: alarm, cpuLow: { ...alarm, thresholdPercent: 10 } },
  };
  const controller = new Controller({
    pool, queue, config, clock: { nowMs: () => WALL_MS + elapsedMs, monotonicMs: () => MONOTONIC_MS + elapsedMs }, randomSuffix: () => "aaaaaa",
    gate: { created: () => undefined, admitted: () => true, close: () => false },
    journal: { write: (what, why) => void journal.push({ seq: journal.length, at: "", what, why }), tail: () => [] },
    override: { get: () => ({ drains: [] }), drainDone: () => undefined },
  });
  const times: number[] = [], cpuTimes: number[] = [];
  for (let i = 0; i < size.passes + WARM; i += 1) {
    look = world.next();
    elapsedMs += LOOK_MS;
    globalThis.gc?.(); // what the last look has left is not this pass's
    const from = performance.now(), cpuFrom = process.cpuUsage();
    await controller.pass();
    const cpu = process.cpuUsage(cpuFrom);
    times.push(performance.now() - from);
    cpuTimes.push((cpu.user + cpu.system) / 1_000);
    const failed = controller.lastPass?.error;
    if (failed !== undefined) throw new Error(failed);
  }
  const seen = controller.latest?.workers.length;
  if (seen !== size.workers) throw new Error(`the controller saw ${seen} of ${size.workers} workers`);
  const rssMiB = process.resourceUsage().maxRSS / 1_024;
  globalThis.gc?.();
  const heapMiB = process.memoryUsage().heapUsed / 2 ** 20, steady = times.slice(WARM);
  return {
    ...size, firstMs: round(times[0] ?? 0), medianMs: round(percentile(steady, 0.5)), cpuMs: round(percentile(cpuTimes.slice(WARM), 0.5)),
    p95Ms: round(percentile(steady, 0.95)), heapMiB: round(heapMiB), rssMiB: round(rssMiB),
  };
}

if (require.main === module) void measure(JSON.parse(process.argv[2] ?? "{}") as Size).then(
  (m) => void process.stdout.write(JSON.stringify(m)),
);
