import type { ChildProcess } from "node:child_process";
import { rmSync } from "node:fs";
import { seeded } from "../../local-cloud/http/faults";
import { alive, family, killAll, long, pause, say, secondsSince, seed, until, type Process } from "../support/chaos";
import { freePort, needGrid } from "../support/lane";
import { StartHome, type StartRun } from "../support/start-home";

/** From the first line on standard error; the short form stays in the part where clouds are made and removed. */
const SPAN_MS = long ? 240_000 : 90_000;

const within = (limitSeconds: number): Promise<string> => new Promise((resolve) => setTimeout(() => resolve(`no end in ${limitSeconds} s`), limitSeconds * 1_000).unref());

describe("npm start, killed", function () {
  this.timeout(1_200_000);
  const random = seeded(seed);
  let home: StartHome | undefined;
  let child: ChildProcess | undefined;
  const seen: Process[] = [];

  const start = (...flags: string[]): StartRun => {
    const run = (home as StartHome).start(...flags);
    child = run.child;
    return run;
  };
  const left = (): string[] => [
    ...[...(home as StartHome).processes(), ...seen.filter(alive)].map((p) => `process ${p.pid} ${p.command.slice(0, 90)}`),
    ...(home as StartHome).mounts(),
  ];

  before(async function () {
    await needGrid(this);
    say(`seed ${seed}`);
    home = new StartHome(await freePort());
  });

  after(async () => {
    if (child !== undefined) killAll(family(child.pid ?? 0));
    if (home === undefined) return;
    await pause(500);
    killAll(home.processes());
    rmSync(home.dir, { recursive: true, force: true });
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
