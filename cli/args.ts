import { parseArgs, type ParseArgsConfig } from "node:util";

/** The command line as data. Pure: a mistake is a value, not an exit. */
export interface Invocation {
  readonly command: CommandName;
  readonly positionals: readonly string[];
  readonly flags: Readonly<Record<string, string | boolean | undefined>>;
}
export type Parsed = { readonly ok: true; readonly value: Invocation } | { readonly ok: false; readonly help?: string; readonly problem?: string };

interface Spec {
  readonly usage: string;
  readonly says: string;
  readonly options: NonNullable<ParseArgsConfig["options"]>;
  readonly positionals: readonly [number, number];
  /** What follows is not ours to read. */
  readonly raw?: true;
}

const text = { type: "string" } as const;
const flag = { type: "boolean" } as const;

export const COMMANDS = {
  status: { usage: "status", says: "the grid on one screen: size, workers, jobs, alarms, the last decisions and why", options: {}, positionals: [0, 0] },
  workers: { usage: "workers", says: "each worker: server, phase, CPU, jobs, age, and what it waits for", options: {}, positionals: [0, 0] },
  jobs: { usage: "jobs [--all]", says: "the queue; held jobs with their reason (--all: every job, not the first 30)", options: { all: flag }, positionals: [0, 0] },
  journal: { usage: "journal [-n COUNT] [-f]", says: "what the controller did and why; -f goes on as it happens", options: { follow: { type: "boolean", short: "f" }, n: { type: "string", short: "n" } }, positionals: [0, 0] },
  scale: {
    usage: "scale N | scale --min A --max B | scale --auto", positionals: [0, 1], options: { min: text, max: text, auto: flag },
    says: "set the size, or its limits; --auto: as declared again. Jobs run to their end",
  },
  drain: { usage: "drain WORKER [--now]", says: "take a worker away when its jobs have ended (--now: at once; its jobs run again elsewhere)", options: { now: flag }, positionals: [1, 1] },
  pin: { usage: "pin WORKER", says: "keep this worker: no scaling and no renewal takes it, only drain does", options: {}, positionals: [1, 1] },
  unpin: { usage: "unpin WORKER", says: "let scaling take it again", options: {}, positionals: [1, 1] },
  pause: { usage: "pause", says: "leave the size as it is until resume", options: {}, positionals: [0, 0] },
  resume: { usage: "resume", says: "go on after pause; creates workers again at once where that was held back", options: {}, positionals: [0, 0] },
  wait: { usage: "wait --workers N [--timeout SECONDS]", says: "until N workers are in the pool; else says what each one is doing, and exits with 1", options: { workers: text, timeout: text }, positionals: [0, 0] },
  ssh: { usage: "ssh [--] [COMMAND...]", says: "log in to the master, or run a command there", options: {}, positionals: [0, Number.POSITIVE_INFINITY], raw: true },
  "local-cloud": { usage: "local-cloud ...", says: "a CloudSigma-compatible cloud on this computer (local-cloud --help)", options: {}, positionals: [0, Number.POSITIVE_INFINITY], raw: true },
  "master-apply": { usage: "master-apply", says: "on the master, called by `pulumi up`: takes the set-up from standard input", options: {}, positionals: [0, 0] },
  controller: { usage: "controller", says: "on the master, run by systemd: watches queue and cloud", options: {}, positionals: [0, 0] },
} as const satisfies Record<string, Spec>;
export type CommandName = keyof typeof COMMANDS;

const GLOBAL = { json: flag, help: { type: "boolean", short: "h" }, stack: text, cwd: text } as const;

export function helpText(command?: CommandName): string {
  if (command !== undefined) return `usage: elastigrid ${COMMANDS[command].usage} [--json] [--stack NAME] [--cwd FOLDER]\n\n${COMMANDS[command].says}\n`;
  const rows = Object.values(COMMANDS).map((c) => `  ${c.usage.padEnd(46)} ${c.says}`);
  return [
    "usage: elastigrid COMMAND [--json] [--stack NAME] [--cwd FOLDER]", "", ...rows, "",
    "On the master the commands talk to the controller there. Anywhere else they run on the master by ssh: --stack names the Pulumi",
    "stack (--cwd its project's folder), or ELASTIGRID_OUTPUTS a file with `pulumi stack output --json --show-secrets`.",
    "Exit codes: 0 done, 1 failed, 2 wrong use.", "",
  ].join("\n");
}

export function parseCommandLine(argv: readonly string[]): Parsed {
  const at = commandIndex(argv);
  const first = argv[at];
  if (first === undefined) return argv.some((a) => a === "--help" || a === "-h") ? { ok: false, help: helpText() } : { ok: false, problem: "say what to do, such as `elastigrid status`" };
  if (first === "help") return { ok: false, help: helpText() };
  if (!Object.hasOwn(COMMANDS, first)) return { ok: false, problem: `no such command: ${first}` };
  const command = first as CommandName;
  const spec: Spec = COMMANDS[command];
  const before = argv.slice(0, at), after = argv.slice(at + 1);
  try {
    if (spec.raw) {
      const own = parseArgs({ args: [...before], options: GLOBAL, strict: true, allowPositionals: false });
      if (own.values.help || (command === "ssh" && (after[0] === "--help" || after[0] === "-h"))) return { ok: false, help: helpText(command) };
      return { ok: true, value: { command, positionals: after[0] === "--" ? after.slice(1) : after, flags: own.values } };
    }
    const { values, positionals } = parseArgs({ args: [...before, ...after], options: { ...GLOBAL, ...spec.options }, strict: true, allowPositionals: true });
    if (values.help) return { ok: false, help: helpText(command) };
    const [least, most] = spec.positionals;
    if (positionals.length < least || positionals.length > most) return { ok: false, problem: `usage: elastigrid ${spec.usage}` };
    return { ok: true, value: { command, positionals, flags: values as Invocation["flags"] } };
  } catch (e) {
    // Node adds advice about words that begin with a dash, which no command here takes.
    const said = e instanceof Error ? (e.message.split("\n")[0] ?? "").replace(/\. To specify .*/, "") : String(e);
    return { ok: false, problem: `${said}; usage: elastigrid ${spec.usage}` };
  }
}

/** The command is the first word that is no flag and no value of one. */
function commandIndex(argv: readonly string[]): number {
  for (let i = 0; i < argv.length; i += 1) {
    if (argv[i] === "--stack" || argv[i] === "--cwd") i += 1;
    else if (!argv[i]!.startsWith("-")) return i;
  }
  return argv.length;
}

/** A whole number of at least `least`; answers the problem as text otherwise. */
export function wholeNumber(value: string | boolean | undefined, name: string, least = 0): number | string {
  const n = typeof value === "string" && /^\d+$/.test(value) ? Number(value) : Number.NaN;
  return Number.isSafeInteger(n) && n >= least ? n : `${name} must be a whole number of at least ${least}${value === undefined ? "" : `, not ${String(value)}`}`;
}
