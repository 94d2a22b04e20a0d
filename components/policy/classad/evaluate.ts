import { call } from "./functions";
import type { BinaryOperator, Expr } from "./parse";
import { boolean, ERROR, integer, numeric, real, truth, UNDEFINED, UNKNOWN, type Ad, type Clock, type Value } from "./value";

/** What an expression is evaluated in: its own ad, and the one it is matched against. */
export interface Scope extends Clock {
  readonly my: Ad;
  readonly target?: Ad;
}

/** HTCondor's own limit of recursion. */
const MOST_DEPTH = 400;
/** Steps that one evaluation may take; ordinary Requirements take some dozens. */
const MOST_STEPS = 200_000;
/** The longest text that an expression may build. */
const MOST_TEXT = 256 * 1024;

/** The value of an expression. Never throws: what takes too long is `unknown`, for it may have any value. */
export function evaluate(expr: Expr, scope: Scope): Value {
  const run = new Run(scope);
  const value = run.value(expr, { my: scope.my, target: scope.target, inner: undefined });
  return run.exhausted ? UNKNOWN : value;
}

/** The value of an attribute of `scope.my`. */
export function evaluateAttribute(name: string, scope: Scope): Value {
  return evaluate({ type: "attribute", name, of: { type: "attribute", name: "MY" } }, scope);
}

/** `inner`: nested ads around the expression, the innermost first. */
interface Frame {
  readonly my: Ad;
  readonly target?: Ad;
  readonly inner?: { readonly ad: Ad; readonly outer: Frame["inner"] };
}

export class Run {
  exhausted = false;
  private steps = 0;
  private depth = 0;
  private readonly under = new Map<Ad, Set<Expr>>();
  /** What stands around a nested ad. */
  private readonly homes = new Map<Ad, Frame["inner"]>();

  constructor(private readonly clock: Clock) {}

  value(expr: Expr, frame: Frame): Value {
    this.steps += 1;
    if (this.exhausted || this.steps > MOST_STEPS) {
      this.exhausted = true;
      return UNKNOWN;
    }
    if (this.depth > MOST_DEPTH) return ERROR;
    this.depth += 1;
    const value = this.step(expr, frame);
    this.depth -= 1;
    if (value.kind === "string" && value.value.length > MOST_TEXT) this.exhausted = true;
    return value;
  }

  private step(expr: Expr, frame: Frame): Value {
    switch (expr.type) {
      case "literal": return expr.value;
      case "attribute": return this.attribute(expr, frame);
      case "unary": return unary(expr.op, this.value(expr.a, frame));
      case "binary": return this.chain(expr, frame);
      case "if": return this.choose(expr.test, expr.then, expr.otherwise, frame);
      case "call": return call(expr.name, expr.args, (e) => this.value(e, frame), this.clock);
      case "list": return { kind: "list", value: expr.items.map((e) => this.value(e, frame)) };
      case "ad": return { kind: "ad", value: this.nested(expr.attributes, frame) };
      case "index": return this.index(this.value(expr.a, frame), this.value(expr.at, frame), frame);
    }
  }

  /** Operators group to the left, so a chain of a thousand clauses is folded here without a thousand levels of recursion. */
  private chain(expr: Expr & { readonly type: "binary" }, frame: Frame): Value {
    const links: (Expr & { readonly type: "binary" })[] = [];
    let first: Expr = expr;
    while (first.type === "binary") {
      links.push(first);
      first = first.a;
    }
    let left = this.value(first, frame);
    for (let i = links.length - 1; i >= 0; i -= 1) {
      const { op, b } = links[i]!;
      const shortcut = op === "&&" || op === "||" ? settled(op, left) : undefined;
      left = shortcut ?? binary(op, left, this.value(b, frame));
    }
    return left;
  }

  private choose(test: Expr, then: Expr | undefined, otherwise: Expr, frame: Frame): Value {
    const tested = this.value(test, frame);
    if (then === undefined) {
      if (tested.kind === "unknown") return UNKNOWN;
      return tested.kind === "undefined" ? this.value(otherwise, frame) : tested;
    }
    // Not even two equal branches say what comes: the test may be undefined, or no truth value at all.
    if (tested.kind === "undefined" || tested.kind === "unknown") return tested;
    const holds = truth(tested);
    if (holds === undefined) return ERROR;
    return this.value(holds ? then : otherwise, frame);
  }

  private attribute(expr: Expr & { readonly type: "attribute" }, frame: Frame): Value {
    if (expr.root === true) return this.find(expr.name, frame.my, frame) ?? UNDEFINED;
    if (expr.of === undefined) return this.unscoped(expr.name, frame);
    const side = expr.of.type === "attribute" && expr.of.of === undefined && expr.of.root !== true ? expr.of.name.toLowerCase() : "";
    if (side === "target") return frame.target === undefined ? UNDEFINED : (this.find(expr.name, frame.target, flip(frame)) ?? UNDEFINED);
    if (side === "my") return this.find(expr.name, frame.my, frame) ?? UNDEFINED;
    const of = this.value(expr.of, frame);
    if (of.kind === "undefined" || of.kind === "unknown") return of;
    if (of.kind === "list") return { kind: "list", value: of.value.map((v) => (v.kind === "ad" ? (this.within(expr.name, v.value, frame) ?? UNDEFINED) : ERROR)) };
    return of.kind === "ad" ? (this.within(expr.name, of.value, frame) ?? UNDEFINED) : ERROR;
  }

  private unscoped(name: string, frame: Frame): Value {
    for (let inner = frame.inner; inner !== undefined; inner = inner.outer) {
      const found = inner.ad.get(name);
      if (found !== undefined) return this.guarded(found, { ...frame, inner });
    }
    const mine = this.find(name, frame.my, frame);
    if (mine !== undefined && mine.kind !== "unknown") return mine;
    const theirs = frame.target === undefined ? undefined : this.find(name, frame.target, flip(frame));
    if (mine === undefined && theirs !== undefined) return theirs;
    if (mine !== undefined) return mine;
    return name.toLowerCase() === "currenttime" ? integer(this.clock.nowSeconds) : UNDEFINED;
  }

  /** Undefined where the ad certainly has no such attribute. */
  private find(name: string, ad: Ad, frame: Frame): Value | undefined {
    const found = ad.get(name);
    if (found !== undefined) return this.guarded(found, { my: frame.my, target: frame.target });
    return ad.open ? UNKNOWN : undefined;
  }

  private within(name: string, ad: Ad, frame: Frame): Value | undefined {
    const found = ad.get(name);
    return found === undefined ? undefined : this.guarded(found, { ...frame, inner: { ad, outer: this.homes.get(ad) } });
  }

  private nested(attributes: ReadonlyMap<string, Expr>, frame: Frame): Ad {
    const ad: Ad = { open: false, get: (name) => attributes.get(name.toLowerCase()), names: () => attributes.keys() };
    if (frame.inner !== undefined) this.homes.set(ad, frame.inner);
    return ad;
  }

  /** An attribute that leads back to itself is an error, as in HTCondor. */
  private guarded(expr: Expr, frame: Frame): Value {
    if (expr.type === "literal") return expr.value;
    const under = this.under.get(frame.my) ?? new Set();
    if (under.has(expr)) return ERROR;
    this.under.set(frame.my, under.add(expr));
    const value = this.value(expr, frame);
    under.delete(expr);
    return value;
  }

  private index(a: Value, at: Value, frame: Frame): Value {
    if (a.kind === "unknown" || at.kind === "unknown") return UNKNOWN;
    if (a.kind === "undefined" || at.kind === "undefined") return UNDEFINED;
    if (a.kind === "list" && at.kind === "integer") return a.value[at.value] ?? ERROR;
    if (a.kind === "ad" && at.kind === "string") return this.within(at.value, a.value, frame) ?? UNDEFINED;
    return ERROR;
  }
}

const flip = (frame: Frame): Frame => ({ my: frame.target!, target: frame.my });

function unary(op: "!" | "-" | "+" | "~", a: Value): Value {
  if (a.kind === "undefined" || a.kind === "unknown") return a;
  if (op === "!") {
    const holds = truth(a);
    return holds === undefined ? ERROR : boolean(!holds);
  }
  if (a.kind !== "integer" && a.kind !== "real") return ERROR;
  if (op === "~") return a.kind === "integer" ? integer(~a.value) : ERROR;
  return op === "+" ? a : a.kind === "integer" ? integer(-a.value) : real(-a.value);
}

/** The value of `left op anything`, where the left side alone decides it. */
function settled(op: "&&" | "||", left: Value): Value | undefined {
  if (left.kind === "undefined" || left.kind === "unknown") return undefined;
  const holds = truth(left);
  if (holds === undefined) return ERROR;
  return holds === (op === "||") ? boolean(holds) : undefined;
}

function binary(op: BinaryOperator, a: Value, b: Value): Value {
  if (op === "&&" || op === "||") return logical(op, a, b);
  if (op === "=?=" || op === "=!=") {
    if (a.kind === "list" || b.kind === "list" || a.kind === "ad" || b.kind === "ad") return a.kind === "unknown" || b.kind === "unknown" ? UNKNOWN : ERROR;
    const same = identical(a, b);
    return same === undefined ? UNKNOWN : boolean(same === (op === "=?="));
  }
  if (a.kind === "error" || b.kind === "error") return ERROR;
  if (a.kind === "unknown" || b.kind === "unknown") return UNKNOWN;
  if (a.kind === "undefined" || b.kind === "undefined") return UNDEFINED;
  if (op === "==" || op === "!=" || op === "<" || op === ">" || op === "<=" || op === ">=") return compare(op, a, b);
  return arithmetic(op, a, b);
}

function logical(op: "&&" | "||", a: Value, b: Value): Value {
  const decided = settled(op, a);
  if (decided !== undefined) return decided;
  const right = b.kind === "undefined" || b.kind === "unknown" ? b : truth(b) === undefined ? ERROR : boolean(truth(b)!);
  if (a.kind !== "undefined" && a.kind !== "unknown") return right;
  // The left side says nothing: the right one may still decide. (That an unknown one might be an error is left out of account: HTCondor
  // would make an error of it, and every offer that is only declared would be unsure about file transfer.)
  if (right.kind === "boolean" && right.value === (op === "||")) return right;
  if (right.kind === "error") return a.kind === "unknown" ? UNKNOWN : ERROR;
  return a.kind === "unknown" || right.kind === "unknown" ? UNKNOWN : UNDEFINED;
}

/** `=?=`: the same type and the same value; texts by case. Undefined where that cannot be said. */
export function identical(a: Value, b: Value): boolean | undefined {
  if (a.kind === "unknown" || b.kind === "unknown") return undefined;
  if (a.kind !== b.kind) return false;
  if (a.kind === "list" || a.kind === "ad") return undefined;
  return "value" in a && "value" in b ? a.value === b.value : true;
}

/** Texts without regard to case. Numbers and truth values are compared as numbers; a text and a number are an error. */
export function compare(op: "==" | "!=" | "<" | ">" | "<=" | ">=", a: Value, b: Value): Value {
  let order: number;
  if (a.kind === "string" && b.kind === "string") {
    const x = a.value.toLowerCase(), y = b.value.toLowerCase();
    order = x < y ? -1 : x > y ? 1 : 0;
  } else {
    const x = numeric(a), y = numeric(b);
    if (x === undefined || y === undefined) return ERROR;
    order = x - y;
  }
  const holds = { "==": order === 0, "!=": order !== 0, "<": order < 0, ">": order > 0, "<=": order <= 0, ">=": order >= 0 };
  return boolean(holds[op]);
}

function arithmetic(op: BinaryOperator, a: Value, b: Value): Value {
  const x = numeric(a), y = numeric(b);
  if (x === undefined || y === undefined) return ERROR;
  const whole = a.kind !== "real" && b.kind !== "real";
  const number = whole ? integer : real;
  switch (op) {
    case "+": return number(x + y);
    case "-": return number(x - y);
    case "*": return number(x * y);
    case "/": return y === 0 ? ERROR : number(x / y);
    case "%": return !whole || y === 0 ? ERROR : integer(x % y);
  }
  if (a.kind !== "integer" || b.kind !== "integer") return ERROR;
  const p = BigInt(x), q = BigInt(y);
  switch (op) {
    case "|": return integer(Number(p | q));
    case "&": return integer(Number(p & q));
    case "^": return integer(Number(p ^ q));
    case "<<": return integer(Number(BigInt.asIntN(64, p << (q & 63n))));
    case ">>": return integer(Number(p >> (q & 63n)));
    default: return integer(Number(BigInt.asUintN(64, p) >> (q & 63n)));
  }
}

