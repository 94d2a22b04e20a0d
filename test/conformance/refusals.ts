import { expect } from "chai";
import { PulumiError } from "../../demo/pulumi";
import { openTestStack, type StackTarget } from "../support/stack";
import { baseGrid, labels, type Chapter, type GridText, type Story } from "./story";

/** What a preview says that must fail. */
async function refused(target: StackTarget, grid: GridText): Promise<string> {
  const test = await openTestStack(target, grid, "refused");
  try {
    await test.stack.preview();
  } catch (e) {
    // With --json the engine reports on standard output.
    if (e instanceof PulumiError) return `${e.finished.stdout}\n${e.finished.stderr}`.replaceAll("\\n", "\n").replaceAll('\\"', '"');
    throw e;
  } finally {
    test.close();
  }
  throw new Error("the preview took the bad input");
}

const imageTypo = { ...baseGrid, image: { name: "elastigrid-aplliance" } };
const giant = { ...baseGrid.workers, vcpus: 128, memory: "1 TiB" };

export const beforeAnything: Chapter = {
  title: "before anything is made",
  behaviours: [
    {
      says: "previews a whole grid on an empty project",
      check: async (s) => {
        const writes = await s.cloud.writesDuring(async () => s.note("first preview", (await s.test.stack.preview()).changes["create"] ?? 0));
        s.note("writes of the first preview", writes);
        expect(s.recall<number>("first preview")).to.be.greaterThan(10);
      },
    },
    { says: "writes nothing for a preview", check: async (s) => expect(s.recall("writes of the first preview")).to.deep.equal([]) },
    {
      says: "names every mistake of a configuration at once",
      check: async (s) => {
        const said = await refused(s.cloud.target, { ...baseGrid, wokers: 1, workers: { min: 5, max: 2, memory: "1 Gb" }, network: { cidr: "10.0.0.0/31" } });
        for (const part of ["wokers", "workers.max", "workers.memory", "network.cidr"]) expect(said).to.include(part);
      },
    },
    { says: "names an image that is not there, and a near one", check: async (s) => expect(await refused(s.cloud.target, imageTypo)).to.match(/image.*elastigrid-aplliance[^]*elastigrid-appliance/) },
    { says: "names a size that no server here can have", check: async (s) => expect(await refused(s.cloud.target, { ...baseGrid, workers: giant })).to.match(/grid\.workers/) },
    {
      says: "names what only the cloud can know, all at once",
      check: async (s) => {
        const said = await refused(s.cloud.target, { ...imageTypo, workers: giant });
        expect(said).to.match(/grid\.workers/);
        expect(said).to.match(/elastigrid-aplliance/);
      },
    },
    {
      says: "says that the login is refused, and repeats no password",
      check: async (s) => {
        const said = await refused(s.cloud.wrongPassword, baseGrid);
        expect(said).to.match(/password|credential|401/i);
        expect(said).to.not.include(s.cloud.wrongPassword.password);
      },
    },
    { says: "says that the cloud does not answer, and where it was looked for", check: async (s) => expect(await refused(s.cloud.away, baseGrid)).to.include(s.cloud.away.address) },
    {
      says: "refuses a cloud that it does not know, and names those that it does",
      check: async (s) => expect(await refused({ ...s.cloud.target, config: { ...s.cloud.target.config, "elastigrid:cloud": "nimbus" } }, baseGrid)).to.match(/nimbus[^]*cloudsigma/),
    },
    { says: "has made nothing by any of this", check: async (s: Story) => expect(labels(await s.cloud.things())).to.deep.equal([]) },
  ],
};
