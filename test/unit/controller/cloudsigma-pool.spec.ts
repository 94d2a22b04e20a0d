import { expect } from "chai";
import { makeClient, type Client } from "../../../components/cloudsigma/client";
import { CloudsigmaPool } from "../../../controller/adapters/cloudsigma-pool";
import type { Member } from "../../../controller/ports";

interface Obj { uuid: string; [key: string]: unknown }

/** As much of the API as the pool uses, behind fetch. */
class Cloud {
  readonly servers = new Map<string, Obj>();
  readonly drives = new Map<string, Obj>();
  readonly log: string[] = [];
  fail: ((call: string) => "before" | "after" | number | undefined) | undefined;
  /** Body of a failure given by its status. */
  failBody = "[]";
  /** Takes the place of an answer. */
  instead: ((call: string, answer: unknown) => unknown) | undefined;
  /** 503 `concurrency` for a second write to an object while a first is under way. */
  picky = false;
  inFlight = 0;
  mostInFlight = 0;
  private readonly busy = new Set<string>();

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
    if (typeof failure === "number") return new Response(this.failBody, { status: failure });
    const object = init.method === "GET" ? undefined : pathname;
    if (this.picky && object !== undefined && this.busy.has(object)) return new Response(JSON.stringify([{ error_type: "concurrency", error_message: "another operation", error_point: null }]), { status: 503 });
    if (object !== undefined) {
      this.busy.add(object);
      this.mostInFlight = Math.max(this.mostInFlight, (this.inFlight += 1));
      await new Promise((r) => setTimeout(r, 2));
      this.busy.delete(object);
      this.inFlight -= 1;
    }
    const answer = this.answer(call, init.body === undefined ? {} : (JSON.parse(init.body) as Record<string, unknown>), Number(searchParams.get("offset") ?? 0));
    if (failure === "after") throw new TypeError("connection reset");
    return this.instead === undefined || answer.status === 204 ? answer : new Response(JSON.stringify(this.instead(call, await answer.json())), { status: answer.status });
  }) as unknown as typeof fetch;

  private answer(call: string, body: Record<string, unknown>, offset = 0): Response {
    const ok = (value: unknown, status = 200): Response => new Response(JSON.stringify(value), { status });
    const [, kind, id] = /^\w+ (\w+)\/(?:detail|([\w-]+))?/.exec(call) ?? [];
    if (kind === "profile") return ok({ uuid: "me" });
    const all = kind === "drives" ? this.drives : this.servers;
    if (id === undefined) return ok({ meta: { total_count: all.size }, objects: [...all.values()].slice(offset) });
    const object = all.get(id);
    if (object === undefined) return ok([{ error_type: "notexist", error_message: "no", error_point: null }], 404);
    if (call.startsWith("GET")) return ok(object);
    if (call.startsWith("DELETE") && object["status"] === "running") return ok([{ error_type: "permission", error_message: "Cannot delete in state 'running'", error_point: null }], 403);
    if (call.startsWith("DELETE")) {
      all.delete(id);
      return new Response(null, { status: 204 });
    }
    if (call.endsWith("clone")) return ok(this.add(`c${this.servers.size}`, { name: body["name"], cpu: object["cpu"], mem: object["mem"], meta: { "elastigrid-template": id, ...(object["meta"] as object) } }), 202);
    object["status"] = call.endsWith("start") ? "starting" : "stopping";
    return ok({ result: "success" }, 202);
  }
}

describe("CloudsigmaPool", () => {
  let cloud: Cloud, pool: CloudsigmaPool, client: Client;
  beforeEach(() => {
    cloud = new Cloud();
    cloud.add("t");
    client = makeClient({ endpoint: "http://127.0.0.1:1/api/2.0/", username: "u", password: "pass-word", fetch: cloud.fetch, retry: { attempts: 2, baseMs: 1, capMs: 1 } });
    pool = new CloudsigmaPool({ client, templateUuid: "t" });
  });
  const look = async (): Promise<{ members: readonly Member[]; partial?: string }> => {
    const seen = await pool.observe();
    if (!seen.known) throw new Error(seen.reason);
    return { members: seen.value.members, ...(seen.partial === undefined ? {} : { partial: seen.partial }) };
  };
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
    const r = await pool.grow(["w-1", "w-2", "w-3", "w-4", "w-5", "w-6"]);
    expect(r).to.deep.include({ created: [], ambiguous: true, failureClass: "ambiguous" });
    expect(cloud.log.filter((c) => c.endsWith("clone")), "each of those under way once, and no further one").to.have.length(4);
    expect(await members()).to.have.length(4);
  });
  it("makes several clones at a time, but not all", async () => {
    expect((await pool.grow(Array.from({ length: 9 }, (_, i) => `w-${i}`))).created).to.have.length(9);
    expect(cloud.mostInFlight).to.equal(4);
  });
  it("goes one by one where the cloud refuses clones beside one another, and loses none", async () => {
    cloud.picky = true;
    const names = Array.from({ length: 6 }, (_, i) => `w-${i}`);
    const r = await pool.grow(names);
    expect(r).to.deep.include({ ambiguous: false, wait: false });
    expect(r.created.map((c) => c.name)).to.deep.equal(names);
    expect(await members()).to.have.length(6);
    cloud.log.length = 0;
    await pool.grow(["x-1", "x-2", "x-3"]);
    expect(cloud.log, "it has learnt: no more collisions").to.have.length(3);
  });
  it("takes a clone that was made in spite of a collision for what it is", async () => {
    let collisions = 1;
    cloud.fail = (call) => {
      if (!call.endsWith("clone") || collisions-- <= 0) return undefined;
      cloud.add("made", { name: "w-1" });
      return 503;
    };
    cloud.failBody = '[{"error_type":"concurrency","error_message":"another operation"}]';
    expect((await pool.grow(["w-1"])).created).to.deep.equal([{ id: "made", name: "w-1" }]);
  });
  it("says that it is the money when there is none, and waits longer", async () => {
    cloud.fail = (call) => (/clone$|start$/.test(call) ? 402 : undefined);
    const r = await pool.grow(["w-1"]);
    expect(r).to.deep.include({ ambiguous: false, wait: true, failureClass: "funds" });
    expect(r.failure).to.match(/no money.*add funds/);
    cloud.add("a");
    await members();
    expect((await pool.start("a").then(() => undefined, (e: Error) => e))?.message).to.match(/no money.*add funds/);
  });
  for (const [status, body, failureClass] of [
    [401, "[]", "auth"],
    [400, "[]", "invalid"],
    [404, "[]", "gone"],
    [403, '[{"error_type":"permission","error_message":"in state stopping"}]', "refused"],
    [503, '[{"error_type":"system","error_message":"cannot provide enough resources"}]', "capacity"],
    [429, "[]", "transient"],
    [500, "[]", "ambiguous"],
  ] as const)
    it(`calls a clone refused with ${status} ${failureClass}`, async () => {
      cloud.fail = (call) => (call.endsWith("clone") ? status : undefined);
      cloud.failBody = body;
      expect((await pool.grow(["w-1"])).failureClass).to.equal(failureClass);
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
  it("asks for one server by a call of its own", async () => {
    cloud.add("a", { status: "running" });
    expect(await pool.statusNow("a")).to.deep.equal({ known: true, value: "running" });
    expect(await pool.statusNow("nobody")).to.deep.equal({ known: true, value: "gone" });
    cloud.servers.get("a")!["status"] = "cloning";
    expect(await pool.statusNow("a")).to.deep.equal({ known: true, value: "unknown" });
    cloud.fail = () => 500;
    expect((await pool.statusNow("a")).known).to.equal(false);
    cloud.fail = undefined;
    for (const nonsense of [null, "text", [], {}, { uuid: "b", name: "b", status: "stopped", cpu: 1, mem: 1, meta: {}, nics: [], drives: [] }]) {
      cloud.instead = () => nonsense;
      expect((await pool.statusNow("a")).known, JSON.stringify(nonsense)).to.equal(false);
    }
  });
  it("removes only what is off where it is told so, and stops nothing for it", async () => {
    cloud.add("a", { status: "running" });
    await members();
    for (const status of ["running", "starting", "unavailable", "paused"]) {
      cloud.servers.get("a")!["status"] = status;
      expect(await pool.remove("a", { onlyIfOff: true }), status).to.equal("runs");
    }
    expect(cloud.log).to.deep.equal([]);
    cloud.servers.get("a")!["status"] = "stopped";
    expect(await pool.remove("a", { onlyIfOff: true })).to.equal("deleting");
    expect(cloud.servers.has("a")).to.equal(false);
  });
  it("takes the cloud's refusal to delete for the last word on whether a server runs", async () => {
    cloud.add("a", { status: "running" });
    await members();
    let lies = 1;
    cloud.instead = (call, answer) => (call === "GET servers/a/" && lies-- > 0 ? { ...(answer as object), status: "stopped" } : answer);
    expect(await pool.remove("a", { onlyIfOff: true })).to.equal("runs");
    expect(cloud.servers.get("a")?.["status"]).to.equal("running");
    expect(cloud.log.filter((c) => c.endsWith("stop"))).to.deep.equal([]);
  });
  it("puts pages together, and takes each server once", async () => {
    for (const id of ["a", "b", "c"]) cloud.add(id);
    cloud.instead = (call, answer) => (call.startsWith("GET servers/detail") ? { ...(answer as object), objects: (answer as { objects: unknown[] }).objects.slice(0, 2) } : answer);
    expect(await look().then((l) => [l.members.map((m) => m.id), l.partial])).to.deep.equal([["a", "b", "c"], undefined]);
    cloud.instead = (call, answer) => (call.startsWith("GET servers/detail") ? { ...(answer as object), objects: [...(answer as { objects: unknown[] }).objects, ...(answer as { objects: unknown[] }).objects] } : answer);
    expect((await look()).members.map((m) => m.id)).to.deep.equal(["a", "b", "c"]);
  });
  it("says that a list is not the whole where the cloud counts more than it lists", async () => {
    for (const id of ["a", "b"]) cloud.add(id);
    cloud.instead = (call, answer) => (call.startsWith("GET servers/detail") ? { meta: { total_count: 3 }, objects: (answer as { objects: Obj[] }).objects.filter((o) => o.uuid === "a") } : answer);
    const { members: left, partial } = await look();
    expect(left.map((m) => m.id)).to.deep.equal(["a"]);
    expect(partial).to.match(/there are 3 servers and listed 1/);
    expect(await closing(), "no word on a template that is only not listed").to.equal(undefined);
  });
  it("goes on beside rows that make no sense, and says that they are missing", async () => {
    cloud.add("good");
    const bad: unknown[] = [null, 7, "x", [], {}, { uuid: 5 }, { ...cloud.add("m1"), meta: null }, { ...cloud.add("m2"), nics: {} }, { ...cloud.add("m3"), nics: [{}] }, { ...cloud.add("m4"), drives: [{ drive: null }] }, { ...cloud.add("m5"), status: 4 }];
    for (const row of bad) {
      const good = cloud.servers.get("good"), t = cloud.servers.get("t");
      cloud.instead = (call, answer) => (call.startsWith("GET servers/detail") ? { meta: { total_count: 3 }, objects: [row, t, good] } : answer);
      const { members: left, partial } = await look();
      expect(left.map((m) => m.id), JSON.stringify(row)).to.deep.equal(["good"]);
      expect(partial, JSON.stringify(row)).to.match(/not the whole/);
    }
    cloud.instead = (call, answer) => (call.startsWith("GET servers/detail") ? { objects: [{ uuid: "x", owner: { uuid: "somebody" } }, ...(answer as { objects: unknown[] }).objects.slice(0, 2)] } : answer);
    expect((await look()).partial, "a stranger's is none of our business").to.equal(undefined);
    cloud.instead = (call, answer) => (call.startsWith("GET servers/detail") ? null : answer);
    expect((await pool.observe()).known).to.equal(false);
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
  describe("with several types", () => {
    beforeEach(() => {
      cloud.add("t", { cpu: 2_000, mem: 1_024 * 2 ** 20, meta: { "elastigrid-template": "t", "elastigrid-pool": "g/workers", "elastigrid-shape": "small-1" } });
      cloud.add("t2", { cpu: 8_000, mem: 8_192 * 2 ** 20, meta: { "elastigrid-template": "t2", "elastigrid-pool": "g/workers", "elastigrid-type": "large", "elastigrid-shape": "large-1" } });
      pool = new CloudsigmaPool({ client, templateUuid: "t", templates: { large: "t2" } });
    });
    const shown = async (): Promise<string[]> => (await look()).members.map((m) => `${m.name} ${m.type}${m.retiring === undefined ? "" : `: ${m.retiring}`}`);

    it("clones each from its own template, and knows it by its mark", async () => {
      await pool.grow(["small"]);
      await pool.grow(["big"], "large");
      expect(cloud.log).to.deep.equal(["POST servers/t/action/clone", "POST servers/t2/action/clone"]);
      expect(await shown()).to.deep.equal(["small worker", "big large"]);
    });
    it("refuses a type that it does not know, without a call", async () => {
      expect(await pool.grow(["w"], "huge")).to.deep.include({ created: [], wait: true, failureClass: "invalid" });
      expect(cloud.log).to.deep.equal([]);
    });
    it("lets those of a type that is no longer declared go", async () => {
      await pool.grow(["big"], "large");
      pool = new CloudsigmaPool({ client, templateUuid: "t" });
      cloud.servers.delete("t2");
      expect(await shown()).to.deep.equal(["big large: its worker type large is no longer declared"]);
    });
    it("lets those of a former definition go, and says what differs", async () => {
      await pool.grow(["old"]);
      await pool.grow(["big"], "large");
      const template = cloud.servers.get("t")!;
      Object.assign(template, { mem: 2_048 * 2 ** 20, meta: { ...(template["meta"] as object), "elastigrid-shape": "small-2" } });
      await pool.grow(["new"]);
      expect(await shown()).to.deep.equal(["old worker: it was made from a former definition of the group: 1 GiB of memory instead of 2 GiB", "big large", "new worker"]);
      Object.assign(template, { meta: { ...(template["meta"] as object), "elastigrid-shape": "small-3" } });
      expect((await shown())[2]).to.equal("new worker: it was made from a former definition of the group: another image or disk");
    });
    it("goes on saying so while the template is not listed", async () => {
      await pool.grow(["old"]);
      Object.assign(cloud.servers.get("t")!, { mem: 1, meta: { "elastigrid-template": "t", "elastigrid-pool": "g/workers", "elastigrid-shape": "small-2" } });
      const before = await shown();
      expect(before[0]).to.match(/former definition/);
      cloud.instead = (call, answer) => (call.startsWith("GET servers/detail") ? { meta: { total_count: 3 }, objects: (answer as { objects: Obj[] }).objects.filter((o) => o.uuid !== "t") } : answer);
      expect(await shown()).to.deep.equal(before);
    });
    it("compares sizes of workers from before there were marks, and leaves them alone where these are equal", async () => {
      const meta = { "elastigrid-template": "t", "elastigrid-pool": "g/workers" };
      cloud.add("same", { cpu: 2_000, mem: 1_024 * 2 ** 20, meta });
      cloud.add("smaller", { cpu: 1_000, mem: 1_024 * 2 ** 20, meta });
      expect(await shown()).to.deep.equal(["same worker", "smaller worker: it was made from a former definition of the group: 1000 MHz instead of 2000 MHz"]);
      Object.assign(cloud.servers.get("t")!, { meta: { ...meta, "elastigrid-shape": "small-2", "elastigrid-unmarked-shape": "small-1" } });
      expect((await shown())[0], "the template remembers what they are made of").to.equal("same worker: it was made from a former definition of the group: another image or disk");
    });
  });
});
