import { invalid, noCapacity, noFunds } from "../api-error";
import { Reader, type Body } from "../api/read-body";
import { audit, type World } from "../api/world";
import { newUuid } from "../model/ids";
import type { SubscriptionRow } from "../model/rows";
import { freeAddresses } from "./power";
import { priceOf, PRICES } from "./prices";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const MOST_PER_CALL = 500;
const UNIT_MS: Readonly<Record<string, number>> = { hour: HOUR_MS, day: DAY_MS, week: 7 * DAY_MS };

export const nextNoon = (ms: number): number => Math.ceil((ms - DAY_MS / 2) / DAY_MS) * DAY_MS + DAY_MS / 2;
export const previousNoon = (ms: number): number => Math.floor((ms - DAY_MS / 2) / DAY_MS) * DAY_MS + DAY_MS / 2;

/** End of a period such as `1 month`, `2 months 1 week` or `31 days, 1:31:53`; undefined when it cannot be read. */
export function addPeriod(startMs: number, text: string): number | undefined {
  let rest = text.toLowerCase();
  let months = 0;
  let ms = 0;
  rest = rest.replace(/(\d+):(\d+):(\d+)(\.\d+)?/, (_, h: string, m: string, s: string) => ((ms += (Number(h) * 3600 + Number(m) * 60 + Number(s)) * 1000), ""));
  rest = rest.replace(/(\d+)\s*(year|month|week|day|hour)s?/g, (_, n: string, unit: string) => {
    if (unit === "year" || unit === "month") months += Number(n) * (unit === "year" ? 12 : 1);
    else ms += Number(n) * (UNIT_MS[unit] ?? 0);
    return "";
  });
  if (rest.replace(/[\s,]|and/g, "") !== "" || (months === 0 && ms === 0)) return undefined;
  const d = new Date(startMs);
  const day = d.getUTCDate();
  d.setUTCDate(1);
  d.setUTCMonth(d.getUTCMonth() + months);
  d.setUTCDate(Math.min(day, new Date(Date.UTC(d.getUTCFullYear(), d.getUTCMonth() + 1, 0)).getUTCDate()));
  return d.getTime() + ms;
}

/** As the service shows lengths of time: `31 days, 1:31:53.888650`. */
export function periodText(ms: number): string {
  const days = Math.floor(ms / DAY_MS);
  const left = ms - days * DAY_MS;
  const two = (n: number): string => String(Math.floor(n)).padStart(2, "0");
  const clock = `${Math.floor(left / HOUR_MS)}:${two((left % HOUR_MS) / 60_000)}:${two((left % 60_000) / 1000)}${left % 1000 === 0 ? "" : `.${String(left % 1000).padStart(3, "0")}000`}`;
  return `${days} ${days === 1 ? "day" : "days"}, ${clock}`;
}

interface Times {
  readonly startMs: number;
  readonly endMs: number;
}

/** Times of a purchase from period, start_time and end_time, snapped to noon UTC (section 14.1). */
export function purchaseTimes(r: Reader, nowMs: number): Times {
  const text = (key: string): string => r.nullableString(key, null) ?? "";
  const period = text("period");
  const at = (key: string): number | undefined => {
    const v = text(key);
    if (v === "") return undefined;
    const ms = Date.parse(v);
    if (Number.isNaN(ms)) r.fail(key, "must be a time such as 2031-01-02T12:00:00+00:00");
    return ms;
  };
  const start = at("start_time");
  const end = at("end_time");
  if (period !== "" && start !== undefined && end !== undefined) r.fail("period", "period, start_time and end_time together are ambiguous");
  if (period === "" && end === undefined) r.fail("period", "give a period or an end_time");
  r.done();
  if (end !== undefined && period !== "") {
    const length = (addPeriod(end, period) ?? end) - end;
    return { startMs: Math.max(nowMs, previousNoon(end - length)), endMs: nextNoon(end) };
  }
  const startMs = start === undefined ? nowMs : Math.max(nowMs, previousNoon(start));
  const endMs = end ?? addPeriod(startMs, period);
  if (endMs === undefined) throw invalid("period", "must be a length such as 1 month");
  if (endMs <= startMs) throw invalid("end_time", "must be later than the start");
  return { startMs, endMs: nextNoon(endMs) };
}

export type Offer = Omit<SubscriptionRow, "id" | "uuid" | "owner" | "createdMs" | "subscribed_object" | "descendants" | "closed">;

/** What a purchase would be; several offers where an amount of addresses or VLANs is asked for. */
export function offersOf(bodies: readonly Body[], nowMs: number): Offer[] {
  const offers = bodies.flatMap((body) => {
    const r = new Reader(body);
    r.requires("resource");
    const resource = r.string("resource", "").replace(/^hdd$/, "dssd");
    if (resource !== "" && PRICES[resource] === undefined) r.fail("resource", `resource ${resource} is not offered`);
    const amount = r.int("amount", 1, { min: 1 });
    const autoRenew = r.bool("auto_renew", true);
    const { startMs, endMs } = purchaseTimes(r, nowMs);
    const single = resource === "ip" || resource === "vlan";
    const each: Offer = { resource, amount: String(single ? 1 : amount), auto_renew: autoRenew, startMs, endMs, price: priceOf(resource, single ? 1 : amount, endMs - startMs).toFixed(10) };
    return single ? Array.from({ length: Math.min(amount, MOST_PER_CALL + 1) }, () => each) : [each];
  });
  if (offers.length > MOST_PER_CALL) throw invalid("amount", `at most ${MOST_PER_CALL} subscriptions per call`);
  return offers;
}

export const totalPrice = (offers: readonly { price: string }[]): number => offers.reduce((sum, o) => sum + Number(o.price), 0);

/** Pays and makes the subscriptions; addresses and VLANs exist at once. All or nothing. */
export function buy(world: World, offers: readonly Offer[], objectOf?: string): SubscriptionRow[] {
  const { store } = world;
  const total = totalPrice(offers);
  if (store.account.balance < total) throw noFunds(`the balance of ${store.account.balance.toFixed(2)} does not cover ${total.toFixed(2)}`);
  const addresses = freeAddresses(world, objectOf === undefined ? offers.filter((o) => o.resource === "ip").length : 0);
  if (objectOf === undefined && addresses.length < offers.filter((o) => o.resource === "ip").length) throw noCapacity("no public address is left to subscribe");
  return offers.map((offer) => {
    const id = store.takeSubscriptionId();
    const owner = store.account.uuid;
    const createdMs = world.clock.now();
    let object = objectOf ?? null;
    if (object === null && offer.resource === "ip") {
      object = addresses.shift() ?? null;
      if (object !== null) store.ips.add({ uuid: object, owner, createdMs, meta: {}, tags: [], subscription: id, lent: null });
    } else if (object === null && offer.resource === "vlan") {
      object = newUuid();
      store.vlans.add({ uuid: object, owner, createdMs, meta: {}, tags: [], subscription: id });
    }
    charge(world, Number(offer.price), `Subscription: ${offer.amount} of ${offer.resource}`, offer.amount);
    return store.subscriptions.add({ ...offer, id, uuid: newUuid(), owner, createdMs, subscribed_object: object, descendants: [], closed: false });
  });
}

function charge(world: World, amount: number, reason: string, resourceAmount: string): void {
  const { account, ledger } = world.store;
  const initial = account.balance;
  account.balance -= amount;
  ledger.push({ id: 39_509_000 + ledger.length, amount: amount.toFixed(10), end: account.balance.toFixed(10), initial: initial.toFixed(10), reason, resource_amount: resourceAmount, atMs: world.clock.now() });
  world.store.touch();
}

export function subscriptionStatus(row: SubscriptionRow, nowMs: number): "active" | "inactive" | "expired" {
  return nowMs >= row.endMs ? "expired" : nowMs < row.startMs ? "inactive" : "active";
}

/** Buys the follow-up of the last link of a chain. */
export function extend(world: World, first: SubscriptionRow, endMs?: number): SubscriptionRow {
  const last = first.descendants.map((d) => byId(world, d)).filter((d) => d !== undefined).at(-1) ?? first;
  const startMs = last.endMs;
  const end = endMs ?? startMs + (last.endMs - last.startMs);
  const price = priceOf(last.resource, Number(last.amount), end - startMs).toFixed(10);
  const [next] = buy(world, [{ resource: last.resource, amount: last.amount, auto_renew: last.auto_renew, startMs, endMs: nextNoon(end), price }], last.subscribed_object ?? undefined);
  if (next === undefined) throw invalid(null, "nothing to extend");
  first.descendants.push(next.id);
  if (last !== first) last.descendants.push(next.id);
  last.closed = true;
  world.store.touch();
  return next;
}

export function byId(world: World, id: number | string): SubscriptionRow | undefined {
  for (const s of world.store.subscriptions.all()) if (s.id === Number(id) || s.uuid === id) return s;
  return undefined;
}

/** Renews or ends what is due. Called before every request, so no timer is needed for months ahead. */
export function settleSubscriptions(world: World): void {
  const now = world.clock.now();
  // follow-ups made here are seen by the same loop, so that months without a request are caught up with
  for (const row of world.store.subscriptions.all()) {
    if (row.closed || row.endMs > now) continue;
    if (row.auto_renew && world.store.account.balance >= Number(row.price)) {
      const next = extend(world, row);
      relink(world, row.subscribed_object, next.id);
      continue;
    }
    row.closed = true;
    world.store.touch();
    if (row.subscribed_object !== null) expire(world, row.subscribed_object);
  }
  for (const row of world.store.subscriptions.all()) if (row.startMs <= now && now < row.endMs) relink(world, row.subscribed_object, row.id);
}

function relink(world: World, object: string | null, id: number): void {
  if (object === null) return;
  const thing = world.store.vlans.get(object) ?? world.store.ips.get(object);
  if (thing !== undefined && thing.subscription !== id) {
    thing.subscription = id;
    world.store.touch();
  }
}

/**
 * Vanishes, unless a server still uses it: then it goes on, on burst, until the server lets go. (The service does so for
 * static addresses; what it does with VLANs is not known.)
 */
function expire(world: World, object: string): void {
  const { store } = world;
  const thing = store.vlans.get(object) ?? store.ips.get(object);
  if (thing === undefined) return;
  const followed = [...store.subscriptions.all()].some((s) => s.subscribed_object === object && !s.closed);
  if (followed) return;
  audit(world, "delete", "Networking", object);
  thing.subscription = null;
  if (store.usersOf(object).length === 0) (store.vlans.remove(object), store.ips.remove(object));
  else store.touch();
}

/** What a server no longer uses and nobody pays for goes. */
export function dropUnpaid(world: World, things: readonly string[]): void {
  for (const thing of things) {
    const row = world.store.vlans.get(thing) ?? world.store.ips.get(thing);
    const lent = world.store.ips.get(thing)?.lent;
    if (row === undefined || row.subscription !== null || lent || world.store.usersOf(thing).length > 0) continue;
    world.store.vlans.remove(thing);
    world.store.ips.remove(thing);
  }
}
