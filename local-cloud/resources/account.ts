import { invalid } from "../api-error";
import { listOf, type View } from "../api/envelope";
import { isObject } from "../api/read-body";
import { ok, type Router } from "../api/router";
import { API, jobView, timeText, userRef } from "../api/views";
import type { World } from "../api/world";
import { subscriptionStatus } from "../life/money";
import { priceOf, PRICES } from "../life/prices";
import type { AuditRow, JobRow, LedgerRow } from "../model/rows";
import { capabilitiesView } from "./capabilities";
import { need, param } from "./common";

const FINISHED_JOBS_KEPT_MS = 3 * 86_400_000;
const LOCATION = "LOC";

const PROFILE: View = {
  address: "", api_https_only: false, autotopup_amount: "0E-16", autotopup_threshold: "0E-16", bank_reference: "local", clone_naming: "NONE", company: "", country: "CH", currency: "EUR",
  email: "local@cloud.invalid", first_name: "Local", has_autotopup: false, has_tx_autotopup: false, invoicing: true, key_auth: false, language: "EN", last_name: "Cloud", mailing_list: false, meta: {},
  my_notes: "", network_restrictions: null, nickname: "", phone: "", postcode: "", reseller: "", signup_time: "2030-01-01T00:00:00.000001+00:00", state: "REGULAR", tax_name: null, tax_rate: null,
  title: "", town: "", tx_autotopup_amount: "0E-16", tx_autotopup_threshold: "0E-16", uuid: "", vat: "",
};
const READ_ONLY = ["bank_reference", "currency", "email", "network_restrictions", "state", "tax_name", "tax_rate", "uuid", "signup_time", "country"];

export function accountRoutes(world: World, router: Router, email: string): void {
  const { account } = world.store;
  const profile = (): View => ({ ...PROFILE, email, ...account.profile, uuid: account.uuid });
  router.on("GET", "/profile/", () => ok(profile()));
  router.on("PUT", "/profile/", (c) => {
    if (!isObject(c.body)) throw invalid(null, "the body must be an object");
    for (const [key, value] of Object.entries(c.body)) if (key in PROFILE && !READ_ONLY.includes(key)) account.profile[key] = value;
    world.store.touch();
    return ok(profile());
  });
  router.on("GET", "/balance/", () => ok({ balance: account.balance.toFixed(10), credit_limit: null, currency: "EUR" }));
  const context = (): View => account.globalContext;
  router.on("GET", "/global_context/", () => ok(context()));
  router.on("POST", "/global_context/", (c) => {
    if (!isObject(c.body)) throw invalid(null, "the body must be an object");
    account.globalContext = c.body;
    world.store.touch();
    return ok(context());
  });
  router.on("GET", "/locations/", (c) => {
    const site = new URL("/ui/", world.endpoint).href;
    const row = {
      alternative_frontend_url: site, api_endpoint: world.guestEndpoint, country_code: "CH", default_frontend_signup_url: site, default_frontend_url: site, display_name: "This computer",
      documentation_url: new URL("/docs/", world.endpoint).href, id: LOCATION, upload_url: world.endpoint, websocket_url: world.endpoint.replace(/^http/, "ws").replace(/api\/2\.0\/$/, "websocket"),
    };
    return ok(listOf({ rows: [row], view: (r) => r }, c.query));
  });
  router.on("GET", "/capabilities/", () => ok(capabilitiesView(world.store)));
  router.on("GET", "/cloud_status/", () =>
    ok({ free_tier: { dssd: 0, mem: 0 }, free_tier_monthly: { tx: 5_368_709_120 }, guest: true, host_availability_zones: false, remote_snapshots: false, signup: false, sso: ["none"], trial: false, vmware: false, vpc: false }));

  const jobs = (): JobRow[] => {
    const now = world.clock.now();
    for (const j of [...world.store.jobs.all()]) if (j.state !== "started" && j.modifiedMs + FINISHED_JOBS_KEPT_MS < now) world.store.jobs.remove(j.uuid);
    return [...world.store.jobs.all()].sort((a, b) => b.modifiedMs - a.modifiedMs);
  };
  router.on("GET", "/jobs/", (c) => ok(listOf({ rows: jobs(), view: (j) => jobView(world, j), filters: { state: (j, v) => j.state === v, uuid: (j, v) => j.uuid === v }, order: { last_modified: (j) => j.modifiedMs } }, c.query)));
  router.on("GET", "/jobs/{}/", (c) => ok(jobView(world, need(world, world.store.jobs, param(c)))));

  const audit = (a: AuditRow): View => ({
    action: a.action, actor: userRef(account.uuid), category: a.category, details: a.details, error_message: a.error_message, error_point: a.error_point, error_type: a.error_type, success: a.success,
    timestamp: timeText(a.atMs, " "), uuid: a.uuid,
  });
  router.on("GET", "/logs/", (c) =>
    ok(listOf({ rows: [...world.store.audit].reverse(), view: audit, filters: { uuid: (a, v) => a.uuid === v, action: (a, v) => a.action === v, category: (a, v) => a.category === v } }, c.query)));
  router.on("POST", "/accounts/action/?do=authenticate_asynchronous", () => ({ status: 200, body: {}, headers: { "set-cookie": "async_auth=local; Max-Age=120; Path=/" } }));
}

interface Usage {
  readonly resource: string;
  readonly using: number;
  readonly subscribed: number;
}

/** What runs now and what subscriptions cover, per resource. */
export function usage(world: World): Usage[] {
  const { store } = world;
  const using = new Map<string, number>(["cpu", "dssd", "intel_cpu", "ip", "mem", "vlan"].map((r) => [r, 0]));
  const add = (resource: string, n: number): void => void using.set(resource, (using.get(resource) ?? 0) + n);
  for (const s of store.servers.all())
    if (s.status === "running" || s.status === "starting") {
      add(s.cpu_type === "intel" ? "intel_cpu" : "cpu", s.cpu);
      add("mem", s.mem);
    }
  for (const d of store.drives.all()) add(d.storage_type, d.size);
  add("ip", store.ips.size);
  add("vlan", store.vlans.size);
  const now = world.clock.now();
  const active = [...store.subscriptions.all()].filter((s) => subscriptionStatus(s, now) === "active");
  return [...using].map(([resource, n]) => ({ resource, using: n, subscribed: active.filter((s) => s.resource === resource).reduce((sum, s) => sum + Number(s.amount), 0) }));
}

/** Money calls: enough for a client to show them; the sums are invented, their shapes are not. */
export function billingRoutes(world: World, router: Router): void {
  const { store } = world;
  router.on("GET", "/currentusage/", () => {
    const rows = usage(world).map((u) => [u.resource, { burst: Math.max(0, u.using - u.subscribed), subscribed: u.subscribed, using: u.using }]);
    return ok({ balance: { balance: store.account.balance.toFixed(2), currency: "EUR" }, usage: Object.fromEntries(rows) });
  });
  router.on("GET", "/pricing/", (c) => {
    const levels = Object.fromEntries(Object.keys(PRICES).map((r) => [r, 1]));
    const rows = Object.entries(PRICES).flatMap(([resource, p]) => [0, 1].map((level) => ({ currency: "EUR", level, multiplier: p.multiplier, price: p.perMonth.toFixed(20), resource, unit: p.unit })));
    return ok(listOf({ rows: rows.map((r, i) => ({ ...r, id: String(600 + i) })), view: (r) => r, filters: { level: (r, v) => String(r.level) === v, resource: (r, v) => r.resource === v }, root: { current: levels, next: levels } }, c.query));
  });
  router.on("GET", "/discount/", (c) => ok(listOf({ rows: [{ period: "3 months", value: "0.0300000000" }], view: (r) => r }, c.query)));
  router.on("GET", "/licenses/", (c) => {
    const rows = [...world.library.values()].flatMap((l) => l.licenses.map((x) => x.license));
    return ok(listOf({ rows, view: (r) => ({ ...r }) }, c.query));
  });
  const ledger = (l: LedgerRow): View => ({
    amount: l.amount, billing_cycle: Math.floor(l.atMs / 300_000), end: l.end, human_interval: "5 minutes", id: String(l.id), initial: l.initial, interval: 300, poll_time: timeText(l.atMs), reason: l.reason,
    resource_amount: l.resource_amount, time: timeText(l.atMs),
  });
  router.on("GET", "/ledger/", (c) => ok(listOf({ rows: [...store.ledger].reverse(), view: ledger }, c.query)));
  const running = (): { amount: number; resource: string; uuid: string }[] =>
    [...store.servers.all()].filter((s) => s.status === "running").flatMap((s) => [{ amount: s.cpu, resource: "cpu", uuid: s.uuid }, { amount: s.mem, resource: "mem", uuid: s.uuid }]);
  router.on("GET", "/usage/", (c) => ok(listOf({ rows: running(), view: (r) => ({ amount: String(r.amount), poll_time: timeText(world.clock.now()), resource: r.resource, uuid: r.uuid }) }, c.query)));
  const FIVE_MINUTES_MS = 300_000;
  // recorded without the meta of other lists, and with numbers
  router.on("GET", "/burstusage/", () => ok({ objects: running().map((r) => ({ amount: Number(priceOf(r.resource, r.amount, FIVE_MINUTES_MS).toFixed(6)), resource_type: r.resource, usage: r.amount, uuid: r.uuid })) }));
  router.on("GET", "/dailyburstusage/", (c) => {
    const date = new Date(world.clock.now()).toISOString().slice(0, 10);
    const rows = usage(world).filter((u) => u.using > u.subscribed).map((u) => ({ amount: priceOf(u.resource, u.using - u.subscribed, 86_400_000).toFixed(4), date, resource_type: u.resource, usage: u.using - u.subscribed }));
    return ok(listOf({ rows, view: (r) => r }, c.query));
  });
  const contact = { email: "local@cloud.invalid", main: true, name: "main", phone: "", resource_uri: `${API}/notification_contacts/f348943f-fae6-4032-a4cb-75e322e4beda/`, uuid: "f348943f-fae6-4032-a4cb-75e322e4beda" };
  router.on("GET", "/notification_contacts/", (c) => ok(listOf({ rows: [contact], view: (r) => r }, c.query)));
  router.on("GET", "/notification_preferences/", (c) => ok(listOf({ rows: [{ contact: contact.resource_uri, medium: "email", type: "stop_servers", value: true }], view: (r) => r }, c.query)));
}

const SCHEMA_KINDS = ["servers", "drives", "libdrives", "snapshots", "tags", "acls", "keypairs", "vlans", "ips", "jobs", "subscriptions"];

/** A minimal schema: which filters and orders a list takes. */
export function schemaRoutes(router: Router): void {
  const field = (type: string, readonly: boolean): View => ({ default: null, help_text: "", readonly, required: false, type });
  for (const kind of SCHEMA_KINDS)
    router.on("GET", `/${kind}/schema/`, () =>
      ok({
        allowed_detail_http_methods: ["get", "put", "delete"], allowed_list_http_methods: ["get", "post"], default_format: "application/json", default_limit: 20,
        fields: { meta: { ...field("dict", false), default: {} }, uuid: { ...field("string", true), required: true } },
        filtering: { name: "exact", name__contains: "exact", tag: "exact", uuid: "exact" }, ordering: ["uuid", "name"],
      }));
}
