import { createHash } from "node:crypto";
import { chmodSync } from "node:fs";
import type { MasterSetup } from "../components/config/controller-config";
import { poolKeyFile } from "../components/policy/tokens";
import { readIfThere, writeWhole } from "../controller/files";
import type { MasterPaths } from "../controller/paths";
import { failureOf, type RunCommand } from "../controller/run-command";

/** What is wrong with the set-up, every problem at once; never a value that may be secret. */
export function setupProblems(raw: unknown): string[] {
  const problems: string[] = [];
  const object = (value: unknown, path: string): Record<string, unknown> => {
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
    problems.push(`${path} is missing or no object`);
    return {};
  };
  const text = (o: Record<string, unknown>, path: string, key: string): void => {
    if (typeof o[key] !== "string" || o[key] === "") problems.push(`${path}${key} is missing or no text`);
  };
  const number = (o: Record<string, unknown>, path: string, key: string, least = 0): void => {
    if (typeof o[key] !== "number" || !Number.isFinite(o[key]) || (o[key] as number) < least) problems.push(`${path}${key} must be a number of at least ${least}`);
  };
  if (typeof raw !== "object" || raw === null || Array.isArray(raw)) return ["the set-up is no JSON object"];
  const setup = raw as Record<string, unknown>;
  if (typeof setup["poolKey"] !== "string" || setup["poolKey"].length < 16) problems.push("poolKey is missing or shorter than 16 characters");
  const credentials = object(setup["credentials"], "credentials");
  const given = (key: string): boolean => typeof credentials[key] === "string" && credentials[key] !== "";
  const c = object(setup["controller"], "controller");
  for (const key of ["gridName", "gridUid", "poolDomain"]) text(c, "controller.", key);
  const cloud = object(c["cloud"], "controller.cloud");
  const enrolment = object(c["enrolment"], "controller.enrolment");
  text(enrolment, "controller.enrolment.", "address");
  switch (cloud["kind"]) {
    case "cloudsigma":
      if (!given("token") && !(given("username") && given("password"))) problems.push("credentials must hold a token, or username and password");
      for (const key of ["endpoint", "templateUuid"]) text(cloud, "controller.cloud.", key);
      // The master serves DHCP there, and knows workers by their leases.
      text(enrolment, "controller.enrolment.", "leasesFile");
      break;
    case "openstack":
      if (!given("applicationCredentialId") || !given("applicationCredentialSecret")) problems.push("credentials must hold an application credential: its id and its secret");
      for (const key of ["authUrl", "stackName", "stackId", "stackPrefix"]) text(cloud, "controller.cloud.", key);
      break;
    default:
      problems.push("controller.cloud.kind must be cloudsigma or openstack");
  }
  number(enrolment, "controller.enrolment.", "port", 1);
  const workers = object(c["workers"], "controller.workers");
  for (const key of ["min", "max"]) number(workers, "controller.workers.", key);
  for (const key of ["vcpus", "memoryMiB", "diskMiB"]) number(workers, "controller.workers.", key, 1);
  const list = (value: unknown, path: string): readonly Record<string, unknown>[] => {
    if (value === undefined) return [];
    if (Array.isArray(value)) return value.map((v, n) => object(v, `${path}[${n}]`));
    problems.push(`${path} is no list`);
    return [];
  };
  list(workers["types"], "controller.workers.types").forEach((type, n) => {
    const at = `controller.workers.types[${n}].`;
    text(type, at, "name");
    for (const key of ["vcpus", "memoryMiB", "diskMiB"]) number(type, at, key, 1);
    const own = cloud["kind"] === "openstack" ? object(object(cloud["types"], "controller.cloud.types")[String(type["name"])], `controller.cloud.types.${String(type["name"])}`) : {};
    if (cloud["kind"] === "openstack") for (const key of ["stackName", "stackId"]) text(own, `controller.cloud.types.${String(type["name"])}.`, key);
    if (cloud["kind"] === "cloudsigma") text(object(cloud["templates"], "controller.cloud.templates"), "controller.cloud.templates.", String(type["name"]));
  });
  if (Number(workers["min"]) > Number(workers["max"])) problems.push("controller.workers.min is above controller.workers.max");
  const scaling = object(c["scaling"], "controller.scaling");
  number(scaling, "controller.scaling.", "intervalSeconds", 0.5);
  for (const key of ["growStep", "shrinkStep"]) number(scaling, "controller.scaling.", key, 1);
  for (const key of ["cooldownSeconds", "idleSeconds"]) number(scaling, "controller.scaling.", key);
  number(scaling, "controller.scaling.", "joinTimeoutSeconds", 1);
  const alarms = object(c["alarms"], "controller.alarms");
  for (const side of ["cpuHigh", "cpuLow"]) {
    const rule = object(alarms[side], `controller.alarms.${side}`);
    if (typeof rule["enabled"] !== "boolean") problems.push(`controller.alarms.${side}.enabled must be true or false`);
    for (const key of ["thresholdPercent", "cooldownSeconds"]) number(rule, `controller.alarms.${side}.`, key);
    for (const key of ["periodSeconds", "evaluationPeriods"]) number(rule, `controller.alarms.${side}.`, key, 1);
  }
  list(alarms["rules"], "controller.alarms.rules").forEach((rule, n) => {
    const at = `controller.alarms.rules[${n}].`;
    for (const key of ["name", "metric"]) text(rule, at, key);
    for (const key of ["periodSeconds", "evaluationPeriods", "cooldownSeconds"]) number(rule, at, key, 1);
    if (["above", "below", "target"].filter((k) => typeof rule[k] === "number").length !== 1) problems.push(`${at.slice(0, -1)} must have exactly one of above, below and target`);
  });
  return problems;
}

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
