import { expect } from "chai";
import * as fc from "fast-check";
import { splitChoices } from "../../../local-cloud/api/envelope";
import { boot, Lab, type Json } from "./lab";

describe("conventions of local-cloud's API", () => {
  let lab: Lab;
  beforeEach(async () => void (lab = await Lab.start({ token: "t0ken", foreign: true })));
  afterEach(() => lab.stop());
  const raw = (path: string, init: RequestInit = {}): Promise<Response> => fetch(new URL(path, lab.cloud.endpoint), init);

  it("asks for credentials, takes basic and bearer, and names every request", async () => {
    const refused = await raw("servers/");
    expect([refused.status, refused.headers.get("www-authenticate")]).to.deep.equal([401, 'Basic realm="users"']);
    expect((await raw("servers/", { headers: { authorization: "Basic bm8=" } })).status).to.equal(401);
    const bearer = await raw("servers/", { headers: { authorization: "Bearer t0ken" } });
    expect(bearer.status).to.equal(200);
    expect(bearer.headers.get("x-request-id")).to.match(/^[0-9a-f-]{36}$/);
    expect((await raw("/_local/leaks")).status).to.equal(401);
  });

  it("shows 20 of many by default, all with limit=0, and a page with offset", async () => {
    for (let i = 0; i < 25; i++) await lab.create("tags", { name: `t${i}` });
    const page = await lab.get("tags/");
    expect(page.meta).to.deep.equal({ limit: 20, offset: 0, total_count: 25 });
    expect(page.objects).to.have.length(20);
    expect((await lab.get("tags/?limit=0")).objects).to.have.length(25);
    expect((await lab.get("tags/?limit=0")).meta).to.deep.equal({ limit: 0, offset: 0, total_count: 25 });
    expect((await lab.objects("tags/?limit=10&offset=20&order_by=name")).map((t) => t.name)).to.deep.equal(["t5", "t6", "t7", "t8", "t9"]);
    expect((await lab.call("GET", "tags/?limit=x")).status).to.equal(400);
  });

  it("filters by name, part of a name, tag and uuid; commas are alternatives, repetition restricts", async () => {
    const tag = await lab.create("tags", { name: "blue" });
    for (const name of ["web-1", "web-2", "db,1"]) await lab.server({ name, tags: name === "web-2" ? [{ uuid: tag.uuid }] : [] });
    const names = async (q: string): Promise<unknown[]> => (await lab.objects(`servers/?limit=0&${q}`)).map((s) => s.name);
    expect(await names("name=web-1")).to.deep.equal(["web-1"]);
    expect(await names("name=web-1,web-2")).to.deep.equal(["web-1", "web-2"]);
    expect(await names(`name=${encodeURIComponent("db\\,1")}`)).to.deep.equal(["db,1"]);
    expect(await names("name__contains=web")).to.deep.equal(["web-1", "web-2"]);
    expect(await names("name__contains=web&name__contains=2")).to.deep.equal(["web-2"]);
    expect(await names(`tag=${String(tag.uuid)}`)).to.deep.equal(["web-2"]);
  });
  it("splits commas but not those behind a backslash", () => {
    fc.assert(fc.property(fc.array(fc.string(), { minLength: 1 }), (parts) => {
      const text = parts.map((p) => p.replace(/[\\,]/g, (c) => `\\${c}`)).join(",");
      expect(splitChoices(text)).to.deep.equal(parts);
    }));
  });

  it("shows only the fields asked for, also those that the short list lacks", async () => {
    await lab.drive({ name: "d" });
    expect(Object.keys((await lab.objects("drives/"))[0] ?? {})).to.deep.equal(["owner", "resource_uri", "status", "uuid"]);
    const [row] = await lab.objects("drives/?fields=name,size&name=d");
    expect(row).to.deep.equal({ name: "d", size: 5 * 2 ** 30 });
  });

  it("accepts empty, null and {} as the body of an action, and GET without the slash", async () => {
    for (const body of [undefined, null, {}]) {
      const s = await lab.server();
      expect((await lab.call("POST", `servers/${String(s.uuid)}/action/?do=start`, body)).status, String(body)).to.equal(202);
    }
    expect((await lab.call("GET", "servers")).status).to.equal(200);
  });

  it("answers 404, 405, 406 and 400 with a list of errors", async () => {
    const types = async (method: string, path: string, body?: unknown): Promise<unknown> => {
      const a = await lab.call(method, path, body);
      return [a.status, (a.body as Json[])[0]?.error_type];
    };
    expect(await types("GET", "servers/nope/")).to.deep.equal([404, "notexist"]);
    expect(await types("GET", "nothing/")).to.deep.equal([404, "notexist"]);
    expect(await types("DELETE", "profile/")).to.deep.equal([405, "permission"]);
    expect(await types("POST", "drives/", { name: "x", media: "disk" })).to.deep.equal([400, "validation"]);
    const s = await lab.server();
    expect(await types("POST", `servers/${String(s.uuid)}/action/?do=dance`)).to.deep.equal([404, "notexist"]);
    expect((await raw("servers/", { headers: { authorization: lab.authorization, accept: "application/xml" } })).status).to.equal(406);
    expect((await raw("servers/", { method: "POST", headers: { authorization: lab.authorization }, body: "{not json" })).status).to.equal(400);
    expect(await types("GET", "servers/%zz/")).to.deep.equal([404, "notexist"]);
    const options = await raw("servers/", { method: "OPTIONS", headers: { authorization: lab.authorization } });
    expect(await options.text()).to.equal("GET,POST,DELETE,OPTIONS");
  });

  it("gives created objects a Location, and names need not be unique", async () => {
    const a = await lab.call("POST", "tags/", { name: "same" });
    const b = await lab.call("POST", "tags/", { name: "same" });
    expect(a.headers.get("location")).to.match(/^\/api\/2\.0\/tags\/[0-9a-f-]+\/$/);
    expect([a.status, b.status]).to.deep.equal([201, 201]);
  });

  it("shows another user's things in lists, and lets nobody change them", async () => {
    const me = (await lab.get("profile/")).uuid;
    const foreign = (await lab.objects("servers/?limit=0")).find((s) => (s.owner as Json).uuid !== me);
    expect(foreign).to.not.equal(undefined);
    expect((await lab.call("DELETE", `servers/${String(foreign?.uuid)}/`)).status).to.equal(403);
    const drive = (await lab.objects("drives/?limit=0"))[0];
    expect((await lab.call("POST", "servers/", { name: "x", cpu: 2000, mem: 2 ** 30, vnc_password: "x", drives: [boot(drive?.uuid)] })).status).to.equal(403);
    expect(lab.cloud.leaks().leaks).to.deep.equal([]);
  });

  it("attaches tags from both sides and loses them with the tag", async () => {
    const s = await lab.server();
    const d = await lab.drive();
    const tag = await lab.create("tags", { name: "t", resources: [s.uuid, { uuid: d.uuid }] });
    expect((tag.resources as Json[]).map((r) => r.res_type).sort()).to.deep.equal(["drives", "servers"]);
    expect(((await lab.get(`servers/${String(s.uuid)}/`)).tags as Json[])[0]?.uuid).to.equal(tag.uuid);
    await lab.want(200, "PUT", `tags/${String(tag.uuid)}/`, { name: "t", resources: [{ uuid: d.uuid }] });
    expect((await lab.get(`servers/${String(s.uuid)}/`)).tags).to.deep.equal([]);
    await lab.want(200, "PUT", `tags/${String(tag.uuid)}/`, { name: "t2" });
    expect((await lab.get(`tags/${String(tag.uuid)}/`)).resources).to.have.length(1);
    await lab.want(204, "DELETE", `tags/${String(tag.uuid)}/`);
    expect((await lab.get(`drives/${String(d.uuid)}/`)).tags).to.deep.equal([]);
  });

  it("keeps writes apart on request: the second of two at once is told to come again", async () => {
    await lab.stop();
    lab = await Lab.start({ habits: { concurrency: true }, delays: { writeMs: 50 } });
    const making = lab.server();
    await lab.clock.advance(0);
    await new Promise((r) => setTimeout(r, 50));
    await lab.clock.advance(50);
    const s = await making;
    const put = (): Promise<{ status: number }> => lab.call("PUT", `servers/${String(s.uuid)}/`, { name: "n", cpu: 2000, mem: 2 ** 30, vnc_password: "x" });
    const both = [put(), put()];
    await new Promise((r) => setTimeout(r, 100));
    await lab.clock.advance(50);
    expect((await Promise.all(both)).map((a) => a.status).sort()).to.deep.equal([200, 503]);
  });

  it("lets lists lag behind on request, in both directions, but not single objects", async () => {
    await lab.stop();
    lab = await Lab.start({ habits: { listLagMs: 2_000, statusLagMs: 1_500 } });
    const s = await lab.server();
    expect(await lab.objects("servers/")).to.have.length(0);
    expect((await lab.get(`servers/${String(s.uuid)}/`)).uuid).to.equal(s.uuid);
    await lab.clock.advance(2_000);
    expect(await lab.objects("servers/")).to.have.length(1);
    await lab.action("servers", s.uuid, "start");
    expect(await lab.status("servers", s.uuid)).to.equal("stopped");
    await lab.clock.advance(3_000);
    expect(await lab.status("servers", s.uuid)).to.equal("running");
    await lab.action("servers", s.uuid, "stop");
    await lab.clock.advance(3_000);
    await lab.want(204, "DELETE", `servers/${String(s.uuid)}/`);
    expect((await lab.call("GET", `servers/${String(s.uuid)}/`)).status).to.equal(404);
    expect(await lab.objects("servers/")).to.have.length(1);
    await lab.clock.advance(2_001);
    expect(await lab.objects("servers/")).to.have.length(0);
  });
});
