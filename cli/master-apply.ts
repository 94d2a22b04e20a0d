import { createHash } from "node:crypto";
import { chmodSync } from "node:fs";
import type { MasterSetup } from "../components/config/controller-config";
import { poolKeyFile } from "../components/policy/tokens";
import { readIfThere, writeWhole } from "../controller/files";
import type { MasterPaths } from "../controller/paths";
import { failureOf, type RunCommand } from "../controller/run-command";
import { setupProblems } from "../controller/setup-problems";

export interface ApplyParts {
  readonly paths: MasterPaths;
  readonly run: RunCommand;
  readonly print: (line: string) => void;
  readonly sleep: (ms: number) => Promise<void>;
  readonly nowMs: () => number;
  /** Resolves once the controller's socket answers. */
  readonly controllerAnswers: () => Promise<boolean>;
}

const UNIT = "elastigrid-controller.service";
const COLLECTOR_LIMIT_MS = 90_000;
const CONTROLLER_LIMIT_MS = 30_000;
const sha = (data: string | Buffer): string => createHash("sha256").update(data).digest("hex");

/** Makes the master what the set-up says; what is so already is left alone. Throws with one clear line. */
export async function masterApply(input: string, p: ApplyParts): Promise<void> {
  const setup = parseSetup(input);
  const { paths } = p;
  const config = `${JSON.stringify(setup.controller, undefined, 2)}\n`;
  const credentials = `${JSON.stringify(setup.credentials)}\n`;
  writeIfNew(paths.config, config, 0o644, "controller.json", p.print);
  writeIfNew(paths.credentials, credentials, 0o600, "credentials.json", p.print);
  const keyChanged = writeIfNew(paths.poolKey, poolKeyFile(setup.poolKey), 0o600, "HTCondor's pool key", p.print);

  await startCondor(p, keyChanged);

  const bundle = readIfThere(paths.bundle);
  const applied = sha([sha(config), sha(credentials), sha(setup.poolKey), bundle === undefined ? "" : sha(bundle)].join());
  const before = readIfThere(paths.applied)?.toString("utf8").trim();
  const active = (await p.run("systemctl", ["is-active", "--quiet", UNIT], { timeoutMs: 30_000 })).code === 0;
  await must(p, "systemctl", ["enable", "--quiet", UNIT]);
  const now = JSON.stringify({ sha256: applied });
  if (active && before === now) p.print("controller: unchanged, runs");
  else {
    await must(p, "systemctl", ["restart", UNIT]);
    await until(p, CONTROLLER_LIMIT_MS, "the controller does not answer", () => p.controllerAnswers(), () => log(p.run, UNIT));
    p.print(`controller: ${active ? "restarted with what has changed" : "started"}`);
  }
  writeWhole(paths.applied, `${now}\n`, 0o600);
}

function parseSetup(input: string): MasterSetup {
  let raw: unknown;
  try {
    raw = JSON.parse(input);
  } catch {
    throw new Error(`master-apply: standard input holds no JSON document (${input.length} characters): it is called by \`pulumi up\``);
  }
  const problems = setupProblems(raw);
  if (problems.length > 0) throw new Error(`master-apply: nothing was changed, the set-up has problems:\n${problems.map((x) => `  - ${x}`).join("\n")}`);
  return raw as MasterSetup;
}

function writeIfNew(path: string, data: string | Buffer, mode: number, name: string, print: (line: string) => void): boolean {
  const before = readIfThere(path);
  const changed = before === undefined || !before.equals(typeof data === "string" ? Buffer.from(data) : data);
  if (changed) writeWhole(path, data, mode);
  chmodSync(path, mode); // also where a person has loosened it
  if (changed) print(`${name}: ${before === undefined ? "written" : "changed"}`);
  return changed;
}

async function startCondor(p: ApplyParts, keyChanged: boolean): Promise<void> {
  const running = (await p.run("systemctl", ["is-active", "--quiet", "condor.service"], { timeoutMs: 30_000 })).code === 0;
  await must(p, "systemctl", ["enable", "--quiet", "condor.service"]);
  if (!running) await must(p, "systemctl", ["start", "condor.service"]);
  else if (keyChanged) await must(p, "condor_reconfig", []);
  const from = p.nowMs();
  await until(p, COLLECTOR_LIMIT_MS, "HTCondor's collector does not answer", async () => {
    const r = await p.run("condor_status", ["-collector", "-af", "Name"], { timeoutMs: 10_000 });
    return r.code === 0 && r.stdout.trim() !== "";
  }, () => log(p.run, "condor.service"));
  if (!running || keyChanged) p.print(`HTCondor: ${running ? "reconfigured" : "started"}, its collector answers after ${Math.round((p.nowMs() - from) / 100) / 10} s`);
}

async function must(p: ApplyParts, program: string, args: readonly string[]): Promise<void> {
  const r = await p.run(program, args, { timeoutMs: 120_000 });
  const failure = failureOf(`${program} ${args.join(" ")}`, r, 120_000);
  if (failure !== undefined) throw new Error(`master-apply: ${failure}`);
}

async function until(p: ApplyParts, limitMs: number, problem: string, done: () => Promise<boolean>, detail: () => Promise<string>): Promise<void> {
  const from = p.nowMs();
  while (!(await done())) {
    if (p.nowMs() - from >= limitMs) throw new Error(`master-apply: ${problem} after ${limitMs / 1000} s\n${await detail()}`);
    await p.sleep(250);
  }
}

/** The last lines that a service wrote. */
export async function log(run: RunCommand, unit: string): Promise<string> {
  const r = await run("journalctl", ["--no-pager", "-q", "-n", "25", "-o", "cat", "-u", unit], { timeoutMs: 20_000 });
  return r.stdout.trim() === "" ? `(no log of ${unit})` : `last lines of ${unit}:\n${r.stdout.trim()}`;
}
