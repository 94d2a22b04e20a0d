import { homedir } from "node:os";
import { join } from "node:path";

/** The project's folder in the user's cache. */
export const cacheFolder = (env: NodeJS.ProcessEnv = process.env): string => join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "elastigrid");
export const defaultStateDir = (): string => join(cacheFolder(), "local-cloud", "default");
