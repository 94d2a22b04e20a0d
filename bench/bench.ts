import { loadavg } from "node:os";
import { parseArgs, type ParseArgsConfig } from "node:util";

/**
 * What a bench measured: the last line of its output. Figures are numbers with units in their names, ratios where there is something to
 * compare.
 */
export type Figures = Readonly<Record<string, number | string | boolean>>;

export interface Bench {
  readonly about: string;
  /** Flags beside `--json` and `--help`, each with its default and what it is. */
  readonly flags: Readonly<Record<string, readonly [string, string]>>;
  /** What must be set up: nothing, or all that a real grid needs. */
  readonly needs: "nothing" | "grid";
  run(flags: Readonly<Record<string, string>>, print: (line: string) => void): Promise<Figures>;
}

/** Every figure is worth what else the computer did: the load of the last minute goes with it. */
export const load = (): string => `load ${(loadavg()[0] ?? 0).toFixed(1)}`;

export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

export const round = (value: number, digits = 3): number => Number(value.toPrecision(digits));

/** A flag's number, or what is wrong with it. */
export function positive(flags: Readonly<Record<string, string>>, name: string): number {
  const value = Number(flags[name]);
  if (Number.isFinite(value) && value > 0) return value;
  throw new UsageError(`--${name} ${flags[name]}: a number above 0`);
}

export class UsageError extends Error {}

export type Benches = Readonly<Record<string, () => Promise<Bench>>>;

export interface Streams {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}
const ownStreams: Streams = { out: (t) => void process.stdout.write(t), err: (t) => void process.stderr.write(t) };

/** `npm run bench -- NAME [--json] [flags of the bench]`. */
export async function benchCommand(
  benches: Benches, argv: readonly string[], setUp: () => Promise<boolean>, { out, err }: Streams = ownStreams,
): Promise<number> {
  const [name = "", ...rest] = argv;
  const wrong = (text: string): number => (err(`npm run bench: ${text}\n`), 2);
  if (["", "help", "--help", "-h"].includes(name)) return (out(await help(benches)), name === "" ? 2 : 0);
  const bench = await benches[name]?.();
  if (bench === undefined) return wrong(`there is no bench ${name}; there are: ${Object.keys(benches).join(", ")}`);
  const options: Record<string, NonNullable<ParseArgsConfig["options"]>[string]> = {
    json: { type: "boolean" }, help: { type: "boolean", short: "h" },
  };
  for (const [flag, [preset]] of Object.entries(bench.flags)) options[flag] = { type: "string", default: preset };
  let values: Record<string, unknown>;
  try {
    values = parseArgs({ args: rest, options }).values;
  } catch (e) {
    return wrong((e as Error).message);
  }
  if (values["help"] === true) return (out(helpOf(name, bench)), 0);
  if (bench.needs === "grid" && !(await setUp())) return 1;
  const flags = Object.fromEntries(Object.keys(bench.flags).map((f) => [f, String(values[f])]));
  const loadBefore = round(loadavg()[0] ?? 0, 2);
  try {
    const figures = await bench.run(flags, values["json"] === true ? () => undefined : (line) => out(`${line}\n`));
    out(`${JSON.stringify({ bench: name, ...figures, loadBefore, loadAfter: round(loadavg()[0] ?? 0, 2) })}\n`);
    return 0;
  } catch (e) {
    if (e instanceof UsageError) return wrong(e.message);
    out(`${JSON.stringify({ bench: name, error: (e as Error).message.split("\n")[0] })}\n`);
    err(`${(e as Error).message}\n`);
    return 1;
  }
}

const helpOf = (name: string, bench: Bench): string =>
  `  ${name.padEnd(11)} ${bench.about}\n${Object.entries(bench.flags).map(([f, [preset, what]]) => `${" ".repeat(16)}--${f} ${what} (default ${preset})\n`).join("")}`;

async function help(benches: Benches): Promise<string> {
  const all = await Promise.all(Object.entries(benches).map(async ([name, load_]) => helpOf(name, await load_())));
  return `npm run bench -- NAME [--json]: measures, and ends with one line of JSON; --json prints nothing else\n\n${all.join("")}
Those that need a real grid make one of their own beside whatever runs, and remove it. The load of the computer is part of the line: it is
not waited for.
`;
}
