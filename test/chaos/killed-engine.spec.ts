import { pendingCreates } from "../../demo/leftovers";
import { isEmptyChange } from "../../demo/pulumi";
import { startLocalCloud, type LocalCloud } from "../../local-cloud";
import { seeded } from "../../local-cloud/http/faults";
import { engineEnvironment } from "../../tools/engine-env";
import { alive, difference, family, inventory, killAll, long, pause, say, secondsSince, seed, statesOnly, type Process } from "../support/chaos";
import { openTestStack, type TestStack } from "../support/stack";

describe("the engine killed during up", function () {
  this.timeout(600_000);
  const random = seeded(seed);
  const leftBehind: Process[] = [];
  let cloud: LocalCloud | undefined, test: TestStack | undefined;
  let whole: string[] = [], writes = 20;

  const open = async (): Promise<{ cloud: LocalCloud; test: TestStack }> => {
    cloud = await startLocalCloud({ memory: true, log: () => undefined });
    test = await openTestStack(cloud, statesOnly);
    return { cloud, test };
  };
  const close = async (): Promise<void> => {
    killAll(leftBehind.splice(0));
    for (const pid of test?.stack.pids ?? []) killAll(family(pid));
    test?.close();
    await cloud?.stop();
    test = cloud = undefined;
  };

  before(async function () {
    const engine = engineEnvironment();
    if (!engine.available) {
      say(`skipped: ${engine.reason}`);
      this.skip();
    }
    say(`seed ${seed}`);
    const w = await open();
    await w.test.stack.up();
    writes = w.cloud.calls.writes().length;
    whole = await inventory(w.cloud);
    await w.test.stack.destroy();
    await close();
  });
  afterEach(close);
  after(close);

  for (let i = 1; i <= (long ? 10 : 3); i += 1) {
    // The engine alone, as when memory runs out: its plugins go on. Or all together, as when the computer is switched off.
    const alone = i % 2 === 1;
    const straightDown = i % 4 >= 2;
    it(`moment ${i}: ${alone ? "the engine alone" : "the engine and its plugins"}; then ${straightDown ? "destroy finds all" : "up goes on"}`, async () => {
      const w = await open();
      // Most of an up passes before its first write; what matters is the time between the first and the last.
      const afterWrite = Math.floor(random() * (writes + 1)), delayMs = Math.floor(random() * 100);
      let ended = false;
      const running = w.test.stack.up().then(() => "had ended", () => "killed").finally(() => (ended = true));
      while (!ended && w.cloud.calls.writes().length < afterWrite) await pause(5);
      await pause(delayMs);
      const victims = w.test.stack.pids.flatMap((pid) => family(pid));
      leftBehind.push(...victims);
      killAll(alone ? victims.slice(0, 1) : victims);
      const how = await running;
      const from = Date.now();
      const made = w.cloud.calls.writes().length, pending = pendingCreates(w.test.dir, "test").length;
      await w.test.configure(statesOnly); // opens the stack, as the next run does
      if (victims.some(alive)) throw new Error(`still there: ${victims.filter(alive).map((p) => p.command.slice(0, 80)).join("; ")}`);
      if (!straightDown) {
        await w.test.stack.up();
        const off = difference(whole, await inventory(w.cloud));
        if (off !== "") throw new Error(`after the next up: ${off}`);
        const { changes } = await w.test.stack.preview();
        if (!isEmptyChange(changes)) throw new Error(`the preview is not empty: ${JSON.stringify(changes)}`);
        if ((await w.test.stack.exported()).includes("pending_operations")) throw new Error("the engine still speaks of interrupted operations");
      }
      await w.test.stack.destroy();
      const { leaks } = w.cloud.leaks();
      say(`${how} ${delayMs} ms after write ${afterWrite}, ${made} made, ${pending} creations pending; the rest took ${secondsSince(from)}`);
      if (leaks.length > 0) throw new Error(`after destroy: ${leaks.join("; ")}`);
    });
  }
});
