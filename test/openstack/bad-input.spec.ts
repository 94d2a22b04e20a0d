import { expect } from "chai";
import { preflightOpenstack } from "../../components/clouds/openstack-preflight";
import type { Discovered } from "../../components/clouds/openstack-discover";
import { parseGridConfig } from "../../components/config/schema";
import { describeProblem } from "../../components/errors";
import { makeOpenstack } from "../../components/openstack/client";
import type { OpenstackAuth, OpenstackSettings } from "../../components/openstack/api";
import { changes, inventory } from "../support/openstack-inventory";
import { needLab, openLabProject, type LabProject } from "../support/openstack-lab";

/** Sizes that the lab's flavors have. */
const grid = { workers: { max: 3, vcpus: 1, memory: "512 MiB", disk: "2 GiB" }, master: { vcpus: 2, memory: "1 GiB", disk: "4 GiB" } };

/** Every mistake that a look can find, against real services; each look changes nothing. */
describe("bad input on a real OpenStack", function () {
  this.timeout(120_000);
  let project: LabProject;
  const undo: Array<() => Promise<unknown>> = [];
  const writes: string[] = [];

  before(async function () {
    await needLab(this);
    project = await openLabProject("bad");
  });
  afterEach(async () => {
    for (const step of undo.splice(0).reverse()) await step();
  });
  after(async () => {
    if (project !== undefined) expect(await project.close()).to.deep.equal([]);
  });

  const domain = { name: "Default" };
  const byPassword = (over: { username?: string; password?: string; project?: string } = {}): OpenstackAuth => {
    const { username, password, project: name } = { ...project.login, ...over };
    return { kind: "password", username, password, userDomain: domain, project: { name, domain } };
  };
  const settings = (over: Partial<OpenstackSettings> = {}): OpenstackSettings => ({ authUrl: project.login.authUrl, auth: byPassword(), region: project.region, ...over });

  type Answer = (url: URL, answer: Response) => Promise<Response> | Response;
  /** Real answers, some of them changed; remembers everything that is more than a look. */
  const through = (change: Answer = (_, answer) => answer): typeof fetch => async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : String(input));
    const method = init?.method ?? "GET";
    if (method !== "GET" && !(method === "POST" && url.pathname.endsWith("/auth/tokens"))) writes.push(`${method} ${url.pathname}`);
    return change(url, await fetch(input, init));
  };
  const json = async (answer: Response, change: (body: any) => void): Promise<Response> => {
    const body = (await answer.json()) as unknown;
    change(body);
    return new Response(JSON.stringify(body), { status: answer.status, headers: answer.headers });
  };
  const look = (raw: object = {}, over: Partial<OpenstackSettings> = {}, change?: Answer): Promise<Discovered> =>
    preflightOpenstack(makeOpenstack(settings(over), { fetch: through(change) }), parseGridConfig({ ...grid, ...raw }), { stack: "p/s", projectRoot: "/nowhere" });
  const said = async (found: Promise<Discovered>): Promise<string> => (await found).problems.map(describeProblem).join("\n");

  /** Nothing was made, nothing was changed, and no secret shows. */
  async function refuses(found: () => Promise<Discovered>, ...wanted: RegExp[]): Promise<void> {
    const before = await inventory(project.api);
    writes.length = 0;
    const text = await said(found());
    for (const pattern of wanted) expect(text).to.match(pattern);
    expect(text).to.not.include(project.login.password);
    expect(writes).to.deep.equal([]);
    expect(changes(before, await inventory(project.api))).to.deep.equal([]);
  }

  const computeQuota = async (set: object): Promise<void> => {
    const path = `/v2.1/os-quota-sets/${project.api.projectId}`;
    await project.admin.call("compute", "PUT", path, { quota_set: set });
    undo.push(() => project.admin.call("compute", "PUT", path, { quota_set: { instances: 40, cores: 80, ram: 200_000 } }));
  };
  const networkQuota = async (set: object): Promise<void> => {
    const path = `/v2.0/quotas/${project.api.projectId}`;
    await project.admin.call("network", "PUT", path, { quota: set });
    undo.push(() => project.admin.delete("network", path));
  };
  const makeImage = async (name: string, more: object = {}): Promise<string> => {
    const { id } = await project.api.call<{ id: string }>("image", "POST", "/v2/images", { name, disk_format: "raw", container_format: "bare", ...more });
    undo.push(() => project.api.delete("image", `/v2/images/${id}`));
    await project.api.call("image", "PUT", `/v2/images/${id}/file`, new Blob([new Uint8Array(1024)]));
    return id;
  };

  it("finds nothing wrong on a project where nothing is, quickly", async () => {
    await look();
    const began = Date.now();
    const { facts, problems } = await look();
    console.log(`      a look took ${Date.now() - began} ms`);
    expect(problems.map(describeProblem)).to.deep.equal([]);
    expect(facts).to.deep.include({ projectId: project.api.projectId, userId: project.api.userId, dnsServers: [], alarms: true });
    expect(facts?.externalNetwork.name).to.equal("external");
    // Others may have put flavors of their own into the lab: whatever it is, it fits, and nothing that fits is smaller.
    const { flavors } = await project.api.get<{ flavors: ReadonlyArray<{ id: string; vcpus: number; ram: number; disk: number }> }>("compute", "/v2.1/flavors/detail");
    for (const [chosen, size] of [[facts?.flavors.master, { vcpus: 2, ram: 1024, disk: 4 }], [facts?.flavors.workers, { vcpus: 1, ram: 512, disk: 2 }]] as const) {
      const fits = flavors.filter((f) => f.vcpus >= size.vcpus && f.ram >= size.ram && f.disk >= size.disk);
      expect(fits.map((f) => f.id)).to.include(chosen?.id);
      expect(fits.filter((f) => f.vcpus <= (chosen?.vcpus ?? 0) && f.ram <= (chosen?.memoryMiB ?? 0) && f.disk < (chosen?.diskGiB ?? 0))).to.deep.equal([]);
    }
    expect(facts?.notes).to.deep.equal([]);
  });

  it("a wrong password", () => refuses(() => look({}, { auth: byPassword({ password: "wrong" }) }), /user.*name or password are refused by Keystone \(HTTP 401\)/i));
  it("a user whom nobody knows", () => refuses(() => look({}, { auth: byPassword({ username: "nobody" }) }), /nobody.*refused/));
  it("a wrong project, naming those that the user may enter", () =>
    refuses(() => look({}, { auth: byPassword({ project: "admin" }) }), new RegExp(`admin: is no project .*may enter ${project.name}`)));
  it("a token that was revoked or has expired", async () => {
    const { authUrl } = project.login;
    const auth = { identity: { methods: ["password"], password: { user: { name: project.login.username, password: project.login.password, domain } } }, scope: { project: { name: project.login.project, domain } } };
    const answer = await fetch(`${authUrl}/auth/tokens`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ auth }) });
    const token = answer.headers.get("x-subject-token") ?? "";
    expect(await said(look({}, { auth: { kind: "token", token } }))).to.equal("");
    await fetch(`${authUrl}/auth/tokens`, { method: "DELETE", headers: { "x-auth-token": token, "x-subject-token": token } });
    await refuses(() => look({}, { auth: { kind: "token", token } }), /OS_TOKEN.*it has expired, was revoked.*openstack token issue/);
  });
  it("a token that is none", () => refuses(() => look({}, { auth: { kind: "token", token: "gAAAAABnonsense" } }), /OS_TOKEN.*refused by Keystone/));
  it("an application credential that is gone", () => refuses(() => look({}, { auth: { kind: "applicationCredential", id: "0123456789abcdef0123456789abcdef", secret: "s" } }), /OS_APPLICATION_CREDENTIAL_ID.*no such application credential/));
  it("an application credential that may make no other", async () => {
    const path = `/v3/users/${project.api.userId}/application_credentials`;
    const make = async (unrestricted: boolean): Promise<OpenstackAuth> => {
      const { application_credential: made } = await project.api.call<{ application_credential: { id: string; secret: string } }>("identity", "POST", path, { application_credential: { name: `bad-${String(unrestricted)}`, unrestricted } });
      undo.push(() => project.api.delete("identity", `${path}/${made.id}`));
      return { kind: "applicationCredential", id: made.id, secret: made.secret };
    };
    const [restricted, unrestricted] = [await make(false), await make(true)];
    await refuses(() => look({}, { auth: restricted }), /bad-false: is a restricted application credential.*--unrestricted/);
    expect(await said(look({}, { auth: unrestricted }))).to.equal("");
  });
  it("a URL where nothing listens", () => refuses(() => look({}, { authUrl: "http://127.0.0.1:59999/v3" }), /authUrl \(OS_AUTH_URL\) = http:\/\/127\.0\.0\.1:59999.*ECONNREFUSED/));
  it("a URL of another service", () => refuses(() => look({}, { authUrl: project.api.origin("image") }), /OS_AUTH_URL.*Keystone/));
  it("an unknown region", () => refuses(() => look({}, { region: "RegionTwo" }), /region.*RegionTwo.*set the region to RegionOne/));

  it("quotas of servers, cores and memory, all at once", async () => {
    await computeQuota({ instances: 3, cores: 4, ram: 2048 });
    await refuses(() => look(), /grid\.workers\.max = 3: quota of servers exceeded: the grid needs 4, project \S+ may have 3 and uses 0; lower grid\.workers\.max to 2.*--instances 4/, /quota of vcpus exceeded: the grid needs 5/, /quota of memory exceeded: the grid needs 2560 MiB, project \S+ may have 2 GiB/);
  });
  it("quotas of networks, routers, ports, addresses and groups", async () => {
    await networkQuota({ network: 0, router: 0, port: 2, floatingip: 0, security_group: 1, security_group_rule: 4 });
    await refuses(() => look(), ...["networks", "routers", "ports", "floating IPs", "security groups", "security group rules"].map((what) => new RegExp(`quota of ${what} exceeded`)));
  });
  it("an image that wants more disk and memory than the servers have", async () => {
    await makeImage("bad-large", { min_disk: 50, min_ram: 4096 });
    await refuses(() => look({ image: { name: "bad-large" } }), /grid\.master\.disk = 4 GiB: is smaller than the image \(50 GiB\)/, /grid\.workers\.memory.*4 GiB/);
  });
  it("two images of one name", async () => {
    const ids = [await makeImage("bad-twice"), await makeImage("bad-twice")];
    await refuses(() => look({ image: { name: "bad-twice" } }), new RegExp(`name of 2 images; set grid\\.image\\.uuid to one of .*${ids[0]}`));
    expect(await said(look({ image: { uuid: ids[1] } }))).to.equal("");
  });
  it("an image whose upload never came", async () => {
    const { id } = await project.api.call<{ id: string }>("image", "POST", "/v2/images", { name: "bad-empty", disk_format: "raw", container_format: "bare" });
    undo.push(() => project.api.delete("image", `/v2/images/${id}`));
    await refuses(() => look({ image: { name: "bad-empty" } }), /not ready: Glance says queued/);
  });
  it("a name of an image that is nearly right", () => refuses(() => look({ image: { name: "elastigrid-aplliance" } }), /near names: elastigrid-appliance/));
  it("sizes that no flavor has, with the list", () => refuses(() => look({ workers: { ...grid.workers, memory: "64 GiB" } }), /grid\.workers: no flavor has 1 vcpu, 64 GiB memory.*m1\.large \(2 vcpus, 2 GiB memory, 20 GiB disk\).*lower grid\.workers\.memory/));
  it("a flavor that is too small for the configured disk", () => refuses(() => look({ openstack: { workersFlavor: "m1.nano" } }), /workersFlavor = m1\.nano: is too small/));
  it("an external network that nobody knows", () => refuses(() => look({ openstack: { externalNetwork: "externl" } }), /near names: external/));
  it("a cloud without a way out", () =>
    refuses(() => look({}, {}, (url, answer) => (url.pathname.endsWith("/networks") && url.search.includes("external") ? json(answer, (b) => (b.networks = [])) : answer)), /no external network that this project sees/));
  it("a cloud with two ways out", () =>
    refuses(() => look({}, {}, (url, answer) => (url.pathname.endsWith("/networks") && url.search.includes("external") ? json(answer, (b) => b.networks.push({ ...b.networks[0], id: "other", name: "other" })) : answer)), /grid\.openstack\.externalNetwork: is needed.*external \(.*other \(other\)/));
  it("a floating IP that the project has not", () => refuses(() => look({ address: "172.24.4.249" }), /grid\.address = 172\.24\.4\.249: is no floating IP of project/));
  it("a private network that hides the API", () => refuses(() => look({ network: { cidr: "172.24.4.0/24" } }), /grid\.network\.cidr = 172\.24\.4\.0\/24: contains the cloud's own API/));
  it("a name that something else has", async () => {
    const { network } = await project.api.call<{ network: { id: string } }>("network", "POST", "/v2.0/networks", { network: { name: "grid-network" } });
    undo.push(() => project.api.delete("network", `/v2.0/networks/${network.id}`));
    await refuses(() => look(), new RegExp(`grid\\.name = grid: gives names that are taken by something not of this stack: network grid-network \\(${network.id}\\)`));
  });
  it("a boot volume where there is no Cinder", async function () {
    if (project.api.has("volumev3")) this.skip();
    await refuses(() => look({ openstack: { bootVolume: true } }), /no volume service \(Cinder\)/);
  });

  const withoutService = (...types: string[]): Answer => (url, answer) =>
    url.pathname.endsWith("/auth/tokens") && answer.status === 201 ? json(answer, (b) => (b.token.catalog = b.token.catalog.filter((s: { type: string }) => !types.includes(s.type)))) : answer;
  it("a cloud without Heat", () => refuses(() => look({}, {}, withoutService("orchestration", "cloudformation")), /openstack orchestration \(Heat\): is not there.*ask the cloud's administrator for Heat/));
  it("a cloud without Aodh is no mistake, but said", async () => {
    const { facts, problems } = await look({}, {}, withoutService("alarming"));
    expect(problems).to.deep.equal([]);
    expect([facts?.alarms, ...(facts?.notes ?? [])]).to.deep.equal([false, "Aodh is not there: the controller evaluates the CPU alarms itself"]);
  });
  it("a user without a role that Heat lets in", async () => {
    const { admin } = project;
    const { roles } = await admin.get<{ roles: { id: string; name: string }[] }>("identity", "/v3/roles");
    const role = roles.find((r) => r.name === "heat_stack_user");
    const name = `${project.name}-guest`;
    const { user } = await admin.call<{ user: { id: string } }>("identity", "POST", "/v3/users", { user: { name, password: project.login.password, domain_id: "default" } });
    undo.push(() => admin.delete("identity", `/v3/users/${user.id}`));
    await admin.call("identity", "PUT", `/v3/projects/${project.api.projectId}/users/${user.id}/roles/${role?.id}`);
    await refuses(() => look({}, { auth: byPassword({ username: name }) }), /openstack orchestration \(Heat\): does not let this user in.*missing role in project .*heat_stack_owner or member.*the user has heat_stack_user there/);
  });
  it("everything at once", () =>
    refuses(() => look({ image: { name: "nothing-like-it" }, workers: { ...grid.workers, vcpus: 64 }, address: "172.24.4.249", openstack: { externalNetwork: "nowhere" } }), /grid\.image\.name/, /grid\.workers/, /grid\.address/, /grid\.openstack\.externalNetwork/));
});

