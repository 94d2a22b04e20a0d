import { spawn } from "node:child_process";

export interface HeldLock {
  release(): Promise<void>;
}

/**
 * Holds a file lock in a small process that ends with this one, however this one ends: no stale locks to judge.
 * Resolves undefined when another holder kept it for `waitSeconds`.
 */
export const holdLock = (path: string, waitSeconds: number): Promise<HeldLock | undefined> =>
  new Promise((resolve, reject) => {
    const child = spawn("flock", ["-w", String(waitSeconds), "-E", "75", "-o", path, "sh", "-c", "echo held; exec cat >/dev/null"], {
      stdio: ["pipe", "pipe", "pipe"],
    });
    let stderr = "";
    let held = false;
    const ended = new Promise<void>((done) => child.on("close", () => done()));
    child.stderr.on("data", (d: Buffer) => (stderr += d.toString()));
    child.stdin.on("error", () => undefined); // the holder may be gone already when it is told to go
    child.on("error", (e) => reject(new Error(`cannot lock ${path}: ${e.message}; flock is part of util-linux`)));
    child.on("close", (code) => {
      if (held) return;
      if (code === 75) resolve(undefined);
      else reject(new Error(`flock ${path} ended with ${code}: ${stderr.trim()}`));
    });
    child.stdout.on("data", () => {
      held = true;
      resolve({
        release: async () => {
          child.stdin.end();
          await ended;
        },
      });
    });
  });
