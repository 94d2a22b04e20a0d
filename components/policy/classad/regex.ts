/**
 * Regular expressions without backtracking: a job's Requirements are written by a user, and a pattern such as `(a+)+$` would hold up
 * the controller for hours in an engine that backtracks. Patterns this one cannot read give undefined: nobody knows the answer.
 */
type Node =
  | { readonly type: "char"; readonly test: (c: string) => boolean }
  | { readonly type: "assert"; readonly what: "^" | "$" | "b" | "B" }
  | { readonly type: "seq" | "alt"; readonly parts: readonly Node[] }
  | { readonly type: "repeat"; readonly of: Node; readonly min: number; readonly max: number };

type Step =
  | { readonly type: "char"; readonly test: (c: string) => boolean }
  | { readonly type: "assert"; readonly what: "^" | "$" | "b" | "B" }
  | { readonly type: "split"; readonly to: readonly number[] }
  | { readonly type: "end" };

/** Patterns and texts of jobs have some dozens of characters; beyond these limits the answer is "unknown". */
const MOST_STEPS = 2_000, MOST_TEXT = 10_000, MOST_NESTED = 50;

class Unreadable extends Error {}

/** Whether `pattern` is found in `text`; undefined where this engine cannot tell. Options as in PCRE: i, m, s; `f`: the whole text. */
export function matches(pattern: string, text: string, options = ""): boolean | undefined {
  if (text.length > MOST_TEXT || /[^imsf]/i.test(options)) return undefined;
  const flags = options.toLowerCase();
  try {
    const program: Step[] = [];
    emit(new Pattern(pattern, flags.includes("i"), flags.includes("s")).whole(), program);
    program.push({ type: "end" });
    return run(program, text, flags.includes("m"));
  } catch (e) {
    if (e instanceof Unreadable) return undefined;
    throw e;
  }
}

class Pattern {
  private at = 0;
  constructor(private readonly text: string, private readonly fold: boolean, private readonly dotAll: boolean) {}

  whole(): Node {
    const node = this.alternatives(0);
    if (this.at < this.text.length) throw new Unreadable();
    return node;
  }

  private alternatives(depth: number): Node {
    if (depth > MOST_NESTED) throw new Unreadable();
    const parts = [this.sequence(depth)];
    while (this.text[this.at] === "|") {
      this.at += 1;
      parts.push(this.sequence(depth));
    }
    return parts.length === 1 ? parts[0]! : { type: "alt", parts };
  }

  private sequence(depth: number): Node {
    const parts: Node[] = [];
    for (let c = this.text[this.at]; c !== undefined && c !== "|" && c !== ")"; c = this.text[this.at]) parts.push(this.repeated(this.atom(depth)));
    return { type: "seq", parts };
  }

  private repeated(of: Node): Node {
    const found = /^(?:([*+?])|\{(\d{1,4})(?:(,)(\d{1,4})?)?\})([?+])?/.exec(this.text.slice(this.at, this.at + 16));
    if (found === null) return of;
    if (found[5] === "+" || of.type === "assert") throw new Unreadable(); // possessive: no other engine's notion of "found"
    this.at += found[0].length;
    if (/^[*+?]/.test(this.text.slice(this.at, this.at + 1))) throw new Unreadable();
    if (found[1] !== undefined) return { type: "repeat", of, min: found[1] === "+" ? 1 : 0, max: found[1] === "?" ? 1 : Number.POSITIVE_INFINITY };
    const min = Number(found[2]);
    const max = found[3] === undefined ? min : found[4] === undefined ? Number.POSITIVE_INFINITY : Number(found[4]);
    if (max < min) throw new Unreadable();
    return { type: "repeat", of, min, max };
  }

  private atom(depth: number): Node {
    const c = this.text[this.at]!;
    this.at += 1;
    if (c === ".") return { type: "char", test: this.dotAll ? () => true : (x) => x !== "\n" };
    if (c === "^" || c === "$") return { type: "assert", what: c };
    if (c === "[") return { type: "char", test: this.set() };
    if (c === "\\") return this.escaped();
    if (c === "*" || c === "+" || c === "?") throw new Unreadable();
    if (c !== "(") return { type: "char", test: this.folded((x) => x === c) };
    if (this.text[this.at] === "?") {
      if (this.text[this.at + 1] !== ":") throw new Unreadable(); // looking around, options within
      this.at += 2;
    }
    const inner = this.alternatives(depth + 1);
    if (this.text[this.at] !== ")") throw new Unreadable();
    this.at += 1;
    return inner;
  }

  private folded(test: (c: string) => boolean): (c: string) => boolean {
    return this.fold ? (c) => test(c) || test(c.toLowerCase()) || test(c.toUpperCase()) : test;
  }

  private escaped(): Node {
    const c = this.text[this.at];
    this.at += 1;
    if (c === "b" || c === "B") return { type: "assert", what: c };
    const kind = c === undefined ? undefined : CLASSES[c];
    if (kind !== undefined) return { type: "char", test: kind };
    return { type: "char", test: this.folded(same(plain(c))) };
  }

  private set(): (c: string) => boolean {
    const not = this.text[this.at] === "^";
    if (not) this.at += 1;
    const tests: ((c: string) => boolean)[] = [];
    for (let first = true; ; first = false) {
      let c = this.text[this.at];
      if (c === undefined) throw new Unreadable();
      this.at += 1;
      if (c === "]" && !first) break;
      if (c === "[" && this.text[this.at] === ":") throw new Unreadable();
      if (c === "\\") {
        const escaped = this.text[this.at];
        this.at += 1;
        const kind = escaped === undefined ? undefined : CLASSES[escaped];
        if (kind !== undefined) {
          tests.push(kind);
          continue;
        }
        c = plain(escaped);
      }
      const from = c, to = this.text[this.at + 1];
      if (this.text[this.at] === "-" && to !== undefined && to !== "]") {
        if (to === "\\" || to < from) throw new Unreadable();
        this.at += 2;
        tests.push((x) => x >= from && x <= to);
      } else tests.push(same(from));
    }
    const one = this.folded((x) => tests.some((t) => t(x)));
    return (x) => one(x) !== not;
  }
}

const same = (c: string) => (x: string): boolean => x === c;
const word = (c: string): boolean => /\w/.test(c);
const CLASSES: Readonly<Record<string, (c: string) => boolean>> = {
  d: (c) => c >= "0" && c <= "9", D: (c) => !(c >= "0" && c <= "9"), w: word, W: (c) => !word(c), s: (c) => /\s/.test(c), S: (c) => !/\s/.test(c),
};
const CONTROL: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", f: "\f" };

/** An escaped character that stands for itself; letters and digits have meanings that are not read here. */
function plain(c: string | undefined): string {
  if (c === undefined || (/[A-Za-z0-9]/.test(c) && CONTROL[c] === undefined)) throw new Unreadable();
  return CONTROL[c] ?? c;
}

function emit(node: Node, out: Step[]): void {
  if (out.length > MOST_STEPS) throw new Unreadable();
  switch (node.type) {
    case "char": case "assert":
      out.push(node);
      return;
    case "seq":
      for (const p of node.parts) emit(p, out);
      return;
    case "alt": {
      const at = out.push({ type: "end" }) - 1;
      const starts: number[] = [], jumps: number[] = [];
      for (const p of node.parts) {
        starts.push(out.length);
        emit(p, out);
        jumps.push(out.push({ type: "end" }) - 1);
      }
      out[at] = { type: "split", to: starts };
      for (const j of jumps) out[j] = { type: "split", to: [out.length] };
      return;
    }
    case "repeat": {
      for (let i = 0; i < node.min; i += 1) emit(node.of, out);
      if (node.max === Number.POSITIVE_INFINITY) {
        const at = out.push({ type: "end" }) - 1;
        emit(node.of, out);
        out.push({ type: "split", to: [at] });
        out[at] = { type: "split", to: [at + 1, out.length] };
        return;
      }
      const skips: number[] = [];
      for (let i = node.min; i < node.max; i += 1) {
        skips.push(out.push({ type: "end" }) - 1);
        emit(node.of, out);
      }
      for (const s of skips) out[s] = { type: "split", to: [s + 1, out.length] };
    }
  }
}

/** All ways through the pattern at once, one character of the text after the other. */
function run(program: readonly Step[], text: string, multiline: boolean): boolean {
  let states = new Set<number>();
  for (let i = 0; i <= text.length; i += 1) {
    if (reach(program, states, 0, text, i, multiline)) return true;
    if (i === text.length) break;
    const next = new Set<number>();
    for (const s of states) {
      const step = program[s]!;
      if (step.type === "char" && step.test(text[i]!) && reach(program, next, s + 1, text, i + 1, multiline)) return true;
    }
    states = next;
  }
  return false;
}

/** Adds what is reached from `from` without a character. True when that is the end. */
function reach(program: readonly Step[], states: Set<number>, from: number, text: string, i: number, multiline: boolean): boolean {
  const todo = [from];
  for (let s = todo.pop(); s !== undefined; s = todo.pop()) {
    if (states.has(s)) continue;
    states.add(s);
    const step = program[s]!;
    if (step.type === "end") return true;
    if (step.type === "split") todo.push(...step.to);
    else if (step.type === "assert" && holds(step.what, text, i, multiline)) todo.push(s + 1);
  }
  return false;
}

function holds(what: "^" | "$" | "b" | "B", text: string, i: number, multiline: boolean): boolean {
  const before = text[i - 1], after = text[i];
  if (what === "^") return before === undefined || (multiline && before === "\n");
  if (what === "$") return after === undefined || (after === "\n" && (multiline || i === text.length - 1));
  const edge = (before !== undefined && word(before)) !== (after !== undefined && word(after));
  return edge === (what === "b");
}
