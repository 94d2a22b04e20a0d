import { match, prepareOffers, type MatchAnswer, type PreparedOffer } from "./classad/match";
import { Packing } from "./packing";

/** What a job asks of a worker, or what a worker has: evaluated numbers in the queue's own words. */
export interface Room {
  readonly cpus: number;
  readonly memoryMiB: number;
  readonly diskMiB: number;
  /** GPUs and other custom resources by lower-case name (`gpus`); one that is missing is 0. */
  readonly resources?: Readonly<Record<string, number>>;
}

export type JobState = "waiting" | "running" | "suspended" | "held" | "removing" | "done" | "other";

/** One job, for people who ask for the list. */
export interface QueueJob extends Room {
  /** Cluster and process, such as `17.0`. */
  readonly id: string;
  readonly state: JobState;
  readonly owner: string;
  /** Machine that runs it, without the slot. */
  readonly machine?: string;
  readonly startedAtMs?: number;
  readonly queuedAtMs: number;
  readonly holdReason?: string;
  readonly universe?: string;
}

/** A job that occupies a machine, whatever the queue calls its state. */
export interface RunningJob {
  readonly id: string;
  readonly owner: string;
  /** Without the slot. */
  readonly machine: string;
  readonly state: "running" | "suspended" | "removing";
  /** By the queue's clock. */
  readonly startedAtMs?: number;
  /** How many machines it occupies, where that is more than this one. @default 1 */
  readonly machines?: number;
}

export interface UnreadableJob {
  readonly id: string;
  /** So many are alike. @default 1 */
  readonly count?: number;
  readonly why: string;
}

/** Waiting jobs that are alike to HTCondor: one autocluster within one universe. What is learnt of it ends with it. */
export interface WaitingGroup {
  /** Never coarser than what decides about a match: another key, another fate. */
  readonly key: string;
  readonly count: number;
  /** The job that has waited longest, such as `17.0`. */
  readonly exampleId: string;
  readonly owner: string;
  /** When its longest waiting job entered the queue, by the queue's clock. */
  readonly queuedAtMs: number;
  readonly request: Room;
  /** What decides about a match, as ClassAd expressions by attribute (`Requirements`, `RequestMemory`, ...). */
  readonly ad: Readonly<Record<string, string>>;
  /** Runs on the master itself or elsewhere (scheduler, local, grid universe): no worker helps. */
  readonly needsNoWorker?: boolean;
  /** Machines that it needs at once, all or none (parallel universe). */
  readonly gang?: number;
  /** Concurrency limits that each of its jobs takes, by lower-case name. */
  readonly limits?: Readonly<Record<string, number>>;
  /** It waits by its own wish until then, by the queue's clock (deferral less its preparation time). */
  readonly notBeforeMs?: number;
}

export interface JobCounts {
  readonly waiting: number;
  readonly running: number;
  readonly held: number;
  readonly suspended?: number;
  /** Jobs that have ended by themselves since the queue began, where it tells: removed ones are not among them. */
  readonly done?: number;
}

/** What one worker of a type offers to jobs. */
export interface Offer {
  /** The type's name. */
  readonly type: string;
  readonly room: Room;
  /** Machine ad as expressions. */
  readonly ad: Readonly<Record<string, string>>;
  /** Taken from a real worker of this very definition: an attribute that it lacks is lacking. Else lacking ones are only unknown. */
  readonly learned: boolean;
  /** Per hour, in any currency: the cheapest that matches is taken. @default 0 */
  readonly price?: number;
  /** Most workers of this type that may still be added. */
  readonly most?: number;
}

/** Room of a worker that takes jobs now. */
export interface FreeRoom {
  readonly type: string;
  readonly room: Room;
  /** The whole worker, for a gang or a job that needs all of it. */
  readonly total: Room;
  /** Since when it has been without a job; missing where it works. Monotonic. */
  readonly idleForMs?: number;
}

/** What is remembered of a group that matches and yet was not served: it ends with the group. */
export interface Refusal {
  readonly sinceMs: number;
  /** One worker may be tried for it then. Monotonic. */
  readonly probeAtMs: number;
  readonly probes: number;
}

export interface DemandInput {
  readonly groups: readonly WaitingGroup[];
  readonly free: readonly FreeRoom[];
  /** Workers on their way, by type: each counts as a whole free worker. */
  readonly coming: Readonly<Record<string, number>>;
  /** In no order. */
  readonly offers: readonly Offer[];
  /** By the group's key. */
  readonly refused: ReadonlyMap<string, Refusal>;
  readonly limitsLeft?: Readonly<Record<string, number>>;
  /** Jobs whose ads make no sense: told, and not counted. */
  readonly unreadable?: readonly UnreadableJob[];
  /** Single-core places to keep free beyond what waits. @default 0 */
  readonly spareSlots?: number;
  /** Monotonic. */
  readonly nowMs: number;
  /** The queue's clock at this moment. */
  readonly queueNowMs: number;
  /** Most workers that may still be added, of all types together: a gang that would need more is not begun. @default no limit */
  readonly most?: number;
  /** How long a new worker needs from its order to its first job: what waits by its own wish is counted so much earlier. */
  readonly leadMs: number;
}

/** Why jobs of a group do not count as demand, or count for less. */
export interface DemandReason {
  readonly key: string;
  readonly exampleId: string;
  readonly count: number;
  /** `unmatchable`: no worker of this grid can take it; `refused`: matches, yet an idle worker did not get it; `limited`: a limit outside; `later`: waits by its own wish; `unsure`: only a
   *  worker can show whether it matches, and one is tried. */
  readonly kind: "unmatchable" | "unsure" | "refused" | "limited" | "later" | "no-worker-needed" | "unreadable";
  readonly why: string;
}

export interface Demand {
  /** Waiting jobs that a worker of this grid can take, now. */
  readonly placeable: number;
  /** Workers to add so that every placeable job could run at once. */
  readonly newWorkers: number;
  /** The same by type. */
  readonly byType: Readonly<Record<string, number>>;
  /** Placeable jobs that fit into the room there is, or that is on its way. */
  readonly fitting: number;
  /** Jobs that no worker of this grid takes: unmatchable and refused ones. */
  readonly unmatchable: number;
  /** The reason of the first of them, with its id. */
  readonly unmatchableWhy?: string;
  /** One for each group that does not count in full. */
  readonly reasons: readonly DemandReason[];
  /** When the longest waiting placeable job entered the queue, by the queue's clock. */
  readonly oldestQueuedMs?: number;
  /** Single-core places free beyond what waits, in what is there or on its way. */
  readonly spare: number;
}

export const NO_DEMAND: Demand = { placeable: 0, newWorkers: 0, byType: {}, fitting: 0, unmatchable: 0, reasons: [], spare: 0 };

/**
 * How many workers the waiting jobs need beyond the room there is. Groups are packed by what they ask for, largest first, into free
 * room, then workers on their way, then new ones of the cheapest type that matches; 10 000 like jobs cost no more than ten. A group that
 * nobody can be sure about, or that an idle worker did not get, is tried with one worker at a time and never speaks for another.
 */
export function packDemand(input: DemandInput): Demand {
  return new Demanding(input).result();
}

/** What each type answers to a group, the cheapest first. */
type Answers = ReadonlyMap<string, MatchAnswer>;

interface Candidate {
  readonly group: WaitingGroup;
  readonly answers: Answers;
}

class Demanding {
  private readonly offers: readonly PreparedOffer[];
  private readonly packing: Packing;
  private readonly limitsLeft: Record<string, number>;
  private readonly reasons: DemandReason[] = [];
  private readonly tried = new Set<string>();
  private placeable = 0;
  private fitting = 0;
  private oldestQueuedMs: number | undefined;

  constructor(private readonly input: DemandInput) {
    const cheapestFirst = [...input.offers].sort((a, b) => (a.price ?? 0) - (b.price ?? 0) || (a.type < b.type ? -1 : a.type > b.type ? 1 : 0));
    // What an ad says is read only for somebody who asks: most looks find nobody waiting.
    this.offers = input.groups.length === 0 ? [] : prepareOffers(cheapestFirst);
    this.packing = new Packing(input.free, input.coming, cheapestFirst, input.most);
    this.limitsLeft = { ...input.limitsLeft };
  }

  result(): Demand {
    const sure: Candidate[] = [], unsure: Candidate[] = [];
    for (const g of this.input.groups) {
      const answers = this.answersTo(g);
      if (answers !== undefined) (this.isSure(g, answers) ? sure : unsure).push({ group: g, answers });
    }
    for (const c of sure.sort(inTurn)) if (c.group.gang === undefined) this.pack(c, this.allowed(c.group), false); else this.packGang(c);
    for (const c of unsure.sort(inTurn)) this.tryOut(c);
    for (const { id, count = 1, why } of this.input.unreadable ?? []) this.reasons.push({ key: `unreadable/${id}`, exampleId: id, count, kind: "unreadable", why });
    const spare = this.packing.spare();
    this.packing.keepFree(this.input.spareSlots ?? 0);
    const reasons = [...this.reasons].sort((a, b) => RANK[a.kind] - RANK[b.kind] || b.count - a.count || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
    const lost = reasons.filter((r) => r.kind === "unmatchable" || r.kind === "refused");
    const byType = this.packing.byType();
    return {
      placeable: this.placeable, fitting: this.fitting, byType, newWorkers: Object.values(byType).reduce((a, b) => a + b, 0),
      unmatchable: lost.reduce((n, r) => n + r.count, 0), reasons, spare,
      ...(lost[0] === undefined ? {} : { unmatchableWhy: `job ${lost[0].exampleId}: ${lost[0].why}` }),
      ...(this.oldestQueuedMs === undefined ? {} : { oldestQueuedMs: this.oldestQueuedMs }),
    };
  }

  private because(g: WaitingGroup, kind: DemandReason["kind"], why: string, count = g.count): void {
    this.reasons.push({ key: g.key, exampleId: g.exampleId, count, kind, why });
  }

  /** What the types say to a group that asks for workers now; nothing for one that does not. */
  private answersTo(g: WaitingGroup): Answers | undefined {
    const { queueNowMs, leadMs } = this.input;
    if (g.count <= 0) return undefined;
    if (g.needsNoWorker === true) return this.none(g, "no-worker-needed", "it does not run on a worker");
    if (g.notBeforeMs !== undefined && g.notBeforeMs > queueNowMs + leadMs) return this.none(g, "later", `it waits by its own wish until ${iso(g.notBeforeMs)}`);
    // What waits by its own wish is judged at the moment that it waits for.
    const atSeconds = Math.floor(Math.max(queueNowMs, g.notBeforeMs ?? 0) / 1000);
    const answers = new Map<string, MatchAnswer>();
    let canHelp = this.offers.length === 0;
    for (const o of this.offers) {
      const a = match(g, o, atSeconds);
      answers.set(o.offer.type, a);
      canHelp ||= a.answer !== "no";
    }
    return canHelp ? answers : this.none(g, "unmatchable", this.perType(answers));
  }

  private none(g: WaitingGroup, kind: DemandReason["kind"], why: string): undefined {
    this.because(g, kind, why);
    return undefined;
  }

  private perType(answers: Answers): string {
    const said = [...answers].map(([type, a]) => ({ type, why: a.answer === "yes" ? "" : a.why }));
    const different = new Set(said.map((s) => s.why));
    return different.size === 1 ? said[0]!.why : said.slice(0, 3).map((s) => `${s.type}: ${s.why}`).join("; ");
  }

  private isSure(g: WaitingGroup, answers: Answers): boolean {
    if (this.input.refused.has(g.key)) return false;
    for (const a of answers.values()) if (a.answer === "yes") return true;
    return false;
  }

  /** As many of its jobs as the limits outside leave; what they leave is taken. */
  private allowed(g: WaitingGroup): number {
    let n = g.count;
    let by: string | undefined;
    for (const [name, units] of Object.entries(g.limits ?? {})) {
      const left = this.limitsLeft[name];
      if (left === undefined || units <= 0) continue;
      const fit = Math.max(0, Math.floor(left / units + 1e-9));
      if (fit < n) [n, by] = [fit, name];
    }
    for (const [name, units] of Object.entries(g.limits ?? {})) if (this.limitsLeft[name] !== undefined) this.limitsLeft[name] -= n * units;
    if (by !== undefined) this.because(g, "limited", `the concurrency limit ${by} leaves ${n === 0 ? "no job" : `${n} of them`} a place`, g.count - n);
    return n;
  }

  /** Into the room there is, then into new workers of the types that say yes (`unsure`: or nothing). */
  private pack({ group, answers }: Candidate, count: number, unsure: boolean): number {
    if (count === 0) return 0;
    const may = (type: string): boolean => answers.get(type)?.answer !== "no";
    let left = this.packing.intoRoom(group.request, count, may);
    const fitting = count - left;
    if (!unsure) left = this.packing.intoNew(group.request, left, (type) => answers.get(type)?.answer === "yes");
    // What no type may grow for is waiting for room all the same: it is placeable, and no worker is ordered.
    this.count(group, unsure ? fitting : count, fitting);
    return left;
  }

  private count(g: WaitingGroup, placeable: number, fitting: number): void {
    if (placeable === 0) return;
    this.placeable += placeable;
    this.fitting += fitting;
    this.oldestQueuedMs = Math.min(this.oldestQueuedMs ?? Number.POSITIVE_INFINITY, g.queuedAtMs);
  }

  /** All nodes of a gang at once, or no worker at all; one that has to wait for others to end keeps what is there from being taken away. */
  private packGang({ group, answers }: Candidate): void {
    const nodes = group.gang ?? 1;
    const may = (type: string): boolean => answers.get(type)?.answer === "yes";
    const room = this.packing.atMost(group.request, may);
    if (room < nodes) return this.because(group, "unmatchable", `needs room for ${nodes} nodes at once, all workers that there may be have it for ${room}`);
    for (let left = this.allowed(group); left > 0; left -= 1) {
      const more = this.packing.together(group.request, nodes, may);
      if (more === undefined) return this.count(group, left, 0);
      this.count(group, 1, more === 0 ? 1 : 0);
    }
  }

  /** One worker shows what nobody can know; for a group that was refused, after a growing pause. */
  private tryOut(c: Candidate): void {
    const { group: g, answers } = c;
    const refusal = this.input.refused.get(g.key);
    if (refusal !== undefined) {
      const due = refusal.probeAtMs <= this.input.nowMs;
      this.because(g, "refused", `an idle worker with room matches it, but HTCondor did not give it the job for a minute${due ? "; it is tried once more with one worker" : ""}`);
      if (due && this.allowed(g) > 0) this.probe(c);
      return;
    }
    const count = this.allowed(g);
    const left = this.pack(c, g.gang === undefined ? count : 0, true);
    const probed = count > 0 && left === count && this.probe(c) ? 1 : 0;
    this.count(g, probed, 0);
    const why = [...answers.values()].find((a) => a.answer === "unknown");
    if (left > probed && why?.answer === "unknown") this.because(g, "unsure", `${why.why}; one worker is tried`, left - probed);
  }

  /** One new worker at most for each type, and none while one is there or on its way that shows it as well. */
  private probe({ group, answers }: Candidate): boolean {
    for (const { offer } of this.offers) {
      const { type } = offer;
      if (answers.get(type)?.answer === "no" || this.tried.has(type)) continue;
      if (this.packing.hadRoom(group.request, type)) return false;
      if (this.packing.intoNew(group.request, 1, (t) => t === type) > 0) continue;
      this.tried.add(type);
      return true;
    }
    return false;
  }
}

const RANK: Readonly<Record<DemandReason["kind"], number>> = { unmatchable: 0, refused: 1, unsure: 2, unreadable: 3, limited: 4, later: 5, "no-worker-needed": 6 };
const iso = (ms: number): string => new Date(Math.min(8.64e15, ms)).toISOString();
const bySize = (a: WaitingGroup, b: WaitingGroup): number =>
  b.request.cpus - a.request.cpus || b.request.memoryMiB - a.request.memoryMiB || b.request.diskMiB - a.request.diskMiB || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0);
/** Gangs last: they take whole machines or none, and what they cannot get is not to be held back from others. */
const inTurn = (a: Candidate, b: Candidate): number => Number(a.group.gang !== undefined) - Number(b.group.gang !== undefined) || bySize(a.group, b.group);
