import { commonFilters, commonOrder, listOf } from "../api/envelope";
import { isObject, objectsOf, Reader } from "../api/read-body";
import { created, noContent, ok, type Call, type Reply, type Router } from "../api/router";
import { forbidden } from "../api-error";
import { fwPolicyView, ipView, vlanView } from "../api/views";
import type { World } from "../api/world";
import { newUuid } from "../model/ids";
import type { FwPolicyRow, IpRow, VlanRow } from "../model/rows";
import { need, needOwn, param } from "./common";
import { readTags } from "./server-body";

/** VLANs and addresses come and go with subscriptions; only their meta and tags can be written. */
export function networkRoutes(world: World, router: Router): void {
  const { store } = world;
  const update = (row: VlanRow | IpRow, body: unknown): void => {
    const r = new Reader(isObject(body) ? body : {});
    r.requires("meta");
    const change = { meta: r.meta("meta", row.meta), tags: readTags(world, r, row.tags) };
    r.done();
    Object.assign(row, change);
    store.touch();
  };
  const vlans = (c: Call, shortKeys?: string[]): Reply =>
    ok(listOf({ rows: store.vlans.listed(world.clock.now(), 0), view: (v) => vlanView(world, v), shortKeys, filters: commonFilters, order: commonOrder }, c.query));
  router.on("GET", "/vlans/", (c) => vlans(c, ["owner", "resource_uri", "uuid"]));
  router.on("GET", "/vlans/detail/", (c) => vlans(c));
  router.on("GET", "/vlans/{}/", (c) => ok(vlanView(world, need(world, store.vlans, param(c)))));
  router.on("PUT", "/vlans/{}/", (c) => {
    const row = needOwn(world, store.vlans, param(c));
    update(row, c.body);
    return ok(vlanView(world, row));
  });
  const ips = (c: Call, shortKeys?: string[]): Reply =>
    ok(listOf({ rows: store.ips.listed(world.clock.now(), 0), view: (i) => ipView(world, i), shortKeys, filters: commonFilters, order: commonOrder }, c.query));
  router.on("GET", "/ips/", (c) => ips(c, ["owner", "resource_uri", "server", "uuid"]));
  router.on("GET", "/ips/detail/", (c) => ips(c));
  router.on("GET", "/ips/{}/", (c) => ok(ipView(world, need(world, store.ips, param(c)))));
  router.on("PUT", "/ips/{}/", (c) => {
    const row = needOwn(world, store.ips, param(c));
    update(row, c.body);
    return ok(ipView(world, row));
  });
}

const RULE_KEYS = ["action", "comment", "direction", "dst_ip", "dst_port", "ip_proto", "src_ip", "src_port"];

/** Firewall policies were decommissioned by the service: off unless asked for, and they filter nothing. */
export function fwPolicyRoutes(world: World, router: Router): void {
  const { store } = world;
  const read = (r: Reader, before: FwPolicyRow | undefined): Pick<FwPolicyRow, "name" | "meta" | "tags" | "rules"> => {
    const rules = r.has("rules")
      ? r.readers("rules").map((x) => {
          x.requires("action", "direction");
          x.choice("action", "drop", ["accept", "drop"]);
          x.choice("direction", "in", ["in", "out", "both"]);
          return Object.fromEntries(RULE_KEYS.map((k) => [k, ruleValue(k, x.body[k])]));
        })
      : (before?.rules ?? []);
    const policy = { name: r.nullableString("name", before?.name ?? null), meta: r.meta("meta", before?.meta ?? {}), tags: readTags(world, r, before?.tags ?? []), rules };
    r.done();
    return policy;
  };
  const list = (c: Call, shortKeys?: string[]): Reply =>
    ok(listOf({ rows: [...store.fwpolicies.all()], view: (f) => fwPolicyView(world, f), shortKeys, filters: commonFilters, order: commonOrder }, c.query));
  router.on("GET", "/fwpolicies/", (c) => list(c, ["meta", "name", "owner", "resource_uri", "uuid"]));
  router.on("GET", "/fwpolicies/detail/", (c) => list(c));
  router.on("POST", "/fwpolicies/", (c) => {
    const rows = objectsOf(c.body).map((b) => ({ ...read(new Reader(b), undefined), uuid: newUuid(), owner: store.account.uuid, createdMs: world.clock.now() }));
    return created(rows.map((row) => fwPolicyView(world, store.fwpolicies.add(row))));
  });
  router.on("GET", "/fwpolicies/{}/", (c) => ok(fwPolicyView(world, need(world, store.fwpolicies, param(c)))));
  router.on("PUT", "/fwpolicies/{}/", (c) => {
    const row = needOwn(world, store.fwpolicies, param(c));
    Object.assign(row, read(new Reader(isObject(c.body) ? c.body : {}), row));
    store.touch();
    return ok(fwPolicyView(world, row));
  });
  router.on("DELETE", "/fwpolicies/{}/", (c) => {
    const row = needOwn(world, store.fwpolicies, param(c), "DELETE");
    if (store.usersOf(row.uuid).length > 0) throw forbidden(`Cannot delete firewall policy ${row.uuid}: servers use it`);
    store.fwpolicies.remove(row.uuid);
    return noContent;
  });
}

function ruleValue(key: string, v: unknown): unknown {
  if (v === undefined || v === null) return null;
  if (key.endsWith("_port")) return String(v);
  return key.endsWith("_ip") && typeof v === "string" && !v.includes("/") ? `${v}/32` : v;
}
