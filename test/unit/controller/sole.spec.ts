import { expect } from "chai";
import { soleController } from "../../../controller/sole";

describe("the one controller that acts", () => {
  it("lets a second one wait until the first has ended, and says so once", async () => {
    const lock = `/elastigrid-test/${process.pid}`, said: string[] = [];
    const first = await soleController(lock, (l) => said.push(l), () => false);
    expect(first).to.not.equal(undefined);
    let second: Awaited<ReturnType<typeof soleController>>;
    const waiting = soleController(lock, (l) => said.push(l), () => false).then((s) => (second = s));
    await new Promise((r) => setTimeout(r, 1_200));
    expect(second, "it waits").to.equal(undefined);
    first?.release();
    await waiting;
    expect(second).to.not.equal(undefined);
    second?.release();
    expect(said).to.deep.equal(["another controller of this grid is at work: waiting until it ends"]);
  });
  it("gives up waiting when it is told to stop", async () => {
    const lock = `/elastigrid-test/stop-${process.pid}`;
    const first = await soleController(lock, () => undefined, () => false);
    let looks = 0;
    expect(await soleController(lock, () => undefined, () => (looks += 1) > 1)).to.equal(undefined);
    first?.release();
  });
});
