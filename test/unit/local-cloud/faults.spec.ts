import { expect } from "chai";
import { faultProblem, type FaultSpec } from "../../../local-cloud";
import { Faults } from "../../../local-cloud/http/faults";
import { boot, Lab, type Json } from "./lab";

describe("faults of local-cloud, counted", () => {
  const struck = (spec: Omit<FaultSpec, "do">, calls = 10): number[] => {
    const faults = new Faults({ boots: [], clones: [] });
    faults.add({ ...spec, do: { status: 503 } });
    return Array.from({ length: calls }, (_, i) => i + 1).filter(() => faults.strike("GET", "/api/2.0/servers/").length > 0 ).map((_, i) => i);
  };
  const hits = (spec: Omit<FaultSpec, "do">, calls = 10): number[] => {
    const faults = new Faults({ boots: [], clones: [] });
    faults.add({ ...spec, do: { status: 503 } });
    const out: number[] = [];
    for (let i = 1; i <= calls; i++) if (faults.strike(i % 2 === 0 ? "POST" : "GET", "/api/2.0/servers/?limit=0").length > 0) out.push(i);
    return out;
  };
  const table: readonly (readonly [string, Omit<FaultSpec, "do">, number[]])[] = [
    ["strikes at one call", { at: 3 }, [3]],
    ["strikes from a call on, as often as told", { at: 3, times: 2 }, [3, 4]],
    ["strikes every third call", { every: 3 }, [3, 6, 9]],
    ["strikes every call a few times", { times: 2 }, [1, 2]],
    ["counts only calls of its method", { match: { method: "POST" }, at: 2 }, [4]],
    ["counts only calls of its path", { match: { path: "/drives/" } }, []],
    ["sees the query", { match: { path: "limit=0$" }, at: 1 }, [1]],
    ["never strikes with probability 0", { probability: 0 }, []],
  ];
  for (const [says, spec, wanted] of table) it(says, () => expect(hits(spec)).to.deep.equal(wanted));
  it("repeats a seeded probability", () => {
    const twice = [struck({ probability: 0.3, seed: 7 }, 200), struck({ probability: 0.3, seed: 7 }, 200)];
    expect(twice[0]).to.deep.equal(twice[1]);
    expect(twice[0]?.length).to.be.within(30, 90);
  });
  const bad: readonly unknown[] = ["x", {}, { do: {} }, { do: { status: 1, cut: true } }, { at: 0, do: { cut: true } }, { probability: 2, do: { cut: true } }, { when: "now", do: { cut: true } }, { what: 1, do: { cut: true } }, { match: { path: "(" }, do: { cut: true } }];
  for (const spec of bad) it(`refuses ${JSON.stringify(spec)}`, () => expect(faultProblem(spec)).to.be.a("string"));
});

describe("faults of local-cloud, at work", () => {
  let lab: Lab;
  beforeEach(async () => void (lab = await Lab.start()));
  afterEach(() => lab.stop());

  it("fails before or after the effect", async () => {
    lab.cloud.faults.add({ match: { method: "POST", path: "/tags/" }, at: 1, do: { status: 503, type: "concurrency" } });
    lab.cloud.faults.add({ match: { method: "POST", path: "/tags/" }, at: 2, when: "after", do: { status: 500 } });
    const first = await lab.call("POST", "tags/", { name: "a" });
    expect([first.status, (first.body as Json[])[0]?.error_type]).to.deep.equal([503, "concurrency"]);
    expect((await lab.call("POST", "tags/", { name: "b" })).status).to.equal(500);
    expect((await lab.call("POST", "tags/", { name: "c" })).status).to.equal(201);
    expect((await lab.objects("tags/")).map((t) => t.name)).to.deep.equal(["b", "c"]);
  });

  it("cuts the connection after the work was done, sends HTML, and delays", async () => {
    lab.cloud.faults.add({ match: { method: "POST" }, at: 1, when: "after", do: { cut: true } });
    const lost = await lab.call("POST", "tags/", { name: "a" }).then(() => "answered", () => "cut");
    expect(lost).to.equal("cut");
    expect(await lab.objects("tags/")).to.have.length(1);
    lab.cloud.faults.add({ at: 1, do: { html: 502 } });
    const html = await lab.call("GET", "tags/");
    expect([html.status, html.headers.get("content-type"), String(html.body).startsWith("<html>")]).to.deep.equal([502, "text/html; charset=utf-8", true]);
    lab.cloud.faults.add({ at: 1, do: { delayMs: 5_000 } });
    const slow = lab.call("GET", "tags/");
    await new Promise((r) => setTimeout(r, 50));
    expect(lab.clock.pending).to.equal(1);
    await lab.clock.advance(5_000);
    expect((await slow).status).to.equal(200);
  });

  it("shows wrong statuses for some reads, of one object or of a kind", async () => {
    const s = await lab.server();
    lab.cloud.faults.add({ at: 1, do: { wrongStatus: { uuid: String(s.uuid), status: "unavailable", reads: 2 } } });
    const seen = [];
    for (let i = 0; i < 4; i++) seen.push(await lab.status("servers", s.uuid));
    expect(seen).to.deep.equal(["unavailable", "unavailable", "stopped", "stopped"]);
  });

  it("lets the next boot or clone fail after it was accepted", async () => {
    const d = await lab.drive();
    const s = await lab.server({ drives: [boot(d.uuid)] });
    lab.cloud.faults.add({ match: { path: "do=start" }, at: 1, do: { failBoot: { reason: "no such kernel" } } });
    await lab.run(s.uuid);
    expect(await lab.status("servers", s.uuid)).to.equal("stopped");
    expect((await lab.objects("logs/?action=boot"))[0]?.error_message).to.include("no such kernel");
    await lab.run(s.uuid);
    expect(await lab.status("servers", s.uuid)).to.equal("running");
    lab.cloud.faults.add({ match: { path: "do=clone" }, at: 1, do: { failClone: {} } });
    const copy = ((await lab.want(202, "POST", `drives/${String(d.uuid)}/action/?do=clone`, {})).objects as Json[])[0];
    await lab.clock.advance(1_000);
    expect(await lab.status("drives", copy?.uuid)).to.equal("unavailable");
    expect((await lab.objects("jobs/"))[0]?.state).to.equal("failed");
    await lab.want(204, "DELETE", `drives/${String(copy?.uuid)}/`);
  });

  it("is steered over HTTP, and counts calls", async () => {
    const added = await lab.want(201, "POST", "/_local/faults", { at: 1, do: { status: 500 } });
    expect(added.ids).to.have.length(1);
    expect((await lab.call("POST", "/_local/faults", { nonsense: 1 })).status).to.equal(400);
    expect((await lab.call("GET", "tags/")).status).to.equal(500);
    await lab.want(204, "DELETE", "/_local/faults");
    const from = lab.cloud.calls.last;
    await lab.objects("tags/?limit=0");
    await lab.create("tags", { name: "x" });
    const log = (await lab.get(`/_local/calls?since=${from}`)).calls as Json[];
    expect(log.map((c) => [c.method, c.path, c.status])).to.deep.equal([["GET", "/api/2.0/tags/?limit=0", 200], ["POST", "/api/2.0/tags/", 201]]);
    expect(lab.cloud.calls.writes(from)).to.have.length(1);
    expect((await lab.get("/_local/status")).backend).to.equal("none");
  });
});
