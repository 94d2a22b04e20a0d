import { spawn, type ChildProcess } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cacheDir } from "../../tools/paths";
import { processes, type Process } from "./chaos";
import { packageDir } from "./stack";

export interface StartRun {
  readonly child: ChildProcess;
  /** Of both streams. */
  readonly lines: string[];
  readonly ended: Promise<number | null>;
}

/** `npm start` with a cache of its own, so that nobody's running grid is in the way; what set-up brings is taken from the real one. */
export class StartHome {
  readonly dir = mkdtempSync(join(tmpdir(), "elastigrid-home-"));

  constructor(private readonly port: number) {
    const real = cacheDir(), cache = join(this.dir, "elastigrid");
    mkdirSync(join(cache, "engine"), { recursive: true });
    symlinkSync(join(real, "images"), join(cache, "images"));
    for (const name of readdirSync(join(real, "engine")))
      if (name.endsWith(".json")) cpSync(join(real, "engine", name), join(cache, "engine", name));
      else symlinkSync(join(real, "engine", name), join(cache, "engine", name));
  }

  start(...flags: string[]): StartRun {
    const child = spawn(process.execPath, [join(packageDir, "tools", "run.mjs"), "start", "--port", String(this.port), ...flags], {
      cwd: packageDir, env: { ...process.env, XDG_CACHE_HOME: this.dir }, stdio: ["ignore", "pipe", "pipe"], detached: true,
    });
    const lines: string[] = [];
    for (const stream of [child.stdout, child.stderr]) stream?.setEncoding("utf8").on(
      "data", (text: string) => lines.push(...text.split("\n").filter(Boolean)),
    );
    return { child, lines, ended: new Promise((resolve) => child.on("exit", (code) => resolve(code))) };
  }

  /** Whatever was ever started with this cache. */
  processes(): Process[] {
    return processes().filter((p) => {
      try {
        return p.pid !== process.pid && readFileSync(`/proc/${p.pid}/environ`, "utf8").split("\0").includes(`XDG_CACHE_HOME=${this.dir}`);
      } catch {
        return false; // it has just ended
      }
    });
  }

  mounts(): string[] {
    return readFileSync("/proc/mounts", "utf8").split("\n").filter((line) => line.includes(this.dir));
  }
}
