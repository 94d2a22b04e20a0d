import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LocalCloudProcess } from "../../demo/cloud";
import { isEmptyChange } from "../../demo/pulumi";
import { seeded } from "../../local-cloud/http/faults";
import { engineEnvironment } from "../../tools/engine-env";
import { difference, family, inventory, killAll, long, pause, say, secondsSince, seed, statesOnly, until } from "../support/chaos";
import { openTestStack, packageDir, type TestStack } from "../support/stack";

describe("local-cloud killed during up", function () {
  this.timeout(600_000);
  const random = seeded(seed);
  let dir = "", port = 0;
  let cloud: LocalCloudProcess | undefined, test: TestStack | undefined;
  let whole: string[] = [];

  const start = async (): Promise<LocalCloudProcess> => {
    cloud = await LocalCloudProcess.start({ program: join(packageDir, "dist", "cli", "main.js"), stateDir: join(dir, "cloud"), port, keep: false, backend: "none", onLine: () => undefined });
    port = Number(new URL(cloud.access.endpoint).port);
    return cloud;
  };
  const fresh = async (): Promise<TestStack> => {
    dir = mkdtempSync(join(tmpdir(), "elastigrid-killed-"));
    port = 0;
    return (test = await openTestStack((await start()).access, statesOnly));
  };
  const kill = async (c: LocalCloudProcess): Promise<void> => {
    const victims = family(c.access.pid);
    process.kill(c.access.pid, "SIGKILL");
    await until("the end of the killed local-cloud", 5_000, () => family(c.access.pid).length === 0);
    killAll(victims);
  };
  const close = async (): Promise<void> => {
    for (const pid of test?.stack.pids ?? []) killAll(family(pid));
    test?.close();
    await cloud?.stop();
    if (dir !== "") rmSync(dir, { recursive: true, force: true });
    test = cloud = undefined;
  };

  before(async function () {
    const engine = engineEnvironment();
    if (!engine.available) {
      say(`skipped: ${engine.reason}`);
      this.skip();
    }
    say(`seed ${seed}`);
    const t = await fresh();
    await t.stack.up();
    whole = await inventory((cloud as LocalCloudProcess).access);
    await close();
  });
  afterEach(close);
  after(close);

  for (let i = 1; i <= (long ? 10 : 3); i += 1)
    it(`moment ${i}: the next up goes on, and destroy leaves nothing`, async () => {
      const t = await fresh();
      let ended = false;
      const running = t.stack.up().then(() => "got through", () => "failed").finally(() => (ended = true));
      const things = Math.floor(random() * whole.length), delayMs = Math.floor(random() * 80), awayMs = Math.floor(random() * 3_000);
      const access = (cloud as LocalCloudProcess).access;
      while (!ended && (await inventory(access)).length < things) await pause(5);
      await pause(delayMs);
      await kill(cloud as LocalCloudProcess);
      await pause(awayMs);
      await start();
      const how = await running;
      const from = Date.now();
      await t.configure(statesOnly);
      await t.stack.up();
      const off = difference(whole, await inventory((cloud as LocalCloudProcess).access));
      if (off !== "") throw new Error(`after the next up: ${off}`);
      const { changes } = await t.stack.preview();
      if (!isEmptyChange(changes)) throw new Error(`the preview is not empty: ${JSON.stringify(changes)}`);
      await t.stack.destroy();
      const { leaks } = await (cloud as LocalCloudProcess).leaks();
      say(`killed ${delayMs} ms after object ${things} of ${whole.length}, back ${awayMs} ms later: that up ${how}; the rest took ${secondsSince(from)}`);
      if (leaks.length > 0) throw new Error(`after destroy: ${leaks.join("; ")}`);
    });
});
