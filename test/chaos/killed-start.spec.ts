import { spawn, type ChildProcess } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seeded } from "../../local-cloud/http/faults";
import { alive, family, killAll, long, pause, processes, say, secondsSince, seed, until, type Process } from "../support/chaos";
import { packageDir } from "../support/stack";
import { cacheDir as cacheDirOf } from "../../tools/paths";
import { freePort, noGrid } from "../support/lane";

const realCache = cacheDirOf();
/** From the first line on standard error; the short form stays in the part where clouds are made and removed. */
const SPAN_MS = long ? 240_000 : 90_000;

const within = (limitSeconds: number): Promise<string> => new Promise((resolve) => setTimeout(() => resolve(`no end in ${limitSeconds} s`), limitSeconds * 1_000).unref());

interface Run {
  readonly child: ChildProcess;
  readonly lines: string[];
  readonly ended: Promise<number | null>;
}

describe("npm start, killed", function () {
  this.timeout(1_200_000);
  const random = seeded(seed);
  let home = "", port = 0;
  let run: Run | undefined;
  const seen: Process[] = [];

  const start = (...flags: string[]): Run => {
    const child = spawn(process.execPath, [join(packageDir, "tools", "run.mjs"), "start", "--port", String(port), ...flags], {
      cwd: packageDir, env: { ...process.env, XDG_CACHE_HOME: home }, stdio: ["ignore", "pipe", "pipe"], detached: true,
    });
    const lines: string[] = [];
    for (const stream of [child.stdout, child.stderr]) stream?.setEncoding("utf8").on("data", (text: string) => lines.push(...text.split("\n").filter(Boolean)));
    return (run = { child, lines, ended: new Promise((resolve) => child.on("exit", (code) => resolve(code))) });
  };
  /** Whatever was ever started with this cache of ours. */
  const ours = (): Process[] =>
    processes().filter((p) => {
      try {
        return p.pid !== process.pid && readFileSync(`/proc/${p.pid}/environ`, "utf8").split("\0").includes(`XDG_CACHE_HOME=${home}`);
      } catch {
        return false; // it has just ended
      }
    });
  const left = (): string[] => [
    ...[...ours(), ...seen.filter(alive)].map((p) => `process ${p.pid} ${p.command.slice(0, 90)}`),
    ...readFileSync("/proc/mounts", "utf8").split("\n").filter((line) => line.includes(home)),
  ];

  before(async function () {
    const reason = await noGrid();
    if (reason !== undefined) {
      say(`skipped: ${reason}`);
      return this.skip();
    }
    say(`seed ${seed}`);
    // a cache of its own, so that nobody's running grid is in the way; what set-up brings is taken from the real one
    home = mkdtempSync(join(tmpdir(), "elastigrid-home-"));
    const cache = join(home, "elastigrid");
    mkdirSync(join(cache, "engine"), { recursive: true });
    symlinkSync(join(realCache, "images"), join(cache, "images"));
    for (const name of readdirSync(join(realCache, "engine")))
      if (name.endsWith(".json")) cpSync(join(realCache, "engine", name), join(cache, "engine", name));
      else symlinkSync(join(realCache, "engine", name), join(cache, "engine", name));
    port = await freePort();
  });

  after(async () => {
    if (run !== undefined) killAll(family(run.child.pid ?? 0));
    if (home === "") return;
    await pause(500);
    killAll(ours());
    rmSync(home, { recursive: true, force: true });
  });

  for (let i = 1; i <= (long ? 10 : 1); i += 1)
    it(`moment ${i}: npm start -- --down removes everything`, async () => {
      const first = start();
      await until("the first sign of life", 60_000, () => first.lines.some((l) => l.includes("pulumi up (1")) || first.child.exitCode !== null);
      const afterMs = Math.floor(random() * SPAN_MS);
      const end = Date.now() + afterMs;
      while (Date.now() < end && first.child.exitCode === null) await pause(Math.max(1, Math.min(1_000, end - Date.now())));
      seen.splice(0, seen.length, ...family(first.child.pid ?? 0));
      first.child.kill("SIGKILL");
      await first.ended;
      say(`killed ${(afterMs / 1000).toFixed(1)} s after its first up began; ${seen.length} processes; last line: ${first.lines.at(-1)?.trim() ?? "none"}`);
      const from = Date.now();
      const down = start("--down");
      const code = await Promise.race([down.ended, within(300)]);
      const report = down.lines.find((l) => l.includes("leak check")) ?? "no leak check";
      say(`--down ended with ${code} in ${secondsSince(from)}: ${report.trim()}`);
      if (code !== 0) throw new Error(down.lines.slice(-30).join("\n"));
      await until("the end of all processes and mounts", 45_000, () => left().length === 0).catch((e: Error) => {
        throw new Error(`${e.message}: ${left().join("; ")}`);
      });
    });

  it("Ctrl-C during an up: the engine ends in good order while its cloud is still there", async () => {
    const first = start();
    await until("a server being made", 120_000, () => first.lines.some((l) => l.includes("grid-master-disk created")) || first.child.exitCode !== null);
    await pause(Math.floor(random() * 3_000));
    process.kill(-(first.child.pid ?? 0), "SIGINT"); // as a terminal does: to all that did not leave its group
    const code = await Promise.race([first.ended, within(60)]);
    if (code !== 130) throw new Error(`ended with ${code}: ${first.lines.slice(-20).join("\n")}`);
    if (left().length > 0) throw new Error(left().join("; "));
    const down = start("--down");
    const then = await Promise.race([down.ended, within(300)]);
    say(`Ctrl-C, then --down ended with ${then}: ${down.lines.find((l) => l.includes("leak check"))?.trim() ?? "no leak check"}`);
    if (then !== 0) throw new Error(down.lines.slice(-30).join("\n"));
  });

  if (long)
    it("and a whole run after another kill ends well", async () => {
      const first = start();
      await pause(Math.floor(20_000 + random() * 60_000));
      first.child.kill("SIGKILL");
      await first.ended;
      const again = start();
      const code = await Promise.race([again.ended, within(1_000)]);
      if (code !== 0) throw new Error(again.lines.slice(-30).join("\n"));
    });
});
