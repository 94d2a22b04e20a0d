import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readFile, readdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { appliance, imageUuid, recipeHash, type Recipe } from "./appliance";
import { holdLock } from "./file-lock";

export interface BuildOptions {
  /** Trees go to `<cacheDir>/images/<recipe hash>/tree`. */
  readonly cacheDir: string;
  readonly progress?: (line: string) => void;
  readonly signal?: AbortSignal;
  readonly recipe?: Recipe;
}

export interface BuiltTree {
  readonly path: string;
  readonly uuid: string;
  readonly name: string;
  readonly builtNow: boolean;
}

const LOCK_WAIT_SECONDS = 900;

/** Where the tree of a recipe is, and the stamp that says it is whole. */
export const treeLocation = (cacheDir: string, recipe: Recipe = appliance): { home: string; path: string; stamp: string } => {
  const home = join(cacheDir, "images", recipeHash(recipe));
  return { home, path: join(home, "tree"), stamp: join(home, "stamp.json") };
};

/** Whether the tree is there already; needs no rights. */
export const hasApplianceTree = (cacheDir: string, recipe: Recipe = appliance): boolean => {
  const at = treeLocation(cacheDir, recipe);
  return existsSync(at.stamp) && existsSync(at.path);
};

/**
 * Makes the appliance tree once per recipe. Safe to interrupt (a half-made tree has another name and is swept next
 * time) and to run twice at once (the second waits for the first).
 */
export async function buildApplianceTree(options: BuildOptions): Promise<BuiltTree> {
  const { cacheDir, progress = () => undefined, signal, recipe = appliance } = options;
  const at = treeLocation(cacheDir, recipe);
  const result = (builtNow: boolean): BuiltTree => ({ path: at.path, uuid: imageUuid(recipe.name), name: recipe.name, builtNow });
  if (hasApplianceTree(cacheDir, recipe)) return result(false);
  if (process.platform !== "linux") throw new Error("the appliance tree can only be built on Linux");
  if (process.getuid?.() !== 0) throw new Error("building the appliance tree needs root: run the same command as root");
  await mkdir(at.home, { recursive: true });
  const waiting = setInterval(() => progress("appliance tree: another build is running, waiting for it"), 10_000);
  const lock = await holdLock(join(at.home, "lock"), LOCK_WAIT_SECONDS).finally(() => clearInterval(waiting));
  if (lock === undefined) throw new Error(`another build of the appliance tree still runs after ${LOCK_WAIT_SECONDS} s (lock ${join(at.home, "lock")})`);
  try {
    if (hasApplianceTree(cacheDir, recipe)) return result(false);
    for (const name of await readdir(at.home)) {
      if (name.startsWith("making-") || name === "tree") await rm(join(at.home, name), { recursive: true, force: true });
    }
    const making = join(at.home, `making-${process.pid}`);
    const started = Date.now();
    const tick = setInterval(() => progress(`appliance tree: ${Math.round((Date.now() - started) / 1000)} s so far`), 10_000);
    try {
      progress(`appliance tree: installing ${recipe.packages.length} packages of Debian ${recipe.suite} (about 40 s, once)`);
      await install(recipe, making, signal);
      await customise(recipe, making, signal);
      await rename(making, at.path);
    } catch (e) {
      await rm(making, { recursive: true, force: true });
      throw e;
    } finally {
      clearInterval(tick);
    }
    const seconds = Math.round((Date.now() - started) / 1000);
    await writeFile(`${at.stamp}.new`, JSON.stringify({ name: recipe.name, suite: recipe.suite, builtAt: new Date().toISOString(), seconds }) + "\n");
    await rename(`${at.stamp}.new`, at.stamp);
    progress(`appliance tree: ready after ${seconds} s`);
    return result(true);
  } finally {
    await lock.release();
  }
}

const install = (recipe: Recipe, target: string, signal?: AbortSignal): Promise<void> =>
  run(
    "mmdebstrap",
    [
      "--mode=root", "--variant=minbase", '--aptopt=Acquire::Languages "none"', '--aptopt=APT::Install-Recommends "false"',
      '--aptopt=Acquire::Retries "3"', "--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/locale/*",
      "--dpkgopt=path-exclude=/usr/share/doc/*", `--include=${recipe.packages.join(",")}`, recipe.suite, target,
    ],
    signal,
  );

async function customise(recipe: Recipe, tree: string, signal?: AbortSignal): Promise<void> {
  for (const path of recipe.remove) await rm(join(tree, path), { recursive: true, force: true });
  for (const file of recipe.files) {
    await mkdir(dirname(join(tree, file.path)), { recursive: true });
    await rm(join(tree, file.path), { force: true });
    await writeFile(join(tree, file.path), file.text, { mode: file.mode ?? 0o644 });
  }
  for (const [path, target] of recipe.links) {
    await rm(join(tree, path), { force: true });
    await symlink(target, join(tree, path));
  }
  const systemctl = (verb: string, units: readonly string[]): Promise<void> =>
    run("systemctl", ["--root=/", "--quiet", verb, ...units], signal, tree);
  await systemctl("disable", recipe.disabledUnits);
  await systemctl("enable", recipe.enabledUnits);
  await systemctl("mask", recipe.maskedUnits);
}

/** With `chrootTo` the command of that tree runs, so that the computer's own need not exist. */
function run(command: string, args: readonly string[], signal?: AbortSignal, chrootTo?: string): Promise<void> {
  const inTree = chrootTo === undefined ? [command, ...args] : ["chroot", chrootTo, command, ...args];
  // A process namespace that dies with us: an interrupted build leaves no installer and no mount behind.
  const argv = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", ...inTree];
  return new Promise((resolve, reject) => {
    const child = spawn("setpriv", argv.slice(1), {
      stdio: ["ignore", "ignore", "pipe"],
      signal,
      killSignal: "SIGKILL",
      env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin", HOME: "/root", LANG: "C.UTF-8", ...proxies() },
    });
    let stderr = "";
    child.stderr.on("data", (d: Buffer) => (stderr = (stderr + d.toString()).slice(-4000)));
    child.on("error", reject);
    child.on("close", (code, sig) => {
      const said = stderr.trim().split("\n").slice(-8).join("\n");
      if (code === 0) resolve();
      else if (code === 127) reject(new Error(`${command} is missing (${said}); install it: apt-get install -y ${command}`));
      else reject(new Error(`${command} ended with ${code ?? sig}:\n${said}`));
    });
  });
}

const proxies = (): Record<string, string> =>
  Object.fromEntries(["http_proxy", "https_proxy", "no_proxy"].flatMap((k) => (process.env[k] ? [[k, process.env[k] as string]] : [])));

/** What a stamped tree says about itself. */
export const readStamp = async (cacheDir: string): Promise<{ builtAt: string; seconds: number }> =>
  JSON.parse(await readFile(treeLocation(cacheDir).stamp, "utf8")) as { builtAt: string; seconds: number };
