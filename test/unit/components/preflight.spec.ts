import { expect } from "chai";
import type { Client } from "../../../components/cloudsigma/client";
import { preflightCloudsigma } from "../../../components/clouds/cloudsigma-preflight";
import { guestEndpoint } from "../../../components/clouds/cloudsigma";
import { chooseCloud } from "../../../components/clouds";
import { parseGridConfig } from "../../../components/config/schema";
import { CloudError } from "../../../components/errors";

const GIB = 2 ** 30;
const me = { uuid: "me" };
const limits = { cpu: { min: 250, max: 96_000 }, cpu_per_smp: { min: 1000, max: 3000 }, mem: { min: GIB / 4, max: 64 * GIB }, smp: { min: 1, max: 32 } };
const world = (): Record<string, any> => ({
  libdrives: [{ uuid: "img", name: "elastigrid-appliance", size: GIB, media: "disk" }, { uuid: "deb", name: "debian-13", size: GIB, media: "disk" }],
  drives: [], servers: [], vlans: [], ips: [],
  capabilities: { hosts: { amd: limits }, drives: { dssd: { size: { min: GIB / 2, max: 1000 * GIB } } }, default_storage_type: "dssd" },
  balance: { balance: "100", currency: "EUR" },
});
const clientOf = (w: Record<string, any>, endpoint = "https://zrh.example.org/api/2.0/"): Client =>
  ({ endpoint, profileUuid: async () => "me", list: async (k: string) => w[k] as unknown, single: async (k: string) => w[k] as unknown }) as unknown as Client;
const marks = { "elastigrid-stack": "p/s", "elastigrid-name": "grid" };

/** [what is wrong, configuration, change of the cloud, path, part of the message] */
const table: Array<[string, object, (w: Record<string, any>) => void, string, RegExp]> = [
  ["an image that is not there, naming near ones", { image: { name: "elastigrid-aplliance" } }, () => undefined, "grid.image.name", /near names: elastigrid-appliance/],
  ["an image's name that two drives have", {}, (w) => w["drives"].push({ uuid: "d2", name: "elastigrid-appliance", size: 1, owner: me, meta: {} }), "grid.image.name", /img, d2/],
  ["a disk smaller than the image", {}, (w) => (w["libdrives"][0].size = 8 * GIB), "grid.workers.disk", /8 GiB/],
  ["more cores than are offered", { master: { vcpus: 64 } }, () => undefined, "grid.master.vcpus", /1 to 32/],
  ["more memory than is offered", { workers: { memory: "1 TiB" } }, () => undefined, "grid.workers.memory", /64 GiB/],
  ["a name that somebody else's server has", {}, (w) => w["servers"].push({ uuid: "s1", name: "grid-master", owner: me, meta: {} }), "grid.name", /grid-master \(s1\)/],
  ["a name that another stack has", {}, (w) => w["servers"].push({ uuid: "s1", name: "grid-worker", owner: me, meta: { "elastigrid-stack": "p/other" } }), "grid.name", /of stack p\/other/],
  ["a VLAN of nobody here", { network: { vlan: "3f1c7a52-8d0e-4a6b-9c35-0b1f6e2d4a78" } }, () => undefined, "grid.network.vlan", /no VLAN of this account/],
  ["a VLAN needed and not allowed to be bought", { purchases: { vlan: false } }, () => undefined, "grid.purchases.vlan", /set it to true/],
  ["an address of nobody here", { address: "203.0.113.9" }, () => undefined, "grid.address", /no static address of this account/],
  ["an address that another server uses", { address: "203.0.113.9" }, (w) => w["ips"].push({ uuid: "203.0.113.9", owner: me, meta: {}, server: { uuid: "x" }, subscription: { id: 1 } }), "grid.address", /in use/],
  ["a worker type larger than is offered", { workers: { types: { big: { vcpus: 64, memory: "8 GiB", disk: "9 GiB" } } } }, () => undefined, "grid.workers.types.big.vcpus", /1 to 32/],
  ["a worker type's disk smaller than the image", { workers: { types: { big: { vcpus: 1, memory: "8 GiB", disk: "2 GiB" } } } }, (w) => (w["libdrives"][0].size = 3 * GIB), "grid.workers.types.big.disk", /3 GiB/],
  ["a worker type's image that is not there", { workers: { types: { big: { vcpus: 1, memory: "8 GiB", disk: "9 GiB", image: { name: "debian-31" } } } } }, () => undefined, "grid.workers.types.big.image.name", /near names: debian-13/],
  ["a worker type's disk smaller than its own image", { workers: { types: { big: { vcpus: 1, memory: "8 GiB", disk: "2 GiB", image: { name: "debian-13" } } } } }, (w) => (w["libdrives"][1].size = 3 * GIB), "grid.workers.types.big.disk", /3 GiB/],
  ["a name that a type's template would have", { workers: { types: { big: { vcpus: 1, memory: "8 GiB", disk: "9 GiB" } } } }, (w) => w["servers"].push({ uuid: "s1", name: "grid-worker-type-big", owner: me, meta: {} }), "grid.name", /grid-worker-type-big \(s1\)/],
  ["an empty account", {}, (w) => (w["balance"].balance = "0E-20"), "cloudsigma account", /buying a VLAN and a static address/],
];

describe("preflight on CloudSigma", () => {
  for (const [says, raw, change, path, wanted] of table)
    it(`refuses ${says}`, async () => {
      const w = world();
      change(w);
      const found = (await preflightCloudsigma(() => clientOf(w), parseGridConfig(raw), { stack: "p/s" })).find((p) => p.path === path);
      expect(`${found?.rule}; ${found?.fix}`).to.match(wanted);
    });
  it("finds nothing wrong where nothing is, also on a later up", async () => {
    const w = world();
    expect(await preflightCloudsigma(() => clientOf(w), parseGridConfig({}), { stack: "p/s" })).to.deep.equal([]);
    w["servers"].push({ uuid: "s", name: "grid-master", owner: me, meta: marks });
    w["vlans"].push({ uuid: "v", owner: me, meta: marks, servers: [{ uuid: "s" }] });
    w["ips"].push({ uuid: "203.0.113.9", owner: me, meta: marks, server: { uuid: "s" }, subscription: { id: 1 } });
    w["balance"].balance = "0";
    expect(await preflightCloudsigma(() => clientOf(w), parseGridConfig({ purchases: { vlan: false, address: false } }), { stack: "p/s" })).to.deep.equal([]);
  });
  it("reports all problems at once", async () => {
    const problems = await preflightCloudsigma(() => clientOf(world()), parseGridConfig({ image: { name: "nothing-like-it" }, master: { vcpus: 64 }, purchases: { vlan: false, address: false } }), { stack: "p/s" });
    expect(problems.map((p) => p.path)).to.have.members(["grid.image.name", "grid.master.vcpus", "grid.purchases.vlan", "grid.purchases.address"]);
  });
  it("says that the password is wrong, once, without a stack of other problems", async () => {
    const client = { ...clientOf(world()), profileUuid: () => Promise.reject(new CloudError("auth", "GET profile/: HTTP 401", { status: 401 })) };
    const problems = await preflightCloudsigma(() => client, parseGridConfig({}), { stack: "p/s" });
    expect(problems.map((p) => p.rule)).to.deep.equal(["are refused by the cloud (HTTP 401)"]);
  });
  it("sees that the private network hides the API", async () => {
    const problems = await preflightCloudsigma(() => clientOf(world(), "http://10.77.0.50/api/2.0/"), parseGridConfig({}), { stack: "p/s" });
    expect(problems.map((p) => p.path)).to.deep.equal(["grid.network.cidr"]);
  });
});

describe("the endpoint for guests", () => {
  const at = (rows: object[], settings: object): Promise<string> => guestEndpoint(() => clientOf({ locations: rows }), settings);
  const zrh = { id: "ZRH", api_endpoint: "https://zrh.example.org/api/2.0/" };
  const fra = { id: "FRA", api_endpoint: "https://fra.example.org/api/2.0" };
  it("is the chosen location's own", async () => expect(await at([zrh, fra], { location: "fra" })).to.equal("https://fra.example.org/api/2.0/"));
  it("is found by host", async () => expect(await at([fra, zrh], { endpoint: "https://zrh.example.org/api/2.0/" })).to.equal(zrh.api_endpoint));
  it("is that of an only location, as local-cloud has", async () => expect(await at([{ id: "LOC", api_endpoint: "http://198.51.100.1:9/api/2.0/" }], { endpoint: "x" })).to.equal("http://198.51.100.1:9/api/2.0/"));
  it("is the configured one where the list knows nothing", async () => expect(await at([], { endpoint: "x" })).to.equal("https://zrh.example.org/api/2.0/"));
});

describe("chooseCloud", () => {
  const choose = (config: Record<string, string>, env: Record<string, string> = {}) => chooseCloud((k) => config[k], env);
  it("takes OpenStack by the same key, and says what its login lacks", () => expect(chooseCloud((k) => (k === "elastigrid:cloud" ? "openstack" : undefined), {}).problems.map((p) => p.path)).to.include("openstack:authUrl (OS_AUTH_URL)"));
  it("refuses a cloud that it does not know, and names those it does", () => expect(chooseCloud((k) => (k === "elastigrid:cloud" ? "cumulus" : undefined), {}).problems[0]?.fix).to.equal("set it to cloudsigma or openstack"));
  it("reports unknown location and missing credentials together", () =>
    expect(choose({ "cloudsigma:location": "xyz" }).problems.map((p) => p.path)).to.deep.equal(["cloudsigma:location", "cloudsigma:username", "cloudsigma:password"]));
  it("takes what is missing from the environment", () =>
    expect(choose({}, { CLOUDSIGMA_LOCATION: "zrh", CLOUDSIGMA_USERNAME: "u", CLOUDSIGMA_PASSWORD: "p" }).cloud?.name).to.equal("cloudsigma"));
});
