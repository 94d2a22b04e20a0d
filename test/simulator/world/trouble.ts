import type { GridSimulator } from "./grid-simulator";
import { LIST_FAULTS } from "./lies";
import type { Dice } from "./random";

/**
 * Makes cloud, queue, network and clock as bad as they get, at random: wrong, stale, partial and empty lists, false words about one
 * server, lost answers, lost and late ads, restarts, workers cut off, a wall clock that jumps. Answers how to end it all.
 */
export function trouble(sim: GridSimulator, dice: Dice): () => void {
  const { cloud, queue, time } = sim;
  cloud.lies.listChance = dice.next() * 0.3;
  cloud.lies.singleChance = dice.next() * 0.3;
  cloud.lies.kinds = dice.chance(0.5) ? LIST_FAULTS : [dice.one(LIST_FAULTS)];
  cloud.ambiguousChance = dice.chance(0.3) ? dice.next() * 0.5 : 0;
  queue.lostAdChance = dice.next() * 0.4;
  queue.silentChance = dice.next() * 0.2;
  let over = false;
  const now = (p: number, withinMs: number, what: () => void): void => {
    if (dice.chance(p)) time.after(dice.next() * withinMs, () => over || what());
  };
  const anybody = (): string | undefined => {
    const ids = [...queue.startds.keys()];
    return ids.length === 0 ? undefined : dice.one(ids);
  };
  now(0.2, 60_000, () => queue.restartCollector(dice.next() * 30_000));
  now(0.2, 60_000, () => queue.restartSchedd(dice.next() * 40_000));
  now(0.2, 60_000, () => time.jump(dice.one([-3_600_000, 3_600_000, -20_000, 20_000])));
  for (let i = 0; i < 2; i += 1) {
    now(0.25, 60_000, () => {
      const id = anybody();
      if (id !== undefined) queue.cutOff(id, dice.chance(0.8) ? dice.between(5_000, 200_000) : dice.between(900_000, 1_500_000));
    });
  }
  now(0.15, 60_000, () => {
    const id = anybody();
    if (id !== undefined) cloud.crash(id);
  });
  return () => {
    over = true;
    cloud.lies.listChance = 0;
    cloud.lies.singleChance = 0;
    cloud.ambiguousChance = 0;
    queue.lostAdChance = 0;
    queue.silentChance = 0;
  };
}
