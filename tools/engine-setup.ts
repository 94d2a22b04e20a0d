import { createHash } from "node:crypto";
import { existsSync, statSync } from "node:fs";
import { copyFile, link, mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, dirname, join } from "node:path";
import { holdLock } from "../images/file-lock";
import { buildEngine, buildLanguageHost, buildPlugin, goProblem, goSources, pluginsHash, sourceHash } from "./engine-build";
import { selectionFile, type EngineSelection } from "./engine-env";
import { archiveUrl, downloadEngine, isReachable } from "./engine-official";
import { engineVersions, isGoodEngine, plugins, type Plugin } from "./engine-versions";
import { findOnPath, packageRoot } from "./paths";
import { diskProblems, lookAtHost, NEEDED_FREE_BYTES } from "./prerequisites";
import { SetupError } from "./problem";
import { mustRun, runCommand } from "./process";
import type { Teller } from "./steps";

/** An engine that is there, with its language host beside it or on PATH. */
interface Engine {
  readonly pulumi: string;
  readonly version: string;
  readonly origin: string;
  /** Names the folder of the set that is made around it. */
  readonly id: string;
}

const LOCK_WAIT_SECONDS = 3_600;
const builtId = (): string => `pulumi-${engineVersions.engine}-built-${sourceHash(goSources("engine"))}`;
const officialId = `pulumi-${engineVersions.engine}-official`;

/** The engine that is usable as it is now, and whether its plugins are there too. Reads only; quick when all is set up. */
export async function findEngine(cache: string): Promise<EngineSelection | undefined> {
  const engine = (await engineOnPath()) ?? engineInCache(cache);
  if (engine === undefined) return undefined;
  const chosen = selectionOf(cache, engine);
  return existsSync(chosen.pulumiHome) && existsSync(chosen.pulumi) ? chosen : undefined;
}

/** Records the choice for this checkout, so that tests run by hand find the same engine. */
export async function recordEngine(cache: string, chosen: EngineSelection): Promise<void> {
  const file = selectionFile(cache);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(`${file}.${process.pid}`, `${JSON.stringify(chosen, null, 2)}\n`);
  await rename(`${file}.${process.pid}`, file);
}

/** Brings the engine and its plugins; a second one at once waits for the first and then finds everything there. */
export async function bringEngine(cache: string, tell: Teller): Promise<EngineSelection> {
  const home = join(cache, "engine");
  await mkdir(home, { recursive: true });
  const lock = (await holdLock(join(home, "lock"), 0)) ?? (tell.say("another set-up is at work on the engine; waiting for it"), await holdLock(join(home, "lock"), LOCK_WAIT_SECONDS));
  if (lock === undefined) throw new Error(`another set-up still holds ${join(home, "lock")} after ${LOCK_WAIT_SECONDS} s`);
  try {
    await sweep(home);
    const engine = (await engineOnPath()) ?? engineInCache(cache) ?? (await fetchOrBuild(cache, tell));
    tell.say(`engine ${engine.version}, ${engine.origin}`);
    const chosen = selectionOf(cache, engine);
    await makeOnce(dirname(chosen.pulumiHome), (target) => assemble(engine, target, tell));
    return chosen;
  } finally {
    await lock.release();
  }
}

async function engineOnPath(): Promise<Engine | undefined> {
  const pulumi = findOnPath("pulumi");
  if (pulumi === undefined) return undefined;
  const said = await runCommand(pulumi, ["version"], { env: { ...process.env, PULUMI_SKIP_UPDATE_CHECK: "true" }, timeoutMs: 30_000 });
  const version = said.stdout.trim();
  if (said.code !== 0 || !isGoodEngine(version)) return undefined;
  const beside = (name: string): boolean => existsSync(join(dirname(pulumi), name)) || findOnPath(name) !== undefined;
  if (!beside("pulumi-language-nodejs") || !beside("pulumi-resource-pulumi-nodejs")) return undefined;
  const id = `pulumi-path-${createHash("sha256").update(`${pulumi} ${version} ${statSync(pulumi).mtimeMs}`).digest("hex").slice(0, 12)}`;
  return { pulumi, version, origin: `found on PATH (${pulumi})`, id };
}

function engineInCache(cache: string): Engine | undefined {
  for (const [id, origin] of [[officialId, "from Pulumi's installer"], [builtId(), "built from Go modules"]] as const) {
    const pulumi = join(cache, "engine", id, "pulumi");
    if (existsSync(pulumi)) return { pulumi, version: `v${engineVersions.engine}`, origin, id };
  }
  return undefined;
}

async function fetchOrBuild(cache: string, tell: Teller): Promise<Engine> {
  const url = archiveUrl();
  if (url !== undefined && (await isReachable(url))) {
    tell.say(`downloading ${url}`);
    try {
      await makeOnce(join(cache, "engine", officialId), (target) => downloadEngine(url, target));
    } catch (e) {
      tell.say(`the download failed (${(e as Error).message}); building instead`);
    }
  }
  return engineInCache(cache) ?? (await build(cache, tell));
}

async function build(cache: string, tell: Teller): Promise<Engine> {
  const go = await goProblem();
  const problems = [...(go === undefined ? [] : [go]), ...diskProblems(await lookAtHost(cache), NEEDED_FREE_BYTES)];
  if (problems.length > 0) throw new SetupError(problems);
  tell.say(`Pulumi's installer cannot be reached: building engine ${engineVersions.engine} from Go modules (about 4 minutes on two idle cores, once)`);
  await makeOnce(join(cache, "engine", builtId()), (target) => buildEngine(target, tell));
  const built = engineInCache(cache);
  if (built === undefined) throw new Error("the engine that was just built is gone again");
  return built;
}

const dynamicProvider = join(packageRoot, "node_modules", "@pulumi", "pulumi", "pulumi-resource-pulumi-nodejs");

/** The set is named after all that goes into it, so a change makes a new one and a running one is never touched. */
function selectionOf(cache: string, engine: Engine): EngineSelection {
  const set = join(cache, "engine", `set-${pluginsHash(engine.id)}`);
  const isOnPath = engine.id.startsWith("pulumi-path-");
  return {
    origin: engine.origin, version: engine.version, pulumiHome: join(set, "home"),
    pulumi: isOnPath ? engine.pulumi : join(set, "bin", "pulumi"),
    path: [isOnPath ? dirname(engine.pulumi) : join(set, "bin")],
  };
}

async function assemble(engine: Engine, target: string, tell: Teller): Promise<void> {
  const home = join(target, "home"), bin = join(target, "bin");
  await mkdir(home, { recursive: true });
  await mkdir(bin, { recursive: true });
  if (!engine.id.startsWith("pulumi-path-")) {
    for (const name of await readdir(dirname(engine.pulumi))) await linkOrCopy(join(dirname(engine.pulumi), name), join(bin, name));
    if (!existsSync(join(bin, "pulumi-language-nodejs"))) {
      tell.say("building the Node language host");
      await buildLanguageHost(bin, tell);
    }
    // The engine looks for both next to itself.
    if (!existsSync(join(bin, basename(dynamicProvider)))) await copyFile(dynamicProvider, join(bin, basename(dynamicProvider)));
  }
  const env = { ...process.env, PULUMI_HOME: home, PULUMI_SKIP_UPDATE_CHECK: "true" };
  for (const plugin of plugins) {
    const { name, version } = plugin;
    const install = (...more: string[]): Promise<string> =>
      mustRun(engine.pulumi, ["plugin", "install", "resource", name, version, ...more], { env, timeoutMs: 180_000 });
    const own = installedPlugin(name, version);
    if (own !== undefined) await install("--file", own);
    else if (!(await officialPlugin(engine, install, name, tell))) {
      const file = await buildOne(plugin, target, tell);
      await install("--file", file);
      await rm(file);
    }
  }
}

async function buildOne(plugin: Plugin, target: string, tell: Teller): Promise<string> {
  const go = await goProblem();
  const problems = [...(go === undefined ? [] : [go]), ...diskProblems(await lookAtHost(target), plugin.buildBytes)];
  if (problems.length > 0) throw new SetupError(problems);
  tell.say(`building the ${plugin.name} plugin ${plugin.version} from Go${plugin.buildTime === undefined ? "" : ` (${plugin.buildTime})`}`);
  return buildPlugin(plugin, target, tell);
}

/** The user's own copy of exactly this version. */
function installedPlugin(name: string, version: string): string | undefined {
  const home = process.env["PULUMI_HOME"] ?? join(homedir(), ".pulumi");
  const file = join(home, "plugins", `resource-${name}-v${version}`, `pulumi-resource-${name}`);
  return existsSync(file) ? file : undefined;
}

/** True when Pulumi's own server gave it. */
async function officialPlugin(engine: Engine, install: () => Promise<string>, name: string, tell: Teller): Promise<boolean> {
  const url = archiveUrl();
  if (engine.id.includes("-built-") || url === undefined || !(await isReachable(url))) return false;
  try {
    await install();
    return true;
  } catch (e) {
    tell.say(`Pulumi's server does not give the ${name} plugin (${(e as Error).message.split("\n")[0]})`);
    return false;
  }
}

async function linkOrCopy(from: string, to: string): Promise<void> {
  await link(from, to).catch(() => copyFile(from, to)); // another file system, or one without hard links
}

/** A folder is there whole or not at all: it gets its name last. */
async function makeOnce(folder: string, make: (target: string) => Promise<void>): Promise<void> {
  if (existsSync(folder)) return;
  const making = `${folder}.making`;
  await rm(making, { recursive: true, force: true });
  await mkdir(making, { recursive: true });
  await make(making);
  await rename(making, folder);
}

/** What an interrupted set-up left; only under the lock. */
async function sweep(home: string): Promise<void> {
  for (const name of await readdir(home)) if (name.endsWith(".making")) await rm(join(home, name), { recursive: true, force: true });
}
