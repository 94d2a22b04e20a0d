/** Time as local-cloud sees it: real, or turned by a test. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  setTimeout(fn: () => void, ms: number): Timer;
}

export interface Timer {
  cancel(): void;
}

/** A timer of the system holds at most this many milliseconds. */
const LONGEST_MS = 2 ** 31 - 1;

export const realClock: Clock = {
  now: () => Date.now(),
  setTimeout(fn, ms) {
    const handle = setTimeout(fn, Math.min(Math.max(0, ms), LONGEST_MS));
    return { cancel: () => clearTimeout(handle) };
  },
};

interface Entry {
  readonly at: number;
  readonly order: number;
  readonly fn: () => void;
}

/** Time that stands still until a test moves it; hours of a cloud's life pass in milliseconds. */
export class VirtualClock implements Clock {
  private entries: Entry[] = [];
  private order = 0;
  constructor(private ms = Date.UTC(2031, 0, 2, 3, 4, 5)) {}

  now(): number {
    return this.ms;
  }

  setTimeout(fn: () => void, ms: number): Timer {
    const entry: Entry = { at: this.ms + Math.max(0, ms), order: this.order++, fn };
    this.entries.push(entry);
    return { cancel: () => void (this.entries = this.entries.filter((e) => e !== entry)) };
  }

  /** Timers that have not run yet. */
  get pending(): number {
    return this.entries.length;
  }

  /** Moves time on and runs what falls due, in order, also timers that others set meanwhile. */
  async advance(ms: number): Promise<void> {
    const end = this.ms + ms;
    await settle();
    for (;;) {
      const due = this.takeDue(end);
      if (due.length === 0) break;
      for (const entry of due) entry.fn();
      await settle();
    }
    this.ms = end;
  }

  /** All timers of the next instant that has any, so that thousands of equal delays cost one turn. */
  private takeDue(end: number): Entry[] {
    let at = Infinity;
    for (const e of this.entries) if (e.at < at) at = e.at;
    if (at > end) return [];
    const due = this.entries.filter((e) => e.at === at).sort((a, b) => a.order - b.order);
    this.entries = this.entries.filter((e) => e.at !== at);
    this.ms = Math.max(this.ms, at);
    return due;
  }
}

/** Lets promises and input/output that are ready go on. */
async function settle(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise<void>((resolve) => setImmediate(resolve));
}
