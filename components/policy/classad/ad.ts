import { literal, parse, type Expr } from "./parse";
import { UNKNOWN, type Ad } from "./value";

/** How HTCondor's JSON writes what is no plain value. */
const EXPRESSION = /^\/Expr\(([^]*)\)\/$/;

/** The attributes of an ad in HTCondor's JSON as expressions. One that is no ClassAd value is left out. */
export function expressionTexts(json: Readonly<Record<string, unknown>>): Record<string, string> {
  const out: Record<string, string> = {};
  for (const [name, value] of Object.entries(json)) {
    const text = expressionText(value, 0);
    if (text !== undefined) out[name] = text;
  }
  return out;
}

function expressionText(value: unknown, depth: number): string | undefined {
  if (depth > 20) return undefined;
  if (typeof value === "boolean" || typeof value === "number") return String(value);
  if (typeof value === "string") return EXPRESSION.exec(value)?.[1] ?? quoted(value);
  if (value === null) return "undefined";
  if (Array.isArray(value)) {
    const items = value.map((v) => expressionText(v, depth + 1));
    return items.includes(undefined) ? undefined : `{ ${items.join(", ")} }`;
  }
  if (typeof value !== "object") return undefined;
  const attributes = Object.entries(value).map(([k, v]) => [k, expressionText(v, depth + 1)] as const);
  return attributes.some(([, v]) => v === undefined) ? undefined : `[ ${attributes.map(([k, v]) => `'${k}' = ${v}`).join("; ")} ]`;
}

/** ClassAds know fewer escapes than JSON: what is beyond ASCII stands for itself. */
const quoted = (text: string): string => `"${text.replace(/["\\]/g, "\\$&").replace(/\n/g, "\\n").replace(/\r/g, "\\r").replace(/\t/g, "\\t")}"`;

/**
 * An ad of expression texts by attribute; a text that cannot be read may have any value. `hidden` (lower case): attributes that it may have, but whose values are not to be relied on.
 */
export function adOfTexts(texts: Readonly<Record<string, string>>, open: boolean, hidden?: ReadonlySet<string>): Ad {
  const byName = new Map<string, string>();
  for (const [name, text] of Object.entries(texts)) byName.set(name.toLowerCase(), text);
  const read = new Map<string, Expr>();
  return {
    open, names: () => byName.keys(),
    get(name) {
      const lower = name.toLowerCase();
      const before = read.get(lower);
      if (before !== undefined) return before;
      const text = byName.get(lower);
      if (text === undefined) return hidden?.has(lower) === true ? literal(UNKNOWN) : undefined;
      const expr = readOr(text, literal(UNKNOWN));
      read.set(lower, expr);
      return expr;
    },
  };
}

/** The same texts come with every look: each is read once. */
const known = new Map<string, Expr>();
const MOST_KNOWN = 5_000, LONGEST_KNOWN = 4_096;

function readOr(text: string, otherwise: Expr): Expr {
  const before = known.get(text);
  if (before !== undefined) return before;
  let expr: Expr;
  try {
    expr = parse(text);
  } catch {
    expr = otherwise;
  }
  if (known.size >= MOST_KNOWN) known.clear();
  if (text.length <= LONGEST_KNOWN) known.set(text, expr);
  return expr;
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
