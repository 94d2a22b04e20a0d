import { createHash } from "node:crypto";
import { adOfTexts, expressionTexts, references } from "../../components/policy/classad/ad";
import { evaluateAttribute } from "../../components/policy/classad/evaluate";
import { MOST_TEXT } from "../../components/policy/classad/parse";
import { numeric, show, type Ad as ClassAd } from "../../components/policy/classad/value";
import type { JobState, QueueJob, Room, RunningJob, UnreadableJob, WaitingGroup } from "../../components/policy/demand";
import { ms, number, text, type Ad } from "./condor-parse";

/*
 * Pure readers of what the schedd says about jobs. It counts jobs that are alike itself (`condor_q -group-by`), so that a look costs the
 * same for a hundred jobs and for a hundred thousand of them.
 */

/** By what all jobs are counted: cheap, for these are short. Their significant attributes come with `condor_q -autocluster`. */
export const COUNTED_BY = ["JobStatus", "JobUniverse", "Owner", "AutoClusterId", "MinHosts"] as const;
/** By what waiting jobs are counted that no negotiation has seen yet, as long as there has not been a worker: everything that may decide. */
export const ALIKE_BY = [
  ...COUNTED_BY, "Requirements", "RequestCpus", "RequestMemory", "RequestDisk", "RequestGPUs", "ConcurrencyLimits", "MemoryUsage", "ImageSize", "DiskUsage",
  "DeferralTime", "DeferralPrepTime", "DeferralWindow", "ScheddInterval",
] as const;
export const RUNNING_ATTRIBUTES = [
  "ClusterId", "ProcId", "JobStatus", "JobUniverse", "Owner", "RemoteHost", "AllRemoteHosts", "JobCurrentStartDate", "ConcurrencyLimits", "LastRemoteHost", "NumJobCompletions", "EnteredCurrentStatus",
] as const;
/** Jobs that have a host, and waiting ones that had one and came back. */
export const RUNNING = "RemoteHost =!= undefined || (JobStatus == 1 && LastRemoteHost =!= undefined)";
export const LISTED_ATTRIBUTES = [
  "ClusterId", "ProcId", "JobStatus", "JobUniverse", "RemoteHost", "Owner", "QDate", "JobCurrentStartDate", "RequestCpus", "RequestMemory", "RequestDisk", "RequestGPUs",
  "MemoryUsage", "ImageSize", "DiskUsage", "HoldReason",
] as const;

const WAITING = 1, RUNNING_STATUS = 2, REMOVED = 3, DONE = 4, HELD = 5, TRANSFERRING = 6, SUSPENDED = 7;
const PARALLEL = 11;
const UNIVERSES: Readonly<Record<number, string>> = { 5: "vanilla", 7: "scheduler", 9: "grid", 10: "java", 11: "parallel", 12: "local", 13: "vm" };
/** Jobs of the scheduler, local and grid universes run on the master itself or elsewhere. */
const NEEDS_NO_WORKER = new Set([7, 9, 12]);

/** Jobs that are alike, as the schedd has counted them. */
export interface Counted {
  readonly count: number;
  readonly exampleId: string;
  readonly cluster: number;
  readonly status: number;
  readonly universe: number;
  readonly owner: string;
  readonly nodes: number;
  readonly autoCluster?: number;
  readonly ad: Ad;
}

/** A row that does not count is no answer at all: the number would be wrong. */
export function parseCounted(ads: readonly Ad[]): readonly Counted[] {
  return ads.map((ad) => {
    const count = number(ad, "JobCount"), ids = /^(\d+)\.(\d+)\b/.exec(text(ad, "JobIds") ?? "");
    if (count === undefined || !Number.isInteger(count) || count < 0 || ids === null) throw new Error("a count of jobs without JobCount or JobIds");
    return {
      count, exampleId: ids[0], cluster: Number(ids[1]), status: number(ad, "JobStatus") ?? 0, universe: number(ad, "JobUniverse") ?? 5, owner: text(ad, "Owner") ?? "?",
      nodes: number(ad, "MinHosts") ?? 1, autoCluster: number(ad, "AutoClusterId"), ad,
    };
  });
}

export const isWaiting = (c: Counted): boolean => c.status === WAITING;
export const isRunning = (c: Counted): boolean => c.status === RUNNING_STATUS || c.status === TRANSFERRING;
/** The JobStatus of a job that has a machine, and was not told to go. */
export const hasMachine = (status: number | undefined): boolean => status === RUNNING_STATUS || status === TRANSFERRING || status === SUSPENDED;
export const needsWorker = (c: Counted): boolean => !NEEDS_NO_WORKER.has(c.universe);

export function countsOf(rows: readonly Counted[]): { waiting: number; running: number; held: number; suspended: number } {
  const of = (...statuses: number[]): number => rows.filter((r) => statuses.includes(r.status) && needsWorker(r)).reduce((n, r) => n + r.count, 0);
  return { waiting: of(WAITING), running: of(RUNNING_STATUS, TRANSFERRING), held: of(HELD), suspended: of(SUSPENDED) };
}

/** Significant attributes by AutoClusterId. */
export const parseAutoClusters = (ads: readonly Ad[]): ReadonlyMap<number, Ad> => new Map(ads.flatMap((ad): [number, Ad][] => { const id = number(ad, "AutoClusterId"); return id === undefined ? [] : [[id, ad]]; }));

export interface GroupContext {
  readonly nowSeconds: number;
  /** When jobs of this cluster entered the queue. */
  readonly queuedAtMs: (cluster: number) => number;
  readonly kinds: KnownKinds;
}

/** A group out of a count and the attributes that its jobs share; or why it makes no sense. */
export function groupOf(row: Counted, shared: Ad, c: GroupContext): WaitingGroup | UnreadableJob {
  const { count, exampleId, owner, universe } = row;
  const queuedAtMs = c.queuedAtMs(row.cluster);
  if (!needsWorker(row)) {
    return { key: `${universe}/${owner}`, count, exampleId, owner, queuedAtMs, request: { cpus: 0, memoryMiB: 0, diskMiB: 0 }, ad: {}, needsNoWorker: true };
  }
  const odd = (why: string): UnreadableJob => ({ id: exampleId, count, why });
  const kind = c.kinds.of(shared, owner, universe);
  if (typeof kind === "string") return odd(kind);
  const { ad, print } = kind;
  const my = adOfTexts(ad, false);
  const request = requestOf(my, ad, c.nowSeconds);
  if (typeof request === "string") return odd(request);
  const gang = universe === PARALLEL ? Math.max(1, row.nodes) : undefined;
  const limits = limitsOf(my, c.nowSeconds);
  const notBeforeMs = notBefore(my, c.nowSeconds);
  return {
    key: `${universe}/${owner}/${gang ?? ""}/${print}`, count, exampleId, owner, queuedAtMs, request, ad,
    ...(gang === undefined ? {} : { gang }), ...(limits === undefined ? {} : { limits }), ...(notBeforeMs === undefined ? {} : { notBeforeMs }),
  };
}

/** What decides about a match of one kind of jobs, and its fingerprint. */
interface Kind {
  readonly ad: Readonly<Record<string, string>>;
  readonly print: string;
}

/** What was worked out of jobs' ads in the last look, or why it cannot be: most kinds are there in the next one too. */
export class KnownKinds {
  private before = new Map<string, Kind | string>();
  private now = new Map<string, Kind | string>();
  private startReads: readonly string[] = [];

  /** A look begins. @param startReads attributes of jobs that the workers' own START refers to */
  next(startReads: readonly string[]): void {
    const same = startReads.join() === this.startReads.join();
    this.before = same ? this.now : new Map();
    this.now = new Map();
    this.startReads = startReads;
  }

  of(shared: Ad, owner: string, universe: number): Kind | string {
    const { JobCount: _count, JobIds: _ids, ...own } = shared; // they change while the kind stays
    const key = JSON.stringify([owner, universe, own]);
    const found = this.now.get(key) ?? this.before.get(key) ?? this.workOut(shared, owner, universe);
    this.now.set(key, found);
    return found;
  }

  private workOut(shared: Ad, owner: string, universe: number): Kind | string {
    const texts = { ...expressionTexts(shared), Owner: JSON.stringify(owner), JobUniverse: `${universe}` };
    const long = Object.entries(texts).find(([, t]) => t.length > MOST_TEXT);
    if (long !== undefined) return `${long[0]} has ${long[1].length} characters, at most ${MOST_TEXT} are read`;
    const ad = relevant(texts, this.startReads);
    return { ad, print: fingerprint(ad) };
  }
}

/** What decides about a match, and all that it refers to: the same whether the schedd told it by autocluster or by count. */
function relevant(texts: Readonly<Record<string, string>>, startReads: readonly string[]): Record<string, string> {
  const byName = new Map(Object.entries(texts).map(([name, t]) => [name.toLowerCase(), [name, t] as const]));
  const my = adOfTexts(texts, false);
  const out: Record<string, string> = {};
  const todo = ["Requirements", "ConcurrencyLimits", "DeferralTime", "DeferralPrepTime", "Owner", "JobUniverse", ...startReads, ...Object.keys(texts).filter((n) => /^Request/i.test(n))];
  if (!byName.has("requestmemory")) todo.push("MemoryUsage", "ImageSize");
  if (!byName.has("requestdisk")) todo.push("DiskUsage");
  for (let name = todo.pop(); name !== undefined; name = todo.pop()) {
    const found = byName.get(name.toLowerCase());
    if (found === undefined || Object.hasOwn(out, found[0])) continue;
    out[found[0]] = found[1];
    const expr = my.get(name);
    if (expr !== undefined) todo.push(...references(expr).own);
  }
  return out;
}

const fingerprint = (ad: Readonly<Record<string, string>>): string =>
  createHash("sha256").update(Object.entries(ad).map(([k, v]) => `${k.toLowerCase()}=${v}`).sort().join("\n")).digest("hex").slice(0, 16);

/** Names of job attributes that decide about these jobs and have not been asked for. */
export function missingNames(ads: readonly Ad[], asked: ReadonlySet<string>): readonly string[] {
  const missing = new Map<string, string>();
  for (const ad of ads) {
    const my = adOfTexts(expressionTexts(ad), false);
    for (const name of my.names()) {
      const expr = /^(requirements|request.*)$/i.test(name) ? my.get(name) : undefined;
      for (const n of expr === undefined ? [] : references(expr).own) if (!asked.has(n.toLowerCase()) && /^[A-Za-z_][A-Za-z0-9_]*$/.test(n)) missing.set(n.toLowerCase(), n);
    }
  }
  return [...missing.values()];
}

/** What the job asks for, evaluated; or what is wrong with it. Left out by the user it is what the job has used so far. */
function requestOf(my: ClassAd, ad: Readonly<Record<string, string>>, nowSeconds: number): Room | string {
  const problems: string[] = [];
  const read = (name: string): number | undefined => {
    const v = evaluateAttribute(name, { my, nowSeconds });
    const n = numeric(v);
    if (n === undefined && v.kind !== "undefined") problems.push(`${name} is ${show(v)}, not a number`);
    return n === undefined ? undefined : Math.max(0, n);
  };
  const resources: Record<string, number> = {};
  for (const name of Object.keys(ad)) {
    const resource = /^Request(?!Cpus$|Memory$|Disk$|ed)(.+)$/i.exec(name)?.[1];
    const n = resource === undefined ? undefined : read(name);
    if (resource !== undefined && n !== undefined && n > 0) resources[resource.toLowerCase()] = n;
  }
  const imageMiB = (): number => Math.ceil((read("ImageSize") ?? 0) / 1024);
  const room = { cpus: read("RequestCpus") ?? 1, memoryMiB: read("RequestMemory") ?? read("MemoryUsage") ?? imageMiB(), diskMiB: (read("RequestDisk") ?? read("DiskUsage") ?? 0) / 1024 };
  if (problems.length > 0) return problems.join("; ");
  return Object.keys(resources).length === 0 ? room : { ...room, resources };
}

/** `lic, db:2`: names without regard to case, and how much of each. */
export function limitsIn(text: string): Readonly<Record<string, number>> {
  const out: Record<string, number> = {};
  for (const item of text.split(/[\s,]+/)) {
    const [name, units] = item.toLowerCase().split(":");
    if (name === undefined || !/^[a-z_][a-z0-9_.]*$/.test(name)) continue;
    const n = units === undefined ? 1 : Number(units);
    out[name] = (out[name] ?? 0) + (Number.isFinite(n) && n > 0 ? n : 1);
  }
  return out;
}

function limitsOf(my: ClassAd, nowSeconds: number): Readonly<Record<string, number>> | undefined {
  const v = evaluateAttribute("ConcurrencyLimits", { my, nowSeconds });
  const limits = v.kind === "string" ? limitsIn(v.value) : {};
  return Object.keys(limits).length === 0 ? undefined : limits;
}

/** The schedd offers a deferred job to workers from its preparation time on (300 s where the user names none). */
function notBefore(my: ClassAd, nowSeconds: number): number | undefined {
  const at = numeric(evaluateAttribute("DeferralTime", { my, nowSeconds }));
  if (at === undefined) return undefined;
  const from = at - (numeric(evaluateAttribute("DeferralPrepTime", { my, nowSeconds })) ?? 300);
  return from > nowSeconds ? from * 1000 : undefined;
}

export interface Occupied {
  readonly running: readonly RunningJob[];
  readonly returned: readonly { readonly id: string; readonly machine: string; readonly atMs: number }[];
  /** Of concurrency limits, what running jobs hold. */
  readonly limitsHeld: Readonly<Record<string, number>>;
}

/** Jobs on machines; one that has a host occupies it whatever its state, a held or waiting one excepted. */
export function parseOccupied(ads: readonly Ad[]): Occupied {
  const running: RunningJob[] = [], returned: { id: string; machine: string; atMs: number }[] = [];
  const limitsHeld: Record<string, number> = {};
  for (const ad of ads) {
    const status = number(ad, "JobStatus"), id = idOf(ad);
    const hosts = hostsOf(ad);
    if (status === undefined) throw new Error("a job ad without JobStatus");
    if (NEEDS_NO_WORKER.has(number(ad, "JobUniverse") ?? 5)) continue; // its host is the master
    if (status === WAITING || status === HELD || hosts.length === 0) {
      const machine = text(ad, "LastRemoteHost")?.replace(/^.*@/, "");
      // One that ended there and was queued again by its own policy (max_retries) says nothing of the machine.
      if (status === WAITING && machine !== undefined && (number(ad, "NumJobCompletions") ?? 0) === 0) returned.push({ id, machine, atMs: ms(number(ad, "EnteredCurrentStatus")) ?? 0 });
      continue;
    }
    const state = status === SUSPENDED ? "suspended" : status === REMOVED ? "removing" : "running";
    const startedAtMs = ms(number(ad, "JobCurrentStartDate"));
    for (const machine of hosts) running.push({ id, owner: text(ad, "Owner") ?? "?", machine, state, ...(startedAtMs === undefined ? {} : { startedAtMs }), ...(hosts.length === 1 ? {} : { machines: hosts.length }) });
    for (const [name, n] of Object.entries(limitsIn(text(ad, "ConcurrencyLimits") ?? ""))) limitsHeld[name] = (limitsHeld[name] ?? 0) + n;
  }
  return { running, returned: returned.sort((a, b) => b.atMs - a.atMs), limitsHeld };
}

/** `slot1_2@host`, without the slot; a job of the parallel universe names all its slots in AllRemoteHosts, with commas between. */
export function hostsOf(ad: Ad): readonly string[] {
  const names = [ad["RemoteHost"], ad["AllRemoteHosts"]].flatMap((v) => (typeof v === "string" ? v.split(",") : []));
  return [...new Set(names.map((n) => n.trim().replace(/^.*@/, "")).filter((n) => n !== ""))];
}

function idOf(ad: Ad): string {
  const cluster = number(ad, "ClusterId"), proc = number(ad, "ProcId");
  if (cluster === undefined || proc === undefined) throw new Error("a job ad without ClusterId or ProcId");
  return `${cluster}.${proc}`;
}

/** For people who ask for the list. */
export const parseListed = (ads: readonly Ad[], nowSeconds: number): readonly QueueJob[] => ads.map((ad): QueueJob => {
  const status = number(ad, "JobStatus"), universe = number(ad, "JobUniverse") ?? 5;
  const remote = text(ad, "RemoteHost"), state = stateOf(status, remote !== undefined);
  const startedAtMs = state === "running" || state === "suspended" ? ms(number(ad, "JobCurrentStartDate")) : undefined;
  const texts = expressionTexts(ad);
  const request = requestOf(adOfTexts(texts, false), texts, nowSeconds);
  return {
    id: idOf(ad), state, owner: text(ad, "Owner") ?? "?", queuedAtMs: ms(number(ad, "QDate")) ?? 0, machine: remote?.replace(/^.*@/, ""), startedAtMs, holdReason: text(ad, "HoldReason"),
    universe: UNIVERSES[universe] ?? `${universe}`, ...(typeof request === "string" ? { cpus: 0, memoryMiB: 0, diskMiB: 0 } : request),
  };
});

function stateOf(status: number | undefined, hasHost: boolean): JobState {
  switch (status) {
    case WAITING: return "waiting";
    case RUNNING_STATUS: case TRANSFERRING: return "running";
    case SUSPENDED: return "suspended";
    case HELD: return "held";
    case REMOVED: return hasHost ? "removing" : "other";
    case DONE: return "done";
    default: return "other";
  }
}

/** `NAME_LIMIT = 3` lines of condor_config_val -dump: places by lower-case name. */
export function parseLimitSettings(dump: string): Readonly<Record<string, number>> {
  const out: Record<string, number> = {};
  for (const line of dump.split("\n")) {
    const found = /^\s*([A-Za-z_][A-Za-z0-9_.]*)_LIMIT\s*=\s*(\d+(?:\.\d+)?)\s*$/.exec(line);
    if (found !== null) out[found[1]!.toLowerCase()] = Number(found[2]);
  }
  return out;
}
