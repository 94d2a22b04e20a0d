import type { FreeRoom, Offer, Room } from "./demand";
import { quantize } from "./classad/functions";

/*
 * Jobs into workers. Rooms that are alike are one entry with a number, and like jobs are placed together: a hundred thousand jobs and
 * ten thousand workers cost as much as there are kinds of them.
 */

/** Slots are carved in these steps: MODIFY_REQUEST_EXPR_REQUESTMEMORY, -CPUS and -DISK of HTCondor 23.9, `quantize(RequestMemory,{128})`. */
const MEMORY_STEP_MIB = 128, DISK_STEP_MIB = 1;
/** Beyond so many rooms their disks, which all differ by some KiB, are compared in steps of about 3 %. */
const EXACT_ROOMS = 500;
/** Resources without a size (a job that asks for nothing): as many as anybody can have. */
const UNBOUNDED = 1_000_000;

interface Rooms {
  readonly type: string;
  readonly room: Room;
  count: number;
}

export class Packing {
  /** There, or on its way. */
  private bins: Rooms[];
  private readonly atFirst: readonly Rooms[];
  private whole: readonly Rooms[] | undefined;
  private readonly open: Rooms[] = [];
  private readonly ordered = new Map<string, number>();
  private readonly most: Map<string, number>;
  private mostInAll: number;

  /** `offers`: the one to take first comes first. */
  constructor(private readonly free: readonly FreeRoom[], private readonly coming: Readonly<Record<string, number>>, private readonly offers: readonly Offer[], most?: number) {
    this.bins = alike(free);
    for (const o of offers) if ((coming[o.type] ?? 0) > 0) this.bins.push({ type: o.type, room: o.room, count: coming[o.type]! });
    this.atFirst = copy(this.bins);
    this.most = new Map(offers.map((o) => [o.type, o.most ?? Number.POSITIVE_INFINITY]));
    this.mostInAll = most ?? Number.POSITIVE_INFINITY;
  }

  /** Answers how many are left. */
  intoRoom(job: Room, count: number, may: (type: string) => boolean): number {
    return place(this.bins, job, count, may);
  }

  /** Into new workers that have room left, then into more of the first type that may grow. Answers how many are left. */
  intoNew(job: Room, count: number, may: (type: string) => boolean): number {
    let left = place(this.open, job, count, may);
    for (const { type, room } of this.offers) {
      if (left === 0) break;
      const each = may(type) ? filled(room, job).count : 0;
      if (each === 0) continue;
      // The grid's own maximum does not bound the wish: whoever decides says "at the maximum".
      const more = Math.min(Math.ceil(left / each), this.most.get(type) ?? 0);
      if (more <= 0) continue;
      this.add(type, room, more);
      left = place(this.open, job, left, may);
    }
    return left;
  }

  private add(type: string, room: Room, count: number): void {
    this.open.push({ type, room, count });
    this.ordered.set(type, (this.ordered.get(type) ?? 0) + count);
    this.most.set(type, (this.most.get(type) ?? 0) - count);
    this.mostInAll -= count;
  }

  /** Whether a worker of that type with room for the job is there or on its way, whoever else may take that room. */
  hadRoom(job: Room, type: string): boolean {
    return this.atFirst.some((b) => b.type === type && fits(b.room, job));
  }

  /** All `nodes` at once, else none: answers how many new workers that takes, or undefined where they cannot be had. */
  together(job: Room, nodes: number, may: (type: string) => boolean): number | undefined {
    const before = { bins: copy(this.bins), open: copy(this.open), ordered: new Map(this.ordered), most: new Map(this.most), mostInAll: this.mostInAll };
    const inRoom = this.intoRoom(job, nodes, may);
    const left = inRoom === 0 ? 0 : this.intoNew(job, inRoom, may);
    if (left === 0 && this.mostInAll >= 0) return total(this.ordered) - total(before.ordered);
    this.bins = before.bins;
    this.open.splice(0, this.open.length, ...before.open);
    for (const [m, was] of [[this.ordered, before.ordered], [this.most, before.most]] as const) {
      m.clear();
      for (const [k, v] of was) m.set(k, v);
    }
    this.mostInAll = before.mostInAll;
    return undefined;
  }

  /** How many jobs all workers together could hold, if nothing else ran there and as many were added as may be. */
  atMost(job: Room, may: (type: string) => boolean): number {
    this.whole ??= alike(this.free.map((f) => ({ ...f, room: f.total })));
    let n = 0;
    for (const { type, room, count } of this.whole) if (may(type)) n += count * filled(room, job).count;
    // What has just been ordered for others counts as well: it could be the gang's in its turn.
    let more = this.mostInAll + total(this.ordered);
    const each = this.offers.filter((o) => may(o.type)).map(({ type, room }) => ({ type, count: filled(room, job).count }));
    for (const { type, count } of each.sort((a, b) => b.count - a.count)) {
      if (count === 0) continue;
      n += (this.coming[type] ?? 0) * count;
      const added = Math.max(0, Math.min(more, (this.most.get(type) ?? 0) + (this.ordered.get(type) ?? 0)));
      n += added * count;
      more -= added;
    }
    return n;
  }

  /** Single-core places that nothing waits for, in what is there or on its way. */
  spare(): number {
    return cores(this.bins);
  }

  /** So many single-core places shall stay free. */
  keepFree(places: number): void {
    let lack = places - cores(this.bins) - cores(this.open);
    for (const { type, room } of this.offers) {
      if (lack <= 0 || room.cpus < 1) continue;
      const more = Math.min(Math.ceil(lack / Math.floor(room.cpus)), this.most.get(type) ?? 0);
      if (more <= 0) continue;
      this.add(type, room, more);
      lack -= more * Math.floor(room.cpus);
    }
  }

  byType(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.ordered].filter(([, n]) => n > 0).sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}

const total = (m: ReadonlyMap<string, number>): number => [...m.values()].reduce((a, b) => a + b, 0);
const cores = (rooms: readonly Rooms[]): number => rooms.reduce((n, r) => n + Math.max(0, Math.floor(r.room.cpus)) * r.count, 0);
const copy = (rooms: readonly Rooms[]): Rooms[] => rooms.map((r) => ({ ...r }));

function alike(free: readonly FreeRoom[]): Rooms[] {
  const out = new Map<string, Rooms>();
  const coarse = free.length > EXACT_ROOMS;
  for (const { type, room } of free) {
    if (room.cpus <= 0) continue;
    const diskMiB = coarse ? roughly(room.diskMiB) : room.diskMiB;
    const key = `${type}/${room.cpus}/${room.memoryMiB}/${diskMiB}/${room.resources === undefined ? "" : JSON.stringify(Object.entries(room.resources).sort())}`;
    const known = out.get(key);
    if (known === undefined) out.set(key, { type, room: { ...room, diskMiB }, count: 1 });
    else known.count += 1;
  }
  // The smallest first, so that large rooms stay for large jobs; the order in which they came must not matter.
  return [...out].sort(([ka, a], [kb, b]) => a.room.cpus - b.room.cpus || a.room.memoryMiB - b.room.memoryMiB || (ka < kb ? -1 : 1)).map(([, r]) => r);
}

/** Rounded down to five binary digits. */
function roughly(n: number): number {
  if (n < 32) return n;
  const step = 2 ** (Math.floor(Math.log2(n)) - 4);
  return Math.floor(n / step) * step;
}

/** What a slot for the job takes: rounded up by HTCondor's steps. */
const carved = (job: Room): Room => ({
  ...job, cpus: Math.max(1, Math.ceil(job.cpus - 1e-9)), memoryMiB: quantize(job.memoryMiB, [MEMORY_STEP_MIB]), diskMiB: quantize(job.diskMiB, [DISK_STEP_MIB]),
});

function fits(room: Room, job: Room): boolean {
  if (job.cpus > room.cpus || job.memoryMiB > room.memoryMiB || job.diskMiB > room.diskMiB) return false;
  return job.resources === undefined || Object.entries(job.resources).every(([name, n]) => n <= (room.resources?.[name] ?? 0));
}

function howMany(room: Room, job: Room): number {
  const by = (have: number, each: number): number => (each <= 0 ? UNBOUNDED : Math.floor(have / each + 1e-9));
  let n = Math.min(by(room.cpus, job.cpus), by(room.memoryMiB, job.memoryMiB), by(room.diskMiB, job.diskMiB));
  for (const [name, each] of Object.entries(job.resources ?? {})) n = Math.min(n, by(room.resources?.[name] ?? 0, each));
  return Math.max(0, n);
}

function minus(room: Room, job: Room, n: number): Room {
  const rest = { cpus: room.cpus - n * job.cpus, memoryMiB: room.memoryMiB - n * job.memoryMiB, diskMiB: room.diskMiB - n * job.diskMiB };
  if (room.resources === undefined) return rest;
  return { ...rest, resources: Object.fromEntries(Object.entries(room.resources).map(([name, have]) => [name, have - n * (job.resources?.[name] ?? 0)])) };
}

/** At most `limit` jobs in one room: slots of the rounded size as long as they fit, then of the size asked for (MUST_MODIFY_REQUEST_EXPRS is false). */
function filled(room: Room, job: Room, limit = UNBOUNDED): { readonly count: number; readonly rest: Room } {
  const slot = carved(job);
  const rounded = Math.min(limit, howMany(room, slot));
  const rest = minus(room, slot, rounded);
  const plain = { ...job, cpus: Math.max(job.cpus, slot.cpus) };
  const exact = Math.min(limit - rounded, howMany(rest, plain));
  return { count: rounded + exact, rest: exact === 0 ? rest : minus(rest, plain, exact) };
}

/** Puts as many of `count` like jobs into the rooms as fit; answers how many are left. */
function place(rooms: Rooms[], job: Room, count: number, may: (type: string) => boolean): number {
  let left = count;
  for (let i = 0, end = rooms.length; i < end && left > 0; i += 1) {
    const r = rooms[i]!;
    if (r.count === 0 || !fits(r.room, job) || !may(r.type)) continue;
    const full = filled(r.room, job);
    if (full.count === 0) continue;
    const whole = Math.min(r.count, Math.floor(left / full.count));
    if (whole > 0) {
      r.count -= whole;
      left -= whole * full.count;
      if (full.rest.cpus > 0) rooms.push({ type: r.type, room: full.rest, count: whole });
    }
    if (left === 0 || r.count === 0) continue;
    r.count -= 1;
    rooms.push({ type: r.type, room: filled(r.room, job, left).rest, count: 1 });
    left = 0;
  }
  compact(rooms);
  return left;
}

function compact(rooms: Rooms[]): void {
  let to = 0;
  for (const r of rooms) if (r.count > 0) rooms[to++] = r;
  rooms.length = to;
}
