import { adOfTexts, expressionTexts, references } from "../../components/policy/classad/ad";
import type { QueueJob, RunningJob, UnreadableJob, WaitingGroup } from "../../components/policy/demand";
import { known, type Machine, type Observed, type Queue, type QueueView } from "../ports";
import type { RunCommand } from "../run-command";
import {
  ALIKE_BY, COUNTED_BY, countsOf, groupOf, isRunning, isWaiting, KnownKinds, LISTED_ATTRIBUTES, missingNames, needsWorker, parseAutoClusters, parseCounted, parseLimitSettings, parseListed, parseOccupied,
  RUNNING, RUNNING_ATTRIBUTES, type Counted, type GroupContext, type Occupied,
} from "./condor-jobs";
import { MACHINE_ATTRIBUTES, number, parseAds, parseMachines, resourceNames, type Ad } from "./condor-parse";
import { CondorTools } from "./condor-tools";
import { HtcondorDrain } from "./htcondor-drain";
import type { Connect } from "./tcp-probe";

export interface HtcondorOptions {
  readonly run: RunCommand;
  /** @default 15000 */
  readonly timeoutMs?: number;
  /** @default a TCP connection of this host */
  readonly connect?: Connect;
  /** @default the wall clock */
  readonly nowMs?: () => number;
}

/** Clusters whose time of submission is asked for in one look. */
const MOST_NEW_CLUSTERS = 10;
const MOST_CLUSTERS_KNOWN = 20_000;
const NO_AD: Ad = {};
/** So often the jobs are counted again in one look when a negotiation came in between. */
const MOST_COUNTS = 2;
/** Attributes beyond the usual that jobs may be told apart by. */
const MOST_NAMES = 60;
const MOST_UNREADABLE = 20, MOST_RETURNED = 1_000;
/** Whole ads of workers that are asked for in one look, and how long one stands for its like. */
const MOST_SAMPLES = 3;
const SAMPLE_MS = 600_000, SETTINGS_MS = 60_000;
/** HTCondor's CONCURRENCY_LIMIT_DEFAULT: no limit. */
const NO_LIMIT = 2_308_032;

/** Jobs on machines, all jobs as counted, and the waiting ones with what they ask for. */
interface SeenJobs {
  readonly occupied: Occupied;
  readonly rows: readonly Counted[];
  readonly waiting: readonly (readonly [Counted, Ad])[];
}

/**
 * HTCondor through its own tools, on the master. The schedd counts jobs that are alike itself, in a child process: measured at 100,000
 * waiting jobs of 130 kinds, a look fetches 0.1 MB instead of 47, and its answer does not grow with the number of jobs.
 */
export class HtcondorQueue extends HtcondorDrain implements Queue {
  private readonly nowMs: () => number;
  private readonly names = new Map<string, string>();
  private readonly resources = new Map<string, string>();
  private readonly queuedAt = new Map<number, number>();
  private readonly kinds = new KnownKinds();
  /** One whole ad for each kind of worker, by what tells kinds apart. */
  private readonly samples = new Map<string, { readonly machine: string; readonly atMs: number; readonly ad: Readonly<Record<string, string>> }>();
  private settings: { readonly atMs: number; readonly limits: Readonly<Record<string, number>>; readonly other: number } | undefined;

  constructor({ run, timeoutMs = 15_000, connect, nowMs = Date.now }: HtcondorOptions) {
    super({ tools: new CondorTools(run, timeoutMs), connect });
    this.nowMs = nowMs;
  }

  async observe(): Promise<Observed<QueueView>> {
    const [machines, schedd, seen] = await Promise.all([this.machines(), this.schedd(), this.seenJobs()]);
    if (!machines.known) return machines;
    if (!seen.known) return seen;
    const { occupied, rows, waiting } = seen.value;
    const groups = this.groups(waiting);
    const limitsLeft = await this.limitsLeft(groups.groups, occupied);
    return known({
      machines: await this.withSamples(machines.value), groups: groups.groups, running: occupied.running,
      counts: { ...countsOf(rows), ...(schedd.done === undefined ? {} : { done: schedd.done }) },
      ...(groups.unreadable.length === 0 ? {} : { unreadable: groups.unreadable.slice(0, MOST_UNREADABLE) }),
      ...(occupied.returned.length === 0 ? {} : { returned: occupied.returned.slice(0, MOST_RETURNED) }),
      ...(limitsLeft === undefined ? {} : { limitsLeft }),
    });
  }

  /** Jobs on machines are asked for right before those that wait: one that starts meanwhile is missed for a moment, and none is counted twice. */
  private async seenJobs(): Promise<Observed<SeenJobs>> {
    const askedSeconds = this.nowSeconds();
    const occupied = await this.occupied(RUNNING);
    if (!occupied.known) return occupied;
    for (let again = 0; ; again += 1) {
      const [rows, clusters] = await Promise.all([this.count(COUNTED_BY), this.autoClusters()]);
      if (!rows.known) return rows;
      const waiting = rows.value.filter(isWaiting);
      const [ads, started] = await Promise.all([this.adsOf(waiting, clusters), this.startedSince(askedSeconds, occupied.value, rows.value), this.learnQueueTimes(waiting)]);
      if (!ads.known) return ads;
      // A negotiation came in between, and nobody has told what these jobs ask for: without another count they would wait for the next look.
      if (ads.value.missing && again < MOST_COUNTS) continue;
      return known({ occupied: { ...occupied.value, running: [...occupied.value.running, ...started] }, rows: rows.value, waiting: ads.value.waiting });
    }
  }

  /** What each of these kinds of jobs asks for. `missing`: of those that are in none of the autoclusters, fewer were found than counted. */
  private async adsOf(waiting: readonly Counted[], clusters: ReadonlyMap<number, Ad>): Promise<Observed<{ readonly waiting: SeenJobs["waiting"]; readonly missing: boolean }>> {
    const told: (readonly [Counted, Ad])[] = [], untold: Counted[] = [];
    for (const r of waiting) {
      const ad = needsWorker(r) ? clusters.get(r.autoCluster ?? Number.NaN) : NO_AD;
      if (ad === undefined) untold.push(r); else told.push([r, ad]);
    }
    const more = await this.countUnseen(untold);
    if (!more.known) return more;
    await this.learnQueueTimes(more.value);
    const jobs = (of: readonly Counted[]): number => of.reduce((n, r) => n + r.count, 0);
    return known({ waiting: [...told, ...more.value.map((r) => [r, r.ad] as const)], missing: jobs(more.value) < jobs(untold) });
  }

  /** Jobs that the count calls running and the question before it did not show: the places that they took are not free. */
  private async startedSince(seconds: number, before: Occupied, rows: readonly Counted[]): Promise<readonly RunningJob[]> {
    const known = new Set(before.running.map((j) => j.id));
    const lacking = rows.filter((r) => isRunning(r) && needsWorker(r)).reduce((n, r) => n + r.count, 0) - before.running.filter((j) => j.state === "running").length;
    if (lacking <= 0) return [];
    const answer = await this.occupied(`JobStatus == 2 && RemoteHost =!= undefined && JobCurrentStartDate >= ${seconds - 1}`);
    if (!answer.known) return [];
    // The earliest: later ones may have been waiting still when they were counted.
    return answer.value.running.filter((j) => !known.has(j.id)).sort((a, b) => (a.startedAtMs ?? 0) - (b.startedAtMs ?? 0)).slice(0, lacking);
  }

  async jobs(limit: number): Promise<Observed<readonly QueueJob[]>> {
    const args = ["-allusers", "-json", "-limit", `${limit}`, "-attributes", [...LISTED_ATTRIBUTES, ...this.names.values()].join(",")];
    return this.tools.ask("condor_q", args, (t) => parseListed(parseAds(t), this.nowSeconds()));
  }

  private nowSeconds(): number {
    return Math.floor(this.nowMs() / 1000);
  }

  private async machines(): Promise<Observed<readonly Machine[]>> {
    const ask = (): Promise<Observed<readonly Ad[]>> => {
      const own = [...this.resources.values()].flatMap((n) => [n, `TotalSlot${n}`]);
      return this.tools.ask("condor_status", ["-json", "-attributes", [...MACHINE_ATTRIBUTES, ...own].join(","), "-constraint", "DynamicSlot =!= True"], parseAds);
    };
    let ads = await ask();
    if (!ads.known) return ads;
    // A resource that has not been heard of: how much there is of it is told when asked by name.
    const before = this.resources.size;
    for (const ad of ads.value) for (const name of resourceNames(ad)) if (name.toLowerCase() !== "gpus" && this.resources.size < MOST_NAMES) this.resources.set(name.toLowerCase(), name);
    if (this.resources.size > before) ads = await ask();
    if (!ads.known) return ads;
    const list = ads.value;
    return this.tools.read("condor_status", () => parseMachines(list));
  }

  private occupied(which: string): Promise<Observed<Occupied>> {
    return this.tools.ask("condor_q", ["-allusers", "-json", "-attributes", RUNNING_ATTRIBUTES.join(","), "-constraint", which], (t) => parseOccupied(parseAds(t)));
  }

  /**
   * Significant attributes of the jobs that a negotiation has seen. None where the tool fails: then they are counted by all that may matter.
   * Without the constraint the schedd also tells of jobs that are gone, until it negotiates again (4 MB after a batch of 10,000 kinds).
   */
  private async autoClusters(): Promise<ReadonlyMap<number, Ad>> {
    const answer = await this.tools.ask("condor_q", ["-allusers", "-autocluster", "-json", "-constraint", "JobCount > 0"], (t) => parseAutoClusters(parseAds(t)));
    return answer.known ? answer.value : new Map();
  }

  private async schedd(): Promise<{ readonly done?: number }> {
    const answer = await this.tools.ask("condor_status", ["-schedd", "-json", "-attributes", "Name,JobsCompleted"], parseAds);
    if (!answer.known) return {};
    const done = answer.value.reduce((n, ad) => n + (number(ad, "JobsCompleted") ?? 0), 0);
    return { done };
  }

  private count(by: readonly string[], constraint?: string): Promise<Observed<readonly Counted[]>> {
    return this.tools.ask("condor_q", ["-allusers", "-group-by", "-json", "-attributes", by.join(","), ...(constraint === undefined ? [] : ["-constraint", constraint])], (t) => parseCounted(parseAds(t)));
  }

  /** Waiting jobs whose significant attributes nobody has worked out yet: told apart by everything that their Requirements and requests refer to. */
  private async countUnseen(unseen: readonly Counted[]): Promise<Observed<readonly Counted[]>> {
    if (unseen.length === 0) return known([]);
    const ids = [...new Set(unseen.flatMap((r) => (r.autoCluster === undefined ? [] : [r.autoCluster])))];
    const constraint = `JobStatus == 1 && (AutoClusterId =?= undefined${ids.length > 0 ? ` || member(AutoClusterId, {${ids.join(",")}})` : ""})`;
    let answer: Observed<readonly Counted[]>;
    for (let again = 0; ; again += 1) {
      const by = [...ALIKE_BY, ...this.names.values()];
      answer = await this.count(by, constraint);
      if (!answer.known || again >= 3) break;
      const asked = new Set(by.map((n) => n.toLowerCase()));
      const missing = missingNames(answer.value.map((r) => r.ad), asked).slice(0, Math.max(0, MOST_NAMES - this.names.size));
      if (missing.length === 0) break;
      for (const name of missing) this.names.set(name.toLowerCase(), name);
    }
    return answer.known ? known(answer.value.filter((r) => isWaiting(r) && needsWorker(r))) : answer;
  }

  private groups(rows: readonly (readonly [Counted, Ad])[]): { readonly groups: readonly WaitingGroup[]; readonly unreadable: readonly UnreadableJob[] } {
    const groups = new Map<string, WaitingGroup>(), unreadable: UnreadableJob[] = [];
    this.kinds.next(this.startReads());
    const context: GroupContext = { nowSeconds: this.nowSeconds(), queuedAtMs: (c) => this.queuedAt.get(c) ?? this.nowMs(), kinds: this.kinds };
    for (const [row, ad] of rows) {
      const g = groupOf(row, ad, context);
      if ("why" in g) {
        unreadable.push(g);
        continue;
      }
      const other = groups.get(g.key);
      groups.set(g.key, other === undefined ? g : { ...(other.queuedAtMs <= g.queuedAtMs ? other : g), count: other.count + g.count });
    }
    return { groups: [...groups.values()], unreadable };
  }

  /** What the workers' own conditions read of a job. */
  private startReads(): readonly string[] {
    const read = new Set<string>();
    for (const { ad } of this.samples.values()) {
      const machine = adOfTexts(ad, false);
      for (const name of ["Requirements", "Start"]) for (const n of references(machine.get(name) ?? { type: "list", items: [] }).target) read.add(n);
    }
    return [...read];
  }

  /** When the oldest jobs of groups entered the queue: a few questions for new clusters, none for known ones. Unknown counts as now. */
  private async learnQueueTimes(rows: readonly Counted[]): Promise<void> {
    const fresh = [...new Map(rows.filter((r) => !this.queuedAt.has(r.cluster)).map((r) => [r.cluster, r.exampleId])).values()].slice(0, MOST_NEW_CLUSTERS);
    if (fresh.length === 0) return;
    const which = fresh.map((id) => id.split(".")).map(([c, p]) => `(ClusterId == ${c} && ProcId == ${p})`).join(" || ");
    const answer = await this.tools.ask("condor_q", ["-allusers", "-json", "-attributes", "ClusterId,ProcId,QDate", "-constraint", which], parseAds);
    if (!answer.known) return;
    if (this.queuedAt.size > MOST_CLUSTERS_KNOWN) this.queuedAt.clear();
    for (const ad of answer.value) {
      const cluster = number(ad, "ClusterId"), seconds = number(ad, "QDate");
      if (cluster !== undefined && seconds !== undefined) this.queuedAt.set(cluster, seconds * 1000);
    }
  }

  /** Places left of the limits that waiting jobs name; those that are not limited are missing. */
  private async limitsLeft(groups: readonly WaitingGroup[], { limitsHeld }: Occupied): Promise<Readonly<Record<string, number>> | undefined> {
    const names = new Set(groups.flatMap((g) => Object.keys(g.limits ?? {})));
    if (names.size === 0) return undefined;
    if (this.settings === undefined || this.nowMs() - this.settings.atMs > SETTINGS_MS) {
      const dump = await this.tools.ask("condor_config_val", ["-dump", "_LIMIT"], (t) => t);
      if (!dump.known) return undefined;
      const other = /^\s*CONCURRENCY_LIMIT_DEFAULT\s*=\s*(\d+)\s*$/m.exec(dump.value)?.[1];
      this.settings = { atMs: this.nowMs(), limits: parseLimitSettings(dump.value), other: other === undefined ? NO_LIMIT : Number(other) };
    }
    const left: Record<string, number> = {};
    for (const name of names) {
      const all = this.settings.limits[name] ?? this.settings.other;
      if (all < NO_LIMIT) left[name] = Math.max(0, all - (limitsHeld[name] ?? 0));
    }
    return left;
  }

  /** One machine of each kind with its whole ad: what a worker of that kind offers. */
  private async withSamples(machines: readonly Machine[]): Promise<readonly Machine[]> {
    const byKind = new Map<string, Machine>();
    for (const m of machines) {
      if (m.draining) continue; // its START is false for as long as that lasts
      const kind = kindOf(m);
      if (!byKind.has(kind) || this.samples.get(kind)?.machine === m.name) byKind.set(kind, m);
    }
    // A sample that has left the pool is replaced by another of its kind.
    for (const [kind, s] of this.samples) if (byKind.get(kind)?.name !== s.machine) this.samples.delete(kind);
    const wanted = [...byKind].filter(([kind]) => this.nowMs() - (this.samples.get(kind)?.atMs ?? Number.NEGATIVE_INFINITY) > SAMPLE_MS).slice(0, MOST_SAMPLES);
    if (wanted.length > 0) {
      const list = wanted.map(([, m]) => JSON.stringify(m.name)).join(",");
      const answer = await this.tools.ask("condor_status", ["-json", "-constraint", `DynamicSlot =!= True && member(Machine, {${list}})`], parseAds);
      for (const [kind, { name }] of wanted) {
        const ad = answer.known ? answer.value.find((a) => a["Machine"] === name && a["Draining"] !== true && a["State"] !== "Drained") : undefined;
        if (ad !== undefined) this.samples.set(kind, { machine: name, atMs: this.nowMs(), ad: expressionTexts(ad) });
      }
    }
    const ads = new Map([...this.samples.values()].map((s) => [s.machine, s.ad]));
    return machines.map((m) => (ads.has(m.name) ? { ...m, ad: ads.get(m.name)! } : m));
  }
}

/** Workers of one kind offer the same, as far as a look shows. */
function kindOf({ workerType, total }: Machine): string {
  let kind = `${workerType ?? ""}/${total.cpus}/${total.memoryMiB}`;
  for (const name in total.resources) kind += `/${name}=${total.resources[name]}`;
  return kind;
}
