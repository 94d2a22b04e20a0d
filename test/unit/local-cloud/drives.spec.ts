import { expect } from "chai";
import { createPrivateKey, createPublicKey } from "node:crypto";
import { roundedSize } from "../../../local-cloud/life/drives";
import { cloneName } from "../../../local-cloud/life/clones";
import { boot, Lab, type Json } from "./lab";

describe("drives of local-cloud", () => {
  let lab: Lab;
  beforeEach(async () => void (lab = await Lab.start()));
  afterEach(() => lab.stop());
  const image = async (): Promise<Json> => (await lab.objects("libdrives/?name=elastigrid-appliance"))[0] ?? {};

  it("rounds sizes up to 16 KiB, as the one recorded clone shows", () => {
    expect([1, 16384, 16385, 1207959631].map(roundedSize)).to.deep.equal([16384, 16384, 32768, 1207975936]);
  });

  it("is creating, then unmounted, then mounted", async () => {
    const d = await lab.create("drives", { name: "d", size: "5368709121", media: "disk" });
    expect(d).to.include({ status: "creating", size: 5368725504, storage_type: "dssd" });
    expect((d.runtime as Json).is_snapshotable).to.equal(null);
    await lab.clock.advance(100);
    expect(await lab.status("drives", d.uuid)).to.equal("unmounted");
    const s = await lab.server({ drives: [boot(d.uuid)] });
    const mounted = await lab.get(`drives/${String(d.uuid)}/`);
    expect([mounted.status, (mounted.mounted_on as Json[])[0]?.uuid]).to.deep.equal(["mounted", s.uuid]);
  });

  it("shows the old size while resizing, and refuses to shrink or to resize under a running server", async () => {
    const d = await lab.drive();
    const path = `drives/${String(d.uuid)}/`;
    const wish = { name: "d", media: "disk", size: 10 * 2 ** 30 };
    expect(await lab.want(200, "PUT", path, wish)).to.include({ status: "resizing", size: 5 * 2 ** 30 });
    expect((await lab.call("PUT", path, { ...wish, size: 11 * 2 ** 30 })).status).to.equal(403);
    await lab.clock.advance(100);
    expect(await lab.get(path)).to.include({ status: "unmounted", size: 10 * 2 ** 30 });
    expect((await lab.call("PUT", path, { ...wish, size: 2 ** 30 })).status).to.equal(400);
    expect((await lab.action("drives", d.uuid, "resize", { size: 11 * 2 ** 30 })).status).to.equal(400);
    const s = await lab.server({ drives: [boot(d.uuid)] });
    await lab.run(s.uuid);
    expect((await lab.action("drives", d.uuid, "resize", { ...wish, size: 11 * 2 ** 30 })).status).to.equal(403);
    expect(await lab.want(200, "PUT", path, { ...wish, name: "renamed", size: 11 * 2 ** 30 })).to.include({ name: "renamed", size: 10 * 2 ** 30, status: "mounted" });
    expect((await lab.call("DELETE", path)).status).to.equal(403);
  });

  it("clones a library drive through both paths, with its facts in meta", async () => {
    const lib = await image();
    for (const kind of ["libdrives", "drives"]) {
      const answer = await lab.want(202, "POST", `${kind}/${String(lib.uuid)}/action/?do=clone`, { name: "root", size: 10 * 2 ** 30, meta: { mine: "1" } });
      const d = (answer.objects as Json[])[0] ?? {};
      expect(d).to.include({ name: "root", status: "cloning_dst", size: 10 * 2 ** 30 });
      expect(d.meta).to.include({ os: "linux", mine: "1" });
      const job = (d.jobs as Json[])[0];
      expect(await lab.get(`jobs/${String(job?.uuid)}/`)).to.include({ state: "started", operation: "drive_clone" });
      await lab.clock.advance(100);
      expect(await lab.get(`jobs/${String(job?.uuid)}/`)).to.deep.include({ state: "success", data: { progress: 100 } });
      expect(await lab.get(`drives/${String(d.uuid)}/`)).to.deep.include({ status: "unmounted", jobs: [] });
    }
    expect((await lab.action("drives", lib.uuid, "clone", { size: 2 ** 30 })).status).to.equal(400);
  });

  it("refuses a library disk as it is, takes a library cdrom, and one server per disk unless told otherwise", async () => {
    const base = { name: "x", cpu: 2000, mem: 2 ** 30, vnc_password: "x" };
    const post = async (...drives: Json[]): Promise<number> => (await lab.call("POST", "servers/", { ...base, drives })).status;
    expect(await post(boot((await image()).uuid))).to.equal(403);
    const cd = (await lab.objects("libdrives/?name__contains=CD"))[0];
    expect(await post(boot(cd?.uuid, "0:0", "ide"))).to.equal(201);
    const d = await lab.drive();
    expect(await post(boot(d.uuid))).to.equal(201);
    expect(await post(boot(d.uuid))).to.equal(403);
    const shared = await lab.drive({ allow_multimount: true });
    expect([await post(boot(shared.uuid)), await post(boot(shared.uuid))]).to.deep.equal([201, 201]);
    expect(await post(boot(shared.uuid, "2:0", "ide"))).to.equal(400);
    expect(await post(boot(shared.uuid), boot(d.uuid))).to.equal(400);
  });

  it("goes on being readable for a while after a delete, and takes its snapshots along", async () => {
    const d = await lab.drive();
    const snap = await lab.create("snapshots", { drive: d.uuid });
    expect([snap.status, snap.allocated_size]).to.deep.equal(["creating", null]);
    await lab.clock.advance(100);
    const copy = await lab.want(202, "POST", `snapshots/${String(snap.uuid)}/action/?do=clone`, {});
    expect((copy.resource_uri as Json).uuid).to.equal(copy.uuid);
    await lab.clock.advance(100);
    await lab.want(204, "DELETE", `drives/${String(d.uuid)}/`);
    expect((await lab.call("DELETE", `drives/${String(d.uuid)}/`)).status).to.equal(403);
    expect((await lab.call("GET", `drives/${String(d.uuid)}/`)).status).to.equal(200);
    await lab.clock.advance(100);
    expect((await lab.call("GET", `drives/${String(d.uuid)}/`)).status).to.equal(404);
    expect((await lab.call("GET", `snapshots/${String(snap.uuid)}/`)).status).to.equal(404);
    expect(await lab.status("drives", copy.uuid)).to.equal("unmounted");
    await lab.want(204, "DELETE", "drives/", { objects: [{ uuid: copy.uuid }] });
    await lab.clock.advance(100);
    expect(await lab.objects("drives/")).to.deep.equal([]);
  });

  it("refuses to delete what is being copied", async () => {
    const d = await lab.drive();
    const copy = ((await lab.want(202, "POST", `drives/${String(d.uuid)}/action/?do=clone`, {})).objects as Json[])[0];
    expect((await lab.call("DELETE", `drives/${String(d.uuid)}/`)).status).to.equal(403);
    expect((await lab.call("DELETE", `drives/${String(copy?.uuid)}/`)).status).to.equal(403);
  });
});

describe("names of clones", () => {
  const now = Date.UTC(2014, 5, 5, 9, 45, 56);
  const table: readonly (readonly [string, string, readonly string[], string])[] = [
    ["NONE", "web", ["web"], "web"],
    ["COUNTER", "web", ["web", "web_1"], "web_2"],
    ["COUNTER", "web_1", ["web_1"], "web_2"],
    ["DATE", "web", [], "web-2014-06-05"],
    ["DATE", "web", ["web-2014-06-05"], "web-2014-06-05_1"],
    ["TIMESTAMP", "web", [], "web-2014-06-05 09:45:56"],
  ];
  for (const [strategy, source, taken, wanted] of table) it(`${strategy} makes ${wanted} of ${source}`, () => expect(cloneName(strategy, source, (n) => taken.includes(n), now)).to.equal(wanted));
});

describe("key pairs of local-cloud", () => {
  let lab: Lab;
  beforeEach(async () => void (lab = await Lab.start()));
  afterEach(() => lab.stop());

  it("generates rsa and ed25519 pairs whose halves belong together", async () => {
    const rsa = await lab.create("keypairs", { name: "r", algorithm_type: "rsa" });
    const modulus = createPublicKey(createPrivateKey(String(rsa.private_key))).export({ format: "jwk" }).n;
    const blob = Buffer.from(String(rsa.public_key).split(" ")[1] ?? "", "base64");
    expect(blob.includes(Buffer.from(modulus ?? "", "base64url"))).to.equal(true);
    const ed = await lab.create("keypairs", { name: "e", algorithm_type: "ed25519" });
    expect(String(ed.private_key)).to.match(/^-----BEGIN OPENSSH PRIVATE KEY-----/);
    expect(String(ed.fingerprint)).to.match(/^([0-9a-f]{2}:){15}[0-9a-f]{2}$/);
    expect(await lab.get(`pubkeys/${String(ed.uuid)}/`)).to.include({ has_private_key: true, public_key: ed.public_key }).and.not.have.property("private_key");
  });

  it("takes a public key, strips its line end, and lets servers forget it when it goes", async () => {
    const k = await lab.create("keypairs", { name: "k", public_key: "ssh-ed25519 AAAAinvented me\n" });
    expect(k).to.include({ public_key: "ssh-ed25519 AAAAinvented me", private_key: null });
    expect((await lab.call("POST", "keypairs/", { name: "k", public_key: "nonsense" })).status).to.equal(400);
    const s = await lab.server({ pubkeys: [k.uuid] });
    await lab.want(204, "DELETE", `keypairs/${String(k.uuid)}/`);
    expect((await lab.get(`servers/${String(s.uuid)}/`)).pubkeys).to.deep.equal([]);
  });
});
