import { expect } from "chai";
import { CloudError } from "../../../components/errors";
import type { Openstack, Service } from "../../../components/openstack/api";
import { listMarks, markIn, removeLost, type LostKind } from "../../../components/openstack/lost";
import { sweepGrid } from "../../../components/openstack/sweep-grid";

type Row = Record<string, unknown> & { readonly id: string };

const UID = "0123456789abcdef", OTHER = "fedcba9876543210";
const LIMITS = { pollMs: 1, seconds: 1 };
const mark = (uid: string, name: string): string => `elastigrid:${uid}/${name}#12345678 of p/s`;

/** A project's objects by their path, two grids and somebody's own; what is deleted is noted in order. */
class Project {
  readonly rows: Record<string, Row[]> = {};
  readonly deleted: string[] = [];
  /** Thrown by the next delete of a path. */
  readonly refusals = new Map<string, CloudError>();

  constructor() {
    for (const kind of ["networks", "subnets", "routers", "ports", "floatingips", "security-groups"])
      this.rows[`network /${kind}`] = [{ id: `${kind}-ours`, description: mark(UID, kind), project_id: "p" }, { id: `${kind}-theirs`, description: mark(OTHER, kind), project_id: "p" }, { id: `${kind}-plain`, description: `not of elastigrid:${UID}/x`, project_id: "p" }, { id: `${kind}-bare`, project_id: "p" }];
    (this.rows["network /ports"] ?? []).push({ id: "port-of-the-router", device_id: "routers-ours", fixed_ips: [{ subnet_id: "subnets-ours" }] });
    this.rows["volume /volumes/detail"] = [{ id: "volume-ours", status: "available", description: mark(UID, "master") }, { id: "volume-theirs", status: "available", description: mark(OTHER, "master") }, { id: "volume-bare", status: "available", description: null }];
    this.rows["image /images"] = [{ id: "image-ours", owner: "p", name: "i", description: mark(UID, "image") }, { id: "image-plain", owner: "p", name: "i" }];
    this.rows["compute /servers/detail"] = [{ id: "master", metadata: { "elastigrid-grid": UID, "elastigrid-id": "m1" } }, { id: "worker", metadata: { "elastigrid-grid": UID } }, { id: "server-theirs", metadata: { "elastigrid-grid": OTHER } }, { id: "server-plain", name: "grid-worker" }];
    this.rows["orchestration /stacks"] = [`elastigrid-${UID}-aa`, `elastigrid-${UID}-bb`, `elastigrid-${OTHER}-aa`, `mine-${UID}`].map((stack_name) => ({ id: `id-${stack_name}`, stack_name, stack_status: "CREATE_COMPLETE" }));
    this.rows["compute /os-keypairs"] = [`elastigrid-${UID}`, `elastigrid-${OTHER}`, "mine"].map((name) => ({ id: name, keypair: { name } }));
    this.rows["identity /users/u/application_credentials"] = [{ id: "ac-ours", name: `elastigrid-controller-${UID}-1`, access_rules: [{ id: "rule-1" }, { id: "rule-2" }] }, { id: "ac-plain", name: "mine" }];
  }

  readonly api = {
    session: async () => ({ projectId: "p", userId: "u", projectName: "demo", roles: [], expiresAtMs: 0 }),
    has: async () => "volume /volumes/detail" in this.rows,
    list: async (service: Service, path: string, _key: string, o?: { query?: Record<string, unknown> }) =>
      (this.rows[`${service} ${path}`] ?? []).filter((r) => Object.entries(o?.query ?? {}).every(([k, v]) => !(k in r) || r[k] === v)).filter((r) => o?.query?.["device_id"] === undefined || r["device_id"] === o.query["device_id"]),
    find: async (_service: Service, path: string) => {
      const found = (this.rows["orchestration /stacks"] ?? []).find((r) => path.endsWith(`/${r.id}`));
      return found === undefined ? undefined : { stack: found };
    },
    put: async (_service: Service, path: string) => void this.deleted.push(path),
    delete: async (service: Service, path: string) => {
      const refusal = this.refusals.get(path);
      this.refusals.delete(path);
      if (refusal !== undefined) throw refusal;
      const [, id = ""] = /\/([^/]+)$/.exec(path) ?? [];
      for (const rows of Object.entries(this.rows).filter(([k]) => k.startsWith(`${service} `)).map(([, r]) => r)) rows.splice(0, rows.length, ...rows.filter((r) => r.id !== id));
      this.deleted.push(path.replace(/^\/stacks\/[^/]+/, "/stacks"));
      return true;
    },
  } as unknown as Openstack;
  left(): string[] {
    return Object.values(this.rows).flat().map((r) => r.id);
  }
}

describe("the sweep of a destroy", () => {
  it("takes all that carries the grid's mark, and nothing else", async () => {
    const p = new Project(), before = p.left();
    await sweepGrid(p.api, { gridUid: UID, scope: "all" }, LIMITS);
    const gone = before.filter((id) => !p.left().includes(id));
    expect(gone).to.have.members([
      "networks-ours", "subnets-ours", "routers-ours", "ports-ours", "floatingips-ours", "security-groups-ours", "image-ours", "volume-ours", "master", "worker", `id-elastigrid-${UID}-aa`, `id-elastigrid-${UID}-bb`, `elastigrid-${UID}`, "ac-ours",
    ]);
  });
  it("takes them in the order in which OpenStack lets go", async () => {
    const p = new Project();
    await sweepGrid(p.api, { gridUid: UID, scope: "all" }, LIMITS);
    const at = (path: string): number => p.deleted.indexOf(path);
    const order = [`/stacks/id-elastigrid-${UID}-bb`, "/servers/worker", "/floatingips/floatingips-ours", "/ports/ports-ours", "/routers/routers-ours/remove_router_interface", "/routers/routers-ours", "/subnets/subnets-ours", "/networks/networks-ours", "/security-groups/security-groups-ours"];
    expect(order.map(at)).to.deep.equal(order.map(at).sort((a, b) => a - b)).and.not.include(-1);
  });
  it("leaves master and network to the engine where only stacks are swept", async () => {
    const p = new Project(), before = p.left();
    await sweepGrid(p.api, { gridUid: UID, scope: "stacks" }, LIMITS);
    expect(before.filter((id) => !p.left().includes(id))).to.have.members([`id-elastigrid-${UID}-aa`, `id-elastigrid-${UID}-bb`, "worker"]);
  });
  it("asks again for what is still in use", async () => {
    const p = new Project();
    p.refusals.set("/networks/networks-ours", new CloudError("wrong-state", "in use", { status: 409 }));
    await sweepGrid(p.api, { gridUid: UID, scope: "all" }, LIMITS);
    expect(p.left()).to.not.include("networks-ours");
  });
  it("waits for a volume that Cinder is still filling, and says which one it waited for in vain", async () => {
    const p = new Project();
    const [volume] = p.rows["volume /volumes/detail"] as [{ status: string } & Row];
    Object.assign(volume, { status: "downloading" });
    setTimeout(() => Object.assign(volume, { status: "available" }), 20);
    await sweepGrid(p.api, { gridUid: UID, scope: "all" }, LIMITS);
    expect(p.left()).to.include.members(["volume-theirs", "volume-bare"]).and.not.include("volume-ours");
    const stuck = new Project();
    Object.assign(stuck.rows["volume /volumes/detail"]?.[0] as object, { status: "creating" });
    const e = await sweepGrid(stuck.api, { gridUid: UID, scope: "all" }, { pollMs: 1, seconds: 0.05 }).then(() => undefined, (x: unknown) => x);
    expect((e as Error).message).to.match(/volume volume-ours is still there.*creating/);
  });
  it("works on a cloud without Cinder", async () => {
    const p = new Project();
    delete p.rows["volume /volumes/detail"];
    await sweepGrid(p.api, { gridUid: UID, scope: "all" }, LIMITS);
    expect(p.left()).to.not.include("master");
  });
  it("takes the access rules of the credential too, but for those that another one has", async () => {
    const p = new Project();
    p.refusals.set("/users/u/access_rules/rule-1", new CloudError("auth", "in use", { status: 403 }));
    await sweepGrid(p.api, { gridUid: UID, scope: "all" }, LIMITS);
    expect(p.deleted.filter((d) => d.includes("access_rules"))).to.deep.equal(["/users/u/access_rules/rule-2"]);
  });
  it("refuses to sweep without a grid", async () => {
    const p = new Project();
    const e = await sweepGrid(p.api, { gridUid: "", scope: "all" }, LIMITS).then(() => undefined, (x: unknown) => x);
    expect(e).to.be.instanceOf(CloudError);
    expect(p.deleted).to.deep.equal([]);
  });
});

describe("what a create may have made whose answer was lost", () => {
  const table: ReadonlyArray<readonly [LostKind, Record<string, unknown>, string]> = [
    ["networks", { description: mark(UID, "networks") }, "networks-ours"],
    ["security-groups", { description: mark(UID, "security-groups") }, "security-groups-ours"],
    ["server", { metadata: { "elastigrid-id": "m1" } }, "master"],
    ["stack", { name: `elastigrid-${UID}-bb` }, `id-elastigrid-${UID}-bb`],
    ["application credential", { name: `elastigrid-controller-${UID}-1` }, "ac-ours"],
    ["image", { name: "i", properties: { description: mark(UID, "image") } }, "image-ours"],
    ["keypair", { name: `elastigrid-${UID}` }, `elastigrid-${UID}`],
  ];
  for (const [kind, inputs, id] of table)
    it(`is found and removed, it alone: ${kind}`, async () => {
      const p = new Project(), before = p.left();
      expect([...(await listMarks(p.api, kind))]).to.include(markIn(kind, inputs));
      expect(await removeLost(p.api, kind, inputs, LIMITS)).to.equal(true);
      expect(before.filter((x) => !p.left().includes(x))).to.deep.equal([id]);
    });
  for (const [kind, inputs] of [["networks", { description: "somebody's" }], ["networks", {}], ["server", {}], ["server", { metadata: {} }], ["image", { name: "i" }], ["stack", { name: "other" }], ["application credential", { name: "" }], ["keypair", {}], [undefined, { name: "x" }]] as ReadonlyArray<readonly [LostKind | undefined, Record<string, unknown>]>)
    it(`is nothing where there is no mark: ${String(kind)} ${JSON.stringify(inputs)}`, async () => {
      const p = new Project();
      expect(await removeLost(p.api, kind, inputs, LIMITS)).to.equal(false);
      expect(p.deleted).to.deep.equal([]);
    });
  it("may be a router's interface, known by both ends", async () => {
    const p = new Project();
    expect(await removeLost(p.api, "router interface", { routerId: "routers-ours", subnetId: "subnets-ours" }, LIMITS)).to.equal(true);
    expect(await removeLost(p.api, "router interface", { routerId: "routers-ours", subnetId: "another" }, LIMITS)).to.equal(false);
    expect(p.deleted).to.deep.equal(["/routers/routers-ours/remove_router_interface"]);
  });
});
