import { literal, parse, type Expr } from "./parse";
import { boolean, ERROR, integer, real, string, UNDEFINED, type Ad } from "./value";

/** An attribute as condor's JSON has it. */
export type JsonAd = Readonly<Record<string, unknown>>;

/** How HTCondor's JSON writes what is no plain value. */
const EXPRESSION = /^\/Expr\(([^]*)\)\/$/;

/**
 * An ad out of HTCondor's JSON. Each attribute is read when somebody asks for it; one that cannot be read is an error there, and spoils
 * nothing else. `open`: attributes that are not listed may exist (an ad made from a declaration).
 */
export function adOf(json: JsonAd, open = false): Ad {
  const names = new Map<string, string>();
  for (const name of Object.keys(json)) names.set(name.toLowerCase(), name);
  const read = new Map<string, Expr>();
  return {
    open, names: () => names.values(),
    get(name) {
      const lower = name.toLowerCase();
      const known = read.get(lower);
      if (known !== undefined) return known;
      const key = names.get(lower);
      if (key === undefined) return undefined;
      const expr = expressionOf(json[key]);
      read.set(lower, expr);
      return expr;
    },
  };
}

function expressionOf(value: unknown): Expr {
  try {
    return fromJson(value, 0);
  } catch {
    return literal(ERROR);
  }
}

function fromJson(value: unknown, depth: number): Expr {
  if (depth > 50) return literal(ERROR);
  if (typeof value === "boolean") return literal(boolean(value));
  if (typeof value === "number") return literal(Number.isInteger(value) ? integer(value) : real(value));
  if (typeof value === "string") {
    const text = EXPRESSION.exec(value)?.[1];
    return text === undefined ? literal(string(value)) : parse(text);
  }
  if (value === null) return literal(UNDEFINED);
  if (Array.isArray(value)) return { type: "list", items: value.map((v) => fromJson(v, depth + 1)) };
  if (typeof value === "object") return { type: "ad", attributes: new Map(Object.entries(value).map(([k, v]) => [k.toLowerCase(), fromJson(v, depth + 1)])) };
  return literal(ERROR);
}

/** Names of the attributes that an expression reads: of its own ad or of either, and of the other one. */
export function references(expr: Expr): { readonly own: ReadonlySet<string>; readonly target: ReadonlySet<string> } {
  const own = new Set<string>(), target = new Set<string>();
  const todo: Expr[] = [expr];
  for (let e = todo.pop(); e !== undefined; e = todo.pop()) {
    switch (e.type) {
      case "attribute": {
        const side = e.of?.type === "attribute" && e.of.of === undefined ? e.of.name.toLowerCase() : "";
        if (e.of === undefined) own.add(e.name);
        else if (side === "my") own.add(e.name);
        else if (side === "target") target.add(e.name);
        else todo.push(e.of);
        break;
      }
      case "unary": todo.push(e.a); break;
      case "binary": todo.push(e.a, e.b); break;
      case "if": todo.push(e.test, e.otherwise, ...(e.then === undefined ? [] : [e.then])); break;
      case "call": todo.push(...e.args); break;
      case "list": todo.push(...e.items); break;
      case "ad": todo.push(...e.attributes.values()); break;
      case "index": todo.push(e.a, e.at); break;
      case "literal": break;
    }
  }
  return { own, target };
}

/** The parts of a conjunction, from left to right. */
export function clauses(expr: Expr): readonly Expr[] {
  const out: Expr[] = [];
  const todo: Expr[] = [expr];
  for (let e = todo.pop(); e !== undefined; e = todo.pop()) {
    if (e.type === "binary" && e.op === "&&") todo.push(e.b, e.a);
    else out.push(e);
  }
  return out;
}

/** The expression as text again, as short as it can be said. */
export function unparse(e: Expr): string {
  switch (e.type) {
    case "literal": return e.value.kind === "string" ? JSON.stringify(e.value.value) : "value" in e.value ? String(e.value.value) : e.value.kind;
    case "attribute": return e.of === undefined ? `${e.root === true ? "." : ""}${e.name}` : `${unparse(e.of)}.${e.name}`;
    case "unary": return `${e.op}${inner(e.a)}`;
    case "binary": return `${inner(e.a, e.op)} ${e.op} ${inner(e.b)}`;
    case "if": return e.then === undefined ? `${inner(e.test)} ?: ${inner(e.otherwise)}` : `${inner(e.test)} ? ${inner(e.then)} : ${inner(e.otherwise)}`;
    case "call": return `${e.name}(${e.args.map(unparse).join(", ")})`;
    case "list": return `{ ${e.items.map(unparse).join(", ")} }`;
    case "ad": return "[ ... ]";
    case "index": return `${inner(e.a)}[${unparse(e.at)}]`;
  }
}
const inner = (e: Expr, besides?: string): string => (e.type === "binary" && e.op !== besides || e.type === "if" ? `(${unparse(e)})` : unparse(e));
