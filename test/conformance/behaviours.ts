import { limits, deletedByHand, newMaster, newSize, newWorkers, stoppedByHand } from "./changes";
import type { ConformanceCloud } from "./cloud";
import { farewell, twoGrids } from "./farewell";
import { again, firstUp } from "./first-up";
import { beforeAnything } from "./refusals";
import { Story, type Chapter } from "./story";
import { blind, growing, shrinking, upBeside } from "./workers";

/**
 * What is promised of every cloud, in the order of one grid's life: deployments are dear on a real cloud, so each serves many checks,
 * and a chapter builds on those before it.
 */
export const chapters: readonly Chapter[] = [
  beforeAnything, firstUp, again, growing, upBeside, shrinking, blind, limits, newWorkers, newSize, newMaster, stoppedByHand, deletedByHand, twoGrids, farewell,
];

/** Declares the suite for one cloud. `open` answers why it cannot be run here, as text. */
export function conformance(title: string, open: () => Promise<ConformanceCloud | string>): void {
  describe(title, () => {
    let cloud: ConformanceCloud | undefined, story: Story | undefined;
    before(async function () {
      const opened = await open();
      if (typeof opened === "string") {
        console.log(`      skipped: ${opened}`);
        return this.skip();
      }
      cloud = opened;
      story = await Story.begin(cloud);
    });
    after(async () => {
      try {
        await story?.end();
      } finally {
        await cloud?.close();
      }
    });
    const going = (): Story => {
      if (story === undefined) throw new Error("the suite has not begun");
      return story;
    };
    for (const chapter of chapters)
      describe(chapter.title, () => {
        before(() => chapter.happens?.(going()));
        for (const { says, check, notOn } of chapter.behaviours)
          it(says, async function () {
            const why = notOn?.[going().cloud.name];
            if (why !== undefined) {
              console.log(`        not on ${going().cloud.name}: ${why}`);
              this.skip();
            }
            await check(going());
          });
      });
  });
}
