import { expect } from "chai";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { inspect } from "node:util";
import { listOwn, makeClient, type Client, type ClientOptions } from "../../../components/cloudsigma/client";
import { backoffMs, DEFAULT_RETRY, retryAfterMs, type Clock } from "../../../components/cloudsigma/retry";
import { OneAtATime } from "../../../components/cloudsigma/one-at-a-time";
import { isCloudError, type CloudError } from "../../../components/errors";

interface Seen {
  method: string;
  url: string;
  body: string;
  headers: IncomingMessage["headers"];
}
type Reply = { status?: number; body?: string; headers?: Record<string, string>; cut?: boolean; hang?: boolean };

const PASSWORD = "s3cret-passw0rd";
const TOKEN = "t0ken-t0ken-t0ken";

/** Answers with the given replies in turn, then with the last one. */
class Stub {
  readonly seen: Seen[] = [];
  replies: Reply[] = [{}];
  private constructor(private readonly server: Server) {}
  static async start(): Promise<Stub> {
    const stub = new Stub(createServer((req, res) => void stub.answer(req, res)));
    await new Promise<void>((r) => stub.server.listen(0, "127.0.0.1", r));
    return stub;
  }
  get endpoint(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/api/2.0/`;
  }
  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((r) => this.server.close(r));
  }
  private async answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    let body = "";
    for await (const chunk of req) body += String(chunk);
    const reply = this.replies[Math.min(this.seen.length, this.replies.length - 1)] ?? {};
    this.seen.push({ method: req.method ?? "", url: req.url ?? "", body, headers: req.headers });
    if (reply.cut) return void req.socket.destroy();
    if (reply.hang) return;
    res.writeHead(reply.status ?? 200, { "content-type": "application/json", ...reply.headers }).end(reply.body ?? "{}");
  }
}

const virtual = (): Clock & { slept: number[] } => {
  let t = 0;
  const slept: number[] = [];
  return { slept, now: () => t, sleep: (ms) => ((t += ms), slept.push(ms), Promise.resolve()) };
};
const failure = async (work: Promise<unknown>): Promise<CloudError> => {
  try {
    await work;
  } catch (e) {
    if (isCloudError(e)) return e;
    throw e;
  }
  throw new Error("did not fail");
};
const objects = (...rows: object[]): Reply => ({ status: 201, body: JSON.stringify({ objects: rows, meta: { limit: 0 } }) });

describe("CloudSigma client", () => {
  let stub: Stub;
  let clock: ReturnType<typeof virtual>;
  const client = (o: Partial<ClientOptions> = {}): Client => makeClient({ endpoint: stub.endpoint, username: "u@example", password: PASSWORD, clock, random: () => 0.5, ...o });
  beforeEach(async () => {
    stub = await Stub.start();
    clock = virtual();
  });
  afterEach(() => stub.stop());

  it("asks for everything, with the trailing slash, as JSON, with basic authentication", async () => {
    stub.replies = [objects({ uuid: "a" })];
    expect(await client().list("servers")).to.deep.equal([{ uuid: "a" }]);
    expect(stub.seen[0]).to.include({ method: "GET", url: "/api/2.0/servers/detail/?limit=0" });
    expect(stub.seen[0]?.headers).to.include({ accept: "application/json", authorization: `Basic ${Buffer.from(`u@example:${PASSWORD}`).toString("base64")}` });
  });
  it("prefers a token", async () => {
    await client({ token: TOKEN }).get("drives", "d");
    expect(stub.seen[0]?.headers.authorization).to.equal(`Bearer ${TOKEN}`);
  });
  it("refuses to start without credentials, naming where to set them", () => {
    expect(() => makeClient({ endpoint: stub.endpoint })).to.throw(/CLOUDSIGMA_PASSWORD/);
  });
  it("wraps creations, sends {} to actions and parses no empty body", async () => {
    stub.replies = [objects({ uuid: "n" }), { status: 202, body: "{}" }, { status: 204, body: "" }];
    const c = client();
    expect((await c.create("tags", { name: "blue" })).uuid).to.equal("n");
    await c.action("servers", "s", "start");
    expect(await c.delete("servers", "s", { query: { recurse: "all_drives" } })).to.equal(true);
    expect(stub.seen.map((s) => `${s.method} ${s.url} ${s.body}`)).to.deep.equal([
      'POST /api/2.0/tags/ {"objects":[{"name":"blue"}]}',
      "POST /api/2.0/servers/s/action/?do=start {}",
      "DELETE /api/2.0/servers/s/?recurse=all_drives ",
    ]);
  });

  const passing: [string, Reply][] = [
    ["a cut connection", { cut: true }],
    ["429", { status: 429 }],
    ["500", { status: 500 }],
    ["502 in HTML", { status: 502, body: "<html>no</html>" }],
    ["503 concurrency", { status: 503, body: '[{"error_type":"concurrency","error_message":"again"}]' }],
    ["504 without a body", { status: 504, body: "" }],
    ["a body that is not JSON", { status: 200, body: "<html>login</html>" }],
  ];
  for (const [name, reply] of passing) {
    it(`repeats reading after ${name}`, async () => {
      stub.replies = [reply, reply, { body: '{"uuid":"s"}' }];
      expect((await client().get("servers", "s")).uuid).to.equal("s");
      expect(stub.seen).to.have.length(3);
    });
    it(`never repeats a creation blindly after ${name}`, async () => {
      stub.replies = [reply];
      expect((await failure(client().create("servers", {}))).kind).to.equal("transient");
      expect(stub.seen).to.have.length(1);
    });
    it(`finds what a creation made before ${name}`, async () => {
      stub.replies = [reply];
      const made = await client().create("servers", {}, { findExisting: () => Promise.resolve({ uuid: "there" } as never) });
      expect(made.uuid).to.equal("there");
      expect(stub.seen).to.have.length(1);
    });
  }
  it("repeats a creation when looking finds nothing", async () => {
    stub.replies = [{ cut: true }, objects({ uuid: "n" })];
    expect((await client().create("servers", {}, { findExisting: () => Promise.resolve(undefined) })).uuid).to.equal("n");
  });
  for (const status of [400, 401, 402, 403, 404, 405, 406])
    it(`does not repeat after ${status}`, async () => {
      stub.replies = [{ status, body: "" }];
      expect((await failure(client().get("servers", "s"))).status).to.equal(status);
      expect(stub.seen).to.have.length(1);
    });
  it("gives up after the cap, with jittered, growing, capped pauses", async () => {
    stub.replies = [{ status: 500 }];
    await failure(client().get("servers", "s"));
    expect(stub.seen).to.have.length(DEFAULT_RETRY.attempts);
    expect(clock.slept).to.deep.equal([200, 400, 800, 1_600, 3_200]);
    expect(backoffMs(30, DEFAULT_RETRY, () => 1)).to.equal(DEFAULT_RETRY.capMs);
    expect(backoffMs(3, DEFAULT_RETRY, () => 0)).to.equal(0);
  });
  it("obeys Retry-After up to a limit", async () => {
    stub.replies = [{ status: 429, headers: { "retry-after": "7" } }, { body: "{}" }];
    await client().get("servers", "s");
    expect(clock.slept).to.deep.equal([7_000]);
    stub.replies = [{ status: 429, headers: { "retry-after": "86400" } }];
    await failure(client().get("servers", "s"));
    expect(clock.slept).to.have.length(1);
    expect(retryAfterMs("Fri, 02 Jan 2026 00:00:10 GMT", Date.parse("2026-01-02T00:00:00Z"))).to.equal(10_000);
    expect(retryAfterMs("soon", 0)).to.equal(undefined);
  });
  it("limits each try in time", async () => {
    stub.replies = [{ hang: true }, { body: '{"uuid":"s"}' }];
    expect((await client({ retry: { timeoutMs: 60 } }).get("servers", "s")).uuid).to.equal("s");
  });
  it("ends at once when the caller gives up", async () => {
    stub.replies = [{ hang: true }];
    const ctrl = new AbortController();
    const reading = client().get("servers", "s", { signal: ctrl.signal }).then(() => "read", (e: Error) => e.message);
    setTimeout(() => ctrl.abort(new Error("enough")), 20);
    expect(await reading).to.equal("enough");
  });
  it("does not follow redirects: they would lose bodies or carry credentials away", async () => {
    stub.replies = [{ status: 302, headers: { location: "http://127.0.0.1:1/" } }];
    expect((await failure(client().get("servers", "s"))).status).to.equal(302);
  });
  it("takes a 404 of a deletion for success, and says so", async () => {
    stub.replies = [{ status: 404 }];
    expect(await client().delete("servers", "s")).to.equal(false);
    expect(await client().find("servers", "s")).to.equal(undefined);
  });
  it("writes one object one write at a time, others beside it", async () => {
    const gate = new OneAtATime();
    const log: string[] = [];
    const work = (key: string, n: number, ms: number) => gate.run(key, async () => (log.push(`+${key}${n}`), await new Promise((r) => setTimeout(r, ms)), log.push(`-${key}${n}`)));
    await Promise.all([work("a", 1, 20), work("a", 2, 1), work("b", 1, 1)]);
    expect(log).to.deep.equal(["+a1", "+b1", "-b1", "-a1", "+a2", "-a2"]);
  });
  it("lists only what the account owns; objects without an owner are its own", async () => {
    stub.replies = [{ body: '{"uuid":"me"}' }, objects({ uuid: "1", owner: { uuid: "me" } }, { uuid: "2", owner: { uuid: "you" } }, { uuid: "3", owner: null }, { uuid: "4" })];
    expect((await listOwn(client(), "drives")).map((d) => d.uuid)).to.deep.equal(["1", "4"]);
  });
  it("shows no credential in any error, whatever the service echoes", async () => {
    const basic = Buffer.from(`u@example:${PASSWORD}`).toString("base64");
    const echo = `Authorization: Basic ${basic} password ${PASSWORD} token ${TOKEN}`;
    const replies: Reply[] = [{ cut: true }, { status: 401, body: echo }, { status: 400, body: JSON.stringify([{ error_type: "validation", error_message: echo }]) }, { status: 502, body: `<html>${echo}</html>` }, { status: 200, body: echo }];
    for (const reply of replies)
      for (const login of [{}, { token: TOKEN }]) {
        stub.replies = [reply];
        stub.seen.length = 0;
        const c = client({ retry: { attempts: 1 }, ...login });
        const used = "token" in login ? [TOKEN] : [PASSWORD, basic];
        for (const e of [await failure(c.get("servers", "s")), await failure(c.create("servers", {}))]) {
          const all = inspect(e, { depth: 9, showHidden: true }) + String(e.stack) + JSON.stringify(e) + inspect(e.cause);
          for (const secret of used) expect(all).to.not.contain(secret);
        }
        expect(inspect(c, { depth: 9, showHidden: true })).to.not.contain(PASSWORD).and.to.not.contain(TOKEN);
      }
  });
});
