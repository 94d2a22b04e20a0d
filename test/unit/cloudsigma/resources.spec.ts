import { expect } from "chai";
import { MARK } from "../../../components/cloudsigma/marks";
import { UNKNOWN } from "../../../components/cloudsigma/provider/check";
import { USER_DATA_KEY } from "../../../components/cloudsigma/provider/servers";
import { KINDS, PASSWORD, provider, USER_DATA, UUID, type Props } from "./support/inputs";
import { change, leftovers, make, someVlan, startWorld, unmake, type Made, type World } from "./support/world";

const failure = async (work: Promise<unknown>): Promise<Error & { id?: string; properties?: Props }> => {
  try {
    await work;
  } catch (e) {
    return e as Error;
  }
  throw new Error("did not fail");
};

describe("CloudSigma resources on local-cloud", function () {
  this.timeout(30_000);
  let w: World;
  let vlan: string;
  beforeEach(async () => {
    w = await startWorld();
    vlan = await someVlan(w);
    w.writes();
  });
  afterEach(() => w.stop());

  for (const kind of KINDS) {
    const more = (): Props => (kind === "server" ? { nics: [{ address: "dhcp" }, { vlan }] } : kind === "worker-pool" ? { vlan } : {});
    it(`makes a ${kind} once, sees no change, writes nothing without one, and removes it without a trace`, async () => {
      const a = await make(kind, more());
      const again = await make(kind, more()); // as after a run whose state was lost
      expect(again.id).to.equal(a.id);
      w.writes();
      expect(await change(again, {})).to.include({ changes: false });
      await provider(kind).update(again.id, again.outs, again.inputs);
      const read = await provider(kind).read(again.id, again.outs);
      expect(read.id).to.equal(a.id);
      expect((await provider(kind).diff(a.id, read.props, again.inputs)).changes, JSON.stringify(read.props)).to.equal(false);
      expect(w.writes()).to.deep.equal([]);
      await unmake(again);
      await unmake(again); // gone is success
      expect(await leftovers(w)).to.deep.equal([]);
    });
    it(`says that a ${kind} is gone`, async () => {
      const a = await make(kind, more());
      await unmake(a);
      if (kind === "vlan" || kind === "static-ip") return; // they live on until they are paid for
      const read = await provider(kind).read(a.id, a.outs);
      if (kind === "worker-pool") expect(read.props["templateUuid"]).to.equal(""); // members might live: it is made anew in place
      else expect(read.id).to.equal("");
    });
  }

  for (const [kind, collection] of [["tag", "tags"], ["drive", "drives"], ["server", "servers"]] as const)
    it(`refuses a name that a ${kind} of somebody else has`, async () => {
      const body = { name: "taken", ...(kind === "drive" ? { size: 2 ** 30, media: "disk" } : kind === "server" ? { cpu: 1_000, mem: 2 ** 30, vnc_password: PASSWORD } : {}) };
      const theirs = await w.client.create(collection, body);
      const e = await failure(make(kind, { name: "taken", nics: kind === "server" ? [] : undefined }));
      expect(e.message).to.contain('name = "taken"').and.to.contain(theirs.uuid).and.to.contain("choose another name");
      expect(e.stack).to.equal("");
    });

  describe("server", () => {
    it("hands cloud-init its data, boots, and tells its address", async () => {
      const s = await make("server", { nics: [{ address: "dhcp" }, { vlan }] });
      const live = await w.client.get("servers", s.id);
      expect(Buffer.from(live.meta[USER_DATA_KEY] ?? "", "base64").toString()).to.equal(USER_DATA);
      expect(live.meta).to.include({ base64_fields: USER_DATA_KEY, [MARK.self]: s.id, [MARK.grid]: "0a1b2c3d4e5f", [MARK.stack]: "project/test" });
      expect(live.status).to.equal("running");
      expect(s.outs["publicIp"]).to.match(/^\d+\.\d+\.\d+\.\d+$/);
    });
    it("changes name and meta while it runs, and cpu by stopping it", async () => {
      const s = await make("server", { nics: [] });
      w.writes();
      await change(s, { name: "grid-main", meta: { team: "a" } });
      expect(w.writes()).to.deep.equal([`PUT servers/${s.id}/`]);
      await change(s, { cpuMHz: 3_000, meta: undefined });
      expect(w.writes()).to.deep.equal([`POST servers/${s.id}/action/?do=shutdown`, `PUT servers/${s.id}/`, `POST servers/${s.id}/action/?do=start`]);
      const live = await w.client.get("servers", s.id);
      expect(live).to.include({ name: "grid-main", cpu: 3_000, status: "running" });
      expect(live.meta).to.not.have.property("team");
    });
    it("keeps the interfaces' MACs, and meta of others", async () => {
      const s = await make("server", { nics: [{ address: "dhcp" }, { vlan }] });
      const before = await w.client.get("servers", s.id);
      await w.client.update("servers", s.id, { name: before.name, cpu: before.cpu, mem: before.mem, vnc_password: PASSWORD, meta: { ...before.meta, theirs: "x" } });
      await change(s, { memoryBytes: 2 ** 31 });
      const after = await w.client.get("servers", s.id);
      expect(after.nics.map((n) => n.mac)).to.deep.equal(before.nics.map((n) => n.mac));
      expect(after.meta["theirs"]).to.equal("x");
    });
    it("finds drift and repairs it", async () => {
      const s = await make("server", { nics: [] });
      await w.client.action("servers", s.id, "stop");
      await new Promise((r) => setTimeout(r, 300));
      s.outs = (await provider("server").read(s.id, s.outs)).props;
      expect(s.outs["powerState"]).to.equal("stopped");
      expect(await change(s, {})).to.include({ changes: true });
      expect((await w.client.get("servers", s.id)).status).to.equal("running");
    });
    it("pulls the plug of a guest that ignores the power button, as soon as the cloud lets it", async () => {
      await w.stop();
      w = await startWorld({ delays: { acpiMs: 1_500 } });
      const s = await make("server", { nics: [], meta: { "local-cloud-acpi": "ignore" }, shutdownSeconds: 1 });
      await change(s, { powerState: "stopped" });
      expect((await w.client.get("servers", s.id)).status).to.equal("stopped");
    });
    it("tells the engine of a server that did not boot, and boots it the next time", async () => {
      w.cloud.faults.add({ times: 1, at: 1, match: { method: "POST", path: "do=start" }, do: { failBoot: {} } });
      const e = await failure(make("server", { nics: [] }));
      expect(e.message).to.contain("did not boot");
      expect(e.id).to.match(/^[0-9a-f-]{36}$/);
      expect(e.properties).to.include({ cpuMHz: 2_000 }).and.to.have.property("generation");
      const outs = (await provider("server").update(e.id ?? "", e.properties as Props, (await provider("server").check({}, { ...(e.properties as Props), generation: undefined, macs: undefined, publicIp: undefined, status: undefined })).inputs)).outs;
      expect(outs["status"]).to.equal("running");
    });
    it("bears a wrong state for a moment, and a lagging list after a lost create", async () => {
      w.cloud.faults.add({ at: 1, match: { method: "POST", path: "servers/$" }, when: "after", do: { cut: true } });
      const s = await make("server", { nics: [] });
      w.cloud.faults.add({ at: 1, match: { path: s.id }, do: { wrongStatus: { uuid: s.id, status: "unavailable", reads: 2 } } });
      await change(s, { powerState: "stopped" });
      expect(await w.client.list("servers")).to.have.length(1);
    });
    it("is spared by the deletion of a predecessor that it is", async () => {
      const first = await make("drive");
      const second = await make("drive"); // a forced replacement finds the drive and keeps it
      await unmake(first);
      expect((await w.client.get("drives", second.id)).name).to.equal("grid-master-disk");
      await unmake(second);
      expect(await w.client.find("drives", second.id)).to.equal(undefined);
    });
  });

  describe("drive", () => {
    it("grows on a running server, which runs again afterwards", async () => {
      const d = await make("drive");
      const s = await make("server", { nics: [], drives: [{ uuid: d.id }] });
      w.writes();
      await change(d, { sizeBytes: 13_000_000_000 });
      expect((await w.client.get("drives", d.id)).size).to.be.within(13_000_000_000, 13_000_016_384);
      expect((await w.client.get("servers", s.id)).status).to.equal("running");
      expect((await w.client.get("servers", s.id)).meta).to.not.have.property(MARK.restart);
      expect((await provider("server").diff(s.id, (await provider("server").read(s.id, s.outs)).props, s.inputs)).changes).to.equal(false);
    });
    describe("whose data must outlive every update", () => {
      const keep = { keepData: true };
      const diff = async (d: Made, over: Props): Promise<unknown> => provider("drive").diff(d.id, d.outs, (await provider("drive").check(d.inputs, { ...d.inputs, ...over })).inputs);
      for (const [title, over, says] of [
        ["a smaller one", { sizeBytes: 11_000_000_000 }, /sizeBytes 12000002048 -> 11000000000: would replace drive grid-master-disk \([0-9a-f-]{36}\)/],
        ["another image", { cloneOf: "debian-13" }, /cloneOf elastigrid-appliance -> debian-13: would replace/],
        ["another storage type", { storageType: "nvme" }, /storageType dssd -> nvme: would replace/],
        ["another name of the resource", { logicalName: "renamed" }, /logicalName: would replace/],
        ["a grid whose uid is not known yet", { marks: { gridUid: UNKNOWN, gridName: "grid", stack: "project/test" } }, /marks: would replace/],
      ] as const)
        it(`refuses ${title}, unless its own uuid is named`, async () => {
          const d = await make("drive", keep);
          w.writes();
          const e = await failure(diff(d, over));
          expect(e.message).to.match(says).and.to.contain(`set \`replace\` to ${d.id}`);
          expect(e.stack).to.equal("");
          expect(await failure(diff(d, { ...over, replace: UUID })), "another's").to.match(/would replace/);
          expect(((await diff(d, { ...over, replace: d.id })) as { replaces: string[] }).replaces).to.have.length(1);
          expect(w.writes()).to.deep.equal([]);
        });
      it("is not replaced by an order of the engine either, which asks nobody", async () => {
        const d = await make("drive", keep);
        w.writes();
        const e = await failure(make("drive", { ...keep, sizeBytes: 11_000_000_000 }));
        expect(e.message).to.contain(`another drive than grid-master-disk (${d.id})`);
        expect(w.writes()).to.deep.equal([]);
        expect((await make("drive", keep)).id, "as it was declared it is taken over").to.equal(d.id);
        const next = await make("drive", { ...keep, sizeBytes: 11_000_000_000, replace: d.id });
        expect(next.id).to.not.equal(d.id);
      });
      it("shows no change to a state that never heard of it", async () => {
        const d = await make("drive");
        w.writes();
        expect(await change(d, { keepData: true, replace: d.id })).to.include({ changes: false });
        expect(w.writes()).to.deep.equal([]);
      });
      it("still grows, tells its declared size, and is deleted without a word", async () => {
        const d = await make("drive", keep);
        await change(d, { sizeBytes: 13_000_000_000 });
        expect((await w.client.get("drives", d.id)).meta).to.include({ [MARK.declaredSize]: "13000000000" });
        await unmake(d);
        expect(await leftovers(w)).to.deep.equal([]);
      });
    });
    it("names images that resemble one that is not there", async () => {
      const e = await failure(make("drive", { cloneOf: "elastigrid-aplliance" }));
      expect(e.message).to.contain('image "elastigrid-aplliance" does not exist').and.to.contain('"elastigrid-appliance"');
    });
    it("refuses an image name that two drives have", async () => {
      for (let n = 0; n < 2; n++) await w.client.create("drives", { name: "golden", size: 2 ** 30, media: "disk" });
      expect((await failure(make("drive", { cloneOf: "golden" }))).message).to.contain("ambiguous");
    });
    it("copies an own drive without taking over its marks", async () => {
      const source = await make("drive", { name: "source", logicalName: "source" });
      const copy = await make("drive", { cloneOf: "source" });
      expect(copy.id).to.not.equal(source.id);
      expect((await make("drive", { name: "source", logicalName: "source" })).id).to.equal(source.id);
    });
    it("copies anew when the cloud could not copy", async () => {
      w.cloud.faults.add({ at: 1, match: { method: "POST", path: "do=clone" }, do: { failClone: {} } });
      expect((await failure(make("drive"))).message).to.contain("could not copy");
      await make("drive");
      expect(await w.client.list("drives")).to.have.length(1);
    });
  });

  describe("VLAN and address", () => {
    for (const [kind, collection, noun] of [["vlan", "vlans", "VLAN"], ["static-ip", "ips", "static address"]] as const) {
      it(`buys a ${kind} only where that is allowed, and offers what is unused`, async () => {
        const spare = kind === "vlan" ? vlan : (await w.client.create("subscriptions", { resource: "ip", amount: 1, period: "1 month", auto_renew: false })).subscribed_object;
        w.writes();
        const e = await failure(make(kind, { purchase: undefined }));
        expect(e.message).to.contain(noun).and.to.contain("purchase is not allowed").and.to.contain(spare);
        expect(w.writes()).to.deep.equal([]);
      });
      it(`takes a ${kind} that was given back, before it buys another`, async () => {
        const a = await make(kind);
        await unmake(a);
        const b = await make(kind, { logicalName: "another", purchase: { allowed: false } });
        expect(b.id).to.equal(a.id);
        const subscription = (await w.client.list("subscriptions")).find((s) => s.subscribed_object === a.id);
        expect(subscription?.auto_renew).to.equal(true);
        await unmake(b);
        expect(await leftovers(w)).to.deep.equal([]);
      });
      it(`uses a given ${kind} and leaves its renewal alone`, async () => {
        const s = await w.client.create("subscriptions", { resource: kind === "vlan" ? "vlan" : "ip", amount: 1, period: "1 month", auto_renew: true });
        const a = await make(kind, { wanted: s.subscribed_object, purchase: undefined });
        expect(a.outs).to.include({ source: "given", subscriptionId: String(s.id) });
        const e = await failure(make(kind, { wanted: s.subscribed_object, marks: { gridUid: "ffffffff", gridName: "other", stack: "p/o" } }));
        expect(e.message).to.contain("in use by the deployment grid (project/test)");
        await unmake(a);
        expect((await w.client.get("subscriptions", s.id)).auto_renew).to.equal(true);
        expect((await w.client.get(collection, a.id)).meta).to.deep.equal({});
      });
    }
    it("says what exists when the wanted one does not", async () => {
      expect((await failure(make("vlan", { wanted: UUID }))).message).to.contain("no such VLAN").and.to.contain(vlan);
    });
    it("finds the purchase of a run that was killed before it could mark it", async () => {
      const dying = w.cloud.faults.add({ match: { method: "PUT", path: "ips/" }, do: { status: 403, type: "permission" } });
      expect(dying).to.be.a("number");
      await failure(make("static-ip"));
      w.cloud.faults.clear();
      await make("static-ip");
      expect((await w.client.list("subscriptions")).filter((s) => s.resource === "ip")).to.have.length(1);
      expect(await w.client.list("tags")).to.have.length(0);
    });
  });

  it("tells the balance when money is short", async () => {
    w.cloud.faults.add({ at: 1, match: { method: "POST", path: "do=start" }, do: { status: 402, type: "billing" } });
    const e = await failure(make("server", { nics: [] }));
    expect(e.message).to.match(/balance: [\d.]+ [A-Z]{3}/).and.to.contain("add funds");
    expect(e.id).to.be.a("string");
  });
});
