import { expect } from "chai";
import { startLocalCloud, type LocalCloud } from "../../local-cloud";
import { isEmptyChange, PulumiError } from "../../demo/pulumi";
import { engineEnvironment } from "../../tools/engine-env";
import { openTestStack, type TestStack } from "../support/stack";

/** The states of a cloud are enough here: nobody logs in. */
const base = { name: "lane", bootstrap: "none", image: { name: "Debian 13", kind: "stock" }, workers: { min: 1, max: 4, memory: "1 GiB", disk: "12 GiB" }, master: { disk: "12 GiB" } };

describe("the program of stacks/ under the real engine", function () {
  this.timeout(300_000);
  let cloud: LocalCloud, test: TestStack;

  before(async function () {
    const engine = engineEnvironment();
    if (!engine.available) {
      console.log(`      skipped: ${engine.reason}`);
      this.skip();
    }
    cloud = await startLocalCloud({ memory: true, log: () => undefined });
    const image = [...(await libraryNames(cloud))].find((n) => n.includes("Debian"));
    base.image.name = image ?? base.image.name;
    test = await openTestStack(cloud, base);
  });
  after(async () => {
    test?.close();
    await cloud?.stop();
  });

  const writesOf = async (work: () => Promise<unknown>): Promise<string[]> => {
    const from = cloud.calls.last;
    await work();
    return cloud.calls.writes(from).map((c) => `${c.method} ${c.path}`);
  };
  const servers = (): { name: string; status: string; mem: number }[] => [...cloud.store.servers.all()].map((s) => ({ name: s.name, status: s.status, mem: s.mem }));

  it("previews everything on an empty account without a write", async () => {
    expect(await writesOf(async () => expect((await test.stack.preview()).changes["create"]).to.be.greaterThan(10))).to.deep.equal([]);
  });

  it("makes master, template, network and address", async () => {
    await test.stack.up();
    expect(servers().map((s) => `${s.name} ${s.status}`)).to.have.members(["lane-master running", "lane-worker stopped"]);
  });

  it("finds nothing to do and writes nothing the second time", async () => {
    const writes = await writesOf(async () => expect(isEmptyChange((await test.stack.up()).changes)).to.equal(true));
    expect(writes).to.deep.equal([]);
  });

  it("shows an empty preview while the group has other members than it began with", async () => {
    const template = [...cloud.store.servers.all()].find((s) => s.name === "lane-worker")!;
    const clone = await call(cloud, "POST", `servers/${template.uuid}/action/?do=clone`, { name: "lane-worker-abcdef" });
    expect(clone.status).to.equal(202);
    expect(isEmptyChange((await test.stack.preview()).changes)).to.equal(true);
    expect(isEmptyChange((await test.stack.up()).changes)).to.equal(true);
  });

  it("resizes the template in place and leaves the members alone", async () => {
    const before = [...cloud.store.servers.all()].find((s) => s.name.startsWith("lane-worker-"))!;
    await test.configure({ ...base, workers: { ...base.workers, memory: "2 GiB" } });
    await test.stack.up();
    const after = [...cloud.store.servers.all()].find((s) => s.name.startsWith("lane-worker-"))!;
    expect(after.uuid).to.equal(before.uuid);
    expect(after.mem).to.equal(before.mem);
    expect(servers().find((s) => s.name === "lane-worker")?.mem).to.equal(2 * 2 ** 30);
  });

  it("stops, resizes and starts the master when its memory changes", async () => {
    const uuid = [...cloud.store.servers.all()].find((s) => s.name === "lane-master")!.uuid;
    await test.configure({ ...base, workers: { ...base.workers, memory: "2 GiB" }, master: { disk: "12 GiB", memory: "4 GiB" } });
    await test.stack.up();
    const master = cloud.store.servers.get(uuid)!;
    expect(master.mem).to.equal(4 * 2 ** 30);
    expect(master.status).to.equal("running");
  });

  it("shows as drift what somebody changed by hand, and puts it right", async () => {
    const master = [...cloud.store.servers.all()].find((s) => s.name === "lane-master")!;
    expect((await call(cloud, "POST", `servers/${master.uuid}/action/?do=stop`, {})).status).to.equal(202);
    await until(() => cloud.store.servers.get(master.uuid)?.status === "stopped");
    await test.stack.run(["refresh", "--yes", "--skip-preview", "--non-interactive", "--stack", "test", "--config-file", test.stack.workingConfig]);
    expect(isEmptyChange((await test.stack.preview()).changes)).to.equal(false);
    await test.stack.up();
    expect(cloud.store.servers.get(master.uuid)?.status).to.equal("running");
  });

  it("makes again what somebody deleted", async () => {
    const master = [...cloud.store.servers.all()].find((s) => s.name === "lane-master")!;
    await call(cloud, "POST", `servers/${master.uuid}/action/?do=stop`, {});
    await until(() => cloud.store.servers.get(master.uuid)?.status === "stopped");
    await call(cloud, "DELETE", `servers/${master.uuid}/`);
    await test.stack.run(["refresh", "--yes", "--skip-preview", "--non-interactive", "--stack", "test", "--config-file", test.stack.workingConfig]);
    await test.stack.up();
    expect(servers().filter((s) => s.name === "lane-master" && s.status === "running")).to.have.length(1);
  });

  it("keeps no secret in clear in its state", async () => {
    const state = await test.stack.exported();
    for (const server of cloud.store.servers.all()) expect(state).to.not.include(server.vnc_password);
    expect(state).to.not.include(cloud.password);
    expect(state).to.not.include("OPENSSH PRIVATE KEY");
  });

  it("destroys everything, members that it never made included, and says what is paid in advance", async () => {
    await test.stack.destroy();
    const { leaks, prepaid } = cloud.leaks();
    expect(leaks).to.deep.equal([]);
    expect(prepaid).to.have.length(2);
  });

  it("takes the paid network and address again instead of buying", async () => {
    const writes = await writesOf(() => test.stack.up());
    expect(writes.filter((w) => w.startsWith("POST /api/2.0/subscriptions/ "))).to.deep.equal([]);
    expect(writes.filter((w) => /^POST \/api\/2\.0\/subscriptions\/$/.test(w))).to.deep.equal([]);
    await test.stack.destroy();
    expect(cloud.leaks().prepaid).to.have.length(2);
  });

  describe("with bad input", () => {
    const refused = async (grid: Record<string, unknown>): Promise<string> => {
      await test.configure(grid);
      const from = cloud.calls.last;
      try {
        await test.stack.up();
      } catch (e) {
        expect(cloud.calls.writes(from), "nothing was created").to.deep.equal([]);
        if (e instanceof PulumiError) return e.message;
        throw e;
      }
      throw new Error("up took the bad input");
    };
    it("names every problem of the configuration at once", async () => {
      const said = await refused({ ...base, wokers: 1, workers: { min: 5, max: 2, memory: "1 Gb" }, network: { cidr: "10.0.0.0/31" } });
      for (const part of ["wokers", "workers.max", "workers.memory", "network.cidr"]) expect(said).to.include(part);
    });
    it("names an image that is not there, and near ones", async () => expect(await refused({ ...base, image: { name: "Debain 13", kind: "stock" } })).to.match(/image.*Debain 13[\s\S]*Debian/));
    it("names a size that is not offered", async () => expect(await refused({ ...base, workers: { ...base.workers, vcpus: 4000 } })).to.match(/workers\.vcpus/));
    it("refuses a name that belongs to somebody else", async () => {
      const made = await call(cloud, "POST", "servers/", { objects: [{ name: "lane-master", cpu: 1000, mem: 2 ** 30, vnc_password: "Str0ngpass!" }] });
      expect(made.status).to.equal(201);
      expect(await refused(base)).to.match(/lane-master/);
    });
  });
});

async function call(cloud: LocalCloud, method: string, path: string, body?: unknown): Promise<Response> {
  const authorization = `Basic ${Buffer.from(`${cloud.username}:${cloud.password}`).toString("base64")}`;
  return fetch(new URL(path, cloud.endpoint), { method, headers: { authorization, "content-type": "application/json" }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
}

async function libraryNames(cloud: LocalCloud): Promise<string[]> {
  const answer = (await (await call(cloud, "GET", "libdrives/?limit=0")).json()) as { objects: { name: string }[] };
  return answer.objects.map((o) => o.name);
}

async function until(holds: () => boolean, limitMs = 10_000): Promise<void> {
  const end = Date.now() + limitMs;
  while (!holds()) {
    if (Date.now() > end) throw new Error(`it did not come true within ${limitMs} ms: ${holds}`);
    await new Promise((r) => setTimeout(r, 20));
  }
}
