import { expect } from "chai";
import fc from "fast-check";
import { adOfTexts, unparse } from "../../../../components/policy/classad/ad";
import { evaluate } from "../../../../components/policy/classad/evaluate";
import { parse } from "../../../../components/policy/classad/parse";
import { matches } from "../../../../components/policy/classad/regex";
import type { Value } from "../../../../components/policy/classad/value";

const literal = fc.constantFrom("undefined", "error", "true", "false", "0", "1", "2", "2.5", '"a"', '"A"', '"1"', '"a,b"', "{ 1, 2 }");
const { expr } = fc.letrec<{ expr: string }>((tie) => {
  const e = tie("expr");
  const operator = fc.constantFrom("&&", "||", "==", "!=", "=?=", "=!=", "<", ">=", "+", "-", "*", "/", "%", "|", "<<");
  const one = fc.constantFrom("isUndefined", "isError", "isString", "int", "real", "size", "toUpper", "stringListSize", "bool", "round", "sum", "split");
  const two = fc.constantFrom("member", "stringListMember", "strcat", "pow", "versionGE", "regexp", "quantize", "identicalMember", "stringListIMember");
  return {
    expr: fc.oneof({ maxDepth: 4, depthSize: "small" },
      literal, fc.constantFrom("TARGET.a", "TARGET.b", "a", "b", "MY.c", "c", "TARGET.c"),
      fc.tuple(e, operator, e).map(([x, op, y]) => `(${x} ${op} ${y})`), e.map((x) => `!(${x})`), e.map((x) => `-(${x})`),
      fc.tuple(e, e, e).map(([x, y, z]) => `(${x} ? ${y} : ${z})`), fc.tuple(e, e, e).map(([x, y, z]) => `ifThenElse(${x}, ${y}, ${z})`), fc.tuple(e, e).map(([x, y]) => `(${x} ?: ${y})`),
      fc.tuple(one, e).map(([f, x]) => `${f}(${x})`), fc.tuple(two, e, e).map(([f, x, y]) => `${f}(${x}, ${y})`), fc.tuple(e, e).map(([x, y]) => `{ ${x}, ${y} }`),
      fc.tuple(e, e).map(([x, y]) => `{ ${x} }[${y}]`),
    ),
  };
});
const written = (v: Value): unknown => (v.kind === "list" ? v.value.map(written) : v.kind === "ad" ? "ad" : "value" in v ? [v.kind, v.value] : v.kind);
const isOpen = (v: Value): boolean => v.kind === "unknown" || (v.kind === "list" && v.value.some(isOpen));
const valueOf = (text: string, target: Record<string, string>, open: boolean): Value => evaluate(parse(text), { my: adOfTexts({ c: "1" }, false), target: adOfTexts(target, open), nowSeconds: 1 });

describe("what is not known of a worker", () => {
  it("never decides: whatever it turns out to be, the answer stands", () => {
    fc.assert(fc.property(expr, fc.option(literal), fc.option(literal), (text, a, b) => {
      if (/&&|\|\|/.test(text)) return; // below
      const before = valueOf(text, {}, true);
      if (isOpen(before)) return;
      const later = valueOf(text, { ...(a === null ? {} : { a }), ...(b === null ? {} : { b }) }, false);
      expect(written(later), `${text} with a = ${a}, b = ${b}`).to.deep.equal(written(before));
    }), { numRuns: 2_000 });
  });
  // HTCondor makes an error of "text" || true; a part that holds whatever else does is believed to hold all the same.
  it("leaves it to the other side of && and || where that decides, whatever truth it turns out to be", () => {
    const sides = ["true", "false", "undefined", "0", "1"];
    for (const op of ["&&", "||"]) for (const known of sides) for (const text of [`TARGET.a ${op} ${known}`, `${known} ${op} TARGET.a`]) {
      const before = valueOf(text, {}, true);
      const later = sides.map((a) => written(valueOf(text, { a }, false)));
      if (!isOpen(before)) for (const l of later) expect(l, text).to.deep.equal(written(before));
      else expect(new Set(later.map((l) => JSON.stringify(l))).size, `${text} could be known`).to.be.above(1);
    }
  });
  it("leaves nothing open once all is known", () => {
    fc.assert(fc.property(expr, literal, literal, (text, a, b) => {
      if (/regexp/.test(text)) return;
      expect(isOpen(valueOf(text, { a, b }, false)), text).to.equal(false);
    }), { numRuns: 1_000 });
  });
  it("reads its own writing", () => {
    fc.assert(fc.property(expr, literal, (text, a) => {
      expect(written(valueOf(unparse(parse(text)), { a }, false)), text).to.deep.equal(written(valueOf(text, { a }, false)));
    }), { numRuns: 1_000 });
  });
});

describe("regular expressions without backtracking", () => {
  const piece = fc.constantFrom("a", "b", ".", "[ab]", "[^a]", "\\d", "\\w", "a*", "b+", "(ab)?", "(a|b)*", "a{1,2}", "(?:b|c){2}", "^", "$", "\\.", "\\b");
  it("find what the language's own engine finds", () => {
    fc.assert(fc.property(fc.array(piece, { minLength: 1, maxLength: 6 }), fc.stringMatching(/^[abc1. ]{0,12}$/), fc.constantFrom("", "i"), (pieces, text, options) => {
      const pattern = pieces.join("");
      expect(matches(pattern, text, options), pattern).to.equal(new RegExp(pattern, options).test(text));
    }), { numRuns: 2_000 });
  });
  for (const pattern of ["(?=a)b", "(a)\\1", "a++", "[[:alpha:]]", "(", "a{9999}b{9999}"]) it(`leave ${pattern} open`, () => expect(matches(pattern, "aab")).to.equal(undefined));
});
