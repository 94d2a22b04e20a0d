import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, isAbsolute, join, resolve } from "node:path";

/** The checkout that this compiled file belongs to. */
export const packageRoot = resolve(__dirname, "..", "..");

/** Everything that set-up makes outside the checkout. */
export const cacheDir = (env: NodeJS.ProcessEnv = process.env): string => {
  const base = env["XDG_CACHE_HOME"];
  return join(base !== undefined && isAbsolute(base) ? base : join(homedir(), ".cache"), "elastigrid");
};

/** Where a program is on PATH. */
export function findOnPath(program: string, path: string = process.env["PATH"] ?? ""): string | undefined {
  return path.split(delimiter).filter((dir) => dir !== "").map((dir) => join(dir, program)).find((file) => existsSync(file));
}

/** The nearest folder above that is there, for questions about its file system. */
export const nearestExisting = (path: string): string => (existsSync(path) || dirname(path) === path ? path : nearestExisting(dirname(path)));
