import { isEmptyChange } from "../../demo/pulumi";
import { startLocalCloud, type CallRecord, type FaultSpec, type LocalCloud } from "../../local-cloud";
import { engineEnvironment } from "../../tools/engine-env";
import { difference, inParallel, inventory, long, say, secondsSince, seed, statesOnly } from "../support/chaos";
import { openTestStack, type TestStack } from "../support/stack";

/** The last one is not repeated by the client: the run ends there, as by a kill between the effect and its record. */
const KINDS: readonly (readonly [string, Pick<FaultSpec, "when" | "do">])[] = [
  ["cut after the effect", { when: "after", do: { cut: true } }],
  ["503 before the effect", { when: "before", do: { status: 503, type: "concurrency" } }],
  ["HTML 502 after the effect", { when: "after", do: { html: 502 } }],
  ["500 before the effect", { when: "before", do: { status: 500 } }],
  ["an end of the run after the effect", { when: "after", do: { status: 400, type: "validation" } }],
];

/** A call by what it does and how often that has been done before: the order of two runs is not quite the same. */
interface Point {
  readonly method: string;
  readonly path: string;
  readonly at: number;
}

const isWrite = (c: { method: string }): boolean => c.method !== "GET";
const shape = (path: string): string =>
  `^${path.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, "[0-9a-f-]{36}").replace(/\/ips\/[^/]+\//, "/ips/[^/]+/").replace(/\/subscriptions\/\d+\//, "/subscriptions/\\d+/")}$`;

function points(calls: readonly CallRecord[]): Point[] {
  const seen = new Map<string, number>();
  return calls.map(({ method, path }) => {
    const key = `${method} ${shape(path)}`;
    seen.set(key, (seen.get(key) ?? 0) + 1);
    return { method, path: shape(path), at: seen.get(key) ?? 1 };
  });
}

const spread = <T>(items: readonly T[], count: number): T[] => Array.from({ length: Math.min(count, items.length) }, (_, i) => items[Math.floor(((i + 0.5) * items.length) / count)] as T);

interface Strike {
  readonly point: Point;
  readonly name: string;
  readonly fault: Pick<FaultSpec, "when" | "do">;
}

/** All kinds in turn; with which it begins is the seed's. */
function struckBy(point: Point, i: number): Strike {
  const [name, fault] = KINDS[(i + seed) % KINDS.length] as (typeof KINDS)[0];
  return { point, name, fault };
}

/** ELASTIGRID_LONG=1 strikes every call of an up and of a destroy; else it is half of an up's writes, which half is the seed's, and a few more. */
describe("up and destroy that are struck at any call", function () {
  this.timeout(long ? 5_400_000 : 560_000);
  const open = new Set<{ cloud: LocalCloud; test?: TestStack }>();
  /** The lane was interrupted or took too long: no further strike begins. */
  let over = false;
  let up: Point[] = [], down: Point[] = [], whole: string[] = [];

  const world = async (): Promise<{ cloud: LocalCloud; test: TestStack; close: () => Promise<void> }> => {
    const cloud = await startLocalCloud({ memory: true, log: () => undefined });
    const mine: { cloud: LocalCloud; test?: TestStack } = { cloud };
    open.add(mine);
    const close = async (): Promise<void> => {
      open.delete(mine);
      await mine.test?.stack.interrupt();
      mine.test?.close();
      await cloud.stop();
    };
    const test = (mine.test = await openTestStack(cloud, statesOnly));
    return { cloud, test, close };
  };

  before(async function () {
    const engine = engineEnvironment();
    if (!engine.available) {
      say(`skipped: ${engine.reason}`);
      this.skip();
    }
    const { cloud, test, close } = await world();
    await test.stack.up();
    up = points(cloud.calls.since());
    whole = await inventory(cloud);
    const from = cloud.calls.last;
    await test.stack.destroy();
    down = points(cloud.calls.since(from));
    await close();
    say(`seed ${seed}; an up makes ${up.length} calls (${up.filter(isWrite).length} writes), a destroy ${down.length} (${down.filter(isWrite).length} writes)`);
  });

  after(async () => {
    over = true;
    for (const w of [...open]) {
      await w.test?.stack.interrupt();
      w.test?.close();
      await w.cloud.stop();
    }
  });

  const strike = (cloud: LocalCloud, s: Strike): void => void cloud.faults.add({ match: { method: s.point.method, path: s.point.path }, at: s.point.at, ...s.fault });
  const struck = (cloud: LocalCloud): boolean => cloud.faults.list().some((f) => f.struck > 0);
  const outcome = (work: Promise<unknown>): Promise<string> =>
    work.then(() => "got through", () => "failed").then((how) => {
      if (over) throw new Error("interrupted");
      return how;
    });
  const label = (s: Strike): string => `${s.name}: call ${s.point.at} of ${s.point.method} ${s.point.path.replace(/^\^\/api\/2\\\.0|\$$/g, "").replaceAll("\\", "")}`;

  /** Goes through all strikes, two at a time, and reports every one that went wrong. */
  const goThrough = async (strikes: readonly Strike[], one: (s: Strike, index: number) => Promise<string>): Promise<void> => {
    const started = Date.now();
    const wrong: string[] = [];
    await inParallel(strikes, 2, async (s, i) => {
      if (over) return;
      const from = Date.now();
      try {
        say(`${String(i + 1).padStart(3)}/${strikes.length} ${label(s)}: ${await one(s, i)} (${secondsSince(from)})`);
      } catch (e) {
        wrong.push(`${label(s)}: ${(e as Error).message}`);
        say(`${String(i + 1).padStart(3)}/${strikes.length} ${label(s)}: WRONG: ${(e as Error).message}`);
      }
    });
    say(`${strikes.length} strikes in ${secondsSince(started)}, ${wrong.length} went wrong`);
    if (wrong.length > 0) throw new Error(wrong.join("\n"));
  };

  it("leaves nothing twice and nothing lost after a clean up", async () => {
    const writes = up.filter(isWrite), reads = up.filter((p) => !isWrite(p));
    const strikes = long
      ? up.flatMap((point, i) => [0, 1].map((k) => KINDS[(2 * i + k + (isWrite(point) ? 0 : 1)) % KINDS.length] as (typeof KINDS)[0]).map(([name, fault]) => ({ point, name, fault })))
      : [...writes.filter((_, i) => (i + seed) % 2 === 0), ...spread(reads, 3)].map(struckBy);
    await goThrough(strikes, async (s, i) => {
      const { cloud, test, close } = await world();
      try {
        strike(cloud, s);
        const first = await outcome(test.stack.up());
        const hit = struck(cloud);
        cloud.faults.clear();
        await test.stack.up();
        const off = difference(whole, await inventory(cloud));
        if (off !== "") throw new Error(`after the clean up: ${off}`);
        const { changes } = await test.stack.preview();
        if (!isEmptyChange(changes)) throw new Error(`the preview is not empty: ${JSON.stringify(changes)}`);
        if (i % 3 === 0) {
          await test.stack.destroy();
          const { leaks } = cloud.leaks();
          if (leaks.length > 0) throw new Error(`after destroy: ${leaks.join("; ")}`);
        }
        return hit ? `the struck up ${first}` : `was not struck, ${first}`;
      } finally {
        await close();
      }
    });
  });

  it("leaves nothing after a clean destroy that follows a struck one", async () => {
    const writes = down.filter(isWrite);
    const chosen = long ? down : spread(writes, 3);
    const strikes = chosen.map(struckBy);
    await goThrough(strikes, async (s) => {
      const { cloud, test, close } = await world();
      try {
        await test.stack.up();
        strike(cloud, s);
        const first = await outcome(test.stack.destroy());
        const hit = struck(cloud);
        cloud.faults.clear();
        await test.stack.destroy();
        const { leaks, prepaid } = cloud.leaks();
        if (leaks.length > 0) throw new Error(`after the clean destroy: ${leaks.join("; ")}`);
        if (prepaid.length !== 2) throw new Error(`paid in advance: ${prepaid.join("; ")}`);
        return hit ? `the struck destroy ${first}` : `was not struck, ${first}`;
      } finally {
        await close();
      }
    });
  });
});
