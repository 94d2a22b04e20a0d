import { availableParallelism } from "node:os";

export type Print = (text: string) => void;

/** A piece of a run: a lane, or one spec file of it. */
export interface Item<R> {
  readonly title: string;
  /** Said before all that it says. */
  readonly heading: string;
  readonly load: "busy" | "waiting";
  /** With `print`: says all in one piece when it ends. Without: as it goes. */
  run(print: Print | undefined): Promise<R>;
}

export interface Ended<R> {
  readonly title: string;
  readonly seconds: number;
  readonly result: R;
}

/**
 * How many items at a time: two, whatever the computer has. With more, guests and engines make time limits of the tests fail on two cores,
 * and no test shall be less strict for the sake of computers with many.
 */
export const slotsHere = (env: NodeJS.ProcessEnv = process.env): number => {
  const wanted = Number(env["ELASTIGRID_TEST_SLOTS"] ?? Math.min(2, availableParallelism()));
  if (Number.isInteger(wanted) && wanted >= 1) return wanted;
  throw new Error(`ELASTIGRID_TEST_SLOTS is ${env["ELASTIGRID_TEST_SLOTS"]}: it must be a whole number, 1 or more`);
};

const PROGRESS_MS = 60_000;
const clock = (ms: number): string => `${Math.floor(ms / 60_000)}:${String(Math.floor(ms / 1_000) % 60).padStart(2, "0")}`;

/**
 * Runs items in `slots` slots. The first slot takes those that wait, the last one those that compute, and whoever has none left helps the
 * other: so what computes and what waits run beside each other as long as there is both. One item alone talks as it goes; of several
 * each talks when it has ended, with a line when it begins and one a minute of what is at work. After one that was interrupted
 * none begins.
 */
export async function sideBySide<R extends { readonly interrupted?: boolean }>(
  items: readonly Item<R>[], slots: number, write: Print, everyMs = PROGRESS_MS,
): Promise<Ended<R>[]> {
  const only = items.length === 1 ? items[0] : undefined;
  const began = Date.now();
  const ended = ({ title }: Item<R>, from: number, result: R): Ended<R> =>
    ({ title, seconds: Math.round((Date.now() - from) / 1_000), result });
  if (only !== undefined) {
    write(`\n${only.heading}\n`);
    return [ended(only, began, await only.run(undefined))];
  }
  const left = { waiting: items.filter((i) => i.load === "waiting"), busy: items.filter((i) => i.load === "busy") };
  const atWork = new Map<Item<R>, number>();
  const results: Ended<R>[] = [];
  let stopped = false;
  const stop = (): void => void (stopped = true);
  process.on("SIGINT", stop).on("SIGTERM", stop);
  const progress = setInterval(() => {
    const now = Date.now(), todo = left.waiting.length + left.busy.length;
    const what = [...atWork].map(([i, from]) => `${i.title} (${clock(now - from)})`).join(", ");
    if (atWork.size > 0) write(`   ${clock(now - began)} at work: ${what}; ${todo} to begin\n`);
  }, everyMs);
  const work = async (mine: "waiting" | "busy"): Promise<void> => {
    const other = mine === "waiting" ? "busy" : "waiting";
    for (let item = take(); item !== undefined; item = take()) {
      const from = Date.now();
      let said = "";
      atWork.set(item, from);
      write(`   ${clock(from - began)} ${item.title} begins\n`);
      try {
        const result = await item.run((text) => (said += text));
        results.push(ended(item, from, result));
        stopped ||= result.interrupted === true;
      } finally {
        atWork.delete(item);
        write(`\n${item.heading} (${clock(Date.now() - from)})\n${said}`);
      }
    }
    function take(): Item<R> | undefined {
      return stopped ? undefined : (left[mine].shift() ?? left[other].shift());
    }
  };
  try {
    await Promise.all(Array.from({ length: slots }, (_, i) => work(i === slots - 1 && slots > 1 ? "busy" : "waiting")));
  } finally {
    clearInterval(progress);
    process.off("SIGINT", stop).off("SIGTERM", stop);
  }
  return results;
}
