import { expect } from "chai";
import { MARK } from "../../../components/cloudsigma/marks";
import { isClosing, isMember, isTemplate, poolIdOf } from "../../../components/cloudsigma/membership";
import { stopServer } from "../../../components/cloudsigma/power";
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
