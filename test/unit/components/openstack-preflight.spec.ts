import { expect } from "chai";
import { discoverOpenstack, type Discovered, type LookParts } from "../../../components/clouds/openstack-discover";
import { markText, masterReplacing } from "../../../components/clouds/openstack-marks";
import { parseSpanSeconds } from "../../../components/clouds/openstack-look/alarms";
import { preflightOpenstack } from "../../../components/clouds/openstack-preflight";
import { parseGridConfig } from "../../../components/config/schema";
import { CloudError, describeProblem } from "../../../components/errors";
import { fakeOpenstack, openstackWorld, PROJECT, refusal, USER, type OpenstackWorld } from "../../support/fake-openstack";

type Row = Record<string, any>;
const rows = (w: OpenstackWorld, key: string): Row[] => w.answers[key] as Row[];
const limits = (w: OpenstackWorld): Row => (w.answers["compute /limits"] as Row)["limits"].absolute as Row;
const quota = (w: OpenstackWorld): Row => (w.answers[`network /quotas/${PROJECT}/details`] as Row)["quota"] as Row;
const GIB = 2 ** 30;
const appliance = (w: OpenstackWorld): Row => rows(w, "image /images")[0] as Row;
const external = (w: OpenstackWorld): Row => rows(w, "network /networks")[0] as Row;
const password = (w: OpenstackWorld) => w.settings.auth as Extract<OpenstackWorld["settings"]["auth"], { kind: "password" }>;
const mark = (logical: string, stack = "p/s"): string => `elastigrid:abc123/${logical}#01234567 of ${stack}`;

const pool6 = (over: Row = {}): Row => ({ id: "pool6", name: "prefixes", project_id: "admins", shared: true, is_default: true, ip_version: 6, min_prefixlen: "48", max_prefixlen: "64", address_scope_id: null, ...over });

const check = (w: OpenstackWorld, raw: object = {}, parts: LookParts = {}): Promise<Discovered> => preflightOpenstack(fakeOpenstack(w), parseGridConfig(raw), { stack: "p/s", projectRoot: "/nowhere" }, { projectsOf: async () => undefined, ...parts });

/** [what is wrong, configuration, change of the cloud, path, part of value, rule and fix] */
const table: Array<[string, object, (w: OpenstackWorld) => void, string, RegExp]> = [
  ["an image that is not there, naming near ones", { image: { name: "elastigrid-aplliance" } }, () => undefined, "grid.image.name", /near names: elastigrid-appliance/],
  ["a cloud without the appliance", {}, (w) => (appliance(w)["name"] = "debian-13"), "grid.image.name", /grid\.openstack\.imageFile.*stock/],
  ["an image's id that nobody has", { image: { uuid: "3f1c7a52-8d0e-4a6b-9c35-0b1f6e2d4a78" } }, () => undefined, "grid.image.uuid", /no image that this project sees/],
  ["two images of one name", {}, (w) => rows(w, "image /images").push({ ...appliance(w), id: "img2" }), "grid.image.name", /name of 2 images; set grid\.image\.uuid to one of img, img2/],
  ["an image that is not ready", {}, (w) => (appliance(w)["status"] = "queued"), "grid.image.name", /not ready.*queued.*upload/],
  ["an image larger than a worker's disk", {}, (w) => (appliance(w)["virtual_size"] = 8 * GIB), "grid.workers.disk", /smaller than the image \(8 GiB\); set it to "8 GiB"/],
  ["an image that says it wants more disk", {}, (w) => (appliance(w)["min_disk"] = 9), "grid.workers.disk", /9 GiB/],
  ["an image that wants more memory", {}, (w) => (appliance(w)["min_ram"] = 1536), "grid.workers.memory", /asks for \(1536 MiB\)/],
  ["an image file that is not there", { openstack: { imageFile: "a.qcow2" } }, () => undefined, "grid.openstack.imageFile", /cannot be read.*ENOENT.*\/nowhere\/a\.qcow2/],
  ["a flavor that is not there", { openstack: { masterFlavor: "m1.medum" } }, () => undefined, "grid.openstack.masterFlavor", /near names: m1\.medium/],
  ["a named flavor that is too small", { openstack: { masterFlavor: "m1.small" } }, () => undefined, "grid.openstack.masterFlavor", /m1\.small \(1 vcpu, 1 GiB memory, 5 GiB disk\).*asks for 2 vcpus, 2 GiB memory and 10 GiB disk.*lower grid\.master\.vcpus/],
  ["a named flavor without disk", { openstack: { workersFlavor: "m1.diskless" } }, () => undefined, "grid.openstack.workersFlavor", /no disk/],
  ["sizes that no flavor has, with the list of what there is", { master: { vcpus: 64 } }, () => undefined, "grid.master", /no flavor has 64 vcpus.*m1\.small \(1 vcpu.*m1\.large \(4 vcpus, 4 GiB memory, 40 GiB disk\).*lower grid\.master\.vcpus/],
  ["a disk that only a volume could have", { master: { disk: "100 GiB" } }, () => undefined, "grid.master", /100 GiB disk/],
  ["a worker type that no flavor is large enough for", { workers: { types: { huge: { vcpus: 64, memory: "4 GiB", disk: "20 GiB" } } } }, () => undefined, "grid.workers.types.huge", /no flavor has 64 vcpus.*lower grid\.workers\.types\.huge\.vcpus/],
  ["a worker type's image that is not there", { workers: { types: { big: { vcpus: 1, memory: "1 GiB", disk: "5 GiB", image: { name: "nothing-like-it" } } } } }, () => undefined, "grid.workers.types.big.image.name", /no image that this project sees/],
  ["flavors that are switched off", {}, (w) => rows(w, "compute /flavors/detail").forEach((f) => (f["OS-FLV-DISABLED:disabled"] = true)), "grid.workers", /are: none/],
  ["no external network", {}, (w) => (w.answers["network /networks"] = []), "openstack network (Neutron)", /no external network.*no floating IP; ask the cloud's administrator/],
  ["several external networks", {}, (w) => rows(w, "network /networks").push({ ...external(w), id: "ext2", name: "other" }), "grid.openstack.externalNetwork", /2 external networks: public \(ext\), other \(ext2\); set it/],
  ["an external network that is not there", { openstack: { externalNetwork: "publik" } }, () => undefined, "grid.openstack.externalNetwork", /near names: public/],
  ["a network that is not external", { openstack: { externalNetwork: "mine" } }, (w) => rows(w, "network /networks").push({ id: "m", name: "mine", "router:external": false }), "grid.openstack.externalNetwork", /but not an external one.*external are: public/],
  ["an external network without a subnet", {}, (w) => (external(w)["subnets"] = []), "openstack network (Neutron)", /without a subnet/],
  ["an external network that is switched off", { openstack: { externalNetwork: "public" } }, (w) => (external(w)["admin_state_up"] = false), "grid.openstack.externalNetwork", /switched off/],
  ["a private network that overlaps the external one", {}, (w) => rows(w, "network /subnets").push({ network_id: "ext", ip_version: 4, cidr: "10.0.0.0/8" }), "grid.network.cidr", /overlaps the external network public/],
  ["another range than the deployed grid has", {}, (w) => rows(w, "network /subnets").push({ id: "s1", name: "grid-network", network_id: "n", ip_version: 4, cidr: "10.9.0.0/24", description: mark("grid-network-subnet") }), "grid.network.cidr", /not the range of the deployed grid \(10\.9\.0\.0\/24\).*set it to 10\.9\.0\.0\/24, or run `pulumi destroy`/],
  ["a private network without room for router and DHCP server", { network: { cidr: "10.0.0.0/28" }, workers: { max: 12 } }, () => undefined, "grid.network.cidr", /has 14 host addresses.*need 15/],
  ["a floating IP that the project has not", { address: "203.0.113.9" }, (w) => rows(w, "network /floatingips").push({ id: "f", floating_ip_address: "203.0.113.8", floating_network_id: "ext", port_id: null }), "grid.address", /no floating IP of project demo; free are: 203\.0\.113\.8/],
  ["a floating IP that another server uses", { address: "203.0.113.9" }, (w) => rows(w, "network /floatingips").push({ id: "f", floating_ip_address: "203.0.113.9", floating_network_id: "ext", port_id: "x" }), "grid.address", /in use by another server/],
  ["a floating IP of another external network", { address: "203.0.113.9" }, (w) => rows(w, "network /floatingips").push({ id: "f", floating_ip_address: "203.0.113.9", floating_network_id: "old", port_id: null }), "grid.address", /another external network/],
  ["too few servers allowed", { workers: { max: 7 } }, (w) => Object.assign(limits(w), { maxTotalInstances: 10, totalInstancesUsed: 5 }), "grid.workers.max", /^7 quota of servers exceeded: the grid needs 8, project demo may have 10 and uses 5; lower grid\.workers\.max to 4, or ask .*at least 13 \(`openstack quota set --instances 13 demo`\)/],
  ["too few vcpus allowed", {}, (w) => Object.assign(limits(w), { maxTotalCores: 4 }), "grid.workers.max", /vcpus exceeded: the grid needs 5, project demo may have 4.*lower grid\.workers\.max to 2/],
  ["too little memory allowed", {}, (w) => Object.assign(limits(w), { maxTotalRAMSize: 2048 }), "grid.workers.max", /memory exceeded: the grid needs 5 GiB.*may have 2 GiB.*--ram 5120/],
  ["no room for a key pair", {}, (w) => Object.assign(limits(w), { maxTotalKeypairs: 0 }), "openstack quota", /key pairs/],
  ["no room for a router", {}, (w) => Object.assign(quota(w)["router"], { limit: 1, used: 1 }), "openstack quota", /routers exceeded.*may have 1 and uses 1; remove.*--routers 2/],
  ["no room for a floating IP", {}, (w) => Object.assign(quota(w)["floatingip"], { limit: 2, used: 2 }), "grid.address", /floating IPs.*name one that the project has/],
  ["no room for ports", {}, (w) => Object.assign(quota(w)["port"], { limit: 5, used: 0 }), "grid.workers.max", /ports exceeded: the grid needs 6.*lower grid\.workers\.max to 2/],
  ["no room for rules", {}, (w) => Object.assign(quota(w)["security_group_rule"], { limit: 16, used: 4 }), "openstack quota", /security group rules exceeded: the grid needs 13,/],
  ["a boot volume on a cloud without volumes", { openstack: { bootVolume: true } }, () => undefined, "grid.openstack.bootVolume", /Cinder/],
  ["no room for a volume", { openstack: { bootVolume: true } }, (w) => {
    w.services.add("volume");
    w.answers["volume /limits"] = { limits: { absolute: { maxTotalVolumes: 10, totalVolumesUsed: 10, maxTotalVolumeGigabytes: -1, totalGigabytesUsed: 0 } } };
  }, "grid.openstack.bootVolume", /quota of volumes/],
  ["a name that somebody else's server has", {}, (w) => rows(w, "compute /servers/detail").push({ id: "s1", name: "grid-master", metadata: {} }), "grid.name", /server grid-master \(s1\)/],
  ["a name that another stack has", {}, (w) => rows(w, "network /networks").push({ id: "n1", name: "grid-network", project_id: PROJECT, "router:external": false, description: mark("grid", "p/other") }), "grid.name", /network grid-network \(n1, of stack p\/other\)/],
  ["a cloud without Heat", {}, (w) => w.services.delete("orchestration"), "openstack orchestration (Heat)", /is not there.*keeps the group of workers; ask the cloud's administrator for Heat/],
  ["a user whom Heat does not let in", {}, (w) => (w.answers["orchestration /stacks"] = refusal(403, "GET /stacks: You are not authorized")), "openstack orchestration (Heat)", /missing role in project demo \(Heat's policy often wants heat_stack_owner or member\); the user has member, reader there/],
  ["a Heat without groups", {}, (w) => (w.answers["orchestration /resource_types"] = { resource_types: ["OS::Nova::Server"] }), "openstack orchestration (Heat)", /does not offer OS::Heat::AutoScalingGroup/],
  ["an unknown region", {}, (w) => Object.assign(w, { settings: { ...w.settings, region: "RegionTree" }, services: new Set(["identity"]) }), "openstack:region (OS_REGION_NAME)", /no region of this cloud; set the region to one of RegionOne, RegionTwo/],
  ["a service that is down", {}, (w) => (w.answers["network /routers"] = refusal(503, "GET /routers: HTTP 503")), "openstack network (Neutron)", /cannot be asked.*run again in a few minutes/],
  ["an Aodh that is down, rather than taking the alarms away", {}, (w) => (w.answers["alarming /alarms"] = refusal(503, "GET /alarms: HTTP 503")), "openstack alarming (Aodh)", /cannot be asked/],
  ["a wrong password", {}, (w) => (w.session = refusal(401)), "openstack:userName and openstack:password (OS_USERNAME, OS_PASSWORD)", /^demo name or password are refused/],
  ["the settings of clouds.yaml, by their name", {}, (w) => Object.assign(w, { settings: { ...w.settings, cloudName: "mine" }, session: refusal(401) }), "clouds.yaml, cloud mine", /refused/],
  ["an expired token", {}, (w) => Object.assign(w, { settings: { ...w.settings, auth: { kind: "token", token: "t" } }, session: refusal(401) }), "openstack:token (OS_TOKEN)", /it has expired.*openstack token issue/],
  ["a token that Keystone does not know", {}, (w) => Object.assign(w, { settings: { ...w.settings, auth: { kind: "token", token: "t" } }, session: refusal(404, "POST /auth/tokens: Failed to validate token") }), "openstack:token (OS_TOKEN)", /HTTP 404.*expired/],
  ["a revoked application credential", {}, (w) => Object.assign(w, { settings: { ...w.settings, auth: { kind: "applicationCredential", id: "i", secret: "s" } }, session: refusal(401) }), "openstack:applicationCredentialId (OS_APPLICATION_CREDENTIAL_ID)", /--unrestricted/],
  ["a restricted application credential", {}, (w) => {
    w.settings = { ...w.settings, auth: { kind: "applicationCredential", id: "i", secret: "s" } };
    w.answers[`identity /users/${USER}/application_credentials`] = [{ id: "i", name: "small", unrestricted: false }];
  }, "openstack:applicationCredentialId (OS_APPLICATION_CREDENTIAL_ID)", /^small is a restricted.*--unrestricted/],
  ["an unknown host", {}, (w) => (w.session = refusal(0, "no answer", Object.assign(new Error("fetch failed"), { cause: { code: "ENOTFOUND" } }))), "openstack:authUrl (OS_AUTH_URL)", /host name that is not known/],
  ["a closed port", {}, (w) => (w.session = refusal(0, "no answer", { cause: { code: "ECONNREFUSED" } })), "openstack:authUrl (OS_AUTH_URL)", /nothing listens there/],
  ["a certificate of an unknown authority", {}, (w) => (w.session = refusal(0, "no answer", { cause: { code: "SELF_SIGNED_CERT_IN_CHAIN" } })), "openstack:authUrl (OS_AUTH_URL)", /not trusted.*openstack:cacertFile \(OS_CACERT\)/],
  ["an authority's file that is not there", {}, (w) => (w.session = refusal(0, "no answer: ENOENT", { cause: { code: "ENOENT" } })), "openstack:cacertFile (OS_CACERT)", /cannot be read/],
  ["a login without a project", {}, (w) => w.session instanceof CloudError || (w.session = { ...w.session, projectId: "", projectName: "" }), "openstack:tenantName (OS_PROJECT_NAME)", /names no project/],
  ["a URL that is no Keystone", {}, (w) => (w.session = refusal(404)), "openstack:authUrl (OS_AUTH_URL)", /Keystone's version 3.*\/v3/],
];

describe("preflight on OpenStack", () => {
  for (const [says, raw, change, path, wanted] of table)
    it(`refuses ${says}`, async () => {
      const w = openstackWorld();
      change(w);
      const { problems } = await check(w, raw);
      const found = problems.filter((p) => p.path === path).map((p) => `${p.value === undefined ? "" : `${p.value} `}${p.rule}; ${p.fix}`);
      expect(found.some((text) => wanted.test(text)), problems.map(describeProblem).join("\n")).to.equal(true);
      expect(JSON.stringify(problems)).to.not.include("not shown");
    });

  it("tells a wrong project from a wrong password, where Keystone lets it", async () => {
    const w = openstackWorld();
    w.session = refusal(401);
    const [problem] = (await check(w, {}, { projectsOf: async () => ["physics", "chemistry"] })).problems;
    expect(describeProblem(problem!)).to.match(/tenantName \(OS_PROJECT_NAME\) = demo: is no project .*user demo may enter; it may enter physics, chemistry/);
    expect((await check(w)).problems[0]?.rule).to.match(/name or password/);
    expect(password(w).password).to.equal("not shown");
  });

  it("finds nothing wrong where nothing is, and says what the adapter must know", async () => {
    const w = openstackWorld();
    rows(w, "network /subnets").push({ network_id: "ext", ip_version: 4, cidr: "203.0.113.0/24", dns_nameservers: ["203.0.113.53"] }, { network_id: "ext", ip_version: 6, cidr: "2001:db8::/64" });
    rows(w, "network /subnetpools").push(pool6());
    expect(await check(w)).to.deep.equal({
      problems: [],
      facts: {
        projectId: PROJECT,
        userId: USER,
        region: "RegionOne",
        authUrl: "https://cloud.example.org/identity",
        externalNetwork: { id: "ext", name: "public" },
        dnsServers: ["203.0.113.53"],
        ipv6Pool: "pool6",
        image: { id: "img", name: "elastigrid-appliance" },
        flavors: { master: { id: "id-m1.medium", name: "m1.medium", vcpus: 2, memoryMiB: 2048, diskGiB: 20 }, workers: { id: "id-m1.small", name: "m1.small", vcpus: 1, memoryMiB: 1024, diskGiB: 5 } },
        alarms: true,
        notes: [],
      },
    });
  });

  it("does not count twice what an earlier up has made, however tight the quotas", async () => {
    const w = openstackWorld();
    const named = (id: string, name: string): Row => ({ id, name, project_id: PROJECT, description: mark(name) });
    rows(w, "network /networks").push({ ...named("n", "grid-network"), "router:external": false });
    rows(w, "network /subnets").push({ ...named("sn", "grid-subnet"), network_id: "n" });
    rows(w, "network /routers").push(named("r", "grid-router"));
    rows(w, "network /security-groups").push(named("g1", "grid-master"), named("g2", "grid-workers"));
    rows(w, "network /floatingips").push({ ...named("f", "grid-address"), floating_ip_address: "203.0.113.9", floating_network_id: "ext", port_id: "p0" });
    for (const i of [0, 1, 2, 3, 4]) rows(w, "network /ports").push({ id: `p${i}`, name: "", description: "", network_id: "n", project_id: PROJECT });
    rows(w, "compute /servers/detail").push({ id: "m", name: "grid-master", metadata: { "elastigrid-grid": "abc123" }, flavor: { vcpus: 2, ram: 2048 } }, { id: "w1", name: "w", metadata: { "elastigrid-grid": "abc123" }, flavor: { vcpus: 1, ram: 1024 } });
    rows(w, "compute /os-keypairs").push({ keypair: { name: "elastigrid-abc123" } });
    Object.assign(limits(w), { maxTotalInstances: 4, totalInstancesUsed: 2, maxTotalCores: 5, totalCoresUsed: 3, maxTotalRAMSize: 5 * 1024, totalRAMUsed: 3072, maxTotalKeypairs: 1 });
    Object.assign(w.answers, { [`network /quotas/${PROJECT}/details`]: { quota: Object.fromEntries(Object.entries({ network: 1, subnet: 1, router: 1, port: 6, floatingip: 1, security_group: 2, security_group_rule: 9 }).map(([k, limit]) => [k, { limit, used: k === "port" ? 5 : limit }])) } });
    expect((await check(w)).problems.map(describeProblem)).to.deep.equal([]);
    expect((await check(w, { address: "203.0.113.9" })).problems.map(describeProblem)).to.deep.equal([]);
    expect((await check(w, { workers: { max: 4 } })).problems.map((p) => p.path)).to.deep.equal(["grid.workers.max", "grid.workers.max", "grid.workers.max", "grid.workers.max"]);
  });

  it("reports all problems at once", async () => {
    const w = openstackWorld();
    w.answers["network /networks"] = [];
    limits(w)["maxTotalInstances"] = 1;
    const { problems, facts } = await check(w, { image: { name: "nothing-like-it" }, master: { vcpus: 64 } });
    expect(problems.map((p) => p.path)).to.have.members(["openstack network (Neutron)", "grid.workers.max", "grid.image.name", "grid.master"]);
    expect(facts).to.equal(undefined);
  });

  it("says once that a login is wrong, without a stack of other problems", async () => {
    const w = openstackWorld();
    w.session = refusal(401);
    expect((await check(w)).problems).to.have.length(1);
  });

  it("sees that the private network hides the API", async () => {
    const api = { ...fakeOpenstack(openstackWorld()), endpoint: async () => "http://10.77.0.50:5000/v3" };
    const { problems } = await preflightOpenstack(api, parseGridConfig({}), { stack: "p/s" });
    expect(problems.map((p) => p.path)).to.deep.equal(["grid.network.cidr"]);
  });

  it("throws a mistake of its own instead of calling it a problem", async () => {
    const w = openstackWorld();
    w.answers["network /routers"] = new TypeError("x is not a function");
    let thrown: unknown;
    await check(w).catch((e: unknown) => (thrown = e));
    expect(thrown).to.be.instanceOf(TypeError);
  });

  it("takes the smallest flavor and the own image for each worker type", async () => {
    const w = openstackWorld();
    rows(w, "image /images").push({ id: "other-id", name: "other", status: "active", size: 1, min_disk: 0, min_ram: 0 });
    const size = { vcpus: 3, memory: "1 GiB", disk: "5 GiB" };
    const { facts, problems } = await discoverOpenstack(fakeOpenstack(w), parseGridConfig({ workers: { types: { a: size, b: { ...size, vcpus: 1, image: { uuid: undefined, name: "other" } } } } }));
    expect(problems).to.deep.equal([]);
    expect([facts?.types?.["a"]?.flavor.name, facts?.types?.["a"]?.image, facts?.types?.["b"]?.flavor.name, facts?.types?.["b"]?.image?.id]).to.deep.equal(["m1.large", undefined, "m1.small", "other-id"]);
  });
  it("takes the smallest flavor that fits, and one without disk only for a volume", async () => {
    const w = openstackWorld();
    const flavors = async (raw: object): Promise<string[]> => {
      const { facts } = await discoverOpenstack(fakeOpenstack(w), parseGridConfig(raw));
      return [facts?.flavors.master.name ?? "", facts?.flavors.workers.name ?? ""];
    };
    expect(await flavors({ master: { vcpus: 1, memory: "1 GiB", disk: "5 GiB" } })).to.deep.equal(["m1.small", "m1.small"]);
    w.services.add("volume");
    expect(await flavors({ master: { vcpus: 1, memory: "1 GiB" }, openstack: { bootVolume: true } })).to.deep.equal(["m1.diskless", "m1.small"]);
    expect(await flavors({ openstack: { masterFlavor: "id-m1.large", workersFlavor: "m1.large" } })).to.deep.equal(["m1.large", "m1.large"]);
  });

  it("keeps to the image in the master's volume while the configuration means it still", async () => {
    const raw = { master: { disk: "10 GiB" }, openstack: { bootVolume: true } };
    const bootImage = async (over: object, size = 10): Promise<string | undefined> => {
      const w = openstackWorld(), wanted = masterReplacing(parseGridConfig(raw));
      w.services.add("volume");
      w.answers["volume /limits"] = { limits: { absolute: {} } };
      w.answers["volume /volumes/v1"] = { volume: { size, volume_image_metadata: { image_id: "old-image" } } };
      rows(w, "network /networks").push({ id: "n", name: "grid-network", "router:external": false, description: markText("uid0", "grid-network", {}, "p/s") });
      rows(w, "compute /servers/detail").push({ id: "s", name: "grid-master", flavor: { vcpus: 1, ram: 1024 }, metadata: { "elastigrid-grid": "uid0", "elastigrid-id": markText("uid0", "grid-master-server", wanted, "p/s") }, "os-extended-volumes:volumes_attached": [{ id: "v1" }] });
      const { facts, problems } = await discoverOpenstack(fakeOpenstack(w), parseGridConfig({ ...raw, ...over }), { stack: "p/s" }, { projectsOf: async () => undefined });
      expect(problems).to.deep.equal([]);
      return facts?.bootImage;
    };
    expect(await bootImage({})).to.equal("old-image");
    expect(await bootImage({}, 11)).to.equal(undefined);
    expect(await bootImage({ network: { cidr: "192.168.9.0/24" } })).to.equal(undefined);
    expect(await bootImage({ openstack: { bootVolume: false } })).to.equal(undefined);
  });

  it("reads what an image file holds", async () => {
    const head = Buffer.alloc(32);
    head.write("QFI\xfb", "latin1");
    head.writeBigUInt64BE(BigInt(3 * GIB), 24);
    const at = async (raw: object, buffer: Buffer): Promise<Discovered> => check(openstackWorld(), raw, { readHead: async () => ({ sizeBytes: 700, head: buffer }) });
    const raw = { image: { name: "mine" }, openstack: { imageFile: "images/a.img" } };
    expect((await at(raw, head)).facts?.upload).to.deep.equal({ path: "/nowhere/images/a.img", format: "qcow2", virtualBytes: 3 * GIB });
    expect((await at({ ...raw, workers: { disk: "2 GiB" } }, head)).problems.map((p) => p.path)).to.deep.equal(["grid.workers.disk"]);
    expect((await at(raw, Buffer.alloc(32))).facts?.upload?.format).to.equal("raw");
    expect((await at(raw, head)).facts?.image).to.equal(undefined);
  });
});

describe("IPv6 on OpenStack", () => {
  const seen = (w: OpenstackWorld): unknown => rows(w, "network /subnets").push({ network_id: "ext", ip_version: 6, cidr: "2001:db8::/64", project_id: "admins" });
  const hidden = (w: OpenstackWorld): unknown => (external(w)["subnets"] = ["s4", "s6"]);
  const scoped = (w: OpenstackWorld): unknown => (external(w)["ipv6_address_scope"] = "scope");
  const pool = (over: Row = {}) => (w: OpenstackWorld): unknown => rows(w, "network /subnetpools").push(pool6(over));
  const kept = (stack: string) => (w: OpenstackWorld): unknown => rows(w, "network /subnets").push({ id: "own6", ip_version: 6, cidr: "2001:db8:1::/64", project_id: PROJECT, subnetpool_id: "old", description: mark("grid-network-subnet6", stack) });

  /** [what the cloud has, changes, the pool that is taken, note] */
  const clouds: Array<[string, ReadonlyArray<(w: OpenstackWorld) => unknown>, string | undefined, RegExp | undefined]> = [
    ["a default pool for all", [seen, pool()], "pool6", undefined],
    ["a default pool of the project's own", [seen, pool({ shared: false, project_id: PROJECT })], "pool6", undefined],
    ["a pool, and an external network whose subnets one does not see", [hidden, pool()], "pool6", undefined],
    ["a pool, and an external network with one subnet, which must be IPv4", [pool()], undefined, undefined],
    ["a pool of the external network's address scope", [scoped, pool({ address_scope_id: "scope" })], "pool6", undefined],
    ["an external network with IPv6, and no pool", [seen], undefined, /^the external network public has IPv6, but the grid gets IPv4 only: project demo sees no default IPv6 subnet pool that gives a \/64; ask .*`openstack subnet pool create --default --share .*grid\.openstack\.ipv6 to false$/],
    ["another project's default pool, as an administrator sees it", [seen, pool({ shared: false })], undefined, /sees no default IPv6 subnet pool/],
    ["a pool of prefixes that are too large", [seen, pool({ max_prefixlen: "60" })], undefined, /that gives a \/64/],
    ["a pool of another address scope", [scoped, pool()], undefined, /prefixes is of another address scope.*--address-scope scope\)/],
    ["no pool, and perhaps no IPv6 either: nothing to say at every preview", [hidden], undefined, undefined],
    ["no pools at all", [seen, (w) => delete w.answers["network /subnetpools"]], undefined, /sees no default/],
    ["a subnet of this grid, from a pool that is no default any more", [seen, kept("p/s")], "old", undefined],
    ["a subnet of another grid", [seen, pool(), kept("p/other")], "pool6", undefined],
  ];
  for (const [says, changes, wanted, note] of clouds)
    it(`${wanted === undefined ? "is not there" : "is there"} with ${says}`, async () => {
      const w = openstackWorld();
      for (const change of changes) change(w);
      const { facts, problems } = await check(w);
      expect(problems).to.deep.equal([]);
      expect(facts?.ipv6Pool).to.equal(wanted);
      if (note === undefined) expect(facts?.notes).to.deep.equal([]);
      else expect(facts?.notes).to.have.length(1).and.satisfy(([n]: string[]) => note.test(n ?? ""), String(facts?.notes[0]));
    });
  it("is not asked for where it is switched off", async () => {
    const w = openstackWorld(), asked: string[] = [];
    seen(w);
    const { facts } = await preflightOpenstack(fakeOpenstack(w, asked), parseGridConfig({ openstack: { ipv6: false } }), { stack: "p/s" });
    expect(facts).to.not.have.property("ipv6Pool");
    expect(facts?.notes).to.deep.equal([]);
    expect(asked).to.not.include("network /subnetpools");
  });
  it("is no reason to take a living grid's away when it could not be asked for", async () => {
    const w = openstackWorld();
    w.answers["network /subnetpools"] = refusal(503);
    const { facts, problems } = await check(w);
    expect(facts).to.equal(undefined);
    expect(problems.map((p) => p.path)).to.deep.equal(["openstack network (Neutron)"]);
  });
  it("needs a subnet, a port of the router's and two rules more", async () => {
    const w = openstackWorld();
    seen(w);
    pool()(w);
    Object.assign(quota(w)["subnet"], { limit: 1 });
    Object.assign(quota(w)["port"], { limit: 6 });
    Object.assign(quota(w)["security_group_rule"], { limit: 13 });
    const { problems } = await check(w);
    expect(problems.map(describeProblem).join("\n")).to.match(/subnets exceeded: the grid needs 2,/).and.match(/ports exceeded: the grid needs 7,/).and.match(/rules exceeded: the grid needs 15,/);
    expect((await check(w, { openstack: { ipv6: false } })).problems).to.deep.equal([]);
  });
});

/** [what is missing, change of the cloud, note] */
const notes: Array<[string, object, (w: OpenstackWorld) => void, RegExp]> = [
  ["Aodh", {}, (w) => w.services.delete("alarming"), /^Aodh is not there: the controller evaluates the CPU alarms itself$/],
  ["Aodh and Gnocchi", {}, (w) => ["alarming", "metric"].forEach((s) => w.services.delete(s as "metric")), /^Aodh and Gnocchi are not there/],
  ["the right to alarms", {}, (w) => (w.answers["alarming /alarms"] = refusal(403)), /Aodh does not let this user in/],
  ["Heat's alarms", {}, (w) => (w.answers["orchestration /resource_types"] as Row)["resource_types"].pop(), /Heat has no resource type OS::Aodh/],
  ["Gnocchi's servers", {}, (w) => delete w.answers["metric /resource_type/instance"], /no resource type instance/],
  ["the aggregation", {}, (w) => (rows(w, "metric /archive_policy")[0]!["aggregation_methods"] = ["mean"]), /no archive policy of Gnocchi aggregates cpu by rate:mean/],
  ["the granularity", {}, (w) => (rows(w, "metric /archive_policy")[0]!["definition"] = [{ granularity: "0:05:00" }]), /every 60 s \(grid\.openstack\.alarms\.granularitySeconds could be 300\)/],
];

describe("alarms on OpenStack", () => {
  for (const [says, raw, change, wanted] of notes)
    it(`leaves them to the controller without ${says}, and says so`, async () => {
      const w = openstackWorld();
      change(w);
      const { facts, problems } = await check(w, raw);
      expect(problems).to.deep.equal([]);
      expect(facts?.alarms).to.equal(false);
      expect(facts?.notes).to.have.length(1);
      expect(facts?.notes[0]).to.match(wanted);
    });
  it("asks nothing where both are switched off, or native ones are not wanted", async () => {
    for (const raw of [{ alarms: { cpuHigh: { enabled: false }, cpuLow: { enabled: false } } }, { openstack: { alarms: { native: false } } }]) {
      const asked: string[] = [];
      const { facts } = await preflightOpenstack(fakeOpenstack(openstackWorld(), asked), parseGridConfig(raw), { stack: "p/s" });
      expect(facts).to.include({ alarms: false });
      expect(facts?.notes).to.deep.equal([]);
      expect(asked.filter((a) => /^(alarming|metric)/.test(a))).to.deep.equal([]);
    }
  });
  it("says where a period is no whole number of measures", async () => {
    const { facts } = await check(openstackWorld(), { alarms: { cpuHigh: { periodSeconds: 90 } } });
    expect(facts?.alarms).to.equal(true);
    expect(facts?.notes[0]).to.match(/periodSeconds \(90\) is no multiple/);
  });
  it("notes a user who may only read", async () => {
    const w = openstackWorld();
    if (!(w.session instanceof CloudError)) w.session = { ...w.session, roles: ["reader"] };
    expect((await check(w)).facts?.notes[0]).to.match(/only the role reader/);
  });
  it("notes a token that will not last, and a key that means nothing here", async () => {
    const w = openstackWorld();
    w.settings = { ...w.settings, auth: { kind: "token", token: "t" } };
    if (!(w.session instanceof CloudError)) w.session = { ...w.session, expiresAtMs: 3_600_000 };
    const at = async (nowMs: number): Promise<readonly string[]> => (await check(w, { network: { vlan: "3f1c7a52-8d0e-4a6b-9c35-0b1f6e2d4a78" } }, { nowMs: () => nowMs })).facts?.notes ?? [];
    expect(await at(0)).to.deep.equal(["grid.network.vlan means nothing on OpenStack: the network is the grid's own"]);
    expect((await at(1_900_000))[1]).to.match(/expires in 28 minutes/);
  });
  it("reads Gnocchi's lengths", () => expect(["0:01:00", "1 day, 0:00:00", "2 days, 1:00:05", 300, "60.0"].map(parseSpanSeconds)).to.deep.equal([60, 86_400, 176_405, 300, 60]));
});
