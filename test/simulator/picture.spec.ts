import { expect } from "chai";
import { readFileSync } from "node:fs";
import { playDay, type Day } from "./picture/day";
import { draw } from "./picture/draw";
import { COMMAND, PICTURE } from "./picture/write";
import { isReplay } from "./world/story";

if (!isReplay) {
  describe("the picture of a simulated day", function () {
    this.timeout(300_000);
    let day: Day;
    before(async () => {
      day = await playDay();
    });

    it(`in docs/ shows what the controller does now (after a change of it: ${COMMAND})`, () => {
      expect(
        draw(day) === readFileSync(PICTURE, "utf8"),
        `docs/simulated-day.svg is of another controller: run \`${COMMAND}\`, look at it, and commit it`,
      ).to.equal(true);
    });

    it("shows a day on which every job was done, and started twice only where its host had died", () => {
      const last = day.samples.at(-1)!;
      expect(last.waiting).to.equal(0);
      expect(day.jobs - day.startedOnce).to.be.within(1, 2);
      expect(day.samples.every((s) => Object.values(s.workers).reduce((a, b) => a + b, 0) <= day.max)).to.equal(true);
      expect(day.incidents).to.have.length(5);
    });
  });
}
