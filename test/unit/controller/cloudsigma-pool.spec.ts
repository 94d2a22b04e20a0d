import { expect } from "chai";
import { makeClient } from "../../../components/cloudsigma/client";
import { CloudsigmaPool } from "../../../controller/adapters/cloudsigma-pool";

interface Obj { uuid: string; [key: string]: unknown }

/** As much of the API as the pool uses, behind fetch. */
class Cloud {
  readonly servers = new Map<string, Obj>();
  readonly drives = new Map<string, Obj>();
  readonly log: string[] = [];
  fail: ((call: string) => "before" | "after" | number | undefined) | undefined;

  add(uuid: string, over: Record<string, unknown> = {}): Obj {
    const drive = { uuid: `d-${uuid}`, owner: { uuid: "me" }, media: "disk", status: "mounted", mounted_on: [{ uuid }], name: "d", size: 1, storage_type: null, meta: {} };
    this.drives.set(drive.uuid, drive);
    const server = {
      uuid, name: uuid, owner: { uuid: "me" }, status: "stopped", meta: { "elastigrid-template": "t", "elastigrid-pool": "g/workers" }, nics: [{ mac: "22:AA:00:00:00:01", ip_v4_conf: null, vlan: { uuid: "v" } }],
      drives: [{ drive: { uuid: drive.uuid }, device: "virtio", dev_channel: "0:0", boot_order: 1 }], runtime: null, cpu: 1, mem: 1, smp: 1, pubkeys: [], ...over,
    };
    this.servers.set(uuid, server);
    return server;
  }

  readonly fetch = (async (url: string, init: { method: string; body?: string }): Promise<Response> => {
    const { pathname, searchParams } = new URL(url);
    const call = `${init.method} ${pathname.replace("/api/2.0/", "")}${searchParams.get("do") ?? ""}`;
    if (init.method !== "GET") this.log.push(call);
    const failure = this.fail?.(call);
    if (failure === "before") throw new TypeError("connection reset");
    if (typeof failure === "number") return new Response("[]", { status: failure });
    const answer = this.answer(call, init.body === undefined ? {} : (JSON.parse(init.body) as Record<string, unknown>));
    if (failure === "after") throw new TypeError("connection reset");
    return answer;
  }) as unknown as typeof fetch;

  private answer(call: string, body: Record<string, unknown>): Response {
    const ok = (value: unknown, status = 200): Response => new Response(JSON.stringify(value), { status });
    const [, kind, id] = /^\w+ (\w+)\/(?:detail|([\w-]+))?/.exec(call) ?? [];
    if (kind === "profile") return ok({ uuid: "me" });
    const all = kind === "drives" ? this.drives : this.servers;
    if (id === undefined) return ok({ meta: {}, objects: [...all.values()] });
    const object = all.get(id);
    if (object === undefined) return ok([{ error_type: "notexist", error_message: "no", error_point: null }], 404);
    if (call.startsWith("GET")) return ok(object);
    if (call.startsWith("DELETE")) {
      all.delete(id);
      return new Response(null, { status: 204 });
    }
    if (call.endsWith("clone")) return ok(this.add(`c${this.servers.size}`, { name: body["name"] }), 202);
    object["status"] = call.endsWith("start") ? "starting" : "stopping";
    return ok({ result: "success" }, 202);
  }
}

describe("CloudsigmaPool", () => {
  let cloud: Cloud, pool: CloudsigmaPool;
  beforeEach(() => {
    cloud = new Cloud();
    cloud.add("t");
    const client = makeClient({ endpoint: "http://127.0.0.1:1/api/2.0/", username: "u", password: "pass-word", fetch: cloud.fetch, retry: { attempts: 2, baseMs: 1, capMs: 1 } });
    pool = new CloudsigmaPool({ client, templateUuid: "t" });
  });
  const members = async (): Promise<string[]> => {
    const seen = await pool.observe();
    return seen.known ? seen.value.members.map((m) => m.id) : [`unknown: ${seen.reason}`];
  };
  const closing = async (): Promise<string | undefined> => {
    const seen = await pool.observe();
    return seen.known ? seen.value.closing : "unknown";
  };

  it("knows its members by what a clone copies, and nobody else's servers", async () => {
    cloud.add("a");
    cloud.add("b", { meta: {} });
    cloud.add("c", { owner: { uuid: "somebody" } });
    cloud.add("old", { meta: { "elastigrid-template": "earlier", "elastigrid-pool": "g/workers" } });
    expect(await members()).to.deep.equal(["a", "old"]);
  });
  it("says unknown when the cloud fails, never an empty list", async () => {
    cloud.fail = () => 500;
    expect((await pool.observe()).known).to.equal(false);
  });
  it("says closing when the group is being deleted or the template is gone", async () => {
    expect(await closing()).to.equal(undefined);
    cloud.servers.get("t")!["meta"] = { "elastigrid-template": "t", "elastigrid-pool": "g/workers", "elastigrid-closing": "true" };
    expect(await closing()).to.match(/deleted/);
    cloud.servers.delete("t");
    expect(await closing()).to.match(/template/);
  });
  it("makes clones by name", async () => {
    const r = await pool.grow(["w-1", "w-2"]);
    expect(r.created.map((c) => c.name)).to.deep.equal(["w-1", "w-2"]);
    expect(await members()).to.have.length(2);
  });
  it("never repeats a clone whose answer got lost, and says that it is unclear", async () => {
    cloud.fail = (call) => (call.endsWith("clone") ? "after" : undefined);
    const r = await pool.grow(["w-1", "w-2"]);
    expect(r).to.deep.include({ created: [], ambiguous: true });
    expect(cloud.log.filter((c) => c.endsWith("clone"))).to.have.length(1);
    expect(await members()).to.have.length(1);
  });
  it("waits longer when there is no money", async () => {
    cloud.fail = (call) => (call.endsWith("clone") ? 402 : undefined);
    expect(await pool.grow(["w-1"])).to.deep.include({ ambiguous: false, wait: true });
  });
  it("starts a stopped member only when its disks are copied", async () => {
    cloud.add("a");
    await members();
    cloud.drives.get("d-a")!["status"] = "cloning_dst";
    expect(await pool.start("a")).to.equal(false);
    cloud.drives.get("d-a")!["status"] = "mounted";
    expect(await pool.start("a")).to.equal(true);
    expect(cloud.log).to.deep.equal(["POST servers/a/action/start"]);
  });
  it("removes step by step: stop, delete, look for the disks, gone", async () => {
    cloud.add("a", { status: "running" });
    await members();
    expect(await pool.remove("a")).to.equal("stopping");
    expect(await pool.remove("a")).to.equal("stopping");
    cloud.servers.get("a")!["status"] = "stopped";
    expect(await pool.remove("a")).to.equal("deleting");
    expect(await pool.remove("a"), "the disk was left behind").to.equal("deleting");
    expect(await pool.remove("a")).to.equal("gone");
    expect(await pool.remove("a"), "again").to.equal("gone");
    expect([...cloud.drives.keys()]).to.deep.equal(["d-t"]);
  });
  it("refuses to touch what is no worker of the group", async () => {
    cloud.add("b", { meta: {} });
    await members();
    for (const id of ["b", "t"]) {
      const e = await pool.remove(id).then(() => undefined, (x: Error) => x);
      expect(e?.message).to.match(/left alone/);
    }
    expect(cloud.log).to.deep.equal([]);
  });
});
