import { unknown, type Observed, type Occupancy, type Queue } from "./ports";

/** Puts questions that come within a moment into one: ten removals of one pass cost one look at HTCondor, not ten. */
export function askTogether(queue: Pick<Queue, "occupancy">): (machine: string) => Promise<Observed<Occupancy>> {
  let waiting: { readonly machines: Set<string>; readonly answer: ReturnType<Queue["occupancy"]> } | undefined;
  return async (machine) => {
    if (waiting === undefined) {
      const machines = new Set<string>();
      const answer = new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
        waiting = undefined; // whoever comes now asks anew: an answer is never older than its question
        return queue.occupancy([...machines]);
      });
      waiting = { machines, answer };
    }
    waiting.machines.add(machine);
    const all = await waiting.answer;
    if (!all.known) return all;
    const one = all.value.get(machine);
    return one === undefined ? unknown(`HTCondor's answer leaves out ${machine}`) : { known: true, value: one };
  };
}

/** Runs `work` for all items, at most `most` at a time. */
export async function atMostAtOnce<T, R>(most: number, items: readonly T[], work: (item: T) => Promise<R>): Promise<readonly R[]> {
  const results: R[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let n = next++; n < items.length; n = next++) results[n] = await work(items[n]!);
  };
  await Promise.all(Array.from({ length: Math.min(most, items.length) }, worker));
  return results;
}
