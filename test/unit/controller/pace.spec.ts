import { expect } from "chai";
import { Pace } from "../../../controller/pace";

const LONG_MS = 60_000;
const took = async (work: Promise<void>): Promise<number> => {
  const from = performance.now();
  await work;
  return performance.now() - from;
};

describe("Pace", () => {
  it("is hurried by an order, also by one of the pass before", async () => {
    const pace = new Pace(LONG_MS);
    setTimeout(() => pace.hurry(), 5);
    await pace.pause(LONG_MS);
    pace.hurry();
    await pace.pause(LONG_MS);
  });
  it("is shortened by new work, also by what came in the pass before, and no further", async () => {
    const pace = new Pace(60);
    setTimeout(() => pace.soon(), 5);
    expect(await took(pace.pause(LONG_MS))).to.be.least(60);
    pace.soon();
    expect(await took(pace.pause(LONG_MS))).to.be.least(60);
  });
  it("makes no pause longer, and forgets what it has been told", async () => {
    const pace = new Pace(LONG_MS);
    pace.soon();
    await pace.pause(5);
    const other = new Pace(1);
    other.soon();
    await other.pause(LONG_MS);
    expect(await took(other.pause(40))).to.be.least(40);
  });
  it("ends at once when it is stopped", async () => {
    const pace = new Pace(LONG_MS);
    setTimeout(() => pace.stop(), 5);
    await pace.pause(LONG_MS);
    await pace.pause(LONG_MS);
    expect(pace.stopped).to.equal(true);
  });
});
