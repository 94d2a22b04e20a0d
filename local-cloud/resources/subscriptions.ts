import { notExist } from "../api-error";
import { listOf, type View } from "../api/envelope";
import { isObject, objectsOf, Reader } from "../api/read-body";
import { created, ok, type Call, type Router } from "../api/router";
import { API, timeText } from "../api/views";
import type { World } from "../api/world";
import { addPeriod, buy, byId, extend, offersOf, periodText, subscriptionStatus, totalPrice, type Offer } from "../life/money";
import { priceOf } from "../life/prices";
import type { SubscriptionRow } from "../model/rows";
import { param } from "./common";

const offerView = (o: Offer): View => ({
  amount: o.amount, discount_amount: "0E-24", discount_percent: "0", discounts: {}, end_time: timeText(o.endMs), free_tier: false, period: periodText(o.endMs - o.startMs), price: o.price, resource: o.resource,
  start_time: timeText(o.startMs), was_billed: true,
});

export function subscriptionView(world: World, s: SubscriptionRow): View {
  const link = (id: number): View => ({ id: String(id), resource_uri: `${API}/subscriptions/${id}/` });
  return {
    amount: s.amount, auto_renew: s.auto_renew, descendants: s.descendants.map(link), discount_amount: "0", discount_percent: "0", discounts: {}, end_time: timeText(s.endMs), free_tier: false, id: String(s.id),
    period: periodText(s.endMs - s.startMs), price: s.price, remaining: s.amount, resource: s.resource, resource_uri: `${API}/subscriptions/${s.id}/`, start_time: timeText(s.startMs),
    status: subscriptionStatus(s, world.clock.now()), subscribed_object: s.subscribed_object, uuid: s.uuid, was_billed: true,
  };
}

export function subscriptionRoutes(world: World, router: Router): void {
  const { store } = world;
  const one = (c: Call): SubscriptionRow => {
    const row = byId(world, param(c));
    if (row === undefined) throw notExist(param(c));
    return row;
  };
  const view = (s: SubscriptionRow): View => subscriptionView(world, s);
  const filters = {
    resource: (s: SubscriptionRow, v: string) => s.resource === v,
    subscribed_object: (s: SubscriptionRow, v: string) => s.subscribed_object === v,
    status: (s: SubscriptionRow, v: string) => {
      const status = subscriptionStatus(s, world.clock.now());
      return v === "all" || v === status || (v === "notexpired" && status !== "expired");
    },
  };
  const order = { id: (s: SubscriptionRow) => s.id, start_time: (s: SubscriptionRow) => s.startMs, end_time: (s: SubscriptionRow) => s.endMs };
  for (const path of ["/subscriptions/", "/subscriptions/detail/"])
    router.on("GET", path, (c) => ok(listOf({ rows: [...store.subscriptions.all()], view, filters, order, root: { price: "0E-20" } }, c.query)));
  router.on("GET", "/groupedsubscriptions/", (c) => {
    const followers = new Set([...store.subscriptions.all()].flatMap((s) => s.descendants));
    const heads = [...store.subscriptions.all()].filter((s) => !followers.has(s.id));
    const last = (s: SubscriptionRow): SubscriptionRow => s.descendants.map((d) => byId(world, d)).filter((d) => d !== undefined).at(-1) ?? s;
    return ok(listOf({ rows: heads, view: (s) => ({ ...view(s), end_time: timeText(last(s).endMs) }), filters, order, root: { price: "0E-20" } }, c.query));
  });
  router.on("POST", "/subscriptions/", (c) => {
    const rows = buy(world, offersOf(objectsOf(c.body), world.clock.now()));
    return created(rows.map(view), { price: totalPrice(rows).toFixed(10) });
  });
  router.on("GET", "/subscriptions/{}/", (c) => ok(view(one(c))));
  router.on("POST", "/subscriptions/{}/action/?do=auto_renew", (c) => {
    const row = one(c);
    const r = new Reader(isObject(c.body) ? c.body : {});
    row.auto_renew = r.bool("auto_renew", !row.auto_renew);
    r.done();
    store.touch();
    return ok(view(row));
  });
  const newEnd = (c: Call, row: SubscriptionRow): number | undefined => {
    const r = new Reader(isObject(c.body) ? c.body : {});
    const end = r.nullableString("end_time", null);
    const period = r.nullableString("period", null);
    const ms = end !== null && end !== "" ? Date.parse(end) : period !== null && period !== "" ? addPeriod(row.endMs, period) : undefined;
    if (Number.isNaN(ms) || ((period ?? "") !== "" && ms === undefined)) r.fail("period", "must be a length such as 1 month");
    r.done();
    return ms;
  };
  router.on("POST", "/subscriptions/{}/action/?do=extend", (c) => {
    const row = one(c);
    return ok(view(extend(world, row, newEnd(c, row))));
  });
  router.on("POST", "/subscriptioncalculator/", (c) => {
    const offers = offersOf(objectsOf(c.body), world.clock.now());
    return ok({ objects: offers.map(offerView), price: totalPrice(offers).toFixed(10) });
  });
  router.on("POST", "/subscriptioncalculator/{}/action/?do=extend", (c) => {
    const row = one(c);
    const startMs = row.endMs;
    const endMs = newEnd(c, row) ?? startMs + (row.endMs - row.startMs);
    return ok(offerView({ resource: row.resource, amount: row.amount, auto_renew: row.auto_renew, startMs, endMs, price: priceOf(row.resource, Number(row.amount), endMs - startMs).toFixed(10) }));
  });
}
