import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { dirname } from "node:path";

/** Replaces a file as a whole: a reader, or a crash, meets the old one or the new one. */
export function writeWhole(path: string, data: string | Buffer, mode = 0o644): void {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.new`;
  const fd = openSync(temporary, "w", mode);
  try {
    writeSync(fd, typeof data === "string" ? Buffer.from(data) : data);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(temporary, path);
}

/** The file's bytes, or undefined where there is none. */
export function readIfThere(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw e;
  }
}

export type State<T> = { readonly value: T } | { readonly problem: string };

/**
 * Reads a file of our own state. One that is not there is undefined; whatever else is wrong with it (a folder in its place, no permission,
 * cut off, not what we wrote) is told, and stops nobody: the start must not hang on what a crash left.
 */
export function readState<T>(path: string, parse: (text: string) => T): State<T> | undefined {
  try {
    const bytes = readIfThere(path);
    return bytes === undefined ? undefined : { value: parse(bytes.toString("utf8")) };
  } catch (e) {
    return { problem: e instanceof Error ? e.message : String(e) };
  }
}
