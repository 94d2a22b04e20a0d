import type { JobCounts, QueueJob, RunningJob, WaitingGroup } from "../../components/policy/demand";
import type { Machine } from "../ports";

/** Pure readers of what HTCondor's tools print. An attribute that is missing or odd is never guessed to mean "idle". */
export type Ad = Readonly<Record<string, unknown>>;

export const MACHINE_ATTRIBUTES = [
  "Name", "Machine", "ElastigridServerUuid", "State", "Activity", "NumDynamicSlots", "PartitionableSlot", "Cpus", "Memory", "Disk", "TotalSlotCpus", "TotalSlotMemory",
  "TotalSlotDisk", "Draining", "DrainReason", "ElastigridCpuPercent", "LastHeardFrom", "MyAddress",
] as const;

export const JOB_ATTRIBUTES = [
  "ClusterId", "ProcId", "JobStatus", "JobUniverse", "RemoteHost", "Owner", "QDate", "JobCurrentStartDate", "RequestCpus", "RequestMemory", "RequestDisk", "MemoryUsage",
  "ImageSize", "DiskUsage", "HoldReason", "Requirements",
] as const;

/** HTCondor prints nothing at all for an empty list. */
export function parseAds(text: string): readonly Ad[] {
  if (text.trim() === "") return [];
  const value: unknown = JSON.parse(text);
  if (!Array.isArray(value)) throw new Error("not a list of ads");
  return value as Ad[];
}

const text = (ad: Ad, key: string): string | undefined => (typeof ad[key] === "string" ? (ad[key] as string) : undefined);
const number = (ad: Ad, key: string): number | undefined => (typeof ad[key] === "number" && Number.isFinite(ad[key]) ? (ad[key] as number) : undefined);
const ms = (seconds: number | undefined): number | undefined => (seconds === undefined ? undefined : seconds * 1000);

/** One machine per startd: its partitionable slot speaks for all, other slots are counted as claims where they are in use. */
export function parseMachines(ads: readonly Ad[]): readonly Machine[] {
  const byName = new Map<string, Machine>();
  for (const ad of ads) {
    const name = text(ad, "Machine");
    if (name === undefined) throw new Error("a machine ad without Machine");
    const machine = parseSlot(name, ad);
    const other = byName.get(name);
    byName.set(name, other === undefined ? machine : merge(other, machine));
  }
  return [...byName.values()];
}

function parseSlot(name: string, ad: Ad): Machine {
  const state = text(ad, "State"), activity = text(ad, "Activity");
  const slots = number(ad, "NumDynamicSlots");
  const idleState = state === "Unclaimed" || state === "Drained" || state === "Owner";
  // A partitionable slot that does not say how many slots it has made is taken for one in use.
  const claims = ad["PartitionableSlot"] === true ? (slots ?? 1) + (idleState ? 0 : 1) : idleState ? 0 : 1;
  const size = (cpus: string, memory: string, disk: string): Machine["free"] => ({ cpus: number(ad, cpus) ?? 0, memoryMiB: number(ad, memory) ?? 0, diskMiB: (number(ad, disk) ?? 0) / 1024 });
  return {
    name, serverId: text(ad, "ElastigridServerUuid"), claims,
    draining: ad["Draining"] === true || state === "Drained", drainReason: text(ad, "DrainReason"),
    drained: state === "Drained" && activity === "Idle" && claims === 0,
    free: size("Cpus", "Memory", "Disk"), total: size("TotalSlotCpus", "TotalSlotMemory", "TotalSlotDisk"),
    cpuPercent: number(ad, "ElastigridCpuPercent"), heardAtMs: ms(number(ad, "LastHeardFrom")) ?? 0, address: text(ad, "MyAddress"),
  };
}

const merge = (a: Machine, b: Machine): Machine => ({
  ...a, serverId: a.serverId ?? b.serverId, claims: a.claims + b.claims, draining: a.draining || b.draining, drained: a.drained && b.drained,
  drainReason: a.drainReason ?? b.drainReason,
  free: { cpus: a.free.cpus + b.free.cpus, memoryMiB: a.free.memoryMiB + b.free.memoryMiB, diskMiB: a.free.diskMiB + b.free.diskMiB },
  total: { cpus: a.total.cpus + b.total.cpus, memoryMiB: a.total.memoryMiB + b.total.memoryMiB, diskMiB: a.total.diskMiB + b.total.diskMiB },
  cpuPercent: a.cpuPercent ?? b.cpuPercent,
});

const WAITING = 1, RUNNING = 2, HELD = 5, TRANSFERRING = 6, SUSPENDED = 7;
/** Scheduler and local universe jobs run on the master itself. */
const NEEDS_NO_WORKER = new Set([7, 12]);

export type ParsedJob = QueueJob & { readonly requirements: string };
export const parseJobs = (ads: readonly Ad[]): readonly ParsedJob[] => ads.map(parseJob);

export function countsOf(jobs: readonly ParsedJob[]): JobCounts {
  const of = (state: QueueJob["state"]): number => jobs.filter((j) => j.state === state).length;
  return { waiting: of("waiting"), running: of("running"), held: of("held") };
}

export const runningOf = (jobs: readonly ParsedJob[]): readonly RunningJob[] =>
  jobs.flatMap((j) => (j.state === "running" && j.machine !== undefined ? [{ id: j.id, owner: j.owner, machine: j.machine, state: "running" as const, startedAtMs: j.startedAtMs }] : []));

export function groupsOf(jobs: readonly ParsedJob[]): readonly WaitingGroup[] {
  const groups = new Map<string, WaitingGroup>();
  for (const j of jobs) {
    if (j.state !== "waiting") continue;
    const key = `${j.cpus}/${j.memoryMiB}/${j.diskMiB}/${j.requirements}`, g = groups.get(key);
    groups.set(key, g === undefined
      ? { key, count: 1, exampleId: j.id, owner: j.owner, queuedAtMs: j.queuedAtMs, request: { cpus: j.cpus, memoryMiB: j.memoryMiB, diskMiB: j.diskMiB }, ad: {} }
      : { ...g, count: g.count + 1, queuedAtMs: Math.min(g.queuedAtMs, j.queuedAtMs) });
  }
  return [...groups.values()];
}

function parseJob(ad: Ad): ParsedJob {
  const cluster = number(ad, "ClusterId"), proc = number(ad, "ProcId"), status = number(ad, "JobStatus");
  if (cluster === undefined || proc === undefined || status === undefined) throw new Error("a job ad without ClusterId, ProcId or JobStatus");
  const remote = text(ad, "RemoteHost");
  const elsewhere = NEEDS_NO_WORKER.has(number(ad, "JobUniverse") ?? 5);
  // Whatever has a host still occupies it, also a removed job whose end is not confirmed.
  const onHost = remote !== undefined && status !== HELD && status !== WAITING;
  const running = status === RUNNING || status === TRANSFERRING || status === SUSPENDED || onHost;
  return {
    id: `${cluster}.${proc}`, owner: text(ad, "Owner") ?? "?", queuedAtMs: ms(number(ad, "QDate")) ?? 0,
    state: elsewhere ? "other" : running ? "running" : status === WAITING ? "waiting" : status === HELD ? "held" : "other",
    machine: remote?.replace(/^.*@/, ""), startedAtMs: running ? ms(number(ad, "JobCurrentStartDate")) : undefined, holdReason: text(ad, "HoldReason"),
    cpus: number(ad, "RequestCpus") ?? 1, memoryMiB: requestedMemory(ad), diskMiB: (number(ad, "RequestDisk") ?? number(ad, "DiskUsage") ?? 0) / 1024,
    requirements: text(ad, "Requirements") ?? "",
  };
}

/** Left out by the user, RequestMemory is an expression over what the job has used; its value is written out here. */
const requestedMemory = (ad: Ad): number => number(ad, "RequestMemory") ?? number(ad, "MemoryUsage") ?? Math.ceil((number(ad, "ImageSize") ?? 0) / 1024);
