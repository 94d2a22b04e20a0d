/*
 * Exhaustive exploration of a small world: every state that any order of steps can reach, breadth first, so that the first broken
 * promise comes with a shortest story. What must come about at last is checked as "from every state a good one can still be reached
 * by fair steps alone": in a finite world whose scheduler is fair that is the same as "it comes about once the faults stop".
 */

/** `fair`: what happens by itself sooner or later. `fault`: what may happen, but cannot be waited for (failures, orders, new work). */
export type StepKind = "fair" | "fault";

export interface Step<S> {
  readonly label: string;
  readonly kind: StepKind;
  readonly next: S;
}

export interface Model<S> {
  readonly initial: S;
  /** Must not change `state`. */
  steps(state: S): readonly Step<S>[] | Promise<readonly Step<S>[]>;
  /** States with the same key are the same. */
  key(state: S): string;
  /** The promise that this state breaks. */
  broken(state: S): string | undefined;
  /** Where the world shall be able to come to rest; left out: only promises are checked. */
  isGood?(state: S): boolean;
  /** A state in a line, for stories. */
  show?(state: S): string;
}

export interface Verdict {
  readonly states: number;
  readonly steps: number;
  /** Steps of the longest shortest way into any state. */
  readonly depth: number;
  /** All states were seen; false where a promise was broken first. */
  readonly complete: boolean;
  readonly broken?: { readonly promise: string; readonly story: readonly string[] };
  /** A state from which no good one can be reached any more, and how it is come by. */
  readonly stuck?: { readonly story: readonly string[] };
}

export interface Bounds {
  /** More states than this are a mistake in the bounds of the world, and end the exploration with an error. @default 3000000 */
  readonly mostStates?: number;
}

export async function explore<S>(model: Model<S>, bounds: Bounds = {}): Promise<Verdict> {
  const mostStates = bounds.mostStates ?? 3_000_000;
  const keys: string[] = [model.key(model.initial)];
  const index = new Map<string, number>([[keys[0]!, 0]]);
  const parents: number[] = [-1];
  const good: boolean[] = [model.isGood?.(model.initial) ?? false];
  const fair = new Edges();
  let frontier: [number, S][] = [[0, model.initial]];
  let steps = 0, depth = 0;
  while (frontier.length > 0) {
    const following: [number, S][] = [];
    for (const [from, state] of frontier) {
      const answer = model.steps(state);
      for (const { kind, next } of answer instanceof Promise ? await answer : answer) {
        steps += 1;
        const key = model.key(next);
        let to = index.get(key);
        if (to === undefined) {
          to = keys.length;
          if (to >= mostStates) throw new Error(`more than ${mostStates} states: the world is larger than was meant`);
          index.set(key, to);
          keys.push(key);
          parents.push(from);
          good.push(model.isGood?.(next) ?? false);
          const promise = model.broken(next);
          if (promise !== undefined) {
            return { states: keys.length, steps, depth: depth + 1, complete: false, broken: { promise, story: await story(model, keys, parents, to) } };
          }
          following.push([to, next]);
        }
        if (kind === "fair" && model.isGood !== undefined) fair.add(from, to);
      }
    }
    if (following.length > 0) depth += 1;
    frontier = following;
  }
  const verdict = { states: keys.length, steps, depth, complete: true };
  if (model.isGood === undefined) return verdict;
  const lost = fair.firstThatCannotReach(good);
  return lost === undefined ? verdict : { ...verdict, stuck: { story: await story(model, keys, parents, lost) } };
}

/** From one state to the next, as two growing columns of numbers. */
class Edges {
  private from = new Int32Array(1 << 16);
  private to = new Int32Array(1 << 16);
  private count = 0;

  add(from: number, to: number): void {
    if (this.count === this.from.length) [this.from, this.to] = [grown(this.from), grown(this.to)];
    this.from[this.count] = from;
    this.to[this.count] = to;
    this.count += 1;
  }

  /** Walks backwards from the good ones; what is not met on that walk can never become good. */
  firstThatCannotReach(good: readonly boolean[]): number | undefined {
    const starts = new Int32Array(good.length + 1);
    for (let e = 0; e < this.count; e += 1) starts[this.to[e]! + 1]! += 1;
    for (let s = 0; s < good.length; s += 1) starts[s + 1]! += starts[s]!;
    const fill = starts.slice();
    const before = new Int32Array(this.count);
    for (let e = 0; e < this.count; e += 1) before[fill[this.to[e]!]!++] = this.from[e]!;
    const reached = new Uint8Array(good.length);
    const open: number[] = [];
    good.forEach((isGood, s) => { if (isGood) { reached[s] = 1; open.push(s); } });
    for (let s = open.pop(); s !== undefined; s = open.pop()) {
      for (let e = starts[s]!; e < starts[s + 1]!; e += 1) {
        const p = before[e]!;
        if (reached[p] === 0) { reached[p] = 1; open.push(p); }
      }
    }
    const first = reached.indexOf(0);
    return first === -1 ? undefined : first;
  }
}

function grown(a: Int32Array): Int32Array<ArrayBuffer> {
  const b = new Int32Array(a.length * 2);
  b.set(a);
  return b;
}

/** Plays the way to a state again: keys alone were kept. */
async function story<S>(model: Model<S>, keys: readonly string[], parents: readonly number[], target: number): Promise<string[]> {
  const way: number[] = [];
  for (let at = target; at > 0; at = parents[at]!) way.unshift(at);
  const lines: string[] = [];
  let state = model.initial;
  for (const at of way) {
    const step = (await model.steps(state)).find((s) => model.key(s.next) === keys[at]);
    if (step === undefined) throw new Error("a step did not repeat itself: the model is not a function of its state");
    state = step.next;
    lines.push(`${String(lines.length + 1).padStart(2)}. ${step.label}${step.kind === "fault" ? "  [fault or order]" : ""}`);
  }
  if (model.show !== undefined) lines.push(`    now: ${model.show(state)}`);
  return lines;
}
