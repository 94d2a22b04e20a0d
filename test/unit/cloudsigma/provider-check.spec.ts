import { expect } from "chai";
import { UNKNOWN } from "../../../components/cloudsigma/provider/check";
import { inputsOf, KINDS, PASSWORD, provider, UUID, type KindName, type Props } from "./support/inputs";

const failures = async (kind: KindName | "master-ready", news: Props): Promise<string[]> =>
  (await provider(kind).check({}, news)).failures.map((f) => `${f.property}: ${f.reason}`);
const withOut = (p: Props, key: string): Props => Object.fromEntries(Object.entries(p).filter(([k]) => k !== key));

describe("check", () => {
  for (const kind of KINDS) {
    it(`takes good inputs of a ${kind}, twice the same`, async () => {
      const first = await provider(kind).check({}, inputsOf(kind));
      expect(first.failures).to.deep.equal([]);
      const second = await provider(kind).check(first.inputs, first.inputs);
      expect(second.inputs).to.deep.equal(first.inputs);
    });
    it(`lets a preview's unknown values of a ${kind} pass, one by one and all at once`, async () => {
      const good = inputsOf(kind);
      for (const key of Object.keys(good)) expect(await failures(kind, { ...good, [key]: UNKNOWN }), key).to.deep.equal([]);
      expect(await failures(kind, Object.fromEntries(Object.keys(good).map((k) => [k, UNKNOWN])))).to.deep.equal([]);
      expect(await failures(kind, { ...good, marks: { ...(good["marks"] as Props), gridUid: UNKNOWN } })).to.deep.equal([]);
    });
    it(`names every required input of a ${kind} that is missing`, async () => {
      const all = await failures(kind, {});
      for (const key of ["marks", "logicalName", "name"]) expect(all.some((f) => f.startsWith(key)), key).to.equal(true);
    });
    it(`refuses an unknown input of a ${kind}, naming it`, async () => {
      expect(await failures(kind, { ...inputsOf(kind), nmae: "x" })).to.deep.equal(['nmae: nmae = "x": is not known here; remove it or correct its spelling']);
    });
  }

  const bad: [KindName | "master-ready", string, Props, RegExp][] = [
    ["server", "a memory in the wrong unit", { memoryBytes: 1_024 }, /^memoryBytes: memoryBytes = 1024: must be at least 268435456 bytes; give more$/],
    ["server", "a broken number", { cpuMHz: 1_000.5 }, /whole number of MHz/],
    ["server", "text where a number is due", { cpuMHz: "2 GHz" }, /cpuMHz = "2 GHz": must be a number of MHz/],
    ["server", "an interface both private and public", { nics: [{ vlan: UUID, address: "dhcp" }] }, /^nics\[0\]: .*either vlan or address/],
    ["server", "an interface that is nothing", { nics: [{}] }, /^nics\[0\]: .*either vlan or address/],
    ["server", "an address that is none", { nics: [{ address: "10.0.0.256" }] }, /neither dhcp nor an IPv4 address/],
    ["server", "a drive named twice", { drives: [{ uuid: UUID }, { uuid: UUID }] }, /^drives: .*twice/],
    ["server", "a drive that is no uuid", { drives: [{ uuid: "disk" }] }, /^drives\[0\]\.uuid: .*must be a uuid/],
    ["server", "a key of ours in the meta", { meta: { "elastigrid-id": "x" } }, /kept for the project's own marks/],
    ["server", "a key of cloud-init in the meta", { meta: { base64_fields: "x" } }, /use userData/],
    ["server", "a key that is too long", { meta: { ["k".repeat(33)]: "x" } }, /longer than 32/],
    ["server", "a power state that is none", { powerState: "paused" }, /neither running nor stopped/],
    ["server", "a private key for a public one", { sshPublicKey: "-----BEGIN OPENSSH PRIVATE KEY-----" }, /not an ssh public key/],
    ["drive", "an empty drive without a size", { cloneOf: undefined, sizeBytes: undefined }, /^sizeBytes: .*missing for an empty drive/],
    ["drive", "a medium that is none", { media: "tape" }, /neither disk nor cdrom/],
    ["vlan", "a uuid that is none", { wanted: "10.0.0.0/24" }, /must be a uuid/],
    ["static-ip", "an address that is none", { wanted: "1.2.3" }, /not an IPv4 address/],
    ["key-pair", "a key that is none", { publicKey: "AAAA" }, /not an ssh public key/],
    ["worker-pool", "user data that are too long", { userData: "x".repeat(300_000) }, /longer than 256 KiB/],
    ["master-ready", "a port that is none", { address: "a", serverUuid: UUID, port: 70_000 }, /no TCP port/],
  ];
  for (const [kind, what, wrong, why] of bad)
    it(`refuses ${what} (${kind})`, async () => {
      const base = kind === "master-ready" ? {} : inputsOf(kind);
      const all = await failures(kind, { ...base, ...wrong });
      expect(all).to.have.length(1);
      expect(all[0]).to.match(why);
    });
  it("reports every problem at once", async () => {
    expect(await failures("server", { ...withOut(inputsOf("server"), "name"), cpuMHz: 1, memoryBytes: -1, powerState: "on" })).to.have.length(4);
  });
  it("never shows a secret, nor lets the engine show it", async () => {
    const result = await provider("server").check({}, { ...inputsOf("server"), vncPassword: "ümlaut-" });
    expect(JSON.stringify(result.failures)).to.not.contain("ümlaut");
    for (const f of result.failures) expect(f.property).to.equal("vncPassword (secret)"); // no property of this name: nothing to print
  });
});

describe("diff", () => {
  const outs: Partial<Record<KindName, Props>> = { drive: { status: "ready", declaredSizeBytes: 12_000_000_001 }, "worker-pool": { templateUuid: UUID, driveUuid: UUID, tagUuid: UUID } };
  const state = async (kind: KindName): Promise<{ olds: Props; news: Props }> => {
    const { inputs } = await provider(kind).check({}, inputsOf(kind));
    return { olds: { ...inputs, ...outs[kind], generation: "g" }, news: inputs };
  };
  for (const kind of KINDS)
    it(`sees no change of a ${kind} where there is none, however the engine orders keys`, async () => {
      const { olds, news } = await state(kind);
      expect(await provider(kind).diff("id", { ...olds, __provider: "text" }, { ...news, __provider: "text" })).to.include({ changes: false });
      const reversed = Object.fromEntries(Object.entries(news).reverse());
      expect((await provider(kind).diff("id", olds, reversed)).changes).to.equal(false);
    });

  const cases: [KindName, string, Props, "live" | string[]][] = [
    ["tag", "name", { name: "other" }, "live"],
    ["tag", "logicalName", { logicalName: "other" }, ["logicalName"]],
    ["key-pair", "name", { name: "other" }, "live"],
    ["key-pair", "publicKey", { publicKey: "ssh-ed25519 BBBB" }, ["publicKey"]],
    ["vlan", "name", { name: "other" }, "live"],
    ["vlan", "wanted", { wanted: UUID }, ["wanted"]],
    ["static-ip", "wanted", { wanted: "198.51.100.3" }, ["wanted"]],
    ["drive", "name", { name: "other" }, "live"],
    ["drive", "a larger size", { sizeBytes: 13_000_000_000 }, "live"],
    ["drive", "a smaller size", { sizeBytes: 11_000_000_000 }, ["sizeBytes"]],
    ["drive", "cloneOf", { cloneOf: "other" }, ["cloneOf"]],
    ["drive", "storageType", { storageType: "nvme" }, ["storageType"]],
    ["drive", "media", { media: "cdrom" }, "live"],
    ["server", "cpuMHz", { cpuMHz: 4_000 }, "live"],
    ["server", "nics", { nics: [] }, "live"],
    ["server", "powerState", { powerState: "stopped" }, "live"],
    ["server", "userData", { userData: "#cloud-config\n" }, ["userData"]],
    ["server", "userData kept in place", { userData: "#cloud-config\n", onUserDataChange: "update" }, "live"],
    ["server", "the deployment", { marks: { gridUid: "ffff", gridName: "grid", stack: "project/test" } }, ["marks"]],
    ["server", "the deployment's name only", { marks: { gridUid: "0a1b2c3d4e5f", gridName: "new", stack: "project/test" } }, "live"],
    ["worker-pool", "image", { image: "other" }, "live"],
    ["worker-pool", "userData", { userData: "#cloud-config\n" }, "live"],
    ["worker-pool", "diskBytes", { diskBytes: 1_000_000_000 }, "live"],
  ];
  for (const [kind, what, change, wanted] of cases)
    it(`${wanted === "live" ? "changes" : "replaces"} a ${kind} for ${what}`, async () => {
      const { olds, news } = await state(kind);
      const d = await provider(kind).diff("id", olds, { ...news, ...change });
      expect(d.changes).to.equal(true);
      expect(d.replaces).to.deep.equal(wanted === "live" ? [] : wanted);
    });
  it("tolerates the service's rounding of sizes, and what others made larger", async () => {
    const { olds, news } = await state("drive");
    expect((await provider("drive").diff("id", { ...olds, sizeBytes: 12_000_002_048 }, news)).changes).to.equal(false);
    expect((await provider("drive").diff("id", { ...olds, sizeBytes: 20_000_000_000 }, news)).changes).to.equal(false);
  });
  it("ignores a purchase period that the service echoes in its own words", async () => {
    const { olds, news } = await state("vlan");
    expect((await provider("vlan").diff("id", { ...olds, period: "31 days, 1:31:53.888650", paidUntil: "x" }, news)).changes).to.equal(false);
  });
  it("deletes first where an address, a drive or a name serves only one", async () => {
    const { olds, news } = await state("server");
    expect(await provider("server").diff("id", olds, { ...news, userData: "x" })).to.include({ deleteBeforeReplace: true });
    const d = await state("drive");
    expect(await provider("drive").diff("id", d.olds, { ...d.news, cloneOf: "x" })).to.include({ deleteBeforeReplace: false });
  });
  it("repairs a drive that is not ready, and a pool whose template is gone", async () => {
    const d = await state("drive");
    expect((await provider("drive").diff("id", { ...d.olds, status: "cloning_dst" }, d.news)).changes).to.equal(true);
    const p = await state("worker-pool");
    expect(await provider("worker-pool").diff("id", { ...p.olds, templateUuid: "" }, p.news)).to.deep.include({ changes: true, replaces: [] });
  });
  it("counts what a preview does not know yet as changed", async () => {
    const { olds, news } = await state("server");
    expect(await provider("server").diff("id", olds, { ...news, drives: [{ uuid: UNKNOWN }] })).to.deep.include({ changes: true, replaces: [] });
    expect(await provider("server").diff("id", olds, { ...news, userData: UNKNOWN })).to.deep.include({ replaces: ["userData"] });
  });
  it("starts a server that is found stopped", async () => {
    const { olds, news } = await state("server");
    expect((await provider("server").diff("id", { ...olds, powerState: "stopped", vncPassword: PASSWORD }, news)).changes).to.equal(true);
  });
});
