import { readFileSync } from "node:fs";
import { describeProblem, isCloudError } from "../../errors";
import type { Openstack } from "../api";
import { makeOpenstack } from "../client";
import { readOpenstackSettings, type Get } from "../settings";

let get: Get = () => undefined;
let made: Openstack | undefined;

/** Called by the engine once per process and resource type, with the stack's configuration (secrets in clear). */
export function configure(req: { readonly config: { get(key: string): string | undefined } }): Promise<void> {
  get = (key) => req.config.get(key);
  made = undefined;
  return Promise.resolve();
}

/** Text of a file, or undefined where there is none. */
export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (e) {
    if (["ENOENT", "ENOTDIR", "EACCES"].includes((e as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw e;
  }
}

/** Made at first use, from the same places as the program's own: check and diff work without credentials. */
export function currentApi(): Openstack {
  if (made !== undefined) return made;
  const { settings, problems } = readOpenstackSettings(get, process.env, readText);
  if (settings === undefined) throw alone(problems.map(describeProblem).join("\n"));
  return (made = makeOpenstack(settings));
}

/**
 * `grid.master.replace` as the stack's configuration has it: what the engine asks about a resource that depends on a replaced one still has
 * the inputs of the last run. A program with another configuration gives it by an `up` of its own, before the change.
 */
export function permittedLoss(): string | undefined {
  try {
    const grid = JSON.parse(get("elastigrid:grid") ?? "{}") as { readonly master?: { readonly replace?: unknown } } | null;
    return typeof grid?.master?.replace === "string" ? grid.master.replace : undefined;
  } catch {
    return undefined; // the program says what is wrong with it
  }
}

/** For tests, until the next `configure`. */
export function useApi(api: Openstack): void {
  made = api;
}

/** One message for people, without a stack: the engine prints both. */
export async function forPeople<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (e) {
    if (!isCloudError(e)) throw e; // a bug keeps its stack
    throw alone(e.message);
  }
}

function alone(message: string): Error {
  const error = new Error(message);
  error.stack = "";
  return error;
}
