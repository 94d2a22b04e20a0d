import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { long, say, seed } from "../support/chaos";
import { freePort, needGrid } from "../support/lane";
import { failures, runSoak, type Plan } from "../soak/course";
import { SoakWorld } from "../soak/world";

/** `npm run soak` in short: the same course, without what takes minutes (schedd stopped, network cut). */
describe("a soak in short", function () {
  this.timeout(1_200_000);
  let world: SoakWorld | undefined, dir = "", leaks: readonly string[] | undefined;

  before(async function () {
    await needGrid(this);
    dir = mkdtempSync(join(tmpdir(), "elastigrid-soak-"));
    world = await SoakWorld.open(dir, await freePort(), say);
  });

  after(async () => {
    if (leaks === undefined) await world?.close(say);
    if (dir !== "") rmSync(dir, { recursive: true, force: true });
  });

  it("scales down again and again, is struck and lied to, and starts every job once", async () => {
    say(`seed ${seed}`);
    const plan: Plan = {
      seed, seconds: long ? 600 : 110, strikes: [
        "false-status", "startd", "false-status", "controller", "worker", "condor",
      ], betweenStrikesSeconds: 8,
      durations: { scheddStoppedSeconds: 60, networkCutSeconds: 60 }, wantedScaleDowns: long ? 50 : 8, leaseSeconds: 40,
    };
    const result = await runSoak(world as SoakWorld, plan, say);
    leaks = await (world as SoakWorld).close(say);
    const { verdict, scaleDowns, strikes } = result;
    say(
      `${scaleDowns} scale-downs, ${verdict.jobs} jobs, ${verdict.starts} starts, ${strikes.length} strikes, ${verdict.losses.length} runs lost with their machine`,
    );
    const broken = failures(result, plan, leaks);
    if (broken.length > 0) throw new Error(`seed ${seed}: ${broken.join("\n")}`);
  });
});
