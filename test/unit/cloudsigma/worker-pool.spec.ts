import { expect } from "chai";
import { MARK } from "../../../components/cloudsigma/marks";
import { isClosing, isMember, isTemplate, poolIdOf } from "../../../components/cloudsigma/membership";
import { stopServer } from "../../../components/cloudsigma/power";
import { formerShape } from "../../../components/cloudsigma/shape";
import { waitFor } from "../../../components/cloudsigma/wait";
import type { Server } from "../../../components/cloudsigma/wire";
import { marks, provider } from "./support/inputs";
import { change, leftovers, make, someVlan, startWorld, unmake, type Made, type World } from "./support/world";

describe("membership", () => {
  const pool = "uid/pool";
  const template = { uuid: "t", meta: { [MARK.pool]: pool, [MARK.template]: "t" } };
  const rows: [string, { uuid: string; meta?: Record<string, string> }, boolean, boolean][] = [
    ["the template", template, true, false],
    ["a clone", { ...template, uuid: "c" }, false, true],
    ["a clone of an earlier template", { uuid: "c", meta: { [MARK.pool]: pool, [MARK.template]: "gone" } }, false, true],
    ["a clone of another pool's template", { uuid: "c", meta: { [MARK.pool]: "uid/other", [MARK.template]: "t" } }, false, false],
    ["a template that is not finished", { uuid: "t", meta: { [MARK.pool]: pool } }, false, false],
    ["a stranger", { uuid: "x", meta: {} }, false, false],
    ["a stranger without meta", { uuid: "x" }, false, false],
  ];
  for (const [says, server, isT, isM] of rows)
    it(`knows ${says}`, () => expect([isTemplate(server, pool), isMember(server, pool)]).to.deep.equal([isT, isM]));
  it("sees that a template is closing", () => expect([isClosing(template), isClosing({ uuid: "t", meta: { ...template.meta, [MARK.closing]: "true" } })]).to.deep.equal([false, true]));
});

describe("worker pool on local-cloud", function () {
  this.timeout(60_000);
  let w: World;
  let pool: Made;
  const poolId = poolIdOf(marks.gridUid, "test-worker-pool");
  const template = (): string => String(pool.outs["templateUuid"]);

  /** A worker, as the controller makes one. */
  async function clone(): Promise<Server> {
    const made = await w.client.action<Server>("servers", template(), "clone", { name: "grid-worker-x" });
    return waitFor({ what: "clone", read: () => w.client.get("servers", made.uuid), pending: ["cloning", "stopped", "starting"], wanted: ["running"], intervalMs: 50, limitMs: 10_000, clock: w.client.clock });
  }

  beforeEach(async () => {
    w = await startWorld();
    pool = await make("worker-pool", { vlan: await someVlan(w) });
  });
  afterEach(() => w.stop());

  it("keeps a stopped template whose clones start by themselves and are members", async () => {
    const t = await w.client.get("servers", template());
    expect(t).to.include({ status: "stopped", auto_start: true, name: "grid-worker" });
    expect(isTemplate(t, poolId)).to.equal(true);
    const c = await clone();
    expect(isMember(c, poolId)).to.equal(true);
    expect(c.tags?.map((x) => x.uuid)).to.include(String(pool.outs["tagUuid"]));
  });

  it("changes the template in place and never a member", async () => {
    const c = await clone();
    w.writes();
    const before = template();
    for (const over of [{ memoryBytes: 2 ** 31 }, { userData: "#cloud-config\nnew: true\n" }, { diskBytes: 13_000_000_000 }, { diskBytes: 6_000_000_000 }, { vncPassword: "Another-1-word" }]) {
      expect((await change(pool, over)).replaces).to.deep.equal([]);
      expect((await provider("worker-pool").diff(pool.id, pool.outs, pool.inputs)).changes).to.equal(false);
    }
    expect(template()).to.equal(before);
    const touched = w.writes();
    expect(touched.filter((call) => call.includes(c.uuid))).to.deep.equal([]);
    const mine = (await w.client.list("drives")).filter((d) => d.meta[MARK.self] === d.uuid);
    expect(mine.map((d) => d.uuid)).to.deep.equal([pool.outs["driveUuid"]]); // the former, larger drive is gone
    expect((await w.client.get("servers", c.uuid)).status).to.equal("running");
  });

  it("takes another image by another drive in the same template", async () => {
    const golden = await make("drive", { name: "golden", logicalName: "golden" });
    const before = { ...pool.outs };
    await change(pool, { image: "golden", diskBytes: 14_000_000_000 });
    expect(pool.outs["templateUuid"]).to.equal(before["templateUuid"]);
    expect(pool.outs["driveUuid"]).to.not.equal(before["driveUuid"]);
    expect(await w.client.find("drives", String(before["driveUuid"]))).to.equal(undefined);
    expect((await w.client.get("drives", golden.id)).status).to.equal("unmounted");
  });

  it("marks what workers are made of, and lets user data and passwords be", async () => {
    const shape = async (): Promise<string | undefined> => (await w.client.get("servers", template())).meta[MARK.shape];
    const first = await shape();
    expect((await clone()).meta[MARK.shape]).to.equal(first).and.to.be.a("string");
    await change(pool, { userData: "#cloud-config\nnew: true\n", vncPassword: "Another-1-word" });
    expect(await shape()).to.equal(first);
    const seen = new Set([first]);
    for (const over of [{ memoryBytes: 2 ** 31 }, { cpuMHz: 2_000 }, { smp: 2 }, { diskBytes: 13_000_000_000 }, { image: (await make("drive", { name: "golden", logicalName: "golden" }), "golden"), diskBytes: 14_000_000_000 }]) {
      await change(pool, over);
      seen.add(await shape());
    }
    expect(seen.size).to.equal(6);
  });

  it("remembers what the workers of a grid from before there were marks are made of", async () => {
    const bare = async (): Promise<void> => {
      const t = await w.client.get("servers", template());
      const { [MARK.shape]: _gone, ...meta } = t.meta;
      await w.client.update("servers", t.uuid, { name: t.name, cpu: t.cpu, mem: t.mem, vnc_password: t.vnc_password, meta });
    };
    const marked = async (): Promise<[string | undefined, string | undefined]> => {
      const { meta } = await w.client.get("servers", template());
      return [meta[MARK.shape], meta[MARK.unmarkedShape]];
    };
    const [before] = await marked();
    await bare();
    expect((await provider("worker-pool").diff(pool.id, pool.outs, pool.inputs)).changes, "nothing to do for a new version").to.equal(false);
    const old = await clone();
    await change(pool, { userData: "#cloud-config\nnew: true\n" });
    expect(await marked()).to.deep.equal([before, before]);
    const shape = async (): Promise<string | undefined> => formerShape(await w.client.get("servers", old.uuid), await w.client.get("servers", template()));
    expect(await shape()).to.equal(undefined);
    await change(pool, { diskBytes: 13_000_000_000 });
    expect((await marked())[1], "it stays").to.equal(before);
    expect(await shape()).to.match(/another image or disk/);
  });

  describe("with further types", () => {
    const large = { image: "elastigrid-appliance", diskBytes: 20_000_000_000, cpuMHz: 8_000, smp: 4, memoryBytes: 2 ** 33, userData: "#cloud-config\nlarge: true\n" };
    const templates = (): Record<string, string> => (pool.outs["templates"] ?? {}) as Record<string, string>;
    const cloneOf = async (uuid: string): Promise<Server> => {
      const made = await w.client.action<Server>("servers", uuid, "clone", { name: "grid-worker-y" });
      return waitFor({ what: "clone", read: () => w.client.get("servers", made.uuid), pending: ["cloning", "stopped", "starting"], wanted: ["running"], intervalMs: 50, limitMs: 10_000, clock: w.client.clock });
    };
    const again = async (): Promise<boolean> => (await provider("worker-pool").diff(pool.id, pool.outs, pool.inputs)).changes;

    it("has a template for each, whose clones are members and tell their type; the first is as it was", async () => {
      const before = await w.client.get("servers", template());
      await change(pool, { types: { large } });
      expect(await again()).to.equal(false);
      expect(Object.keys(templates())).to.deep.equal(["large"]);
      const second = await w.client.get("servers", templates()["large"] ?? "");
      expect(second).to.include({ status: "stopped", cpu: 8_000, mem: 2 ** 33, smp: 4 });
      expect((await w.client.get("drives", second.drives[0]?.drive.uuid ?? "")).size).to.be.at.least(20_000_000_000);
      expect([isTemplate(second, poolId), second.meta[MARK.type]]).to.deep.equal([true, "large"]);
      expect(await w.client.get("servers", template())).to.deep.equal(before);
      const c = await cloneOf(second.uuid);
      expect([isMember(c, poolId), c.meta[MARK.type], c.cpu]).to.deep.equal([true, "large", 8_000]);
      expect((await clone()).meta[MARK.type]).to.equal(undefined);
      await unmake(pool);
      expect(await leftovers(w)).to.deep.equal([]);
    });
    it("changes one without the others", async () => {
      await change(pool, { types: { large, small: { ...large, cpuMHz: 1_000, smp: 1 } } });
      const [first, small] = [await w.client.get("servers", template()), await w.client.get("servers", templates()["small"] ?? "")];
      await change(pool, { types: { large: { ...large, memoryBytes: 2 ** 34, diskBytes: 15_000_000_000 }, small: { ...large, cpuMHz: 1_000, smp: 1 } } });
      expect(await w.client.get("servers", template())).to.deep.equal(first);
      expect(await w.client.get("servers", small.uuid)).to.deep.equal(small);
      expect((await w.client.get("servers", templates()["large"] ?? "")).mem).to.equal(2 ** 34);
      expect((await w.client.list("drives")).filter((d) => d.meta[MARK.self] === d.uuid), "no former drive is left").to.have.length(3);
    });
    it("leaves workers of a type alone that is no longer declared, and takes its template away", async () => {
      await change(pool, { types: { large } });
      const c = await cloneOf(templates()["large"] ?? "");
      const former = templates()["large"] ?? "";
      await change(pool, { types: undefined });
      expect(await again()).to.equal(false);
      expect(await w.client.find("servers", former)).to.equal(undefined);
      expect((await w.client.get("servers", c.uuid)).status).to.equal("running");
      await unmake(pool);
      expect(await leftovers(w)).to.deep.equal([]);
    });
    it("makes a lost one anew", async () => {
      await change(pool, { types: { large } });
      await w.client.delete("servers", templates()["large"] ?? "", { query: { recurse: "all_drives" } });
      await new Promise((r) => setTimeout(r, 500));
      pool.outs = (await provider("worker-pool").read(pool.id, pool.outs)).props;
      expect([templates()["large"], await again()]).to.deep.equal(["", true]);
      await change(pool, {});
      expect(isTemplate(await w.client.get("servers", templates()["large"] ?? ""), poolId)).to.equal(true);
    });
    it("sees what was changed by hand", async () => {
      await change(pool, { types: { large } });
      const t = await w.client.get("servers", templates()["large"] ?? "");
      await w.client.update("servers", t.uuid, { name: t.name, cpu: 4_000, mem: t.mem, smp: 2, vnc_password: t.vnc_password });
      pool.outs = (await provider("worker-pool").read(pool.id, pool.outs)).props;
      expect(await again()).to.equal(true);
      await change(pool, {});
      expect((await w.client.get("servers", t.uuid)).cpu).to.equal(8_000);
    });
    it("is finished by the next run wherever its making was cut", async () => {
      for (let at = 1; at < 80; at++) {
        w.cloud.faults.add({ at, do: { status: 403, type: "permission", message: "planted" } });
        const cut = await change(pool, { types: { large } }).then(() => false, () => true);
        w.cloud.faults.clear();
        await change(pool, { types: { large } });
        expect((await w.client.list("servers")).filter((s) => isTemplate(s, poolId)), `cut at call ${at}`).to.have.length(2);
        await change(pool, { types: undefined });
        expect((await w.client.list("servers")), `taken out again after ${at}`).to.have.length(1);
        if (!cut) return;
      }
      expect.fail("never came to the end");
    });
  });

  it("makes a lost template anew, and keeps its members", async () => {
    const c = await clone();
    await w.client.delete("servers", template(), { query: { recurse: "all_drives" } });
    await new Promise((r) => setTimeout(r, 500));
    pool.outs = (await provider("worker-pool").read(pool.id, pool.outs)).props;
    expect(pool.outs["templateUuid"]).to.equal("");
    await change(pool, {});
    expect(isMember(await w.client.get("servers", c.uuid), poolId)).to.equal(true);
    expect(isTemplate(await w.client.get("servers", template()), poolId)).to.equal(true);
    await unmake(pool);
    expect(await leftovers(w)).to.deep.equal([]);
  });

  it("removes all members with their drives, and nobody else", async () => {
    await Promise.all([clone(), clone(), clone()]);
    const stranger = await w.client.create("servers", { name: "stranger", cpu: 1_000, mem: 2 ** 30, vnc_password: "Abcdef12!" });
    await unmake(pool);
    expect((await leftovers(w)).join()).to.equal(`servers stranger ${stranger.uuid}`);
  });

  it("removes members also when template and tag are gone", async () => {
    await clone();
    await w.client.delete("tags", String(pool.outs["tagUuid"]));
    await stopServer(w.client, template());
    await w.client.delete("servers", template(), { query: { recurse: "all_drives" } });
    await unmake(pool);
    expect(await leftovers(w)).to.deep.equal([]);
  });

  it("finishes a deletion that was cut at any call", async () => {
    await unmake(pool);
    for (let at = 1; at < 60; at++) {
      pool = await make("worker-pool", { vlan: (await w.client.list("vlans"))[0]?.uuid });
      await clone();
      w.cloud.faults.add({ at, do: { status: 403, type: "permission", message: "planted" } });
      const cut = await unmake(pool).then(() => false, () => true);
      w.cloud.faults.clear();
      await unmake(pool);
      expect(await leftovers(w), `cut at call ${at}`).to.deep.equal([]);
      if (!cut) return;
    }
  });
});
