import { expect } from "chai";
import { inspect } from "node:util";
import type { Clock } from "../../../components/cloudsigma/retry";
import { isCloudError, type CloudError } from "../../../components/errors";
import type { Openstack, OpenstackSettings } from "../../../components/openstack/api";
import { makeOpenstack } from "../../../components/openstack/client";

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
  readonly body: unknown;
}
type Reply = { readonly status?: number; readonly body?: unknown; readonly headers?: Record<string, string>; readonly cut?: boolean };

const SECRET = "s3cret-of-a-credential", TOKEN = "gAAAA-token";
const settings: OpenstackSettings = { authUrl: "https://k.example:5000", region: "R1", auth: { kind: "applicationCredential", id: "ac", secret: SECRET } };
const services: ReadonlyArray<readonly [string, string]> = [
  ["compute", "https://c.example/v2.1"], ["network", "https://n.example"], ["image", "https://i.example/"], ["orchestration", "https://h.example/v1/p1"], ["metric", "https://m.example"], ["volumev3", "https://v.example/v3/p1"],
];
const catalog = services.map(([type, url]) => ({
  type, endpoints: [{ interface: "internal", url: "http://inside", region_id: "R1" }, { interface: "public", url: "http://elsewhere", region_id: "R2" }, { interface: "public", url, region_id: "R1" }],
}));

/** A cloud of prepared answers; logging in always works, with a token of its own each time. */
class Cloud {
  readonly seen: Seen[] = [];
  replies: Reply[] = [];
  logins = 0;
  nowMs = Date.parse("2026-01-01T00:00:00Z");
  lasts = 3_600_000;
  readonly slept: number[] = [];
  readonly clock: Clock = { now: () => 0, sleep: async (ms) => void this.slept.push(ms) };

  client(over: Partial<OpenstackSettings> = {}): Openstack {
    const fetch = (async (input: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
      const url = String(input), headers = new Headers(init.headers);
      if (url.endsWith("/auth/tokens")) {
        this.logins += 1;
        const token = { expires_at: new Date(this.nowMs + this.lasts).toISOString(), user: { id: "u1" }, project: { id: "p1", name: "demo" }, roles: [{ name: "member" }], catalog };
        this.login = JSON.parse(String(init.body));
        return new Response(JSON.stringify({ token }), { status: 201, headers: { "x-subject-token": `${TOKEN}-${this.logins}` } });
      }
      this.seen.push({ method: init.method ?? "GET", url, headers, body: init.body === undefined ? undefined : JSON.parse(String(init.body)) });
      const reply = this.replies.shift() ?? {};
      if (reply.cut) throw new TypeError("fetch failed", { cause: Object.assign(new Error(`ECONNRESET ${headers.get("x-auth-token")}`), { code: "ECONNRESET" }) });
      const body = reply.body === undefined ? "{}" : typeof reply.body === "string" ? reply.body : JSON.stringify(reply.body);
      return new Response(reply.status === 204 ? null : body, { status: reply.status ?? 200, headers: reply.headers ?? {} });
    }) as typeof globalThis.fetch;
    return makeOpenstack({ ...settings, ...over }, { fetch, clock: this.clock, nowMs: () => this.nowMs, random: () => 1, retry: { attempts: 4, baseMs: 100, capMs: 1_000 } });
  }
  login: unknown;
}
const failure = async (work: Promise<unknown>): Promise<CloudError> => {
  const e = await work.then(() => undefined, (x: unknown) => x);
  if (!isCloudError(e)) throw new Error(`no CloudError: ${inspect(e)}`);
  return e;
};

describe("OpenStack's client", () => {
  let cloud: Cloud;
  beforeEach(() => { cloud = new Cloud(); });

  it("logs in once for many calls, and once at a time", async () => {
    const api = cloud.client();
    await Promise.all([api.get("compute", "/servers"), api.get("network", "/ports"), api.session()]);
    await api.get("compute", "/servers");
    expect(cloud.logins).to.equal(1);
    expect(await api.session()).to.deep.include({ projectId: "p1", projectName: "demo", userId: "u1", roles: ["member"] });
  });
  it("logs in again before the token ends", async () => {
    const api = cloud.client();
    await api.get("compute", "/servers");
    cloud.nowMs += cloud.lasts - 60_000;
    await api.get("compute", "/servers");
    expect([cloud.logins, cloud.seen[1]?.headers.get("x-auth-token")]).to.deep.equal([2, `${TOKEN}-2`]);
  });
  it("logs in again once when a token is refused, and takes a second refusal for meant", async () => {
    cloud.replies = [{ status: 401 }, { body: { ok: 1 } }, { status: 401 }, { status: 401, body: { error: { message: "The request you have made requires authentication." } } }];
    const api = cloud.client();
    expect(await api.get("compute", "/servers")).to.deep.equal({ ok: 1 });
    expect((await failure(api.get("compute", "/servers"))).kind).to.equal("auth");
    expect(cloud.logins).to.equal(3);
  });
  const bodies: ReadonlyArray<readonly [string, OpenstackSettings["auth"], object]> = [
    ["a password", { kind: "password", username: "u", password: "pw-pw", userDomain: { name: "D" }, project: { name: "p", domain: { id: "default" } } },
      { auth: { identity: { methods: ["password"], password: { user: { name: "u", domain: { name: "D" }, password: "pw-pw" } } }, scope: { project: { name: "p", domain: { id: "default" } } } } }],
    ["an application credential", { kind: "applicationCredential", id: "i", secret: "sec-ret" }, { auth: { identity: { methods: ["application_credential"], application_credential: { id: "i", secret: "sec-ret" } } } }],
    ["one by name", { kind: "applicationCredential", name: "n", username: "u", userDomain: { id: "d" }, secret: "sec-ret" }, { auth: { identity: { methods: ["application_credential"], application_credential: { name: "n", user: { name: "u", domain: { id: "d" } }, secret: "sec-ret" } } } }],
    ["a token", { kind: "token", token: "t-o-k", projectId: "p1" }, { auth: { identity: { methods: ["token"], token: { id: "t-o-k" } }, scope: { project: { id: "p1" } } } }],
  ];
  for (const [what, auth, body] of bodies)
    it(`logs in with ${what}`, async () => {
      await cloud.client({ auth }).session();
      expect(cloud.login).to.deep.equal(body);
    });

  it("finds every service in its region, with its version", async () => {
    const api = cloud.client();
    expect(await Promise.all((["compute", "network", "image", "orchestration", "metric", "volume", "identity"] as const).map((s) => api.endpoint(s)))).to.deep.equal([
      "https://c.example/v2.1", "https://n.example/v2.0", "https://i.example/v2", "https://h.example/v1/p1", "https://m.example/v1", "https://v.example/v3/p1", "https://k.example:5000/v3",
    ]);
    expect([await api.has("alarming"), await api.has("compute")]).to.deep.equal([false, true]);
    expect((await failure(api.get("alarming", "/alarms"))).message).to.match(/region R1 has no service alarming/);
    expect(await cloud.client({ interface: "internal" }).endpoint("compute")).to.equal("http://inside/v2.1");
  });

  it("repeats reads that fail in passing, with growing pauses and up to its cap", async () => {
    cloud.replies = [{ status: 503 }, { cut: true }, { status: 500 }, { body: { ok: 1 } }];
    expect(await cloud.client().get("compute", "/servers")).to.deep.equal({ ok: 1 });
    expect(cloud.slept).to.deep.equal([100, 200, 400]);
    cloud.replies = [500, 500, 500, 500].map((status) => ({ status }));
    expect((await failure(cloud.client().get("compute", "/x"))).status).to.equal(500);
    expect(cloud.seen).to.have.length(8);
  });
  it("waits as long as the cloud asks for, and not for ever", async () => {
    cloud.replies = [{ status: 429, headers: { "retry-after": "7" } }, {}, { status: 503, headers: { "retry-after": "86400" } }];
    await cloud.client().get("compute", "/servers");
    expect(cloud.slept).to.deep.equal([7_000]);
    expect((await failure(cloud.client().get("compute", "/x"))).status).to.equal(503);
  });
  it("never repeats a POST, and says that it may have had its effect", async () => {
    for (const reply of [{ cut: true }, { status: 503 }, { status: 500 }]) {
      cloud.replies = [reply];
      const e = await failure(cloud.client().post("compute", "/servers", {}));
      expect([e.kind, e.ambiguous]).to.deep.equal(["transient", true]);
    }
    expect(cloud.seen).to.have.length(3);
  });
  it("repeats what sets or deletes only where nothing can have gone wrong by it", async () => {
    cloud.replies = [{ status: 503 }, { status: 202 }, { cut: true }, { status: 204 }, { status: 500 }];
    const api = cloud.client();
    await api.patch("orchestration", "/stacks/a/b", {});
    expect(await api.delete("compute", "/servers/1")).to.equal(true);
    expect((await failure(api.put("network", "/routers/1", {}))).status).to.equal(500);
    expect(cloud.seen).to.have.length(5);
  });
  it("takes gone for deleted", async () => {
    cloud.replies = [{ status: 404 }, { status: 404 }];
    expect(await cloud.client().delete("compute", "/servers/1")).to.equal(false);
    expect(await cloud.client().find("compute", "/servers/1")).to.equal(undefined);
  });
  it("follows nova's, neutron's and glance's pages", async () => {
    const api = cloud.client();
    cloud.replies = [
      { body: { servers: [{ id: 1 }], servers_links: [{ rel: "next", href: "https://c.example/v2.1/servers/detail?marker=1" }] } }, { body: { servers: [{ id: 2 }] } },
      { body: { images: [{ id: 3 }], next: "/v2/images?marker=3" } }, { body: { images: [] } },
    ];
    expect(await api.list("compute", "/servers/detail", "servers")).to.deep.equal([{ id: 1 }, { id: 2 }]);
    expect(await api.list("image", "/images", "images", { query: { name: "a b", tag: ["x", "y"] } })).to.deep.equal([{ id: 3 }]);
    expect(cloud.seen.map((s) => s.url.replace(/^https:\/\/.\.example/, ""))).to.deep.equal(["/v2.1/servers/detail", "/v2.1/servers/detail?marker=1", "/v2/images?name=a+b&tag=x&tag=y", "/v2/images?marker=3"]);
    cloud.replies = [{ body: { nothing: [] } }];
    expect((await failure(api.list("network", "/ports", "ports"))).message).to.match(/holds no list ports/);
  });
  it("sends nova the microversion that shows MAC addresses and descriptions", async () => {
    await cloud.client().get("compute", "/servers");
    expect(cloud.seen[0]?.headers.get("openstack-api-version")).to.equal("compute 2.79");
  });
  it("is not led elsewhere with its token by a redirect", async () => {
    cloud.replies = [{ status: 302, headers: { location: "https://evil.example/" } }];
    await failure(cloud.client().get("compute", "/servers"));
    expect(cloud.seen).to.have.length(1);
  });
  it("shows neither secret nor token, whatever the cloud or the network repeats", async () => {
    const api = cloud.client();
    cloud.replies = [{ status: 400, body: `you sent ${SECRET} and ${TOKEN}-1` }, { cut: true }];
    const told = [await failure(api.post("compute", "/servers", {})), await failure(api.post("compute", "/servers", {}))];
    for (const e of told) expect(inspect(e, { depth: 9 })).to.not.match(/s3cret|gAAAA/);
    expect(inspect({ ...api, settings: undefined }, { depth: 9 })).to.not.match(/s3cret|gAAAA/);
  });
});

const answers: ReadonlyArray<readonly [string, number, unknown, CloudError["kind"], RegExp]> = [
  ["keystone", 401, { error: { code: 401, message: "The request you have made requires authentication.", title: "Unauthorized" } }, "auth", /requires authentication/],
  ["nova's quota", 403, { forbidden: { code: 403, message: "Quota exceeded for instances: Requested 1, but already used 10 of 10 instances" } }, "capacity", /10 of 10 instances/],
  ["nova's refusal", 403, { forbidden: { code: 403, message: "Policy doesn't allow os_compute_api:servers to be performed." } }, "auth", /Policy/],
  ["nova's conflict", 409, { conflictingRequest: { code: 409, message: "Cannot 'delete' instance while it is in vm_state building" } }, "wrong-state", /vm_state building/],
  ["neutron's quota", 409, { NeutronError: { type: "OverQuota", message: "Quota exceeded for resources: ['port'].", detail: "" } }, "capacity", /\['port'\]/],
  ["neutron", 404, { NeutronError: { type: "NetworkNotFound", message: "Network x could not be found.", detail: "" } }, "not-found", /Network x/],
  ["heat", 400, { explanation: "The server could not comply", code: 400, error: { message: "MinSize can not be greater than MaxSize", traceback: null, type: "StackValidationFailed" }, title: "Bad Request" }, "invalid", /MinSize/],
  ["glance", 404, "<html><head><title>404 Not Found</title></head><body><h1>404 Not Found</h1>No image found with ID x</body></html>", "not-found", /No image found/],
  ["gnocchi", 400, { code: 400, description: "Archive policy x does not exist", title: "Bad Request" }, "invalid", /Archive policy x/],
  ["aodh", 404, { error_message: { debuginfo: null, faultcode: "Client", faultstring: "Alarm x not found in project y" } }, "not-found", /Alarm x not found/],
  ["a gateway", 502, "<html><body><h1>502 Bad Gateway</h1></body></html>", "transient", /502 Bad Gateway/],
];
describe("OpenStack's errors", () => {
  for (const [who, status, body, kind, words] of answers)
    it(`are told in the words of ${who}`, async () => {
      const cloud = new Cloud();
      cloud.replies = Array.from({ length: 4 }, () => ({ status, body, headers: { "x-openstack-request-id": "req-7" } }));
      // a refused token is renewed once first
      const e = await failure(cloud.client().post("network", "/things", {}));
      expect(e.kind).to.equal(kind);
      expect(e.message).to.match(words).and.match(/POST network \/things: HTTP \d+/).and.match(/req-7/);
      expect(e.requestId).to.equal("req-7");
    });
});
