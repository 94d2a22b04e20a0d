import { expect } from "chai";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { ANCESTORS_RATE, created, FaultPlan } from "../../support/openstack-fault-plan";
import { startFaultProxy, type FaultProxy } from "../../support/openstack-proxy";

const table: readonly (readonly [string, string, string | undefined])[] = [
  ["POST", "/v2.1/servers", "server"],
  ["POST", "/v2.1/servers/12/action", undefined],
  ["GET", "/v2.1/servers", undefined],
  ["POST", "/v2.1/os-keypairs", "key pair"],
  ["POST", "/v2.0/security-group-rules", "security-group-rules"],
  ["POST", "/v2.0/floatingips/", "floatingips"],
  ["PUT", "/v2.0/routers/7/add_router_interface", "router interface"],
  ["PUT", "/v2.0/routers/7/remove_router_interface", undefined],
  ["POST", "/v1/project/stacks", "stack"],
  ["POST", "/v1/project/stacks/name/id/actions", undefined],
  ["PATCH", "/v1/project/stacks/name/id", undefined],
  ["POST", "/v3/users/me/application_credentials", "application credential"],
  ["POST", "/v3/auth/tokens", "token"],
];

describe("the fault plan", () => {
  for (const [method, path, what] of table) it(`takes ${method} ${path} for ${what === undefined ? "no creation" : `the creation of a ${what}`}`, () => expect(created({ method, path })).to.equal(what));

  const run = (seed: number, options: object = {}, count = 4_000): FaultPlan => {
    const plan = new FaultPlan({ seed, ...options });
    for (let i = 0; i < count; i += 1) plan.decide(i % 2 === 0 ? { method: "POST", path: "/v2.0/ports" } : { method: "GET", path: "/v2.0/ports" });
    return plan;
  };
  it("strikes creations at the ancestor's rate, in all four ways, and cuts few connections", () => {
    const { hits, creations } = run(1);
    const struck = hits.filter((h) => h.kind !== "cut");
    expect(struck.length / creations).to.be.closeTo(ANCESTORS_RATE, 0.02);
    expect(struck.every((h) => h.creates === "ports")).to.equal(true);
    for (const kind of ["500", "503"]) for (const when of ["before", "after"]) expect(struck.filter((h) => h.kind === kind && h.when === when).length).to.be.greaterThan(50);
    expect(hits.filter((h) => h.kind === "cut").length).to.be.within(15, 65);
  });
  it("repeats itself for the same seed only", () => {
    expect(run(2).hits).to.deep.equal(run(2).hits);
    expect(run(2).hits).to.not.deep.equal(run(3).hits);
  });
  it("leaves logins alone unless told otherwise", () => {
    const login = { method: "POST", path: "/v3/auth/tokens" };
    const tries = (tokens: boolean): number => {
      const plan = new FaultPlan({ seed: 4, tokens, creations: 1, cuts: 1 });
      return Array.from({ length: 20 }, () => plan.decide(login)).filter((f) => f !== undefined).length;
    };
    expect([tries(false), tries(true)]).to.deep.equal([0, 20]);
  });
  it("strikes nothing while it is not armed", () => {
    const plan = new FaultPlan({ seed: 5, creations: 1 });
    plan.armed = false;
    expect(plan.decide({ method: "POST", path: "/v2.0/ports" })).to.equal(undefined);
    expect([plan.creations, plan.hits]).to.deep.equal([1, []]);
  });
});

describe("the fault proxy", () => {
  let cloud: Server, origin: string, proxy: FaultProxy;
  const asked: string[] = [];
  const strikes: ("before" | "after" | "cut" | undefined)[] = [];
  before(async () => {
    cloud = createServer((q, r) => {
      asked.push(`${q.method} ${q.url}`);
      let text = "";
      q.on("data", (d: Buffer) => (text += d.toString())).on("end", () => {
        if (q.method === "DELETE") return r.writeHead(204).end();
        return r.writeHead(q.method === "POST" ? 201 : 200, { "content-type": "application/json", "x-subject-token": "t" }).end(JSON.stringify({ at: origin, got: text }));
      });
    });
    await new Promise<void>((done) => cloud.listen(0, "127.0.0.1", done));
    origin = `http://127.0.0.1:${(cloud.address() as AddressInfo).port}`;
    const plan = new FaultPlan({ seed: 1 });
    plan.decide = () => {
      const next = strikes.shift();
      return next === undefined ? undefined : next === "cut" ? { kind: "cut", when: "after" } : { kind: "503", when: next };
    };
    proxy = await startFaultProxy(plan, [origin, origin]);
  });
  after(async () => {
    await proxy.stop();
    await new Promise((done) => (cloud.close(done), cloud.closeAllConnections()));
  });
  const call = async (method: string, path: string, body?: string) => fetch(proxy.through(`${origin}${path}`), { method, ...(body === undefined ? {} : { body }) });

  it("passes calls and answers on", async () => {
    const answer = await call("POST", "/v2.0/ports?a=b", "{}");
    expect([answer.status, answer.headers.get("x-subject-token"), await answer.json()]).to.deep.equal([201, "t", { at: origin, got: "{}" }]);
    expect(asked.at(-1)).to.equal("POST /v2.0/ports?a=b");
    expect((await call("DELETE", "/v2.0/ports/1")).status).to.equal(204);
  });
  it("puts itself into catalogs and version documents, and into nothing else", async () => {
    const at = async (method: string, path: string): Promise<unknown> => ((await (await call(method, path)).json()) as { at: string }).at;
    expect(await at("POST", "/v3/auth/tokens")).to.equal(proxy.through(origin)).and.not.equal(origin);
    expect(await at("GET", "/v2.1/")).to.equal(proxy.through(origin));
    expect(await at("GET", "/v1/project/stacks/x")).to.equal(origin);
  });
  it("answers an error before the effect, and the same after it", async () => {
    const before = asked.length;
    strikes.push("before");
    expect((await call("POST", "/v2.0/ports", "{}")).status).to.equal(503);
    expect(asked.length).to.equal(before);
    strikes.push("after");
    expect((await call("POST", "/v2.0/ports", "{}")).status).to.equal(503);
    expect(asked.length).to.equal(before + 1);
  });
  it("cuts a connection after the effect", async () => {
    const before = asked.length;
    strikes.push("cut");
    const error = await call("POST", "/v2.0/ports", "{}").then(() => undefined, (e: unknown) => e);
    expect(error).to.be.instanceOf(TypeError);
    expect(asked.length).to.equal(before + 1);
  });
});
