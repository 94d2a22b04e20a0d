import type { Machine } from "../ports";

/** Pure readers of what HTCondor's tools print. An attribute that is missing or odd is never guessed to mean "idle". */
export type Ad = Readonly<Record<string, unknown>>;

export const MACHINE_ATTRIBUTES = [
  "Name", "Machine", "ElastigridServerUuid", "State", "Activity", "NumDynamicSlots", "PartitionableSlot", "Cpus", "Memory", "Disk", "TotalSlotCpus", "TotalSlotMemory",
  "TotalSlotDisk", "Draining", "DrainReason", "ElastigridCpuPercent", "LastHeardFrom", "MyAddress", "ElastigridWorkerType", "MachineResources", "GPUs", "TotalSlotGPUs",
  "DaemonStartTime", "MyCurrentTime",
] as const;

/**
 * HTCondor prints nothing at all for an empty list, and an attribute a line. Half a list, or an ad that names an attribute twice, is no
 * answer: which half or which value would be meant?
 */
export function parseAds(text: string): readonly Ad[] {
  if (text.trim() === "") return [];
  const value: unknown = JSON.parse(text);
  if (!Array.isArray(value)) throw new Error("not a list of ads");
  let names = 0;
  for (const ad of value) {
    if (typeof ad !== "object" || ad === null || Array.isArray(ad)) throw new Error("one of the ads is none");
    names += Object.keys(ad as object).length;
  }
  const lines = text.match(/^  "(?:[^"\\]|\\.)*": /gm)?.length ?? 0;
  if (lines > names) throw new Error("an ad names an attribute twice");
  return value as Ad[];
}

export const text = (ad: Ad, key: string): string | undefined => (typeof ad[key] === "string" ? (ad[key] as string) : undefined);
export const number = (ad: Ad, key: string): number | undefined => (typeof ad[key] === "number" && Number.isFinite(ad[key]) ? (ad[key] as number) : undefined);
export const ms = (seconds: number | undefined): number | undefined => (seconds === undefined ? undefined : seconds * 1000);

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

const STANDARD = new Set(["cpus", "memory", "disk", "swap"]);
/** GPUs and what MACHINE_RESOURCE_... has declared; thousands of workers say the same. */
export function resourceNames(ad: Ad): readonly string[] {
  const list = text(ad, "MachineResources") ?? "";
  const known = namesIn.get(list);
  if (known !== undefined) return known;
  const names = list.split(/\s+/).filter((n) => /^[A-Za-z_][A-Za-z0-9_]*$/.test(n) && !STANDARD.has(n.toLowerCase()));
  if (namesIn.size < 100) namesIn.set(list, names);
  return names;
}
const namesIn = new Map<string, readonly string[]>();

function parseSlot(name: string, ad: Ad): Machine {
  const state = text(ad, "State"), activity = text(ad, "Activity");
  const slots = number(ad, "NumDynamicSlots");
  const idleState = state === "Unclaimed" || state === "Drained" || state === "Owner";
  // A partitionable slot that does not say how many slots it has made is taken for one in use.
  const claims = ad["PartitionableSlot"] === true ? (slots ?? 1) + (idleState ? 0 : 1) : idleState ? 0 : 1;
  const names = resourceNames(ad);
  const size = (prefix: string): Machine["free"] => {
    const room = { cpus: number(ad, `${prefix}Cpus`) ?? 0, memoryMiB: number(ad, `${prefix}Memory`) ?? 0, diskMiB: (number(ad, `${prefix}Disk`) ?? 0) / 1024 };
    let resources: Record<string, number> | undefined;
    for (const n of names) {
      const count = number(ad, `${prefix}${n}`);
      if (count !== undefined) (resources ??= {})[n.toLowerCase()] = count;
    }
    return resources === undefined ? room : { ...room, resources };
  };
  return {
    name, serverId: text(ad, "ElastigridServerUuid"), claims,
    draining: ad["Draining"] === true || state === "Drained", drainReason: text(ad, "DrainReason"),
    drained: state === "Drained" && activity === "Idle" && claims === 0,
    free: size(""), total: size("TotalSlot"),
    cpuPercent: number(ad, "ElastigridCpuPercent"), heardAtMs: ms(number(ad, "LastHeardFrom")) ?? 0, startedAtMs: startdStart(ad), address: text(ad, "MyAddress"), workerType: text(ad, "ElastigridWorkerType"),
  };
}

/**
 * When the startd of this slot began, by the collector's clock: two times of the worker's clock make its age, so that it does not matter how
 * far that clock is away.
 */
export function startdStart(ad: Ad): number | undefined {
  const heard = number(ad, "LastHeardFrom"), told = number(ad, "MyCurrentTime"), began = number(ad, "DaemonStartTime");
  return heard === undefined || told === undefined || began === undefined || told < began ? undefined : (heard - (told - began)) * 1000;
}

/** Slots of one machine that do not agree may be of two startds: the older one speaks, and none where one is silent. */
const olderStart = (a: number | undefined, b: number | undefined): number | undefined => (a === undefined || b === undefined ? undefined : Math.min(a, b));

const merge = (a: Machine, b: Machine): Machine => ({
  ...a, serverId: a.serverId ?? b.serverId, claims: a.claims + b.claims, draining: a.draining || b.draining, drained: a.drained && b.drained,
  drainReason: a.drainReason ?? b.drainReason, free: plus(a.free, b.free), total: plus(a.total, b.total), cpuPercent: a.cpuPercent ?? b.cpuPercent,
  startedAtMs: olderStart(a.startedAtMs, b.startedAtMs),
});

function plus(a: Machine["free"], b: Machine["free"]): Machine["free"] {
  const names = new Set([...Object.keys(a.resources ?? {}), ...Object.keys(b.resources ?? {})]);
  const sum = { cpus: a.cpus + b.cpus, memoryMiB: a.memoryMiB + b.memoryMiB, diskMiB: a.diskMiB + b.diskMiB };
  return names.size === 0 ? sum : { ...sum, resources: Object.fromEntries([...names].map((n) => [n, (a.resources?.[n] ?? 0) + (b.resources?.[n] ?? 0)])) };
}
