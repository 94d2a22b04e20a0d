import { spawn } from "node:child_process";
import { engineEnvironment } from "./engine-env";
import { allLanes, type LaneName } from "./lane-table";
import { choose, runLanes, type BringLab } from "./lanes";
import { labIsUp, notUp, withLab } from "./openstack-lane";
import { cacheDir } from "./paths";
import { problemLine, type Problem } from "./problem";
import { setUp } from "./setup";
import { conclude } from "./totals";

const HELP = `usage: node tools/run.mjs start | test [lane...] | test:openstack | bench NAME | soak | setup | build [--force] | pulumi [argument...]

  start    set up, then the whole course of a grid on a cloud of this computer's own (npm start -- --help says more)
  test     set up, then the test lanes: ${allLanes.join(", ")}
           (npm test -- unit runs one of them, npm test -- grid/hosts one spec file; several run two at a time, ELASTIGRID_TEST_SLOTS=1 makes it one)
  test --lab       the same, and brings the OpenStack lab up for its lane
  test:openstack   set up, then the lane openstack on a lab that is brought up for it (npm run test:openstack)
  bench    measures one thing and ends with a line of JSON (npm run bench -- --help names them)
  soak     set up, then a grid is scaled and struck at random, and HTCondor's log is judged (npm run soak -- --help)
  setup    bring what is missing: Node packages, compiled code, Pulumi engine and plugins, appliance tree
  build    compile and bundle only; --force does it although nothing changed
  pulumi   run the engine that set-up brought, such as: node tools/run.mjs pulumi preview --stack prod

Everything outside this folder goes to ${cacheDir()}.
`;

/** The commands behind `npm start`, `npm test`, `npm run setup` and `npm run build`; the caller has compiled this. */
export async function main(argv: readonly string[]): Promise<number> {
  const [command, ...rest] = argv;
  switch (command) {
    case "start":
      return driven(rest, async () => (await import("../demo/start.js")).main);
    case "test":
      return test(rest);
    case "test:openstack":
      return testOpenstack();
    case "soak":
      return driven(rest, async () => (await import("../test/soak/main.js")).main);
    case "bench":
      return (await import("../bench/main.js")).main(rest, broughtAll);
    case "setup":
      return setup();
    case "build":
      process.stderr.write("[set-up] compiled and bundled in dist/\n");
      return 0;
    case "pulumi":
      return pulumi(rest);
    case "help": case "--help": case "-h":
      process.stdout.write(HELP);
      return 0;
    default:
      process.stderr.write(`unknown command: ${command ?? "(none)"}\n${HELP}`);
      return 2;
  }
}

/** A program that needs everything set-up brings, unless it is only asked for help. */
async function driven(argv: readonly string[], load: () => Promise<(argv: readonly string[]) => Promise<number>>): Promise<number> {
  if (!argv.includes("--help") && !argv.includes("-h") && !(await broughtAll())) return 1;
  return (await load())(argv);
}

async function setup(): Promise<number> {
  const from = Date.now();
  if (!(await broughtAll())) return 1;
  process.stderr.write(`[set-up] everything is there (${((Date.now() - from) / 1000).toFixed(1)} s); outside this folder: ${cacheDir()}\n`);
  return 0;
}

/** For those who have no `pulumi` on PATH: the engine of the tests, in the caller's folder, with the caller's own passphrase or none. */
async function pulumi(argv: readonly string[]): Promise<number> {
  const { engine: part } = await setUp({ engine: true, hosts: false });
  for (const p of part.problems) process.stderr.write(`set-up: ${problemLine(p)}\n`);
  const engine = engineEnvironment();
  if (part.problems.length > 0 || !engine.available) return 1;
  const env = { ...engine.env };
  if (process.env["PULUMI_CONFIG_PASSPHRASE"] === undefined) delete env["PULUMI_CONFIG_PASSPHRASE"];
  const child = spawn(engine.pulumi, [...argv], { stdio: "inherit", env, cwd: process.env["INIT_CWD"] ?? process.cwd() });
  process.on("SIGINT", () => undefined); // the terminal tells the engine too, which ends the step at hand and its state
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve(code ?? 1));
  });
}

async function broughtAll(): Promise<boolean> {
  const ready = await setUp({ engine: true, hosts: true });
  const problems: readonly Problem[] = [...ready.engine.problems, ...ready.hosts.problems];
  for (const p of problems) process.stderr.write(`set-up: ${problemLine(p)}\n`);
  return problems.length === 0;
}

async function test(argv: readonly string[]): Promise<number> {
  if (argv.includes("--help") || argv.includes("-h")) return (process.stdout.write(HELP), 0);
  let chosen;
  try {
    chosen = choose(argv.filter((a) => a !== "--lab"));
  } catch (e) {
    return (process.stderr.write(`${(e as Error).message}\n`), 2);
  }
  const needs = (...which: LaneName[]): boolean => chosen.some(({ lane }) => which.includes(lane));
  const ready = await setUp({ engine: needs("engine", "grid", "chaos", "openstack"), hosts: needs("grid", "chaos") });
  const bring = argv.includes("--lab");
  const lab = { problems: needs("openstack") && !bring && !(await labIsUp()) ? [notUp] : [] };
  return conclude("test", await runLanes(chosen, { ...ready, lab }, bring ? withTestLab() : undefined));
}

/** The lane openstack with a lab of its own, or on the one that is up. */
async function testOpenstack(): Promise<number> {
  const ready = await setUp({ engine: true, hosts: false });
  return conclude("test:openstack", await runLanes(choose(["openstack"]), { ...ready, lab: { problems: [] } }, withTestLab()));
}

function withTestLab(): BringLab {
  const say = (line: string): void => void process.stderr.write(`[lab] ${line}\n`);
  return (work) => {
    const from = Date.now();
    return withLab(say, () => {
      say(`OpenStack is up after ${((Date.now() - from) / 1000).toFixed(0)} s`);
      return work();
    });
  };
}
