import { compare, identical } from "./evaluate";
import type { Expr } from "./parse";
import { matches } from "./regex";
import { boolean, ERROR, FALSE, integer, numeric, real, show, string, TRUE, truth, UNDEFINED, UNKNOWN, type Clock, type Value } from "./value";

/*
 * The functions that jobs use, as HTCondor 23.9.6 has them (test/unit/policy/classad/differential.json is its own word). What is not
 * here gives `unknown`: the job may run, and one worker will tell.
 */
type Strict = (args: readonly Value[], clock: Clock) => Value;

/** Evaluates a call. Unknown arguments give an unknown answer, except where the function decides without them. */
export function call(name: string, args: readonly Expr[], value: (e: Expr) => Value, clock: Clock): Value {
  if (name === "ifthenelse") return args.length === 3 ? choose(value(args[0]!), () => value(args[1]!), () => value(args[2]!)) : ERROR;
  const strict = Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name] : undefined;
  const values = args.map(value);
  if (strict === undefined || values.some(hides)) return UNKNOWN;
  return strict(values, clock);
}

const hides = (v: Value): boolean => v.kind === "unknown" || (v.kind === "list" && v.value.some(hides));

function choose(test: Value, then: () => Value, otherwise: () => Value): Value {
  if (test.kind === "undefined" || test.kind === "unknown") return test;
  const holds = truth(test);
  return holds === undefined ? ERROR : holds ? then() : otherwise();
}

const isKind = (...kinds: readonly Value["kind"][]): Strict => (a) => (a.length === 1 ? boolean(kinds.includes(a[0]!.kind)) : ERROR);

/** A number, also out of a text; undefined where there is none. */
function toNumber(v: Value | undefined): number | undefined {
  if (v === undefined) return undefined;
  if (v.kind !== "string") return numeric(v);
  return /^\s*[+-]?(?:\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+|0[xX][0-9a-fA-F]+)\s*$/.test(v.value) ? Number(v.value) : undefined;
}
const converted = (of: (n: number) => Value, fromUndefined: Value): Strict => (a) => {
  if (a.length !== 1) return ERROR;
  if (a[0]!.kind === "undefined") return fromUndefined;
  const n = toNumber(a[0]);
  return n === undefined ? ERROR : of(n);
};

/** As HTCondor writes a value into a text. */
function written(v: Value): string {
  if (v.kind === "string") return v.value;
  if (v.kind === "real") return v.value === 0 ? "0.0" : exponential(v.value);
  if (v.kind === "list") return `{ ${v.value.map((x) => (x.kind === "string" ? show(x) : written(x))).join(",")} }`;
  return show(v);
}
const exponential = (n: number): string => n.toExponential(15).replace(/e([+-])(\d)$/, "e$10$2").replace("e", "E");

/** Texts of all arguments, or why there are none. */
function texts(args: readonly Value[]): readonly string[] | Value {
  if (args.some((a) => a.kind === "error")) return ERROR;
  return args.some((a) => a.kind === "undefined") ? UNDEFINED : args.map(written);
}
const isValue = (t: readonly string[] | Value): t is Value => "kind" in t;
const ofTexts = (count: number, then: (t: readonly string[]) => Value): Strict => (a) => {
  if (a.length !== count) return ERROR;
  const t = texts(a);
  return "kind" in t ? t : then(t);
};

const items = (list: string, separators = " ,"): readonly string[] =>
  list.split(new RegExp(`[${separators.replace(/[\\\]^-]/g, "\\$&")}]`)).map((i) => i.trim()).filter((i) => i !== "");

/** Functions on a text that is a list: (item, list, separators) or (list, separators). */
const inList = (same: (a: string, b: string) => boolean): Strict => (a) => {
  const [item, list, separators] = a;
  if (item === undefined || list === undefined || a.length > 3) return ERROR;
  if (list.kind === "undefined" || item.kind === "undefined") return FALSE;
  if (item.kind !== "string" || list.kind !== "string") return ERROR;
  const by = separators?.kind === "string" ? separators.value : undefined;
  return boolean(items(list.value, by).some((i) => same(i, item.value)));
};
const ofList = (then: (list: readonly string[]) => Value): Strict => (a) => {
  const [list, separators] = a;
  if (list?.kind !== "string" || a.length > 2 || (separators !== undefined && separators.kind !== "string")) return ERROR;
  return then(items(list.value, separators?.kind === "string" ? separators.value : undefined));
};
const ofNumbers = (then: (n: readonly number[]) => number, empty: Value, wholeFirst = true): Strict => ofList((list) => {
  if (list.length === 0) return empty;
  const numbers = list.map((i) => toNumber(string(i)));
  if (numbers.some((n) => n === undefined)) return ERROR;
  const value = then(numbers as number[]);
  return wholeFirst && list.every((i) => !/[.eE]/.test(i)) ? integer(value) : real(value);
});
const twoLists = (then: (a: readonly string[], b: readonly string[]) => boolean): Strict => (a) => {
  const [x, y, separators] = a;
  if (x?.kind !== "string" || y?.kind !== "string" || a.length > 3) return ERROR;
  const by = separators?.kind === "string" ? separators.value : undefined;
  return boolean(then(items(x.value, by), items(y.value, by)));
};

/** Of a list of numbers; what is undefined is left out. */
const aggregate = (then: (n: readonly number[]) => number, empty: Value, alwaysReal = false): Strict => (a) => {
  if (a.length !== 1 || a[0]!.kind !== "list") return a[0]?.kind === "undefined" ? UNDEFINED : ERROR;
  const given = a[0]!.value.filter((v) => v.kind !== "undefined");
  if (given.length === 0) return empty;
  const numbers = given.map((v) => numeric(v));
  if (numbers.some((n) => n === undefined)) return ERROR;
  const value = then(numbers as number[]);
  return !alwaysReal && given.every((v) => v.kind !== "real") ? integer(value) : real(value);
};
const total = (n: readonly number[]): number => n.reduce((a, b) => a + b, 0);

/** Rounds up: to a multiple of a number, or to the first element of a list that is large enough, else to a multiple of the last. */
export function quantize(value: number, steps: readonly number[]): number {
  const step = steps.find((s) => s >= value) ?? steps[steps.length - 1];
  if (step === undefined || step === 0) return value;
  return step >= value ? step : Math.ceil(value / step) * step;
}
const quantized: Strict = ([value, by, ...more]) => {
  const n = value === undefined ? undefined : numeric(value);
  if (n === undefined || by === undefined || more.length > 0) return ERROR;
  if (by.kind === "list") {
    const steps = by.value.map(numeric);
    if (steps.some((s) => s === undefined)) return ERROR;
    return (value!.kind === "real" || by.value.some((s) => s.kind === "real") ? real : integer)(quantize(n, steps as number[]));
  }
  const step = numeric(by);
  if (step === undefined) return ERROR;
  return (value!.kind === "real" || by.kind === "real" ? real : integer)(step === 0 ? n : Math.ceil(n / step) * step);
};

/** Digits as numbers, everything else by character, as Debian and HTCondor order versions. */
export function versionOrder(a: string, b: string): number {
  const x = a.match(/\d+|\D/g) ?? [], y = b.match(/\d+|\D/g) ?? [];
  for (let i = 0; i < Math.max(x.length, y.length); i += 1) {
    const p = x[i], q = y[i];
    if (p === undefined || q === undefined) return p === undefined ? -1 : 1;
    if (p === q) continue;
    return /^\d/.test(p) && /^\d/.test(q) ? Number(p) - Number(q) : p < q ? -1 : 1;
  }
  return 0;
}
const version = (holds: (order: number) => boolean): Strict => ofTexts(2, ([a, b]) => boolean(holds(versionOrder(a!, b!))));

const found: Strict = (a) => {
  if (a.length < 2 || a.length > 3) return ERROR;
  if (a.some((v) => v.kind === "error")) return ERROR;
  if (a.some((v) => v.kind === "undefined")) return UNDEFINED;
  const [pattern, text, options] = a;
  if (pattern!.kind !== "string" || text!.kind !== "string" || (options !== undefined && options.kind !== "string")) return ERROR;
  const answer = matches(pattern!.value, text!.value, options?.kind === "string" ? options.value : "");
  return answer === undefined ? UNKNOWN : boolean(answer);
};
const foundInList: Strict = ([pattern, list, separators, options]) => {
  if (pattern?.kind !== "string" || list?.kind !== "string") return ERROR;
  const by = separators?.kind === "string" ? separators.value : undefined;
  const answers = items(list.value, by).map((i) => matches(pattern.value, i, options?.kind === "string" ? options.value : ""));
  return answers.includes(true) ? TRUE : answers.includes(undefined) ? UNKNOWN : FALSE;
};

const member = (same: (a: Value, b: Value) => Value): Strict => (a) => {
  const [item, list] = a;
  if (a.length !== 2) return ERROR;
  if (item!.kind === "error" || list!.kind === "error") return ERROR;
  if (list!.kind === "undefined") return UNDEFINED;
  if (list!.kind !== "list" || item!.kind === "list" || item!.kind === "ad") return ERROR;
  return boolean(list!.value.some((v) => same(v, item!) === TRUE));
};

const compared = (any: boolean): Strict => (a) => {
  const [op, list, value] = a;
  if (a.length !== 3 || op!.kind !== "string" || list!.kind !== "list") return ERROR;
  const holds = (v: Value): boolean => {
    if (/^(is|isnt|=\?=|=!=)$/i.test(op!.value as string)) return identical(v, value!) === /^(is|=\?=)$/i.test(op!.value as string);
    return compare(op!.value as "==", v, value!) === TRUE;
  };
  if (!/^(==|!=|<|<=|>|>=|is|isnt|=\?=|=!=)$/i.test(op!.value)) return ERROR;
  return boolean(any ? list!.value.some(holds) : list!.value.every(holds));
};

const substring: Strict = (a) => {
  const [text, from, length] = a;
  if (a.length < 2 || a.length > 3 || a.some((v) => v.kind === "error")) return ERROR;
  if (a.some((v) => v.kind === "undefined")) return UNDEFINED;
  if (text!.kind !== "string" || from!.kind !== "integer" || (length !== undefined && length.kind !== "integer")) return ERROR;
  const start = from!.value < 0 ? Math.max(0, text!.value.length + from!.value) : from!.value;
  const n = length === undefined ? Number.POSITIVE_INFINITY : (length.value as number);
  return string(n < 0 ? text!.value.slice(start, Math.max(start, text!.value.length + n)) : text!.value.slice(start, start + n));
};

const join: Strict = (a) => {
  if (a.some((v) => v.kind === "error")) return ERROR;
  const lists = a.some((v) => v.kind === "list");
  if (a.length === 1 && a[0]!.kind === "list") return string(a[0]!.value.filter((v) => v.kind !== "undefined").map(written).join(""));
  const [separator, ...rest] = a;
  if (separator === undefined) return string("");
  const parts = (lists ? rest.flatMap((v) => (v.kind === "list" ? v.value : [v])) : rest).filter((v) => v.kind !== "undefined");
  return string(parts.map(written).join(written(separator)));
};

const FUNCTIONS: Readonly<Record<string, Strict>> = {
  isundefined: isKind("undefined"), iserror: isKind("error"), isstring: isKind("string"), isinteger: isKind("integer"), isreal: isKind("real"),
  isboolean: isKind("boolean"), islist: isKind("list"), isclassad: isKind("ad"), isabstime: isKind(), isreltime: isKind(),
  int: converted(integer, UNDEFINED), real: converted(real, UNDEFINED),
  floor: converted((n) => integer(Math.floor(n)), ERROR), ceiling: converted((n) => integer(Math.ceil(n)), ERROR), ceil: converted((n) => integer(Math.ceil(n)), ERROR),
  // Halves go to the even neighbour, as the processor's own rounding does.
  round: converted((n) => integer(Math.abs(n % 1) === 0.5 ? 2 * Math.round(n / 2) : Math.round(n)), ERROR),
  bool: (a) => {
    const [v] = a;
    if (a.length !== 1 || v!.kind === "error") return ERROR;
    if (v!.kind === "string") return /^true$/i.test(v!.value) ? TRUE : /^false$/i.test(v!.value) ? FALSE : UNDEFINED;
    const holds = truth(v!);
    return v!.kind === "undefined" ? UNDEFINED : holds === undefined ? ERROR : boolean(holds);
  },
  string: ofTexts(1, ([t]) => string(t!)), strcat: (a) => {
    const t = texts(a);
    return isValue(t) ? t : string(t.join(""));
  },
  toupper: ofTexts(1, ([t]) => string(t!.toUpperCase())), tolower: ofTexts(1, ([t]) => string(t!.toLowerCase())),
  strcmp: ofTexts(2, ([a, b]) => integer(a! < b! ? -1 : a! > b! ? 1 : 0)),
  stricmp: ofTexts(2, ([a, b]) => integer(a!.toLowerCase() < b!.toLowerCase() ? -1 : a!.toLowerCase() > b!.toLowerCase() ? 1 : 0)),
  substr: substring, join,
  split: (a) => {
    const [text, separators] = a;
    if (text?.kind !== "string" || (separators !== undefined && separators.kind !== "string")) return text?.kind === "undefined" ? UNDEFINED : ERROR;
    return { kind: "list", value: splitKeepingEmpty(text.value, separators?.kind === "string" ? separators.value : undefined).map(string) };
  },
  splitusername: ofTexts(1, ([t]) => {
    const at = t!.lastIndexOf("@");
    return { kind: "list", value: (at < 0 ? [t!, ""] : [t!.slice(0, at), t!.slice(at + 1)]).map(string) };
  }),
  size: (a) => {
    const [v] = a;
    if (a.length !== 1) return ERROR;
    if (v!.kind === "string" || v!.kind === "list") return integer(v!.value.length);
    return v!.kind === "ad" ? integer([...v!.value.names()].length) : v!.kind === "undefined" ? UNDEFINED : ERROR;
  },
  member: (a, clock) => (a.length === 2 && a[0]!.kind === "undefined" ? UNDEFINED : member((x, y) => compare("==", x, y))(a, clock)),
  identicalmember: member((x, y) => boolean(identical(x, y) === true)),
  anycompare: compared(true), allcompare: compared(false),
  sum: aggregate(total, integer(0)), avg: (a, clock) => (a[0]?.kind === "list" && a[0].value.length === 0 ? integer(0) : aggregate((n) => total(n) / n.length, integer(0), true)(a, clock)),
  min: aggregate((n) => Math.min(...n), UNDEFINED), max: aggregate((n) => Math.max(...n), UNDEFINED),
  pow: (a) => {
    const x = toNumber(a[0]), y = toNumber(a[1]);
    if (a.length !== 2 || x === undefined || y === undefined) return ERROR;
    return a.every((v) => v.kind === "integer") && y >= 0 ? integer(x ** y) : real(x ** y);
  },
  quantize: quantized,
  time: (_, clock) => integer(clock.nowSeconds),
  regexp: found, stringlist_regexpmember: foundInList,
  stringlistmember: inList((a, b) => a === b), stringlistimember: inList((a, b) => a.toLowerCase() === b.toLowerCase()),
  stringlistsize: ofList((l) => integer(l.length)), stringlistsum: ofNumbers(total, real(0)), stringlistavg: ofNumbers((n) => total(n) / n.length, real(0)),
  stringlistmin: ofNumbers((n) => Math.min(...n), UNDEFINED), stringlistmax: ofNumbers((n) => Math.max(...n), UNDEFINED),
  stringlistsintersect: twoLists((a, b) => a.some((i) => b.includes(i))),
  stringlistsubsetmatch: twoLists((a, b) => a.every((i) => b.includes(i))),
  stringlistisubsetmatch: twoLists((a, b) => a.every((i) => b.some((j) => j.toLowerCase() === i.toLowerCase()))),
  versiongt: version((o) => o > 0), versionge: version((o) => o >= 0), versionlt: version((o) => o < 0), versionle: version((o) => o <= 0), versioneq: version((o) => o === 0),
  version_in_range: ofTexts(3, ([v, from, to]) => boolean(versionOrder(v!, from!) >= 0 && versionOrder(v!, to!) <= 0)),
};

function splitKeepingEmpty(text: string, separators = ","): readonly string[] {
  const by = [...new Set([...separators])].map((c) => c.replace(/[\\\]^-]/g, "\\$&")).join("");
  return text.trim() === "" ? [] : text.trim().split(separators === "," ? /\s*,\s*|\s+/ : new RegExp(`\\s*[${by}]\\s*`));
}
