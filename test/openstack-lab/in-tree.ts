import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Places } from "./places";

/** A clean environment: a Python of the user's own, or proxies, would slow or break the packaged services. */
const environment = { PATH: "/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C.UTF-8", HOME: "/root" };
const TAIL_LINES = 15;

export const logFile = (places: Places, name: string): string => join(places.logs, `${name}.log`);

/** Starts a command in the lab's tree, in a process group of its own, writing to its log. */
export function spawnInTree(places: Places, tree: string, name: string, argv: readonly string[], env: Readonly<Record<string, string>> = {}): ChildProcess {
  return spawnLogged(places, name, ["chroot", tree, ...argv], env);
}

/** The same with the computer's own files: for what belongs to the lab but is not of OpenStack. */
export function spawnOutside(places: Places, name: string, argv: readonly string[], env: Readonly<Record<string, string>> = {}): ChildProcess {
  return spawnLogged(places, name, argv, env);
}

function spawnLogged(places: Places, name: string, argv: readonly string[], env: Readonly<Record<string, string>>): ChildProcess {
  const log = openSync(logFile(places, name), "a", 0o600);
  try {
    return spawn(argv[0] ?? "", argv.slice(1), { stdio: ["ignore", log, log], env: { ...environment, ...env }, detached: true });
  } finally {
    closeSync(log);
  }
}

/** What a service said last, for an error message; lines are cut so that one traceback cannot fill the screen. */
export function logTail(places: Places, name: string): string {
  const file = logFile(places, name);
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return `(no log at ${file})`;
  }
  const lines = text.trimEnd().split("\n").slice(-TAIL_LINES).map((l) => `    ${l.slice(0, 300)}`);
  return `its log ends (${file}):\n${lines.join("\n")}`;
}

/** Runs a set-up command in the tree to its end; a failure names it and shows its log's end. */
export const runInTree = (places: Places, tree: string, name: string, argv: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<void> =>
  new Promise((resolve, reject) => {
    const child = spawnInTree(places, tree, name, argv, env);
    child.on("error", (e) => reject(new Error(`${name}: cannot run ${argv[0]}: ${e.message}`)));
    child.on("close", (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`${name} failed: ${argv[0]} ended with ${code ?? signal}; ${logTail(places, name)}`));
    });
  });
