import type { Clock } from "../../../controller/ports";

interface Due {
  readonly atMs: number;
  readonly serial: number;
  run: (() => void) | undefined;
}

/** Monotonic time has an origin of its own, so that whoever confuses it with the wall clock is found out at once. */
const MONOTONIC_ORIGIN_MS = 77_000_000;
const WALL_ORIGIN_MS = 1_000_000_000_000;

/** Virtual time as a queue of events: what happens between two of them costs nothing, a day as little as a minute. */
export class Timeline implements Clock {
  /** Milliseconds since the world began; never jumps. */
  ms = 0;
  private wallMs = WALL_ORIGIN_MS;
  private readonly heap: Due[] = [];
  private serial = 0;

  nowMs = (): number => this.wallMs + this.ms;
  monotonicMs = (): number => MONOTONIC_ORIGIN_MS + this.ms;

  /** Somebody or something sets the wall clock. */
  jump(byMs: number): void {
    this.wallMs += byMs;
  }

  /** Minutes since the world began, of a text that the wall clock gave where it never jumped. */
  minutesOf = (iso: string): number => (Date.parse(iso) - WALL_ORIGIN_MS) / 60_000;

  /** Answers how to call it off. */
  after(ms: number, run: () => void): () => void {
    const due: Due = { atMs: this.ms + Math.max(0, ms), serial: (this.serial += 1), run };
    this.heap.push(due);
    this.up(this.heap.length - 1);
    return () => {
      due.run = undefined;
    };
  }

  advance(byMs: number): void {
    const until = this.ms + byMs;
    for (let first = this.heap[0]; first !== undefined && first.atMs <= until; first = this.heap[0]) {
      this.pop();
      this.ms = first.atMs;
      first.run?.();
    }
    this.ms = until;
  }

  private before(a: number, b: number): boolean {
    const x = this.heap[a]!,
      y = this.heap[b]!;
    return x.atMs < y.atMs || (x.atMs === y.atMs && x.serial < y.serial);
  }

  private swap(a: number, b: number): void {
    [this.heap[a], this.heap[b]] = [this.heap[b]!, this.heap[a]!];
  }

  private up(i: number): void {
    for (let p = (i - 1) >> 1; i > 0 && this.before(i, p); i = p, p = (i - 1) >> 1) this.swap(i, p);
  }

  private pop(): void {
    const last = this.heap.pop()!;
    if (this.heap.length === 0) return;
    this.heap[0] = last;
    for (let i = 0; ;) {
      let least = i;
      for (const c of [2 * i + 1, 2 * i + 2]) if (c < this.heap.length && this.before(c, least)) least = c;
      if (least === i) return;
      this.swap(i, least);
      i = least;
    }
  }
}
