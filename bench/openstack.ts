/**
 * How long a grid takes on a real OpenStack: `npm run -s lab:openstack -- exec -- node dist/bench/openstack.js [rounds]`, on the lab
 * that is up. Every round makes a grid, looks at it, scales its group by the controller's own adapter, and destroys it. Nothing
 * boots on the lab's fake driver, so what is measured is the cloud's and the engine's work. The ancestor's figures are those of its report.
 */
import { loadavg } from "node:os";
import { Story, type GridText } from "../test/conformance/story";
import { labConformance } from "../test/conformance/openstack-lab";
import { noLab } from "../test/support/openstack-lab";

const ANCESTOR_SECONDS = 234;

async function main(rounds: number): Promise<number> {
  const why = await noLab();
  if (why !== undefined) {
    process.stdout.write(`${why}\n`);
    return 1;
  }
  const times = new Map<string, number[]>();
  const timed = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
    const from = performance.now();
    const value = await work();
    times.set(what, [...(times.get(what) ?? []), (performance.now() - from) / 1_000]);
    return value;
  };
  let failed = 0;
  for (let round = 1; round <= rounds; round += 1) {
    const cloud = await labConformance();
    const story = await Story.begin(cloud);
    try {
      await timed("up", () => story.up());
      await timed("second up, nothing to do", () => story.up());
      await timed("preview", () => story.previewed());
      await timed("refresh", () => story.refresh());
      const members = await timed("three workers more", () => story.grow(3));
      await timed("one chosen worker less", () => story.remove(members[1]?.id ?? ""));
      await timed("other limits and alarms, workers running", () => story.up({ ...story.grid, workers: { ...(story.grid["workers"] as GridText), max: 5 } }));
      await timed("destroy", () => story.test.stack.destroy());
      const left = await cloud.leaks();
      if (left.length > 0) throw new Error(`left: ${left.join("; ")}`);
      process.stdout.write(`round ${round}: up ${times.get("up")?.at(-1)?.toFixed(1)} s, destroy ${times.get("destroy")?.at(-1)?.toFixed(1)} s, load ${(loadavg()[0] ?? 0).toFixed(1)}\n`);
    } catch (e) {
      failed += 1;
      process.stdout.write(`round ${round}: FAILED: ${(e as Error).message.slice(-800)}\n`);
    } finally {
      await story.end().finally(() => cloud.close());
    }
  }
  for (const [what, all] of times) process.stdout.write(`${what}: ${(all.reduce((a, b) => a + b, 0) / all.length).toFixed(1)} s (${Math.min(...all).toFixed(1)} to ${Math.max(...all).toFixed(1)})\n`);
  const ups = times.get("up") ?? [];
  const mean = ups.reduce((a, b) => a + b, 0) / Math.max(1, ups.length);
  process.stdout.write(`${rounds} rounds, ${failed} failed (ancestor: 20.9 %); mean up ${mean.toFixed(1)} s, the ancestor's ${ANCESTOR_SECONDS} s\n`);
  return failed === 0 ? 0 : 1;
}

void main(Number(process.argv[2] ?? 3)).then((code) => (process.exitCode = code));
