/** One safety check, taken out of the compiled controller. */
export interface Mutant {
  /** Of `// guard: ...` beside the check, where it has one. */
  readonly guard?: string;
  /** Below `dist/`. */
  readonly file: string;
  /** Must match just once. */
  readonly find: RegExp;
  readonly put: string;
  /** Other checks (by the key of their mutants) that would hold the promise too: they are taken out as well, and the stories pass still. */
  readonly without?: readonly string[];
  /** Stories of which at least one must fail. */
  readonly stories: readonly string[];
  /** Worlds that are shown to it. @default 60 */
  readonly seeds?: number;
}

const act = "controller/act.js",
  merge = "controller/merge.js",
  remove = "controller/remove.js",
  loop = "controller/loop.js";
const policy = (name: string): string => `components/policy/${name}.js`;

/** Whoever lives although the cloud says for minutes that it is off is protected seven times. */
const OFF_CHAIN = ["contradiction", "absent-looks", "asked-alone", "live-ad-last", "probe", "only-if-off", "collector-asked-anew"];
const alone = (key: string): Pick<Mutant, "without" | "stories" | "seeds"> => ({
  without: OFF_CHAIN.filter((k) => k !== key),
  stories: ["lasting-stopped", "lasting-failed"],
  seeds: 12,
});

/**
 * Where two checks hold the same promise, neither can be missed alone: `without` takes the others out first, shows that this one holds
 * the promise by itself, and then takes it out too.
 */
export const mutants: Readonly<Record<string, Mutant>> = {
  "repeat-at-once": {
    guard: "look before a repeat",
    file: act,
    find: /if \(result\.ambiguous\)(?=\s+memory\.createGate)/,
    put: "if (false)",
    without: ["looks-once"],
    stories: ["lost-answers", "every-call-lost-answers"],
  },
  "looks-once": {
    guard: "a new controller looks twice",
    file: loop,
    find: /const unsure = this\.memory\.listsToSee > 0/,
    put: "const unsure = false",
    stories: ["wakes-up-blind"],
  },
  "take-over": {
    file: loop,
    find: /this\.takeOver\(\);/,
    put: "",
    without: ["looks-once"],
    stories: ["every-call-late-lists"],
    seeds: 140,
  },
  "believe-empty-list": {
    guard: "an empty list is not believed",
    file: merge,
    find: /else if \(!\(w\.saidGone/,
    put: "else if (false && !(w.saidGone",
    stories: ["three-empty-lists"],
  },
  "believe-stopped": {
    guard: "a live ad beats the cloud's word",
    file: merge,
    find: /if \(machine === undefined\) (?=\{ \/\/ guard)/,
    put: "if (machine === undefined || off !== undefined) ",
    stories: ["no-substitute-for-a-word"],
  },
  contradiction: {
    file: merge,
    find: /contradicted: seen\.heard !== undefined && seen\.heard\.atMs > seen\.off\.sinceMs/,
    put: "contradicted: false",
    ...alone("contradiction"),
  },
  "absent-looks": {
    guard: "a live ad beats the cloud's word",
    file: policy("removal"),
    find: /w\.off\?\.sure === true && unheard && w\.absentLooks >= \w+\.SURE_LOOKS/,
    put: "w.off?.sure === true",
    ...alone("absent-looks"),
  },
  "live-ad-last": {
    guard: "a live ad at the last moment",
    file: remove,
    find: /if \(there\.value\.hasAd\)/,
    put: "if (false)",
    ...alone("live-ad-last"),
  },
  probe: {
    guard: "the host itself is asked",
    file: remove,
    find: /return answer === "answers" \?/,
    put: 'return undefined; return answer === "answers" ?',
    ...alone("probe"),
  },
  "only-if-off": { file: remove, find: /onlyIfOff: onlyIfOff\(basis\)/, put: "onlyIfOff: false", ...alone("only-if-off") },
  "asked-alone": {
    guard: "asked alone",
    file: remove,
    find: /if \(!OFF\.has\(status\.value\)\)/,
    put: "if (false)",
    without: ["only-if-off"],
    stories: ["cut-off-and-called-off"],
  },
  "unknown-is-idle": {
    guard: "unknown is never idle",
    file: remove,
    find: /if \(!there\.known\)(?=\s+return says)/,
    put: 'if (!there.known) return "goes"; if (false)',
    without: ["jobs-when-judged"],
    stories: ["cut-off-and-queue-slow"],
  },
  "jobs-at-last": {
    guard: "jobs are asked about",
    file: remove,
    find: /else if \(there\.value\.jobs > 0 \|\| there\.value\.claims > 0\)/,
    put: "else if (false)",
    without: ["jobs-when-judged"],
    stories: ["cut-off-and-queue-slow", "cut-off-and-healed"],
  },
  "jobs-when-judged": {
    guard: "whoever runs a job stays",
    file: policy("removal"),
    find: /\|\| w\.jobs > 0 \|\|/,
    put: "||",
    without: ["jobs-at-last"],
    stories: ["cut-off-and-queue-slow", "cut-off-and-healed"],
  },
  "jobs-when-continued": {
    guard: "whoever runs a job stays",
    file: remove,
    find: /if \(d\.basis === "continue" && w\.jobs > 0/,
    put: "if (false",
    stories: ["accepted-and-not-begun"],
  },
  gate: {
    guard: "the gate",
    file: remove,
    find: /if \(d\.basis === "not-admitted" && !shut\)/,
    put: "if (false)",
    stories: ["joins-at-the-last-moment"],
    seeds: 200,
  },
  "drained-asked-anew": {
    guard: "drained is asked anew",
    file: remove,
    find: /if \(answer === "alreadyDraining" \|\|/,
    put: "if (true ||",
    stories: ["put-back-by-hand"],
    seeds: 200,
  },
  "collector-asked-anew": {
    guard: "the collector is asked anew",
    file: remove,
    find: /return answer === "notThere" \? "goes" :/,
    put: 'return true ? "goes" :',
    ...alone("collector-asked-anew"),
  },
  "heard-again": {
    guard: "heard again at the last moment",
    file: remove,
    find: /else if \(d\.basis !== "drained" && there\.value\.hasAd\)/,
    put: "else if (false)",
    without: ["probe"],
    stories: ["heals-at-the-last-moment"],
    seeds: 300,
  },
  canary: {
    guard: "canary first",
    file: policy("renewal"),
    find: /if \(mine\.length > 0 && !fresh\.some\(\w+\.isWorking\)\)/,
    put: "if (false)",
    stories: ["rolling-update", "canary-does-not-join"],
  },
  "every-server-counts": {
    guard: "every server there is counts towards the maximum",
    file: policy("scaling"),
    find: /const room = limits\.max - i\.workers\.length;/,
    put: 'const room = limits.max - i.workers.filter((w) => w.phase !== "removing" && w.phase !== "drained").length;',
    stories: ["up-and-down", "joins-at-the-last-moment"],
  },
  "joining-is-capacity": {
    guard: "what never joined is no capacity",
    file: policy("victims"),
    find: /const beyond = working\.length - limits\.min;/,
    put: "const beyond = staying.length - limits.min;",
    stories: ["last-healthy-never-joins"],
  },
  blind: {
    file: policy("scaling"),
    find: /if \(i\.queueUnknown !== undefined\)(?=\s+return blind)/,
    put: "if (false)",
    stories: ["day-without-queue", "m10-restart-without-queue"],
  },
  "cloud-unknown": {
    file: policy("scaling"),
    find: /if \(i\.poolUnknown !== undefined\)(?=\s+return \[)/,
    put: "if (false)",
    without: ["looks-once"],
    stories: ["day-without-cloud"],
    seeds: 10,
  },
  "status-unknown": {
    file: remove,
    find: /if \(!status\.known\)(?=\s+return says)/,
    put: "if (false)",
    without: ["cloud-unknown"],
    stories: ["cloud-lost-while-draining"],
  },
  "half-list-is-whole": {
    file: policy("scaling"),
    find: /if \(i\.poolPartial !== undefined\)/,
    put: "if (false)",
    without: ["believe-empty-list"],
    stories: ["half-lists"],
  },
  "no-breaker": {
    file: policy("scaling"),
    find: /if \(n > 0 && untilMs > i\.nowMs\)/,
    put: "if (false)",
    stories: ["black-hole-never-joins", "black-hole-fails"],
    seeds: 10,
  },
  "any-job-is-lost": {
    guard: "the startd is younger than the job",
    file: policy("orphans"),
    find: /jobAtMs \+ exports\.ORPHAN_MARGIN_MS < startdAtMs;/,
    put: "true;",
    stories: ["startds-killed"],
    seeds: 5,
  },
  "one-look-is-enough": {
    guard: "one odd look is no evidence",
    file: policy("orphans"),
    find: /const seenOften = [^;]+;/,
    put: "const seenOften = true;",
    without: ["not-heard-since"],
    stories: ["late-ads"],
    seeds: 20,
  },
  "not-heard-since": {
    guard: "the startd has been heard again since",
    file: policy("orphans"),
    find: /if \(seenOften && heardAtMs > sinceMs\)/,
    put: "if (seenOften)",
    stories: ["late-ads-and-lost-ones"],
    seeds: 20,
  },
  "no-cooldown": { file: policy("victims"), find: /if \(quiet > 0\)/, put: "if (false)", stories: ["oscillating"], seeds: 10 },
};
