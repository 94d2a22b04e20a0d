import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** One file with controller and command line, for the master. */
export interface Bundle {
  readonly path: string;
  /** Changes with the contents. */
  readonly digest: string;
}

/** Finds the bundle of this very package, wherever it is installed. */
export function findBundle(from = __dirname): Bundle {
  const path = join(packageFolder(from), "dist", "bundle", "elastigrid.cjs");
  if (!existsSync(path)) throw new Error(`${path} is missing: run \`npm run build\` in the folder of elastigrid`);
  return { path, digest: createHash("sha256").update(readFileSync(path)).digest("hex").slice(0, 12) };
}

function packageFolder(from: string): string {
  for (let folder = from; ; folder = dirname(folder)) {
    const file = join(folder, "package.json");
    if (existsSync(file) && (JSON.parse(readFileSync(file, "utf8")) as { name?: string }).name === "elastigrid") return folder;
    if (folder === dirname(folder)) throw new Error(`no package elastigrid above ${from}`);
  }
}
