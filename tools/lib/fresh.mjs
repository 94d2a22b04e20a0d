// What must be done again: compares what is installed and compiled with what the checkout asks for. Reads only, but for the stamp.
import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";

const readJson = (file) => (existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : undefined);

/** Why `npm ci` is needed, or undefined. npm writes its hidden lock file last, so an interrupted install shows. */
export function packagesDiffer(root) {
  const wanted = readJson(join(root, "package-lock.json"))?.packages ?? {};
  const installed = readJson(join(root, "node_modules", ".package-lock.json"))?.packages;
  if (installed === undefined) return "node_modules is not there or not whole";
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === "" || entry.link === true) continue;
    const have = installed[path];
    if (have === undefined && entry.optional === true) continue; // for another platform
    if (have?.version !== entry.version || have?.integrity !== entry.integrity) return `${path} is ${have?.version ?? "missing"}, not ${entry.version}`;
  }
  return undefined;
}

const sourceFolders = (root) => readJson(join(root, "tsconfig.json")).include;

/** Size and time of every file that the compiler and the bundler read: cheap enough for every start. */
export function buildInputsHash(root) {
  const hash = createHash("sha256").update(process.versions.node.split(".")[0]);
  for (const name of ["package-lock.json", "package.json", "tsconfig.json"]) hash.update(readFileSync(join(root, name)));
  for (const file of sourceFolders(root).flatMap((folder) => sources(join(root, folder)))) {
    const { size, mtimeMs } = statSync(file);
    hash.update(`${relative(root, file)} ${size} ${mtimeMs}\n`);
  }
  return hash.digest("hex");
}

function sources(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1)).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === "node_modules" ? [] : sources(path);
    return /\.(ts|mts|cts|json)$/.test(entry.name) ? [path] : [];
  });
}

const stampFile = (root) => join(root, "dist", ".built");

/** The hash that the compiled code belongs to. */
export const readStamp = (root) => (existsSync(stampFile(root)) ? readFileSync(stampFile(root), "utf8") : undefined);

export function writeStamp(root, hash) {
  writeFileSync(`${stampFile(root)}.new`, hash);
  renameSync(`${stampFile(root)}.new`, stampFile(root));
}

/** Removes compiled files whose source is gone: a deleted test must not go on running. */
export function prune(root) {
  for (const folder of sourceFolders(root)) {
    for (const file of compiled(join(root, "dist", folder))) {
      const stem = relative(join(root, "dist"), file).replace(/\.(d\.ts|js\.map|js)$/, "");
      if (!existsSync(join(root, `${stem}.ts`))) rmSync(file);
    }
  }
}

function compiled(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? compiled(path) : /\.(d\.ts|js\.map|js)$/.test(entry.name) ? [path] : [];
  });
}
