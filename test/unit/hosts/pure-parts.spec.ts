import { expect } from "chai";
import * as fc from "fast-check";
import { appliance, imageUuid, recipeHash } from "../../../images/appliance";
import { addressesOf, guestAddress } from "../../../local-cloud/hosts/addresses";
import { parseLayout, quotaUs } from "../../../local-cloud/hosts/cgroups";
import { answerDhcp } from "../../../local-cloud/hosts/dhcp";
import { hostName, renderSeed } from "../../../local-cloud/hosts/seed";

const UUID = "a1000000-0000-4000-8000-000000000001";

describe("public addresses of real hosts", () => {
  it("stand for one address inside each, none twice, and never the gateway", () => {
    const inside = addressesOf(7).map(guestAddress);
    expect(new Set(inside).size).to.equal(inside.length);
    expect(inside).to.not.include("198.51.100.1");
    expect(guestAddress("127.66.7.9")).to.equal("198.51.100.9");
  });
  for (const wrong of ["127.66.7.1", "127.0.0.1", "10.0.0.2", "127.66.7.255"]) {
    it(`refuses ${wrong}`, () => expect(() => guestAddress(wrong)).to.throw(/not a public address/));
  }
});

describe("CPU quota", () => {
  const table: Array<[string, number, number, number]> = [
    ["a whole vcpu", 2000, 4, 100_000],
    ["half a vcpu", 1000, 4, 50_000],
    ["never more than there is", 16_000, 2, 200_000],
    ["never less than the kernel takes", 1, 2, 1000],
  ];
  for (const [says, mhz, cores, quota] of table) it(says, () => expect(quotaUs(mhz, cores)).to.equal(quota));
});

describe("cgroup layout", () => {
  const line = (point: string, type: string, options: string): string => `30 24 0:26 / ${point} rw - ${type} ${type} ${options}`;
  it("recognises version 2 alone", () => {
    expect(parseLayout(line("/sys/fs/cgroup", "cgroup2", "rw"))).to.deep.equal({ unified: "/sys/fs/cgroup", cpuV1: undefined, memoryV1: undefined, forGuests: [] });
  });
  it("recognises both versions side by side, and controllers mounted together", () => {
    const info = [line("/c/unified", "cgroup2", "rw"), line("/c/cpu,cpuacct", "cgroup", "rw,cpu,cpuacct"), line("/c/memory", "cgroup", "rw,memory")].join("\n");
    expect(parseLayout(info)).to.deep.equal({ unified: "/c/unified", cpuV1: "/c/cpu,cpuacct", memoryV1: "/c/memory", forGuests: [] });
  });
  const apart = ["cpu", "cpuacct", "memory", "freezer", "devices"].map((c) => line(`/c/${c}`, "cgroup", `rw,${c}`));
  it("shows guests all that HTCondor wants of version 1, each with its own controllers", () => {
    const { forGuests } = parseLayout([line("/c/unified", "cgroup2", "rw"), ...apart].join("\n"));
    expect(forGuests.map((h) => `${h.folder}=${h.controllers}@${h.point}`).sort()).to.deep.equal(
      ["cpu,cpuacct=cpuacct@/c/cpuacct", "devices=devices@/c/devices", "freezer=freezer@/c/freezer", "memory=memory@/c/memory"]);
    const together = parseLayout([line("/c/unified", "cgroup2", "rw"), line("/c/ca", "cgroup", "rw,cpu,cpuacct"), ...apart.slice(2)].join("\n"));
    expect(together.forGuests.find((h) => h.folder === "cpu,cpuacct")?.controllers).to.equal("cpu,cpuacct");
  });
  it("shows guests nothing of version 1 where a part is missing", () =>
    expect(parseLayout([line("/c/unified", "cgroup2", "rw"), ...apart.slice(0, 4)].join("\n")).forGuests).to.deep.equal([]));
  it("refuses a computer without version 2", () => expect(() => parseLayout("")).to.throw(/no cgroup2/));
});

describe("cloud-init seed", () => {
  const seed = (meta: Record<string, string>, publicKeys: string[] = []) => renderSeed({ uuid: UUID, name: "Node 1", meta, publicKeys });
  it("decodes what base64_fields names, and only that", () => {
    const text = "#cloud-config\n# \u00fc\n";
    expect(seed({ "cloudinit-user-data": Buffer.from(text).toString("base64"), base64_fields: "a, cloudinit-user-data" }).userData.toString()).to.equal(text);
    expect(seed({ "cloudinit-user-data": text }).userData.toString()).to.equal(text);
  });
  it("gathers keys of meta and server, each once", () => {
    expect(JSON.parse(seed({ ssh_public_key: "k1\nk2\n" }, ["k2", "k3"]).metaData)).to.deep.equal({
      "instance-id": UUID, "local-hostname": "node-1", "public-keys": ["k1", "k2", "k3"],
    });
  });
  it("makes a host name of any server name", () => {
    fc.assert(fc.property(fc.string(), (name) => void expect(hostName(name, UUID)).to.match(/^[a-z0-9]([a-z0-9-]{0,59}[a-z0-9])?$/)));
  });
});

describe("DHCP of the public network", () => {
  const MAC = "22:a1:00:00:00:01";
  const packet = (kind: number, options: number[] = [], client = [0, 0, 0, 0]): Buffer => {
    const p = Buffer.alloc(300);
    p.set([1, 1, 6, 0, 1, 2, 3, 4]);
    p.set(client, 12);
    p.set(MAC.split(":").map((h) => parseInt(h, 16)), 28);
    p.writeUInt32BE(0x63825363, 236);
    p.set([53, 1, kind, ...options, 255], 240);
    return p;
  };
  const known = (mac: string): string | undefined => (mac === MAC ? "198.51.100.2" : undefined);
  const kindOf = (p?: Buffer): number | undefined => p?.[242];

  it("offers and confirms the card's own address to everybody", () => {
    const offer = answerDhcp(packet(1), known);
    expect(offer?.to).to.equal("255.255.255.255");
    expect(kindOf(offer?.packet)).to.equal(2);
    expect([...(offer?.packet.subarray(16, 20) ?? [])]).to.deep.equal([198, 51, 100, 2]);
    expect([...(offer?.packet.subarray(4, 8) ?? [])]).to.deep.equal([1, 2, 3, 4]);
    expect(kindOf(answerDhcp(packet(3, [50, 4, 198, 51, 100, 2]), known)?.packet)).to.equal(5);
  });
  it("confirms a renewal to the client itself", () => {
    expect(answerDhcp(packet(3, [], [198, 51, 100, 2]), known)).to.include({ to: "198.51.100.2" });
  });
  it("refuses an address that is another's", () => expect(kindOf(answerDhcp(packet(3, [50, 4, 198, 51, 100, 9]), known)?.packet)).to.equal(6));
  it("is silent to unknown cards, to other servers' clients and to noise", () => {
    expect(answerDhcp(packet(1), () => undefined)).to.equal(undefined);
    expect(answerDhcp(packet(3, [54, 4, 10, 0, 0, 1]), known)).to.equal(undefined);
    fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), (b) => void expect(answerDhcp(Buffer.from(b), () => undefined)).to.equal(undefined)));
  });
});

describe("appliance recipe", () => {
  it("keeps the uuid of the library drive, whatever the recipe holds", () => {
    expect(imageUuid(appliance.name)).to.match(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });
  it("gives another tree another folder", () => expect(recipeHash({ ...appliance, packages: [] })).to.not.equal(recipeHash(appliance)));
  it("holds no key, token or password", () => {
    expect(JSON.stringify(appliance.files)).to.not.match(/PRIVATE KEY|ssh-ed25519 AAAA|eyJ/);
    for (const path of ["/etc/ssh/ssh_host_ed25519_key", "/etc/condor/passwords.d", "/etc/condor/tokens.d"]) expect(appliance.remove).to.include(path);
  });
});
