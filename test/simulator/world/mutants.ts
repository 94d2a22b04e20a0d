/** One safety check, taken out of the compiled controller. */
export interface Mutant {
  /** Of `// guard: ...` beside the check, where it has one. */
  readonly guard: string;
  /** Below `dist/`. */
  readonly file: string;
  readonly find: string;
  readonly put: string;
  /** Other checks (by the key of their mutants) that would hold the promise too: they are taken out as well, and the stories pass still. */
  readonly without?: readonly string[];
  /** Stories of which at least one must fail. */
  readonly stories: readonly string[];
}

const act = "controller/act.js", merge = "controller/merge.js", remove = "controller/remove.js", loop = "controller/loop.js";
const policy = (name: string): string => `components/policy/${name}.js`;

/**
 * Where two checks hold the same promise, neither can be missed alone: `without` takes the others out first, shows that this one holds
 * the promise by itself, and then takes it out too.
 */
export const mutants: Readonly<Record<string, Mutant>> = {
  "repeat-at-once": {
    guard: "look before a repeat", file: act, find: "if (result.ambiguous)\n        memory.createGate", put: "if (false)\n        memory.createGate", stories: ["lost-answers", "every-call-lost-answers"],
  },
  "believe-empty-list": {
    guard: "an empty list is not believed", file: merge, find: "else if (!(w.saidGone", put: "else if (false && !(w.saidGone", stories: ["three-empty-lists"],
  },
  "believe-stopped": {
    guard: "a live ad beats the cloud's word", file: merge, find: "if (machine === undefined) { // guard", put: "if (machine === undefined || off !== undefined) { // guard", stories: ["no-substitute-for-a-word"],
  },
  "contradiction": {
    guard: "", file: merge, find: "contradicted: seen.heard !== undefined && seen.heard.atMs > seen.off.sinceMs", put: "contradicted: false",
    without: ["absent-looks", "asked-alone", "live-ad-last", "probe", "only-if-off"], stories: ["lasting-stopped", "lasting-failed"],
  },
  "absent-looks": {
    guard: "a live ad beats the cloud's word", file: policy("removal"), find: "w.off?.sure === true && w.absentLooks >= decision_1.SURE_LOOKS", put: "w.off?.sure === true",
    without: ["contradiction", "asked-alone", "live-ad-last", "probe", "only-if-off"], stories: ["lasting-stopped", "lasting-failed"],
  },
  "live-ad-last": {
    guard: "a live ad at the last moment", file: remove, find: "if (there.value.hasAd)", put: "if (false)",
    without: ["contradiction", "absent-looks", "asked-alone", "probe", "only-if-off"], stories: ["lasting-stopped", "lasting-failed"],
  },
  "probe": {
    guard: "the host itself is asked", file: remove, find: "return stays(answer === \"answers\"", put: "return true || stays(answer === \"answers\"",
    without: ["contradiction", "absent-looks", "asked-alone", "live-ad-last", "only-if-off"], stories: ["lasting-stopped", "lasting-failed"],
  },
  "only-if-off": {
    guard: "", file: remove, find: "onlyIfOff: onlyIfOff(basis)", put: "onlyIfOff: false",
    without: ["contradiction", "absent-looks", "asked-alone", "live-ad-last", "probe"], stories: ["lasting-stopped", "lasting-failed"],
  },
  "asked-alone": {
    guard: "asked alone", file: remove, find: "if (!OFF.has(status.value))", put: "if (false)", without: ["only-if-off"], stories: ["cut-off-and-called-off"],
  },
  "unknown-is-idle": {
    guard: "unknown is never idle", file: remove, find: "if (!there.known)\n        return stays(", put: "if (!there.known)\n        return true || stays(",
    without: ["jobs-when-judged"], stories: ["cut-off-and-queue-slow"],
  },
  "jobs-at-last": {
    guard: "jobs are asked about", file: remove, find: "else if (there.value.jobs > 0 || there.value.claims > 0)", put: "else if (false)", without: ["jobs-when-judged"], stories: ["cut-off-and-queue-slow", "cut-off-and-healed"],
  },
  "jobs-when-judged": {
    guard: "whoever runs a job stays", file: policy("removal"), find: "|| w.jobs > 0 ||", put: "||", without: ["jobs-at-last"], stories: ["cut-off-and-queue-slow", "cut-off-and-healed"],
  },
  "jobs-when-continued": {
    guard: "whoever runs a job stays", file: remove, find: "if (w.jobs > 0 && seen.removing !== \"now\"", put: "if (false && seen.removing !== \"now\"", stories: ["accepted-and-not-begun"],
  },
  "gate": {
    guard: "the gate", file: remove, find: "if (d.basis === \"not-admitted\" && !shut)", put: "if (false)", stories: ["joins-at-the-last-moment"],
  },
  "drained-asked-anew": {
    guard: "drained is asked anew", file: remove, find: "return answer === \"refusedBusy\" || answer === \"notNow\" ?", put: "return true ? true :", without: [], stories: ["put-back-by-hand"],
  },
  "collector-asked-anew": {
    guard: "the collector is asked anew", file: remove, find: "return answer === \"notThere\" ||", put: "return true ||", stories: ["joins-at-the-last-moment"],
  },
  "canary": {
    guard: "canary first", file: policy("renewal"), find: "if (mine.length > 0 && !fresh.some(decision_1.isWorking))", put: "if (false)", stories: ["rolling-update", "canary-does-not-join"],
  },
  "every-server-counts": {
    guard: "every server there is counts towards the maximum", file: policy("scaling"), find: "const room = limits.max - i.workers.length;",
    put: "const room = limits.max - i.workers.filter((w) => w.phase !== \"removing\" && w.phase !== \"drained\").length;", stories: ["up-and-down", "joins-at-the-last-moment"],
  },
  "joining-is-capacity": {
    guard: "what never joined is no capacity", file: policy("victims"), find: "const beyond = working.length - limits.min;", put: "const beyond = staying.length - limits.min;", stories: ["last-healthy-never-joins"],
  },
  "blind": {
    guard: "", file: policy("scaling"), find: "if (i.queueUnknown !== undefined)\n        return blind(", put: "if (false)\n        return blind(", stories: ["day-without-queue", "m10-restart-without-queue"],
  },
  "cloud-unknown": {
    guard: "", file: policy("scaling"), find: "if (i.poolUnknown !== undefined)\n        return [", put: "if (false)\n        return [", stories: ["day-without-cloud"],
  },
  "half-list-is-whole": {
    guard: "", file: policy("scaling"), find: "if (i.poolPartial !== undefined)", put: "if (false)", without: ["believe-empty-list"], stories: ["half-lists"],
  },
  "take-over": {
    guard: "", file: loop, find: "this.takeOver();", put: "", stories: ["every-call", "every-call-lost-answers"],
  },
  "no-breaker": {
    guard: "", file: policy("scaling"), find: "if (n > 0 && untilMs > i.nowMs)", put: "if (false)", stories: ["black-hole-never-joins", "black-hole-fails"],
  },
  "no-cooldown": {
    guard: "", file: policy("victims"), find: "if (quiet > 0)", put: "if (false)", stories: ["oscillating"],
  },
  "fence-later": {
    guard: "", file: policy("victims"), find: "kind: \"ifIdle\", reason: decision_1.REASON_SCALE_IN, why: `idle for", put: "kind: \"drain\", reason: decision_1.REASON_SCALE_IN, why: `idle for", stories: ["scale-down"],
  },
};
