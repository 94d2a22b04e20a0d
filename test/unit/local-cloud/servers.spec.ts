import { expect } from "chai";
import { GUEST_META, NoneBackend } from "../../../local-cloud";
import { ALLOWED, afterRestart, internalState, refusal, type PowerAction } from "../../../local-cloud/life/power-rules";
import type { ServerStatus } from "../../../local-cloud/model/rows";
import { boot, Lab, type Json } from "./lab";

const STATES: readonly ServerStatus[] = ["stopped", "starting", "running", "stopping", "paused", "unavailable", "cloning"];

describe("power rules of local-cloud", () => {
  const table: Record<string, readonly ServerStatus[]> = {
    start: ["stopped"],
    stop: ["starting", "running", "paused", "unavailable"],
    shutdown: ["running"],
    delete: ["stopped"],
    open_console: ["starting", "running"],
    clone: ["stopped", "starting", "running", "stopping", "paused"],
  };
  for (const [action, states] of Object.entries(table))
    it(`allows ${action} in ${states.join(", ")} and nowhere else`, () => {
      for (const state of STATES) {
        const why = refusal(action as PowerAction, state, "u");
        if (states.includes(state)) expect(why, state).to.equal(undefined);
        else expect(why, state).to.include(`in state '${internalState(state)}'`);
      }
    });
  it("has a rule for every action and a future for every state", () => {
    expect(Object.values(ALLOWED).every((s) => s.length > 0)).to.equal(true);
    expect(STATES.map(afterRestart)).to.deep.equal(["nothing", "boot", "boot", "stopped", "boot", "boot", "settle clone"]);
  });
});

describe("servers of local-cloud", () => {
  let lab: Lab;
  beforeEach(async () => void (lab = await Lab.start()));
  afterEach(() => lab.stop());

  it("goes stopped, starting, running, stopping, stopped, and lends an address meanwhile", async () => {
    const s = await lab.server({ nics: [{ ip_v4_conf: { conf: "dhcp" } }] });
    expect(s.status).to.equal("stopped");
    expect((await lab.action("servers", s.uuid, "start")).status).to.equal(202);
    expect(await lab.status("servers", s.uuid)).to.equal("starting");
    await lab.clock.advance(100);
    const on = await lab.get(`servers/${String(s.uuid)}/`);
    expect(on.status).to.equal("running");
    const address = ((on.runtime as Json).nics as Json[])[0]?.ip_v4 as Json;
    const [ip] = await lab.objects("ips/detail/");
    expect(ip).to.include({ uuid: address.uuid, subscription: null });
    expect((ip?.server as Json).uuid).to.equal(s.uuid);
    expect((await lab.action("servers", s.uuid, "stop")).status).to.equal(202);
    expect(await lab.status("servers", s.uuid)).to.equal("stopping");
    await lab.clock.advance(100);
    const off = await lab.get(`servers/${String(s.uuid)}/`);
    expect(off).to.include({ status: "stopped", runtime: null });
    expect(await lab.objects("ips/")).to.deep.equal([]);
  });

  it("shows the address later than running when told to", async () => {
    await lab.stop();
    lab = await Lab.start({ delays: { addressMs: 5_000 } });
    const s = await lab.server({ nics: [{ ip_v4_conf: { conf: "dhcp" } }] });
    await lab.run(s.uuid);
    const nic = async (): Promise<Json | undefined> => ((await lab.get(`servers/${String(s.uuid)}/runtime/`)).nics as Json[])[0];
    expect((await nic())?.ip_v4).to.equal(null);
    await lab.clock.advance(5_000);
    expect((await nic())?.ip_v4).to.have.property("uuid");
  });

  it("stops a server while it starts, and the late boot changes nothing", async () => {
    const s = await lab.server();
    await lab.action("servers", s.uuid, "start");
    expect((await lab.action("servers", s.uuid, "stop")).status).to.equal(202);
    await lab.clock.advance(1_000);
    expect(await lab.status("servers", s.uuid)).to.equal("stopped");
  });

  it("shuts down by ACPI, or is running again after a minute when the guest ignores it", async () => {
    const good = await lab.server();
    const deaf = await lab.server({ meta: { [GUEST_META.acpi]: "ignore" } });
    await lab.run(good.uuid);
    await lab.run(deaf.uuid);
    for (const s of [good, deaf]) expect((await lab.action("servers", s.uuid, "shutdown")).status).to.equal(202);
    await lab.clock.advance(3_000);
    expect(await lab.status("servers", good.uuid)).to.equal("stopped");
    expect(await lab.status("servers", deaf.uuid)).to.equal("stopping");
    await lab.clock.advance(60_000);
    expect(await lab.status("servers", deaf.uuid)).to.equal("running");
  });

  it("goes back to stopped when the boot fails, and the audit log says why", async () => {
    const s = await lab.server({ meta: { [GUEST_META.boot]: "fail" } });
    await lab.run(s.uuid);
    expect(await lab.status("servers", s.uuid)).to.equal("stopped");
    const row = (await lab.objects("logs/")).find((r) => r.action === "boot");
    expect(row).to.include({ success: false, uuid: s.uuid });
    expect(row?.error_message).to.include("did not boot");
  });

  it("notices a guest that goes off by itself", async () => {
    const s = await lab.server();
    await lab.run(s.uuid);
    (lab.cloud.backend as NoneBackend).powerOff(String(s.uuid));
    expect(await lab.status("servers", s.uuid)).to.equal("stopped");
  });

  it("refuses to delete a running server, and keeps drives unless told otherwise", async () => {
    const d = await lab.drive();
    const keep = await lab.drive();
    const s = await lab.server({ drives: [boot(d.uuid)] });
    const t = await lab.server({ drives: [boot(keep.uuid)] });
    await lab.run(s.uuid);
    expect((await lab.call("DELETE", `servers/${String(s.uuid)}/?recurse=all_drives`)).status).to.equal(403);
    await lab.action("servers", s.uuid, "stop");
    await lab.clock.advance(100);
    const gone = await lab.call("DELETE", `servers/${String(s.uuid)}/?recurse=all_drives`);
    expect([gone.status, gone.body, gone.headers.get("content-type")]).to.deep.equal([204, "", "text/html; charset=utf-8"]);
    expect((await lab.call("GET", `servers/${String(s.uuid)}/`)).status).to.equal(404);
    expect((await lab.call("GET", `drives/${String(d.uuid)}/`)).status).to.equal(200);
    await lab.clock.advance(100);
    expect((await lab.call("GET", `drives/${String(d.uuid)}/`)).status).to.equal(404);
    await lab.want(204, "DELETE", `servers/${String(t.uuid)}/`);
    await lab.clock.advance(100);
    expect(await lab.status("drives", keep.uuid)).to.equal("unmounted");
  });

  it("asks for four fields in a PUT, keeps what is left out and replaces what is there", async () => {
    const s = await lab.server({ meta: { a: "1", b: "2" }, auto_start: true });
    const path = `servers/${String(s.uuid)}/`;
    const missing = await lab.call("PUT", path, { name: "x" });
    expect(missing.status).to.equal(400);
    expect((missing.body as Json[]).map((e) => e.error_point)).to.deep.equal(["cpu", "mem", "vnc_password"]);
    const core = { name: "two", cpu: 3000, mem: 2 ** 31, vnc_password: "An0ther!pw" };
    expect(await lab.want(200, "PUT", path, core)).to.deep.include({ ...core, meta: { a: "1", b: "2" }, auto_start: true });
    expect((await lab.want(200, "PUT", path, { ...core, meta: { c: "3" } })).meta).to.deep.equal({ c: "3" });
    expect((await lab.want(200, "PUT", path, { ...core, meta: {} })).meta).to.deep.equal({});
    const whole = await lab.get(path);
    expect(await lab.want(200, "PUT", path, { ...whole, name: "three", status: "running", uuid: "x" })).to.include({ name: "three", status: "stopped", uuid: s.uuid });
  });

  it("takes only name, meta and tags while running, and says nothing about the rest", async () => {
    const s = await lab.server();
    await lab.run(s.uuid);
    const after = await lab.want(200, "PUT", `servers/${String(s.uuid)}/`, { name: "two", cpu: 4000, mem: 2 ** 31, vnc_password: "other", meta: { k: "v" }, nics: [{ ip_v4_conf: { conf: "dhcp" } }] });
    expect(after).to.deep.include({ name: "two", cpu: 2000, mem: 2 ** 30, meta: { k: "v" }, nics: [] });
  });

  it("changes NICs by their mac: known ones stay, new ones come, missing ones go, unknown ones are refused", async () => {
    const s = await lab.server({ nics: [{ ip_v4_conf: { conf: "dhcp" } }, { ip_v4_conf: { conf: "manual" } }] });
    const [a] = (s.nics as Json[]).map((n) => n.mac);
    const core = { name: "one", cpu: 2000, mem: 2 ** 30, vnc_password: "x" };
    const path = `servers/${String(s.uuid)}/`;
    const next = (await lab.want(200, "PUT", path, { ...core, nics: [{ ip_v4_conf: { conf: "dhcp" } }, { mac: a, ip_v4_conf: { conf: "dhcp" }, model: "e1000" }] })).nics as Json[];
    expect(next.map((n) => n.model)).to.deep.equal(["virtio", "e1000"]);
    expect(next[1]?.mac).to.equal(a);
    expect((s.nics as Json[]).map((n) => n.mac)).not.to.include(next[0]?.mac);
    const refused = await lab.call("PUT", path, { ...core, nics: [{ mac: "22:00:00:00:00:01", ip_v4_conf: { conf: "dhcp" } }] });
    expect([refused.status, (refused.body as Json[])[0]?.error_point]).to.deep.equal([400, "nics.0.mac"]);
  });

  it("refuses a NIC on a VLAN with an address, an unknown VLAN, and static without an own address", async () => {
    const vlan = ((await lab.want(201, "POST", "subscriptions/", { resource: "vlan", period: "1 month" })).objects as Json[])[0]?.subscribed_object;
    const base = { name: "x", cpu: 2000, mem: 2 ** 30, vnc_password: "x" };
    const status = async (nic: Json): Promise<number> => (await lab.call("POST", "servers/", { ...base, nics: [nic] })).status;
    expect(await status({ vlan, ip_v4_conf: { conf: "dhcp" } })).to.equal(400);
    expect(await status({ vlan: "00000000-0000-4000-8000-000000000000" })).to.equal(404);
    expect(await status({ ip_v4_conf: { conf: "static", ip: "192.0.2.1" } })).to.equal(404);
    expect(await status({ ip_v4_conf: { conf: "static" } })).to.equal(400);
    expect(await status({ vlan })).to.equal(201);
  });

  it("gives a static address to one server only, and frees it with the server", async () => {
    const ip = ((await lab.want(201, "POST", "subscriptions/", { resource: "ip", period: "1 month" })).objects as Json[])[0]?.subscribed_object;
    const nics = [{ ip_v4_conf: { conf: "static", ip } }];
    const s = await lab.server({ nics });
    expect(((await lab.get(`ips/${String(ip)}/`)).server as Json).uuid).to.equal(s.uuid);
    expect((await lab.call("POST", "servers/", { name: "x", cpu: 2000, mem: 2 ** 30, vnc_password: "x", nics })).status).to.equal(403);
    await lab.want(204, "DELETE", `servers/${String(s.uuid)}/`);
    expect((await lab.get(`ips/${String(ip)}/`)).server).to.equal(null);
  });

  it("makes all or none of several", async () => {
    const good = { name: "a", cpu: 2000, mem: 2 ** 30, vnc_password: "x" };
    expect((await lab.call("POST", "servers/", { objects: [good, { name: "b" }] })).status).to.equal(400);
    expect(await lab.objects("servers/?limit=0")).to.have.length(0);
    expect((await lab.call("POST", "servers/", [good, good])).status).to.equal(201);
    expect((await lab.call("POST", "servers/", good)).status).to.equal(201);
    expect(await lab.objects("servers/?limit=0")).to.have.length(3);
  });

  it("clones all: meta, tags and keys are copied, disks cloned, MACs new, static addresses become DHCP", async () => {
    const ip = ((await lab.want(201, "POST", "subscriptions/", { resource: "ip", period: "1 month" })).objects as Json[])[0]?.subscribed_object;
    const tag = await lab.create("tags", { name: "t" });
    const key = await lab.create("keypairs", { name: "k", algorithm_type: "ed25519" });
    const disk = await lab.drive();
    const cd = await lab.drive({ media: "cdrom" });
    const s = await lab.server({
      meta: { a: "1" }, tags: [tag.uuid], pubkeys: [key.uuid], drives: [boot(disk.uuid), { dev_channel: "0:0", device: "ide", drive: cd.uuid }], nics: [{ ip_v4_conf: { conf: "static", ip } }],
    });
    const c = (await lab.want(202, "POST", `servers/${String(s.uuid)}/action/?do=clone`, { name: "w", random_vnc_password: true })) as Json;
    expect(c).to.deep.include({ name: "w", status: "cloning", meta: { a: "1" }, tags: s.tags, pubkeys: s.pubkeys });
    expect(c.vnc_password).not.to.equal(s.vnc_password);
    const nic = (c.nics as Json[])[0] ?? {};
    expect(nic.ip_v4_conf).to.deep.equal({ conf: "dhcp", ip: null });
    expect(nic.mac).not.to.equal((s.nics as Json[])[0]?.mac);
    const [ide, virtio] = (c.drives as Json[]).map((d) => (d.drive as Json).uuid);
    expect(ide).to.equal(cd.uuid);
    expect(await lab.status("drives", virtio)).to.equal("cloning_dst");
    expect(await lab.status("drives", disk.uuid)).to.equal("cloning_src");
    expect((await lab.action("servers", c.uuid, "start")).status).to.equal(403);
    await lab.clock.advance(1_000);
    expect([await lab.status("servers", c.uuid), await lab.status("drives", virtio), await lab.status("drives", disk.uuid)]).to.deep.equal(["stopped", "mounted", "mounted"]);
  });

  it("starts a clone by itself once its drives are ready", async () => {
    const disk = await lab.drive();
    const s = await lab.server({ auto_start: true, drives: [boot(disk.uuid)] });
    expect(s.status).to.equal("stopped");
    const c = await lab.want(202, "POST", `servers/${String(s.uuid)}/action/?do=clone`, {});
    await lab.clock.advance(1_000);
    expect(await lab.status("servers", c.uuid)).to.equal("running");
    expect(await lab.status("servers", s.uuid)).to.equal("stopped");
  });

  it("makes many clones in one call and answers with their tag", async () => {
    const disk = await lab.drive();
    const s = await lab.server({ meta: { t: "1" }, drives: [boot(disk.uuid)] });
    const tag = await lab.want(202, "POST", `servers/${String(s.uuid)}/action/?do=bulk_clone_start`, { count: 3, auto_start: true });
    expect(tag.resources).to.have.length(3);
    await lab.clock.advance(1_000);
    const rows = await lab.objects(`tags/${String(tag.uuid)}/servers/`);
    expect(rows.map((r) => r.status)).to.deep.equal(["running", "running", "running"]);
  });

  it("accepts a drive that is still being copied, but not a start before it is done", async () => {
    const d = await lab.drive();
    const copy = ((await lab.want(202, "POST", `drives/${String(d.uuid)}/action/?do=clone`, {})).objects as Json[])[0];
    const s = await lab.server({ drives: [boot(copy?.uuid)] });
    expect((await lab.action("servers", s.uuid, "start")).status).to.equal(403);
    await lab.clock.advance(1_000);
    expect(await lab.status("drives", copy?.uuid)).to.equal("mounted");
    expect((await lab.action("servers", s.uuid, "start")).status).to.equal(202);
  });

  it("refuses start without funds, sizes out of range, and metas with long keys", async () => {
    const s = await lab.server();
    lab.cloud.setAccount({ balance: 0 });
    expect((await lab.action("servers", s.uuid, "start")).status).to.equal(402);
    const point = async (over: Json): Promise<unknown> => {
      const a = await lab.call("POST", "servers/", { name: "x", cpu: 2000, mem: 2 ** 30, vnc_password: "x", ...over });
      return [a.status, (a.body as Json[])[0]?.error_point];
    };
    expect(await point({ cpu: 100 })).to.deep.equal([400, "cpu"]);
    expect(await point({ mem: 1024 })).to.deep.equal([400, "mem"]);
    expect(await point({ cpu: 2000, smp: 8 })).to.deep.equal([400, "smp"]);
    expect(await point({ meta: { ["k".repeat(33)]: "v" } })).to.deep.equal([400, "meta"]);
    expect((await lab.server({ cpu: 8000 })).smp).to.equal(3);
  });

  it("hands the back end the definition: boot drive, NICs in order, keys and meta", async () => {
    const key = await lab.create("keypairs", { name: "k", algorithm_type: "rsa" });
    const d = await lab.drive(), other = await lab.drive();
    const vlan = ((await lab.want(201, "POST", "subscriptions/", { resource: "vlan", period: "1 month" })).objects as Json[])[0]?.subscribed_object;
    const s = await lab.server({ pubkeys: [key.uuid], meta: { m: "1" }, drives: [{ dev_channel: "0:0", device: "virtio", drive: other.uuid }, boot(d.uuid, "0:1")], nics: [{ ip_v4_conf: { conf: "dhcp" } }, { vlan }] });
    await lab.run(s.uuid);
    const spec = (lab.cloud.backend as NoneBackend).specOf(String(s.uuid));
    expect(spec).to.deep.include({ bootDriveUuid: d.uuid, meta: { m: "1" }, publicKeys: [key.public_key], cpuMHz: 2000, memoryBytes: 2 ** 30 });
    expect(spec?.nics.map((n) => [n.vlanUuid, n.publicAddress !== undefined])).to.deep.equal([[undefined, true], [vlan, false]]);
  });
});
