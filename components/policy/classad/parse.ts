import { ERROR, FALSE, integer, real, string, TRUE, UNDEFINED, type Value } from "./value";

export type BinaryOperator = "||" | "&&" | "|" | "^" | "&" | "==" | "!=" | "=?=" | "=!=" | "<" | ">" | "<=" | ">=" | "<<" | ">>" | ">>>" | "+" | "-" | "*" | "/" | "%";

export type Expr =
  | { readonly type: "literal"; readonly value: Value }
  /** `of` is what stands before the dot; `root` is the leading dot. */
  | { readonly type: "attribute"; readonly name: string; readonly of?: Expr; readonly root?: boolean }
  | { readonly type: "unary"; readonly op: "!" | "-" | "+" | "~"; readonly a: Expr }
  | { readonly type: "binary"; readonly op: BinaryOperator; readonly a: Expr; readonly b: Expr }
  /** Without `then` it is `a ?: b`: a, unless that is undefined. */
  | { readonly type: "if"; readonly test: Expr; readonly then?: Expr; readonly otherwise: Expr }
  | { readonly type: "call"; readonly name: string; readonly args: readonly Expr[] }
  | { readonly type: "list"; readonly items: readonly Expr[] }
  | { readonly type: "ad"; readonly attributes: ReadonlyMap<string, Expr> }
  | { readonly type: "index"; readonly a: Expr; readonly at: Expr };

export class ClassAdSyntaxError extends Error {}

/** Longer than any expression somebody wrote; a list of 10,000 machine names has 250 kB. */
export const MOST_TEXT = 512 * 1024;
/** HTCondor's own limit of recursion when it evaluates is 400. */
export const MOST_DEPTH = 200;

const LEVELS: readonly (readonly string[])[] = [
  ["||"], ["&&"], ["|"], ["^"], ["&"], ["==", "!=", "=?=", "=!=", "is", "isnt"], ["<", ">", "<=", ">="], ["<<", ">>", ">>>"], ["+", "-"], ["*", "/", "%"],
];
const TOKEN = new RegExp(
  [
    String.raw`(?<space>(?:[ \t\r\n\f\v]+|//[^\n]*|/\*[^]*?\*/)+)`,
    String.raw`(?<number>(?:(?!0\d)\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?)(?![A-Za-z0-9_.])`,
    String.raw`(?<name>[A-Za-z_][A-Za-z0-9_]*)`,
    String.raw`"(?<text>(?:[^"\\]|\\[^])*)"`,
    String.raw`'(?<quoted>(?:[^'\\]|\\[^])*)'`,
    String.raw`(?<op>=\?=|=!=|>>>|\?:|\|\||&&|==|!=|<=|>=|<<|>>|[-+*/%!~<>|^&?:.,;=(){}[\]])`,
  ].join("|"), "y",
);

type Token = { readonly kind: "number" | "name" | "text" | "quoted" | "op" | "end"; readonly text: string; readonly at: number };

/** Reads one expression of ClassAds. Throws a ClassAdSyntaxError that says where. */
export function parse(text: string): Expr {
  if (text.length > MOST_TEXT) throw new ClassAdSyntaxError(`an expression of ${text.length} characters, at most ${MOST_TEXT} are read`);
  const reader = new Reader(text);
  const expr = reader.expression(0);
  reader.expect("end", "");
  return expr;
}

class Reader {
  private at = 0;
  private token: Token;

  constructor(private readonly text: string) {
    this.token = this.scan();
  }

  private scan(): Token {
    for (;;) {
      const at = this.at;
      if (at >= this.text.length) return { kind: "end", text: "", at };
      TOKEN.lastIndex = at;
      const groups = TOKEN.exec(this.text)?.groups;
      if (groups === undefined) throw new ClassAdSyntaxError(`unreadable at character ${at + 1}: ${this.text.slice(at, at + 20)}`);
      this.at = TOKEN.lastIndex;
      if (groups["space"] !== undefined) continue;
      for (const kind of ["number", "name", "text", "quoted", "op"] as const) {
        const found = groups[kind];
        if (found !== undefined) return { kind, text: found, at };
      }
    }
  }

  private next(): Token {
    const token = this.token;
    this.token = this.scan();
    return token;
  }

  private take(op: string): boolean {
    if (this.token.kind !== "op" || this.token.text !== op) return false;
    this.next();
    return true;
  }

  expect(kind: Token["kind"], text: string): void {
    if (this.token.kind !== kind || this.token.text !== text) {
      const found = this.token.kind === "end" ? "the text ends" : `"${this.token.text.slice(0, 20)}"`;
      throw new ClassAdSyntaxError(`${kind === "end" ? "the end" : `"${text}"`} was expected at character ${this.token.at + 1}, but there is ${found}`);
    }
    this.next();
  }

  expression(depth: number): Expr {
    if (depth > MOST_DEPTH) throw new ClassAdSyntaxError(`nested deeper than ${MOST_DEPTH}`);
    const test = this.binary(0, depth + 1);
    if (this.take("?:")) return { type: "if", test, otherwise: this.expression(depth + 1) };
    if (!this.take("?")) return test;
    if (this.take(":")) return { type: "if", test, otherwise: this.expression(depth + 1) };
    const then = this.expression(depth + 1);
    this.expect("op", ":");
    return { type: "if", test, then, otherwise: this.expression(depth + 1) };
  }

  /** One level of operators, all of which group to the left: a long chain is a loop here, not a recursion. */
  private binary(level: number, depth: number): Expr {
    const ops = LEVELS[level];
    if (ops === undefined) return this.unary(depth);
    let a = this.binary(level + 1, depth);
    for (let links = 0; ; links += 1) {
      const { kind, text } = this.token;
      const op = kind === "name" ? text.toLowerCase() : text;
      if ((kind !== "op" && op !== "is" && op !== "isnt") || kind === "text" || !ops.includes(op)) return a;
      if (links > 20_000) throw new ClassAdSyntaxError("a chain of more than 20000 operators");
      this.next();
      a = { type: "binary", op: (op === "is" ? "=?=" : op === "isnt" ? "=!=" : op) as BinaryOperator, a, b: this.binary(level + 1, depth) };
    }
  }

  private unary(depth: number): Expr {
    if (depth > MOST_DEPTH) throw new ClassAdSyntaxError(`nested deeper than ${MOST_DEPTH}`);
    for (const op of ["!", "-", "+", "~"] as const) if (this.take(op)) return { type: "unary", op, a: this.unary(depth + 1) };
    let expr = this.primary(depth);
    for (let links = 0; ; links += 1) {
      if (links > MOST_DEPTH) throw new ClassAdSyntaxError(`nested deeper than ${MOST_DEPTH}`);
      if (this.take(".")) expr = { type: "attribute", name: this.name(), of: expr };
      else if (this.take("[")) {
        expr = { type: "index", a: expr, at: this.expression(depth + 1) };
        this.expect("op", "]");
      } else return expr;
    }
  }

  private name(): string {
    const token = this.next();
    if (token.kind === "name") return token.text;
    if (token.kind === "quoted") return unescape(token.text);
    throw new ClassAdSyntaxError(`a name was expected at character ${token.at + 1}`);
  }

  private primary(depth: number): Expr {
    const token = this.next();
    switch (token.kind) {
      case "number": return literal(number(token));
      case "text": return literal(string(unescape(token.text)));
      case "quoted": return { type: "attribute", name: unescape(token.text) };
      case "name": return this.take("(") ? { type: "call", name: token.text.toLowerCase(), args: this.items(")", depth) } : word(token.text);
      case "op":
        if (token.text === "(") {
          const inner = this.expression(depth + 1);
          this.expect("op", ")");
          return inner;
        }
        if (token.text === "{") return { type: "list", items: this.items("}", depth) };
        if (token.text === "[") return this.ad(depth);
        if (token.text === ".") return { type: "attribute", name: this.name(), root: true };
    }
    throw new ClassAdSyntaxError(token.kind === "end" ? "the text ends too early" : `"${token.text}" at character ${token.at + 1} is out of place`);
  }

  private items(close: string, depth: number): readonly Expr[] {
    const items: Expr[] = [];
    if (this.take(close)) return items;
    do items.push(this.expression(depth + 1)); while (this.take(","));
    this.expect("op", close);
    return items;
  }

  private ad(depth: number): Expr {
    const attributes = new Map<string, Expr>();
    while (!this.take("]")) {
      const name = this.name();
      this.expect("op", "=");
      attributes.set(name.toLowerCase(), this.expression(depth + 1));
      if (!this.take(";")) {
        this.expect("op", "]");
        break;
      }
    }
    return { type: "ad", attributes };
  }
}

export const literal = (value: Value): Expr => ({ type: "literal", value });
const WORDS: Readonly<Record<string, Value>> = { true: TRUE, false: FALSE, undefined: UNDEFINED, error: ERROR };
function word(text: string): Expr {
  const lower = text.toLowerCase();
  return Object.hasOwn(WORDS, lower) ? literal(WORDS[lower]!) : { type: "attribute", name: text };
}

const number = ({ text }: Token): Value => (/^\d+$/.test(text) ? integer(Number(text)) : real(Number(text)));

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", b: "\b", f: "\f" };
const unescape = (text: string): string =>
  text.replace(/\\([0-3]?[0-7]{1,2}|[^])/g, (_, c: string) => (/^[0-7]/.test(c) ? String.fromCharCode(Number.parseInt(c, 8)) : (ESCAPES[c] ?? c)));
