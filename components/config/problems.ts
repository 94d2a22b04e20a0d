import type { z } from "zod";
import type { Problem } from "../errors";
import { nearest } from "../policy/names";
import { keysAt, metaAt } from "./schema-walk";

type Issue = z.core.$ZodIssue;

/** Turns zod's issues into problems for people: path, value, rule, fix. */
export function schemaProblems(issues: readonly Issue[], raw: unknown, root: string): Problem[] {
  return issues.flatMap((issue) => {
    const path = pathText(root, issue.path);
    if (issue.code === "unrecognized_keys") return issue.keys.map((key) => unknownKey(path, key, keysAt(issue.path)));
    if (issue.code === "invalid_key") {
      const [rule, fix] = ruleAndFix(issue.issues[0]?.message ?? "");
      return [{ path, rule, fix }];
    }
    const found = valueAt(raw, issue.path);
    if (issue.code === "invalid_type") return [wrongType(path, found, issue.expected, metaAt(issue.path).unit === "size")];
    if (issue.code === "invalid_union") return [{ path, value: show(found), rule: "must be text, a number, true or false", fix: "write one value" }];
    if (issue.code === "invalid_value") {
      const wanted = issue.values.map(String);
      const near = typeof found === "string" ? nearest(found, wanted) : undefined;
      return [{ path, value: show(found), rule: `must be one of ${wanted.join(", ")}`, fix: `write ${near ?? wanted[0]}` }];
    }
    const [rule, fix] = ruleAndFix(issue.message);
    return [{ path, value: show(found), rule, fix }];
  });
}

export const pathText = (root: string, path: readonly PropertyKey[]): string =>
  path.reduce<string>((text, step) => (typeof step === "number" ? `${text}[${step}]` : `${text}.${String(step)}`), root);

export function valueAt(raw: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((at, step) => (typeof at === "object" && at !== null ? (at as Record<PropertyKey, unknown>)[step] : undefined), raw);
}

/** A value as a person wrote it, cut to a readable length. */
export function show(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

function unknownKey(path: string, key: string, known: readonly string[]): Problem {
  const near = nearest(key, known);
  const fix = near === undefined ? `remove it; known here: ${known.join(", ")}` : `did you mean ${near}?`;
  return { path: `${path}.${key}`, rule: "is not a known key", fix };
}

const articles: Record<string, string> = { object: "an object (key: value)", array: "a list", string: "text", number: "a number", int: "a whole number", boolean: "true or false", record: "an object (key: value)" };

function wrongType(path: string, found: unknown, expected: string, isSize: boolean): Problem {
  const wanted = articles[expected] ?? expected;
  if (found === undefined) return { path, rule: "is missing", fix: `set it to ${wanted}` };
  const hint =
    expected === "string" && typeof found === "number" ? (isSize ? `write it with its unit, such as "${found} MiB"` : `write it in quotes: "${found}"`)
    : expected === "number" && typeof found === "string" && found.trim() !== "" && Number.isFinite(Number(found)) ? `write ${Number(found)} without quotes`
    : `write ${wanted}`;
  return { path, value: show(found), rule: `must be ${wanted}`, fix: hint };
}

function ruleAndFix(message: string): [string, string] {
  const cut = message.indexOf("; ");
  return cut < 0 ? [message, "see docs/configuration.md"] : [message.slice(0, cut), message.slice(cut + 2)];
}
