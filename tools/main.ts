import { allLanes, runLanes, type LaneName } from "./lanes";
import { cacheDir } from "./paths";
import { problemLine, type Problem } from "./problem";
import { setUp } from "./setup";

const HELP = `usage: node tools/run.mjs start | test [lane...] | setup | build [--force]

  start    set up, then the whole course of a grid on a cloud of this computer's own (npm start -- --help says more)
  test     set up, then the test lanes: ${allLanes.join(", ")} (npm test -- unit runs one of them)
  setup    bring what is missing: Node packages, compiled code, Pulumi engine and plugins, appliance tree
  build    compile and bundle only; --force does it although nothing changed

Everything outside this folder goes to ${cacheDir()}.
`;

/** The commands behind `npm start`, `npm test`, `npm run setup` and `npm run build`; the caller has compiled this. */
export async function main(argv: readonly string[]): Promise<number> {
  const [command, ...rest] = argv;
  switch (command) {
    case "start":
      return start(rest);
    case "test":
      return test(rest);
    case "setup":
      return setup();
    case "build":
      process.stderr.write("[set-up] compiled and bundled in dist/\n");
      return 0;
    case "help": case "--help": case "-h":
      process.stdout.write(HELP);
      return 0;
    default:
      process.stderr.write(`unknown command: ${command ?? "(none)"}\n${HELP}`);
      return 2;
  }
}

async function start(argv: readonly string[]): Promise<number> {
  if (!argv.includes("--help") && !argv.includes("-h") && !(await broughtAll())) return 1;
  const demo = await import("../demo/start.js");
  return demo.main(argv);
}

async function setup(): Promise<number> {
  const from = Date.now();
  if (!(await broughtAll())) return 1;
  process.stderr.write(`[set-up] everything is there (${((Date.now() - from) / 1000).toFixed(1)} s); outside this folder: ${cacheDir()}\n`);
  return 0;
}

async function broughtAll(): Promise<boolean> {
  const ready = await setUp({ engine: true, hosts: true });
  const problems: readonly Problem[] = [...ready.engine.problems, ...ready.hosts.problems];
  for (const p of problems) process.stderr.write(`set-up: ${problemLine(p)}\n`);
  return problems.length === 0;
}

async function test(argv: readonly string[]): Promise<number> {
  const unknown = argv.filter((a) => !(allLanes as readonly string[]).includes(a));
  if (unknown.length > 0) {
    process.stderr.write(`no such lane: ${unknown.join(", ")}; there are: ${allLanes.join(", ")}\n`);
    return 2;
  }
  const lanes = allLanes.filter((l) => argv.length === 0 || argv.includes(l));
  const needs = (...which: LaneName[]): boolean => lanes.some((l) => which.includes(l));
  const ready = await setUp({ engine: needs("engine", "grid", "chaos"), hosts: needs("grid", "chaos") });
  return runLanes(lanes, ready);
}
