import { expect } from "chai";
import { cloudsigmaCloud } from "../../../components/clouds/cloudsigma";
import { preflightCloudsigma } from "../../../components/clouds/cloudsigma-preflight";
import { discoverOpenstack } from "../../../components/clouds/openstack-discover";
import { IDENTITY_KEY, markText, masterReplacing } from "../../../components/clouds/openstack-marks";
import { openstackChanges, preflightOpenstack } from "../../../components/clouds/openstack-preflight";
import type { Client } from "../../../components/cloudsigma/client";
import { MARK } from "../../../components/cloudsigma/marks";
import { driveIdentity } from "../../../components/cloudsigma/provider/drives";
import { guestMeta } from "../../../components/cloudsigma/provider/servers";
import { parseGridConfig } from "../../../components/config/schema";
import { describeProblem } from "../../../components/errors";
import { masterUserData } from "../../../components/render/cloud-init";
import { fakeOpenstack, openstackWorld, PROJECT, type OpenstackWorld } from "../../support/fake-openstack";

type Row = Record<string, any>;
const UID = "0123456789abcdef", GIB = 2 ** 30;
const DISK = "3f1c7a52-8d0e-4a6b-9c35-0b1f6e2d4a78", SERVER = "11111111-2222-4333-8444-555555555555", VOLUME = "22222222-3333-4444-8555-666666666666";
const names = { master: "grid-master", network: "grid-network" };
const declared = parseGridConfig({ network: { cidr: "10.77.0.0/24" } });

describe("what a living grid on CloudSigma cannot take", () => {
  const marks = { gridUid: UID, gridName: "grid", stack: "p/s" };
  const meta = (logicalName: string, self: string): Row => ({ [MARK.grid]: UID, [MARK.name]: "grid", [MARK.stack]: "p/s", [MARK.self]: self, [MARK.id]: driveIdentity({ marks, logicalName, cloneOf: "elastigrid-appliance" }) });
  const world = (): Row => ({
    libdrives: [{ uuid: "img", name: "elastigrid-appliance", size: GIB, media: "disk" }, { uuid: "deb", name: "debian-13", size: GIB, media: "disk" }],
    drives: [{ uuid: DISK, name: "grid-master-disk", size: 10 * GIB, owner: { uuid: "me" }, meta: { ...meta("grid-master-disk", DISK), [MARK.declaredSize]: String(10 * GIB) } }],
    servers: [{
      uuid: SERVER, name: "grid-master", owner: { uuid: "me" }, drives: [{ drive: { uuid: DISK } }], nics: [{ vlan: null }, { vlan: { uuid: VOLUME } }],
      meta: { ...meta("grid-master-server", SERVER), ...guestMeta({ userData: masterUserData(declared, { servesDhcp: false }) }) },
    }],
    locations: [], vlans: [{ uuid: VOLUME, owner: { uuid: "me" }, meta: {}, servers: [] }], ips: [], capabilities: { hosts: {}, drives: {} }, balance: { balance: "1", currency: "EUR" },
  });
  const clientOf = (w: Row): Client => ({ endpoint: "https://zrh.example.org/api/2.0/", profileUuid: async () => "me", list: async (k: string) => w[k] as unknown, single: async (k: string) => w[k] as unknown }) as unknown as Client;

  /** [what, configuration, change of the cloud, what is said] */
  const table: Array<[string, object, (w: Row) => void, RegExp | undefined]> = [
    ["nothing as it was declared", {}, () => undefined, undefined],
    ["another image, by the name of the one that was", { image: { name: "debian-13" } }, () => undefined, new RegExp(`grid\\.image\\.name = debian-13: is not what the master's disk grid-master-disk \\(${DISK}\\) has \\(elastigrid-appliance\\).*name elastigrid-appliance again`)],
    ["another image where the former is gone", { image: { name: "debian-13" } }, (w) => (w["libdrives"] = []), /has \(another image\)/],
    ["a smaller disk", { master: { disk: "9 GiB" } }, () => undefined, /grid\.master\.disk = 9 GiB.*has \(10 GiB\)/],
    ["nothing of a larger disk", { master: { disk: "11 GiB" } }, () => undefined, undefined],
    ["nothing where somebody made the disk larger by hand", {}, (w) => (w["drives"][0].size = 20 * GIB), undefined],
    ["nothing of a size that an earlier version did not note: the drive itself refuses", { master: { disk: "9 GiB" } }, (w) => delete w["drives"][0].meta[MARK.declaredSize], undefined],
    ["another range, as the user data say it", { network: { cidr: "10.78.0.0/24" } }, () => undefined, /grid\.network\.cidr = 10\.78\.0\.0\/24.*\(10\.77\.0\.0\/24\)/],
    ["another ssh port", { ssh: { port: 2222 } }, () => undefined, /grid\.ssh\.port = 2222.*\(22\)/],
    ["another VLAN", { network: { vlan: DISK } }, (w) => w["vlans"].push({ uuid: DISK, owner: { uuid: "me" }, meta: {}, servers: [] }), /grid\.network\.vlan/],
    ["nothing of a copy of the disk that somebody made", { master: { disk: "9 GiB" } }, (w) => (w["drives"][0].meta[MARK.self] = VOLUME), undefined],
    ["the disk that the server has, where a cut run left two", { master: { disk: "9 GiB" } }, (w) => w["drives"].unshift({ ...w["drives"][0], uuid: VOLUME, size: 9 * GIB, meta: { ...w["drives"][0].meta, [MARK.self]: VOLUME } }), new RegExp(`${DISK}\\) has \\(10 GiB\\)`)],
    ["a disk whose server is gone", { master: { disk: "9 GiB" } }, (w) => (w["servers"] = []), /grid\.master\.disk/],
    ["nothing of another grid", { master: { disk: "9 GiB" }, network: { cidr: "10.78.0.0/24" } }, (w) => [w["drives"][0], w["servers"][0]].forEach((o: Row) => Object.assign(o["meta"], { [MARK.id]: `other/x#1`, [MARK.stack]: "p/other" })), undefined],
  ];
  for (const [title, raw, change, says] of table)
    it(`is ${title}`, async () => {
      const w = world();
      change(w);
      const { problems } = await cloudsigmaCloud({ endpoint: "https://zrh.example.org/api/2.0/" }, () => clientOf(w)).changes({ config: parseGridConfig(raw), gridUid: UID, names });
      const said = problems.map(describeProblem).join("\n");
      if (says === undefined) return expect(said).to.equal("");
      expect(said).to.match(says);
      const early = (await preflightCloudsigma(() => clientOf(w), parseGridConfig(raw), { stack: "p/s" })).map(describeProblem);
      expect(early, "the look before anything says it too").to.include(describeProblem(problems[0]!));
    });
  it("is another name, which only uid or component tell from a second grid of the stack", async () => {
    const { problems } = await cloudsigmaCloud({ endpoint: "https://zrh.example.org/api/2.0/" }, () => clientOf(world())).changes({ config: parseGridConfig({ name: "other" }), gridUid: UID, names });
    expect(problems.map((p) => p.path)).to.deep.equal(["grid.name"]);
    const early = await preflightCloudsigma(() => clientOf(world()), parseGridConfig({ name: "other", network: { cidr: "10.78.0.0/24" } }), { stack: "p/s" });
    expect(early.map((p) => p.path)).to.not.include.members(["grid.name", "grid.network.cidr"]);
    const told = await preflightCloudsigma(() => clientOf(world()), parseGridConfig({ name: "other" }), { stack: "p/s", grid: "grid" });
    expect(told.map((p) => p.path), "or the component's name").to.include("grid.name");
  });
});

describe("what a living grid on OpenStack cannot take", () => {
  const rows = (w: OpenstackWorld, key: string): Row[] => w.answers[key] as Row[];
  const mark = (logical: string, replacing: unknown = {}): string => markText(UID, logical, replacing, "p/s");
  const server = (w: OpenstackWorld): Row => rows(w, "compute /servers/detail")[0] as Row;
  const living = (): OpenstackWorld => {
    const w = openstackWorld();
    const rule = (port: number): Row => ({ direction: "ingress", protocol: "tcp", port_range_min: port, port_range_max: port });
    rows(w, "network /networks").push({ id: "n", name: "grid-network", "router:external": false, project_id: PROJECT, description: mark("grid-network-network") });
    rows(w, "network /subnets").push({ id: "s", name: "grid-network", network_id: "n", ip_version: 4, cidr: "10.77.0.0/24", project_id: PROJECT, description: mark("grid-network-subnet") });
    rows(w, "network /security-groups").push({ id: "g", name: "grid-master", project_id: PROJECT, description: mark("grid-network-master"), security_group_rules: [rule(22), rule(53), rule(9600), rule(9618), { direction: "egress", protocol: null }] });
    rows(w, "compute /servers/detail").push({ id: SERVER, name: "grid-master", image: { id: "img" }, flavor: { vcpus: 2, ram: 2048, disk: 20 }, metadata: { "elastigrid-grid": UID, [IDENTITY_KEY]: mark("grid-master-server", masterReplacing(declared)) } });
    rows(w, "image /images").push({ id: "deb", name: "debian-13", status: "active", size: GIB / 2, virtual_size: GIB, min_disk: 0, min_ram: 0 });
    for (const image of rows(w, "image /images")) w.answers[`image /images/${image["id"]}`] = image;
    w.services.add("volume");
    w.answers["volume /limits"] = { limits: { absolute: {} } };
    return w;
  };
  const onVolume = (w: OpenstackWorld, size = 10): void => {
    Object.assign(server(w), { image: "", "os-extended-volumes:volumes_attached": [{ id: VOLUME }] });
    w.answers[`volume /volumes/${VOLUME}`] = { volume: { size, volume_image_metadata: { image_id: "img", image_name: "elastigrid-appliance" } } };
  };
  const volume = { openstack: { bootVolume: true } };

  const table: Array<[string, object, (w: OpenstackWorld) => void, RegExp | undefined]> = [
    ["nothing as it was declared", {}, () => undefined, undefined],
    ["another image", { image: { name: "debian-13" } }, () => undefined, new RegExp(`grid\\.image\\.name = debian-13: is not what the master's server grid-master \\(${SERVER}\\) has \\(elastigrid-appliance \\(img\\)\\).*name elastigrid-appliance again`)],
    ["nothing of a new image under the old name", {}, (w) => (server(w)["image"] = { id: "deleted" }), undefined],
    ["nothing of the same image by its id", { image: { uuid: DISK } }, (w) => {
      rows(w, "image /images")[0]!["id"] = DISK;
      server(w)["image"] = { id: DISK };
      w.answers[`image /images/${DISK}`] = rows(w, "image /images")[0];
    }, undefined],
    ["a flavor with a smaller disk, which nova refuses half-way", { master: { vcpus: 1, memory: "1 GiB", disk: "5 GiB" } }, () => undefined, /grid\.master\.disk = 5 GiB: .* has \(20 GiB\), and because flavor m1\.small has a disk of 5 GiB/],
    ["nothing of a larger flavor", { master: { disk: "30 GiB" } }, () => undefined, undefined],
    ["a boot volume instead of the flavor's disk", volume, () => undefined, /grid\.openstack\.bootVolume = true: .* has \(false\)/],
    ["the flavor's disk instead of a boot volume", {}, onVolume, /grid\.openstack\.bootVolume = false/],
    ["nothing of its boot volume", volume, onVolume, undefined],
    ["a boot volume of another size, larger too", { ...volume, master: { disk: "11 GiB" } }, onVolume, /grid\.master\.disk = 11 GiB: .* has \(10 GiB\), and because a boot volume keeps its size/],
    ["another image of a boot volume", { ...volume, image: { name: "debian-13" } }, onVolume, /grid\.image\.name = debian-13/],
    ["another range", { network: { cidr: "10.78.0.0/24" } }, () => undefined, /grid\.network\.cidr.*10\.77\.0\.0\/24/],
    ["another ssh port", { ssh: { port: 2222 } }, () => undefined, /grid\.ssh\.port = 2222.*\(22\)/],
    ["nothing of a port that is open already", { ssh: { port: 9618 + 1 } }, (w) => (rows(w, "network /security-groups").at(-1)!["security_group_rules"] as Row[]).push({ direction: "ingress", protocol: "tcp", port_range_min: 9619, port_range_max: 9619 }), undefined],
    ["another range where only the network is left", { network: { cidr: "10.78.0.0/24" } }, (w) => (w.answers["compute /servers/detail"] = []), /grid\.network\.cidr/],
    ["nothing of another grid", { network: { cidr: "10.78.0.0/24" }, image: { name: "debian-13" } }, (w) => {
      for (const key of ["networks", "subnets", "security-groups"]) for (const o of rows(w, `network /${key}`)) if (o["description"] !== undefined) Object.assign(o, { description: String(o["description"]).replace(UID, "other").replace("p/s", "p/other"), name: `their-${o["name"]}` });
      Object.assign(server(w), { name: "their-master", metadata: { "elastigrid-grid": "other", [IDENTITY_KEY]: markText("other", "grid-master-server", {}, "p/other") } });
    }, undefined],
  ];
  const isGrids = (m: { gridUid: string; logicalName: string }): boolean => m.gridUid === UID && ["grid-master-server", "grid-network-subnet", "grid-network-master"].includes(m.logicalName);
  const looked = async (w: OpenstackWorld, raw: object) => {
    const config = parseGridConfig(raw), api = fakeOpenstack(w);
    const { facts, problems } = await discoverOpenstack(api, config, { stack: "p/s" });
    if (facts === undefined) throw new Error(problems.map(describeProblem).join("\n"));
    return { problems: (await openstackChanges(api, config, facts, isGrids)).problems, early: (await preflightOpenstack(api, config, { stack: "p/s" })).problems.map(describeProblem) };
  };
  for (const [title, raw, change, says] of table)
    it(`is ${title}`, async () => {
      const w = living();
      change(w);
      const { problems, early } = await looked(w, raw);
      const said = problems.map(describeProblem).join("\n");
      if (says === undefined) expect(said + early.join("\n")).to.equal("");
      else expect(said).to.match(says);
      if (says !== undefined) expect(early, "the look before anything says it too").to.include(describeProblem(problems[0]!));
    });
  it("is another name, which only uid or component tell from a second grid of the stack", async () => {
    const raw = { name: "other" };
    expect((await looked(living(), raw)).problems.map((p) => p.path)).to.deep.equal(["grid.name"]);
    const { problems: told } = await preflightOpenstack(fakeOpenstack(living()), parseGridConfig(raw), { stack: "p/s", grid: "grid" });
    expect(told.map((p) => p.path)).to.include("grid.name");
    const renamed = living();
    server(renamed)["name"] = "somebody-else";
    expect((await looked(renamed, {})).problems, "one of its objects, renamed by hand").to.deep.equal([]);
  });
});
