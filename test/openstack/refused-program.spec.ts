import { expect } from "chai";
import { isEmptyChange } from "../../demo/pulumi";
import { changes } from "../support/openstack-inventory";
import { needLab, openLabProject, type LabProject } from "../support/openstack-lab";
import { failedUp, trialGrid } from "../support/openstack-trial";
import { openTestStack, type StackTarget } from "../support/stack";

/** The same mistakes as a user meets them: through the program and the engine. */
describe("an up that is refused on a real OpenStack", function () {
  this.timeout(560_000);
  let project: LabProject;
  const undo: Array<() => Promise<unknown>> = [];

  before(async function () {
    await needLab(this);
    project = await openLabProject("refused");
  });
  afterEach(async () => {
    for (const step of undo.splice(0).reverse()) await step();
  });
  after(async () => {
    if (project !== undefined) expect(await project.close()).to.deep.equal([]);
  });

  /** Nothing was made, nothing was changed, and no secret shows. */
  async function refuses(target: StackTarget, grid: Readonly<Record<string, unknown>>, ...wanted: RegExp[]): Promise<void> {
    const before = await project.owned();
    const test = await openTestStack(target, grid, "refused");
    try {
      const text = await failedUp(test);
      expect(text).to.match(/nothing was created/);
      for (const pattern of wanted) expect(text).to.match(pattern);
      expect(text).to.not.include(project.login.password);
    } finally {
      test.close();
    }
    expect(changes(before, await project.owned())).to.deep.equal([]);
  }

  const computeQuota = async (set: object): Promise<void> => {
    const path = `/v2.1/os-quota-sets/${project.api.projectId}`;
    const { quota_set: was } = await project.admin.get<{ quota_set: Record<string, unknown> }>("compute", path);
    await project.admin.call("compute", "PUT", path, { quota_set: { force: true, ...set } });
    undo.push(() => project.admin.call("compute", "PUT", path, { quota_set: { force: true, ...Object.fromEntries(Object.keys(set).map((k) => [k, was[k]])) } }));
  };

  const networkQuota = async (set: object): Promise<void> => {
    const path = `/v2.0/quotas/${project.api.projectId}`;
    await project.admin.call("network", "PUT", path, { quota: set });
    undo.push(() => project.admin.delete("network", path));
  };

  it("names a wrong project, and those that the user may enter", () => refuses(project.target({ project: "admin" }), trialGrid, new RegExp(`clouds\\.yaml, cloud test = admin: is no project .*may enter ${project.name}`)));

  it("says that a token has expired", async () => {
    const { authUrl, username, password, project: name } = project.login;
    const domain = { name: "Default" };
    const body = { auth: { identity: { methods: ["password"], password: { user: { name: username, password, domain } } }, scope: { project: { name, domain } } } };
    const answer = await fetch(`${authUrl}/auth/tokens`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
    const token = answer.headers.get("x-subject-token") ?? "";
    await fetch(`${authUrl}/auth/tokens`, { method: "DELETE", headers: { "x-auth-token": token, "x-subject-token": token } });
    const target = { config: { "elastigrid:cloud": "openstack" }, env: { OS_CLIENT_CONFIG_FILE: undefined, OS_CLOUD: undefined, OS_AUTH_URL: authUrl, OS_TOKEN: token, OS_REGION_NAME: project.region } };
    await refuses(target, trialGrid, /openstack:token \(OS_TOKEN\): is refused by Keystone.*it has expired/);
  });

  it("names each quota that does not suffice, with what is used, allowed and needed", async () => {
    await computeQuota({ instances: 2, cores: 3 });
    await refuses(project.target(), trialGrid, /grid\.workers\.max = 4: quota of servers exceeded: the grid needs 5, project \S+ may have 2 and uses 0; lower grid\.workers\.max to 1/, /quota of vcpus exceeded/);
  });

  it("names mistakes of the configuration before the cloud is asked", () => refuses(project.target(), { ...trialGrid, openstack: { flavor: "m1.small", dnsServers: ["one"], credential: { expiresInDays: 5 } } }, /grid\.openstack\.flavor/, /grid\.openstack\.dnsServers\[0\]/, /warnDaysBefore/));

  it("does not count again what it has made: the second up works where the quota has no room for another grid", async () => {
    const small = { ...trialGrid, workers: { ...trialGrid.workers, max: 1 } };
    const test = await openTestStack(project.target(), small, "refused");
    try {
      await test.stack.up();
      await computeQuota({ instances: 2, cores: 2, ram: 1024 });
      await networkQuota({ network: 1, subnet: 1, router: 1, floatingip: 1, security_group: 3, port: 4 });
      expect(isEmptyChange((await test.stack.preview()).changes)).to.equal(true);
      const other = await openTestStack(project.target(), { ...small, name: "other" }, "other");
      try {
        const text = await failedUp(other);
        for (const what of ["servers", "vcpus", "memory", "networks", "routers", "floating IPs", "security groups"]) expect(text).to.match(new RegExp(`quota of ${what} exceeded`));
      } finally {
        other.close();
      }
      const same = await openTestStack(project.target(), small, "same");
      try {
        expect(await failedUp(same)).to.match(/grid\.name = trial: gives names that are taken by something not of this stack: network trial-network \(\S+, of stack elastigrid\/refused\)/);
      } finally {
        same.close();
      }
      await test.stack.destroy();
      expect((await project.owned()).map((o) => `${o.kind} ${o.name}`)).to.deep.equal([]);
    } finally {
      test.close();
    }
  });

  it("gives nova's reason where no host can take the master, and the destroy after it leaves nothing", async () => {
    const { flavor } = await project.admin.call<{ flavor: { id: string } }>("compute", "POST", "/v2.1/flavors", { flavor: { name: `${project.name}-giant`, vcpus: 2, ram: 10 * 2 ** 20, disk: 20, "os-flavor-access:is_public": false } });
    undo.push(() => project.admin.delete("compute", `/v2.1/flavors/${flavor.id}`));
    await project.admin.call("compute", "POST", `/v2.1/flavors/${flavor.id}/action`, { addTenantAccess: { tenant: project.api.projectId } });
    await computeQuota({ ram: -1 });
    const test = await openTestStack(project.target(), { ...trialGrid, openstack: { masterFlavor: `${project.name}-giant` } }, "refused");
    try {
      expect(await failedUp(test)).to.match(/No valid host was found[^]*(flavor|smaller)/i);
      await test.stack.destroy();
      expect((await project.owned()).map((o) => `${o.kind} ${o.name}`)).to.deep.equal([]);
    } finally {
      test.close();
    }
  });
});
