import { expect } from "chai";
import { baseGrid, labels, type Chapter, type Story } from "./story";
import { openTestStack, type TestStack } from "../support/stack";

const neighbour = async (s: Story, work: (test: TestStack) => Promise<void>): Promise<void> => {
  const test = await openTestStack(s.cloud.target, { ...baseGrid, name: "neighbour" }, "neighbour");
  try {
    try {
      await test.stack.up();
      await work(test);
    } finally {
      await test.stack.destroy();
    }
  } finally {
    test.close();
  }
};

export const twoGrids: Chapter = {
  title: "a second grid in the same project",
  happens: async (s) => {
    await s.rest();
    const before = labels(await s.cloud.things());
    await neighbour(s, async (test) => {
      s.note("servers of two", (await s.cloud.servers()).map((x) => x.name));
      s.note("address of the second", (await test.stack.outputs())["masterAddress"]);
      s.note("members beside another", (await s.members()).map((m) => m.name));
    });
    s.note("before the second", before);
    s.note("after the second", labels(await s.cloud.things()));
  },
  behaviours: [
    { says: "has a master of its own", check: async (s) => expect(s.recall<string[]>("servers of two")).to.include.members(["conform-master", "neighbour-master"]) },
    { says: "has an address of its own", check: async (s) => expect(s.recall("address of the second")).to.not.equal((await s.outputs())["masterAddress"]) },
    { says: "shares no worker with the first", check: async (s) => expect(s.recall<string[]>("members beside another")).to.have.length((await s.members()).length) },
    { says: "leaves the first as it was when it goes", check: async (s) => {
      const after = s.recall<string[]>("after the second");
      expect(s.recall<string[]>("before the second").filter((l) => !after.includes(l))).to.deep.equal([]);
      expect(await s.previewed()).to.equal("");
    } },
  ],
};

export const farewell: Chapter = {
  title: "destroy",
  happens: async (s) => {
    s.note("last pool", await s.pool());
    await s.test.stack.destroy();
  },
  behaviours: [
    { says: "leaves nothing that costs money", check: async (s) => {
      const foreign = s.recall<string[]>("foreign");
      expect((await s.cloud.leaks()).filter((l) => !foreign.some((f) => l.includes(f.split(" ").at(-1) ?? "")))).to.deep.equal([]);
    } },
    { says: "takes workers too that Pulumi never made", check: async (s) => expect((await s.cloud.servers()).map((x) => x.id)).to.deep.equal([s.recall("stranger")]) },
    { says: "leaves what is not the grid's", check: async (s) => {
      expect((await s.cloud.servers())[0]?.running).to.equal(true);
      expect(labels(await s.cloud.things())).to.include.members(s.recall<string[]>("foreign"));
    } },
    { says: "leaves nothing in the state", check: async (s) => expect(await s.test.stack.resourceCount()).to.equal(0) },
    { says: "lets the controller know that the group is closed", check: async (s) => {
      const seen = await (await s.pool()).observe();
      expect(seen.known).to.equal(true);
      if (seen.known) expect([seen.value.members, typeof seen.value.closing]).to.deep.equal([[], "string"]);
    } },
    { says: "lets no controller make another worker", check: async (s) => {
      const made = await (await s.pool()).grow(["conform-worker-late"]);
      expect(made.created).to.deep.equal([]);
      expect(made.failure).to.be.a("string").and.not.equal("");
      expect((await s.cloud.servers()).map((x) => x.id)).to.deep.equal([s.recall("stranger")]);
    } },
    { says: "can be repeated", check: async (s) => void (await s.test.stack.destroy()) },
    { says: "can be killed and repeated, as up can", notOn: {
      cloudsigma: "the lane chaos does it at every call (killed-engine, faulty-up)", openstack: "resume.spec.ts does it",
    }, check: async () => undefined },
  ],
};

