import { MOST_WINDOW_SECONDS, TRACKABLE } from "../policy/alarm-rules";
import { valueAt } from "./problems";

/** Says what is wrong at a path. */
export type Complain = (path: PropertyKey[], rule: string, fix: string) => void;
/** The raw value at a path, or its default. */
export type At = (...path: PropertyKey[]) => unknown;

const isMap = (v: unknown): v is Readonly<Record<string, unknown>> => typeof v === "object" && v !== null && !Array.isArray(v);
const numberIn = (v: unknown, key: string): number | undefined => {
  const found = valueAt(v, [key]);
  return typeof found === "number" ? found : undefined;
};

/** Worker types against one another and against the group. */
export function typeProblems(at: At, complain: Complain): void {
  const max = at("workers", "max");
  const types = at("workers", "types");
  if (!isMap(types)) return;
  const labelled = new Map<string, { readonly type: string; readonly kind: string }>();
  for (const [name, type] of Object.entries(types)) {
    const most = numberIn(type, "max");
    if (most !== undefined && typeof max === "number" && most > max) complain(["workers", "types", name, "max"], `must not be larger than workers.max (${max}), which is for all types together`, `set it to ${max} or less, or raise workers.max`);
    if (valueAt(type, ["image", "name"]) !== undefined && valueAt(type, ["image", "uuid"]) !== undefined) complain(["workers", "types", name, "image", "uuid"], "cannot stand beside its image.name", "keep one of the two");
  }
  const settings = new Set(Object.keys((at("condor", "settings") as object | undefined) ?? {}).map((k) => k.toLowerCase()));
  // An attribute that is a text here and a number there: whoever requires it compares apples and pears, and HTCondor calls that undefined.
  for (const [name, labels] of [["", at("workers", "labels")] as const, ...Object.entries(types).map(([n, t]) => [n, valueAt(t, ["labels"])] as const)]) {
    if (!isMap(labels)) continue;
    for (const [label, value] of Object.entries(labels)) {
      if (settings.has(label.toLowerCase())) complain([...(name === "" ? ["workers"] : ["workers", "types", name]), "labels", label], "is a name in condor.settings too, which would go before it", "choose another name for one of them");
      const first = labelled.get(label.toLowerCase());
      if (first === undefined) labelled.set(label.toLowerCase(), { type: name === "" ? "workers" : `workers.types.${name}`, kind: typeof value });
      else if (first.kind !== typeof value) complain([...(name === "" ? ["workers"] : ["workers", "types", name]), "labels", label], `is ${WORDS[typeof value] ?? typeof value}, but ${WORDS[first.kind] ?? first.kind} in ${first.type}: no requirement can ask for both`, "write both in the same way");
    }
  }
}

const WORDS: Readonly<Record<string, string>> = { string: "text", number: "a number", boolean: "true or false" };

/** Rules that can never act, or never come to rest. */
export function ruleProblems(at: At, complain: Complain): void {
  const rules = at("alarms", "rules");
  if (!Array.isArray(rules)) return;
  const interval = at("scaling", "intervalSeconds");
  const max = at("workers", "max");
  const names = new Map<string, number>();
  rules.forEach((rule: unknown, i) => {
    const here = (...path: PropertyKey[]): PropertyKey[] => ["alarms", "rules", i, ...path];
    const field = (key: string): unknown => valueAt(rule, [key]);
    const has = (key: string): boolean => field(key) !== undefined;
    const { metric, name, above, below, step, target, period, periods } = {
      metric: field("metric"), name: field("name"), above: numberIn(rule, "above"), below: numberIn(rule, "below"), step: numberIn(rule, "step"), target: numberIn(rule, "target"),
      period: numberIn(rule, "periodSeconds") ?? 60, periods: numberIn(rule, "evaluationPeriods") ?? 1,
    };
    if (typeof name === "string") {
      const first = names.get(name);
      if (first !== undefined) complain(here("name"), `is the name of alarms.rules[${first}] too`, "give each rule its own name");
      else names.set(name, i);
    }
    const kinds = ["above", "below", "target"].filter(has);
    if (kinds.length !== 1) complain(here(), kinds.length === 0 ? "has neither above nor below nor target" : `has ${kinds.join(" and ")}`, "set exactly one of above, below and target");
    if (has("target") && has("step")) complain(here("step"), "cannot stand beside target, which says itself how many workers it takes", "leave it out");
    if (!has("target") && kinds.length > 0 && !has("step")) complain(here("step"), "is missing", "set the number of workers to add, or with a minus to take away");
    if (step === 0) complain(here("step"), "does nothing", "set the number of workers to add, or with a minus to take away");
    if (typeof metric === "string" && has("target") && !TRACKABLE.has(metric)) complain(here("target"), `cannot be reached: more workers do not bring ${metric} to a level`, `use above or below with a step, or a metric of ${[...TRACKABLE].join(", ")}`);
    for (const [key, value] of [["above", above], ["below", below], ["target", target]] as const) {
      if (value === undefined) continue;
      if (value < 0 || (key === "below" && value === 0)) complain(here(key), "can never be the case: no metric is less than 0", `set ${key === "below" ? "more than 0" : "0 or more"}`);
      if (metric === "cpuPercent" && (value > 100 || (key === "above" && value === 100))) complain(here(key), "can never be the case: cpuPercent is 100 at most", "set less than 100");
      if (metric === "workers" && key === "above" && typeof max === "number" && value >= max) complain(here(key), `can never be the case: workers.max is ${max}`, `set less than ${max}, or raise workers.max`);
    }
    if (typeof interval === "number" && period < interval) complain(here("periodSeconds"), `is shorter than scaling.intervalSeconds (${interval}): a period without a look has no value`, `set ${interval} or more, or lower scaling.intervalSeconds`);
    if (period * periods > MOST_WINDOW_SECONDS) complain(here("evaluationPeriods"), `times periodSeconds (${period}) makes more than a day, which is as far as the controller looks back`, `set ${Math.max(1, Math.floor(MOST_WINDOW_SECONDS / period))} or less`);
  });
  swinging(rules, complain);
}

/** Of the same metric one adds while another takes away. */
function swinging(rules: readonly unknown[], complain: Complain): void {
  const parts = rules.map((r) => ({ metric: valueAt(r, ["metric"]), name: valueAt(r, ["name"]), above: numberIn(r, "above"), below: numberIn(r, "below"), step: numberIn(r, "step") ?? 0 }));
  parts.forEach((r, i) => {
    const against = parts.find((o, j) => j < i && o.metric === r.metric && o.step * r.step < 0 && together(o, r));
    if (against !== undefined) complain(["alarms", "rules", i], `acts against ${String(against.name)} at the same ${String(r.metric)}, or the group swings`, "let the one begin where the other has ended");
  });
}

interface Range {
  readonly above?: number;
  readonly below?: number;
}
/** Whether some value is within both. */
const together = (a: Range, b: Range): boolean => Math.max(a.above ?? -Infinity, b.above ?? -Infinity) < Math.min(a.below ?? Infinity, b.below ?? Infinity);

/** More room to be kept free than the whole group can have. */
export function scalingProblems(at: At, complain: Complain): void {
  const spare = at("scaling", "spareSlots"), max = at("workers", "max");
  if (typeof spare !== "number" || typeof max !== "number" || spare === 0) return;
  const types = at("workers", "types");
  const cores = [at("workers", "vcpus"), ...(isMap(types) ? Object.values(types).map((t) => valueAt(t, ["vcpus"])) : [])].filter((v) => typeof v === "number");
  const most = max * Math.max(...cores, 0);
  if (cores.length > 0 && spare > most) complain(["scaling", "spareSlots"], `is more than workers.max workers have (${most})`, `set it to ${most} or less, or raise workers.max`);
}
