import * as pulumi from "@pulumi/pulumi";
import { expect } from "chai";
import { load } from "js-yaml";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client } from "../../../components/cloudsigma/client";
import type { Cloud } from "../../../components/clouds/cloud";
import { fakeOpenstack, openstackWorld, PROJECT, type OpenstackWorld } from "../../support/fake-openstack";
import { clear, isSecret, type Declared } from "../../support/mocks";

const UID = "0123456789abcdef";
const SECRET = "secret-of-the-application-credential";
const SIGNED = "https://cloud.example.org/signed?Signature=abc";
const seed = "11".repeat(32), poolKey = "ab".repeat(32);
const secretValues = [seed, poolKey, SECRET, SIGNED, "Console1Secret", "not shown"];
const nowMs = Date.UTC(2026, 5, 1);

describe("Grid on OpenStack, under mocks", function () {
  this.timeout(20_000);
  let seen: Declared[], folder: string, outputs: Record<string, unknown>;

  const deploy = async (raw: object, change: (w: OpenstackWorld) => void = () => undefined, other?: Cloud): Promise<void> => {
    seen = [];
    await pulumi.runtime.setMocks(
      {
        newResource: (args) => {
          seen.push({ type: args.type, name: args.name, inputs: args.inputs as Record<string, unknown> });
          const made: Record<string, Record<string, unknown>> = {
            "random:index/randomId:RandomId": { hex: args.name.includes("definition") ? "d0d0d0" : UID },
            "random:index/randomBytes:RandomBytes": { hex: args.name.includes("pool") ? poolKey : seed },
            "random:index/randomPassword:RandomPassword": { result: "Console1Secret" },
            "openstack:networking/floatingIp:FloatingIp": { address: "203.0.113.7" },
            "openstack:identity/applicationCredential:ApplicationCredential": { secret: SECRET },
            "openstack:orchestration/stackV1:StackV1": { StackOutputs: [{ outputKey: "up_url", outputValue: SIGNED }, { outputKey: "high_alarm", outputValue: "alarm-high" }, { outputKey: "low_alarm", outputValue: "alarm-low" }] },
            "pulumi-nodejs:dynamic/cloudsigma:StaticIp": { address: "203.0.113.7" },
            "pulumi-nodejs:dynamic/cloudsigma:WorkerPool": { templateUuid: "template-1" },
          };
          return { id: `${args.name}-id`, state: { ...(args.inputs as object), ...made[args.type] } };
        },
        call: () => ({}),
      },
      "elastigrid",
      "test",
      false,
    );
    const { Grid } = await import("../../../components/grid.js");
    const { openstackCloud } = await import("../../../components/clouds/openstack.js");
    const { parseGridConfig } = await import("../../../components/config/schema.js");
    const world = openstackWorld();
    world.answers["orchestration /stacks"] = [];
    change(world);
    const cloud = other ?? openstackCloud(world.settings, { makeApi: () => fakeOpenstack(world), nowMs: () => nowMs });
    const config = parseGridConfig(raw);
    if (other === undefined) expect(await cloud.preflight(config)).to.deep.equal([]);
    const { sshPrivateKey: _secret, ...grid } = new Grid("grid", { cloud, config, bundle: { path: join(folder, "b.cjs"), digest: "d1" } });
    const plain = Object.fromEntries(Object.entries(grid).filter(([k, v]) => !k.startsWith("__") && pulumi.Output.isInstance(v) && k !== "urn"));
    outputs = await new Promise((done) => pulumi.output(plain).apply((v) => done(v as Record<string, unknown>)));
    await (pulumi.runtime as unknown as { disconnect(): Promise<void> }).disconnect();
  };
  const of = (type: string): Declared[] => seen.filter((s) => s.type.endsWith(`:${type}`) && !s.type.startsWith("elastigrid:"));
  const one = (type: string): Declared => {
    expect(of(type).length, `${type}: ${seen.map((s) => `${s.type} ${s.name}`).join(", ")}`).to.equal(1);
    return of(type)[0] as Declared;
  };
  const at = (type: string): number => seen.indexOf(one(type));
  const template = (): Record<string, any> => load(clear(one("StackV1").inputs["templateOpts"].Bin) as string) as Record<string, any>;
  const setup = (): Record<string, any> => JSON.parse(clear(seen.find((s) => s.name === "grid-setup-apply")?.inputs["stdin"]) as string) as Record<string, any>;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), "elastigrid-mocks-"));
    writeFileSync(join(folder, "b.cjs"), "// bundle\n");
  });
  after(() => rmSync(folder, { recursive: true }));

  describe("with a further worker type", () => {
    const types = { large: { vcpus: 4, memory: "4 GiB", disk: "20 GiB", max: 2, labels: { FastDisk: true } } };
    before(() => deploy({ workers: { min: 2, max: 5, types } }));

    it("has a stack for each, with its own flavor, user data and maximum; the first keeps its name", () => {
      const stacks = of("StackV1");
      expect(stacks.map((s) => [s.name, s.inputs["name"]])).to.deep.equal([["grid-workers-stack", `elastigrid-${UID}-d0d0d0`], ["grid-workers-large-stack", `elastigrid-${UID}-t-large-d0d0d0`]]);
      const [first, large] = stacks.map((s) => s.inputs);
      expect([first?.["parameters"].flavor, first?.["parameters"].min, large?.["parameters"].flavor, large?.["parameters"].min]).to.deep.equal(["id-m1.small", "2", "id-m1.large", "0"]);
      expect(large?.["parameters"].user_data).to.include('ElastigridWorkerType = "large"').and.to.include("NUM_CPUS = 4").and.to.include("FastDisk = true");
      const group = load(clear(large?.["templateOpts"].Bin) as string) as Record<string, any>;
      expect([group["resources"].group.properties.max_size, "high" in group["resources"]]).to.deep.equal([2, false]);
    });
    it("tells the controller of both", () => {
      const { cloud, workers } = setup()["controller"] as Record<string, any>;
      expect(cloud).to.deep.include({ stackName: `elastigrid-${UID}-d0d0d0`, stackId: "grid-workers-stack-id", types: { large: { stackName: `elastigrid-${UID}-t-large-d0d0d0`, stackId: "grid-workers-large-stack-id" } } });
      expect(workers.types.map((t: { name: string }) => t.name)).to.deep.equal(["large"]);
    });
  });

  describe("with its defaults", () => {
    before(() => deploy({ workers: { min: 2, max: 5 } }));

    it("makes each part once, named after the grid", () => {
      const made = seen.filter((s) => /^(openstack|pulumi-nodejs):/.test(s.type) && !s.type.endsWith("SecGroupRule")).map((s) => `${s.type.split(":").pop() ?? ""} ${s.name}`);
      expect(made).to.have.members([
        "Sweep grid-network-sweep", "Network grid-network-network", "Subnet grid-network-subnet", "Router grid-network-router", "RouterInterface grid-network-interface",
        "SecGroup grid-network-master", "SecGroup grid-network-workers", "FloatingIp grid-address-ip", "Keypair grid-master-key", "Port grid-master-port", "Instance grid-master-server",
        "FloatingIpAssociate grid-master-association", "MasterReady grid-master-ready", "Sweep grid-workers-stacks", "StackV1 grid-workers-stack", "ApplicationCredential grid-workers-credential",
      ]);
    });
    it("makes the sweep first, the way out before what needs it, and the group last", () => {
      const openstack = seen.filter((s) => s.type.startsWith("openstack:"));
      expect(seen.findIndex((s) => s.name === "grid-network-sweep")).to.be.lessThan(seen.indexOf(openstack[0] as Declared));
      for (const [earlier, later] of [["Subnet", "RouterInterface"], ["Router", "RouterInterface"], ["RouterInterface", "Port"], ["Port", "Instance"], ["Port", "FloatingIpAssociate"], ["FloatingIpAssociate", "MasterReady"], ["RouterInterface", "StackV1"]] as const)
        expect(at(earlier), `${earlier} before ${later}`).to.be.lessThan(at(later));
      expect(seen.findIndex((s) => s.name === "grid-workers-stacks")).to.be.lessThan(at("StackV1"));
    });
    it("marks what can carry a mark with the grid, its name and the stack", () => {
      const marked = ["Network", "Subnet", "Router", "SecGroup", "SecGroupRule", "Port", "FloatingIp"].flatMap(of);
      expect(marked.length).to.be.greaterThan(10);
      for (const { name, inputs } of marked) expect(inputs["description"], name).to.match(new RegExp(`^elastigrid:${UID}/${name.replace(/[./]/g, "\\$&")}#[0-9a-f]{8} of elastigrid/test$`));
      expect(new Set(marked.map((m) => m.inputs["description"])).size).to.equal(marked.length);
      expect(one("Instance").inputs["metadata"]["elastigrid-grid"]).to.equal(UID);
      for (const type of ["Keypair", "StackV1", "ApplicationCredential"]) expect(one(type).inputs["name"], type).to.include(UID);
    });
    it("gives the master the first address, the router the last, and DHCP what is between", () => {
      const { inputs } = one("Subnet");
      expect(inputs).to.include({ cidr: "10.77.0.0/24", gatewayIp: "10.77.0.254" });
      expect(inputs["allocationPools"]).to.deep.equal([{ start: "10.77.0.2", end: "10.77.0.253" }]);
      expect(one("Port").inputs["fixedIps"]).to.deep.equal([{ subnetId: "grid-network-subnet-id", ipAddress: "10.77.0.1" }]);
    });
    it("declares no number of workers, and no scale-down that a signal could trigger", () => {
      const { resources } = template();
      expect(resources.group.properties).to.not.have.property("desired_capacity");
      expect(resources.group.properties.max_size).to.equal(5);
      expect(resources.down.properties.scaling_adjustment).to.equal(0);
    });
    it("keeps the signed URLs secret, also in the controller's target", () => {
      expect(JSON.stringify(setup()["controller"].cloud)).to.not.include("Signature");
      expect(setup()["controller"].cloud).to.deep.equal({
        kind: "openstack", authUrl: "https://cloud.example.org/identity", region: "RegionOne", stackName: `elastigrid-${UID}-d0d0d0`, stackId: "grid-workers-stack-id", stackPrefix: `elastigrid-${UID}-`,
        alarms: { highId: "alarm-high", lowId: "alarm-low" },
      });
    });
    it("hands the controller a credential of its own, and says when it ends", () => {
      const { credentials } = setup();
      expect(credentials).to.include({ applicationCredentialId: "grid-workers-credential-id", applicationCredentialSecret: SECRET });
      const [warnMs, endMs] = [Date.parse(credentials.warnAt), Date.parse(credentials.expiresAt)];
      expect((endMs - warnMs) / 86_400_000).to.equal(30);
      expect(warnMs).to.be.greaterThan(nowMs);
    });
    it("limits that credential to the grid's own stacks", () => {
      const { inputs } = one("ApplicationCredential");
      expect(inputs["unrestricted"]).to.equal(false);
      expect(inputs["roles"]).to.deep.equal(["member"]);
      const heat = (inputs["accessRules"] as { service: string; method: string; path: string }[]).filter((r) => r.service === "orchestration" && r.method !== "GET");
      expect(heat.length).to.be.greaterThan(0);
      for (const { path } of heat) expect(path).to.match(new RegExp(`v1/${PROJECT}/stacks/elastigrid-${UID}-`));
    });
    it("shows no secret in clear in any input", () => {
      const walk = (v: unknown): unknown => (isSecret(v) ? "[secret]" : Array.isArray(v) ? v.map(walk) : typeof v === "object" && v !== null ? Object.fromEntries(Object.entries(v).map(([k, x]) => [k, walk(x)])) : v);
      const text = JSON.stringify(seen.map((s) => walk(s.inputs)));
      for (const value of secretValues) expect(text).to.not.include(value);
      expect(text).to.not.include("PRIVATE KEY");
      expect(JSON.stringify(seen)).to.include("PRIVATE KEY"); // it is there, as a secret
    });
    it("declares no provider, and so no login as an input", () => expect(seen.filter((s) => s.type.startsWith("pulumi:providers:"))).to.deep.equal([]));
  });

  it("gives the same outputs as on CloudSigma", async () => {
    await deploy({});
    const { masterId: machine, ...here } = outputs;
    const { cloudsigmaCloud } = await import("../../../components/clouds/cloudsigma.js");
    const settings = { endpoint: "http://127.0.0.1:9/api/2.0/", username: "someone@example.org", password: "pa55-word" };
    const client = { endpoint: settings.endpoint, profileUuid: async () => "me", list: async (kind: string) => (kind === "locations" ? [{ id: "LOC", display_name: "", api_endpoint: "http://198.51.100.1:9/api/2.0" }] : []) } as unknown as Client;
    await deploy({}, undefined, cloudsigmaCloud(settings, () => client));
    expect(Object.keys(here).length).to.be.greaterThan(5);
    const { masterId: machineAndDisk, ...there } = outputs;
    expect(here).to.deep.equal(there);
    expect([machine, machineAndDisk]).to.deep.equal(["grid-master-server-id", "grid-master-server-id/grid-master-disk-id"]);
  });

  it("declares the cloud's objects alone when there is nothing to log in to; both alarms then act", async () => {
    await deploy({ bootstrap: "none" });
    expect(seen.map((s) => s.type).filter((t) => t.startsWith("command:") || t.endsWith("MasterReady"))).to.deep.equal([]);
    expect(template()["resources"].down.properties.scaling_adjustment).to.equal(-1);
    expect(template()["resources"].low.properties.alarm_actions).to.have.length(1);
  });

  it("leaves the alarms to the controller where the cloud has no Aodh", async () => {
    await deploy({}, (w) => w.services.delete("alarming"));
    expect(Object.keys(template()["resources"])).to.have.members(["group", "up", "down"]);
  });

  it("tells the controller the authority that the deploying user trusts, and no file of theirs", async () => {
    const file = join(folder, "ca.pem");
    writeFileSync(file, "-----BEGIN CERTIFICATE-----\n");
    await deploy({}, (w) => Object.assign(w, { settings: { ...w.settings, caCertificateFile: file } }));
    expect(setup()["controller"].cloud).to.include({ caCertificates: "-----BEGIN CERTIFICATE-----\n" }).and.not.have.property("caCertificateFile");
  });

  it("changes nothing that anybody could lose a job by when the grid gets another name", async () => {
    await deploy({});
    const before = seen;
    await deploy({ name: "other" });
    const changed = seen.filter((s) => JSON.stringify(s.inputs) !== JSON.stringify(before.find((b) => b.name === s.name)?.inputs)).map((s) => s.name);
    for (const kept of ["grid-network-sweep", "grid-workers-stacks", "grid-workers-definition"]) expect(changed).to.not.include(kept);
    const was = (type: string): Declared | undefined => before.find((s) => s.type.endsWith(`:${type}`));
    for (const type of ["StackV1", "Keypair"]) expect(one(type).inputs["name"]).to.equal(was(type)?.inputs["name"]);
    expect(clear(one("StackV1").inputs["parameters"]["key_name"])).to.equal(clear(was("StackV1")?.inputs["parameters"]["key_name"]));
  });

  it("gives workers of another image or size a group of their own, and keeps it for everything else", async () => {
    const definition = async (raw: object): Promise<unknown> => {
      await deploy(raw);
      return seen.find((s) => s.name === "grid-workers-definition")?.inputs["keepers"];
    };
    const now = await definition({});
    for (const same of [{ workers: { max: 9 } }, { name: "other" }, { ssh: { port: 2222 } }, { alarms: { cpuHigh: { thresholdPercent: 70 } } }]) expect(await definition(same)).to.deep.equal(now);
    expect(await definition({ workers: { memory: "2 GiB" } })).to.not.deep.equal(now);
  });

  it("never tells Heat a maximum below the size that the group has: it would remove the oldest", async () => {
    const name = `elastigrid-${UID}-d0d0d0`;
    const members = Array.from({ length: 4 }, (_, i) => ({ resource_name: `m${i}`, resource_type: "OS::Nova::Server", resource_status: "CREATE_COMPLETE", physical_resource_id: `s${i}`, parent_resource: "group" }));
    const running = (w: OpenstackWorld): void => {
      w.answers["orchestration /stacks"] = [{ id: "s1", stack_name: name, stack_status: "CREATE_COMPLETE", parent: null }];
      w.answers[`orchestration /stacks/${name}/s1`] = { stack: { id: "s1", stack_name: name, stack_status: "CREATE_COMPLETE", creation_time: "" } };
      w.answers[`orchestration /stacks/${name}/s1/resources`] = { resources: members };
    };
    await deploy({ workers: { max: 2 } }, running);
    expect(template()["resources"].group.properties.max_size).to.equal(4);
    await deploy({ workers: { max: 6 } }, running);
    expect(template()["resources"].group.properties.max_size).to.equal(6);
    await deploy({ workers: { max: 2 }, bootstrap: "none" }, running);
    expect(template()["resources"].group.properties.max_size).to.equal(2);
  });

  describe("where the cloud has IPv6", () => {
    const ipv6 = (w: OpenstackWorld): void => {
      Object.assign((w.answers["network /networks"] as object[])[0] as object, { subnets: ["s4", "s6"] });
      w.answers["network /subnetpools"] = [{ id: "pool6", name: "prefixes", project_id: "admins", shared: true, is_default: true, ip_version: 6, min_prefixlen: "48", max_prefixlen: "64", address_scope_id: null }];
    };
    const named = (name: string): Declared => seen.find((s) => s.name === name && s.type.startsWith("openstack:")) as Declared;
    let without: Declared[];
    before(async () => {
      await deploy({}, ipv6);
      without = seen;
      await deploy({ openstack: { ipv6: false } }, ipv6);
      [seen, without] = [without, seen];
    });

    it("adds a marked subnet of the pool's and its way out, before anything attaches to the network", () => {
      const { description, ...inputs } = named("grid-network-subnet6").inputs;
      expect(inputs).to.deep.equal({ name: "grid-network-ipv6", networkId: "grid-network-network-id", ipVersion: 6, subnetpoolId: "pool6", prefixLength: 64, ipv6AddressMode: "slaac", ipv6RaMode: "slaac" });
      expect(description).to.match(new RegExp(`^elastigrid:${UID}/grid-network-subnet6#[0-9a-f]{8} of elastigrid/test$`));
      expect(named("grid-network-interface6").inputs).to.deep.equal({ routerId: "grid-network-router-id", subnetId: "grid-network-subnet6-id" });
      for (const type of ["Port", "StackV1"]) expect(seen.indexOf(named("grid-network-interface6"))).to.be.lessThan(at(type));
    });
    it("changes nothing else: no port, server, group or rule is made in another way", () => {
      expect(seen.filter((s) => !without.some((o) => o.name === s.name && o.type === s.type)).map((s) => s.name)).to.have.members([
        "grid-network-subnet6", "grid-network-interface6", "grid-network-master-router-advertisements", "grid-network-workers-router-advertisements",
      ]);
      for (const other of without.filter((o) => o.type.startsWith("openstack:"))) expect(seen.find((s) => s.name === other.name && s.type === other.type)?.inputs, other.name).to.deep.equal(other.inputs);
    });
    it("opens nothing by IPv6, but to the announcements of the router", () => {
      expect(of("SecGroupRule").length).to.be.greaterThan(5);
      for (const { name, inputs } of of("SecGroupRule").filter((r) => r.inputs["ethertype"] !== "IPv4"))
        expect(inputs, name).to.include({ direction: "ingress", ethertype: "IPv6", protocol: "ipv6-icmp", portRangeMin: 134, portRangeMax: 0, remoteIpPrefix: "fe80::/10" });
    });
  });

  it("opens by IPv6 what is declared for IPv6 ranges", async () => {
    await deploy({ firewall: [{ name: "web", protocol: "tcp", ports: 443, from: ["0.0.0.0/0", "2001:db8::/32"] }, { name: "ping", protocol: "icmp", from: ["::/0"], to: "workers" }] });
    const six = of("SecGroupRule").filter((r) => r.inputs["ethertype"] === "IPv6").map(({ name, inputs: { protocol, remoteIpPrefix, portRangeMin, portRangeMax } }) => [name, protocol, remoteIpPrefix, portRangeMin, portRangeMax]);
    expect(six).to.have.deep.members([["grid-network-master-tcp-443-from-2001.db8../32", "tcp", "2001:db8::/32", 443, 443], ["grid-network-workers-icmp-from-../0", "ipv6-icmp", "::/0", 128, 0]]);
  });

  const withVolumes = (w: OpenstackWorld): void => {
    w.services.add("volume");
    w.answers["volume /limits"] = { limits: { absolute: { maxTotalVolumes: 10, totalVolumesUsed: 0, maxTotalVolumeGigabytes: 100, totalGigabytesUsed: 0 } } };
  };
  it("boots the master from a volume of its own where that is asked for", async () => {
    await deploy({ openstack: { bootVolume: true }, master: { disk: "12 GiB" } }, withVolumes);
    const { inputs } = one("Instance");
    expect(inputs["blockDevices"]).to.deep.equal([{ uuid: "img", sourceType: "image", destinationType: "volume", bootIndex: 0, volumeSize: 12, deleteOnTermination: true }]);
    expect(inputs).to.not.have.property("imageName");
  });
  it("makes that volume from the image that it uploads itself, where it does", async () => {
    const file = join(folder, "mine.img");
    writeFileSync(file, Buffer.alloc(1024));
    await deploy({ image: { name: "mine" }, openstack: { bootVolume: true, imageFile: file } }, withVolumes);
    expect(one("Instance").inputs["blockDevices"][0].uuid).to.equal(`${one("Image").name}-id`);
  });
});
