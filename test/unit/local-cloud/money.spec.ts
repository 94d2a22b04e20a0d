import { expect } from "chai";
import { addPeriod, nextNoon, periodText, previousNoon } from "../../../local-cloud/life/money";
import { Lab, type Json } from "./lab";

const at = (text: string): number => Date.parse(text);
const DAY_MS = 86_400_000;

describe("times of subscriptions", () => {
  it("snaps to noon UTC", () => {
    expect(nextNoon(at("2031-01-02T03:00Z"))).to.equal(at("2031-01-02T12:00Z"));
    expect(nextNoon(at("2031-01-02T12:00Z"))).to.equal(at("2031-01-02T12:00Z"));
    expect(nextNoon(at("2031-01-02T12:01Z"))).to.equal(at("2031-01-03T12:00Z"));
    expect(previousNoon(at("2031-01-02T03:00Z"))).to.equal(at("2031-01-01T12:00Z"));
  });
  const periods: readonly (readonly [string, string | undefined])[] = [
    ["1 month", "2031-02-28T03:00:00.000Z"],
    ["2 months 1 week", "2031-04-07T03:00:00.000Z"],
    ["1 year", "2032-01-31T03:00:00.000Z"],
    ["31 days, 1:30:00", "2031-03-03T04:30:00.000Z"],
    ["a while", undefined],
    ["", undefined],
  ];
  for (const [text, end] of periods)
    it(`reads "${text}"`, () => {
      const ms = addPeriod(at("2031-01-31T03:00Z"), text);
      expect(ms === undefined ? undefined : new Date(ms).toISOString()).to.equal(end);
    });
  it("shows lengths as the recordings do", () => expect(periodText(31 * DAY_MS + 5_513_888)).to.equal("31 days, 1:31:53.888000"));
});

describe("money of local-cloud", () => {
  let lab: Lab;
  beforeEach(async () => void (lab = await Lab.start({ balance: 50 })));
  afterEach(() => lab.stop());
  const buy = async (over: Json): Promise<Json[]> => (await lab.want(201, "POST", "subscriptions/", { objects: [{ resource: "vlan", amount: 1, period: "1 month", ...over }] })).objects as Json[];

  it("makes the VLAN or address at once, and says which in subscribed_object", async () => {
    const [sub] = await buy({});
    expect(sub).to.include({ status: "active", auto_renew: true, amount: "1" });
    const vlan = await lab.get(`vlans/${String(sub?.subscribed_object)}/`);
    expect((vlan.subscription as Json).id).to.equal(Number(sub?.id));
    const ips = await buy({ resource: "ip", amount: 2 });
    expect(ips).to.have.length(2);
    expect((await lab.objects("ips/?limit=0")).map((i) => i.uuid)).to.have.members(ips.map((i) => i.subscribed_object));
  });

  it("takes the price from the balance, and refuses what it does not cover without making anything", async () => {
    const before = Number((await lab.get("balance/")).balance);
    const [sub] = await buy({});
    expect(Number((await lab.get("balance/")).balance)).to.be.closeTo(before - Number(sub?.price), 1e-6);
    const refused = await lab.call("POST", "subscriptions/", { resource: "vlan", amount: 400, period: "1 month" });
    expect([refused.status, (refused.body as Json[])[0]?.error_type]).to.deep.equal([402, "billing"]);
    expect(await lab.objects("vlans/?limit=0")).to.have.length(1);
    expect((await lab.call("POST", "subscriptions/", { resource: "vlan", amount: 501, period: "1 month" })).status).to.equal(400);
  });

  const wrong: readonly (readonly [string, Json])[] = [
    ["no times at all", { period: undefined }],
    ["a start alone", { period: undefined, start_time: "2031-02-01T00:00:00+00:00" }],
    ["all three times", { start_time: "2031-02-01T00:00:00+00:00", end_time: "2031-03-01T00:00:00+00:00" }],
    ["an end in the past", { period: undefined, end_time: "2030-01-01T00:00:00+00:00" }],
    ["an unknown resource", { resource: "gold" }],
    ["a length that cannot be read", { period: "soon" }],
  ];
  for (const [says, over] of wrong)
    it(`refuses ${says}`, async () => expect((await lab.call("POST", "subscriptions/", { resource: "vlan", amount: 1, period: "1 month", ...over })).status).to.equal(400));

  it("knows no PUT or DELETE; auto_renew toggles or is set", async () => {
    const [sub] = await buy({});
    const path = `subscriptions/${String(sub?.id)}/`;
    expect((await lab.call("DELETE", path)).status).to.equal(405);
    expect((await lab.want(200, "POST", `${path}action/?do=auto_renew`)).auto_renew).to.equal(false);
    expect((await lab.want(200, "POST", `${path}action/?do=auto_renew`, { auto_renew: false })).auto_renew).to.equal(false);
    expect((await lab.want(200, "POST", `${path}action/?do=auto_renew`, {})).auto_renew).to.equal(true);
  });

  it("lets the VLAN vanish at the end, and not while it is renewed", async () => {
    const [off] = await buy({ auto_renew: false });
    const [on] = await buy({});
    await lab.clock.advance(40 * DAY_MS);
    expect((await lab.objects("vlans/?limit=0")).map((v) => v.uuid)).to.deep.equal([on?.subscribed_object]);
    const vlan = await lab.get(`vlans/${String(on?.subscribed_object)}/`);
    expect((vlan.subscription as Json).id).to.be.greaterThan(Number(on?.id));
    expect((await lab.objects("subscriptions/?status=expired&limit=0")).map((s) => s.id)).to.have.members([off?.id, on?.id]);
    expect((await lab.objects("subscriptions/?status=active,inactive&limit=0"))).to.have.length(1);
    expect((await lab.objects("groupedsubscriptions/?limit=0"))).to.have.length(2);
  });

  it("keeps an unpaid VLAN as long as a server uses it, and calls it a leak", async () => {
    const [sub] = await buy({ auto_renew: false });
    const s = await lab.server({ nics: [{ vlan: sub?.subscribed_object }] });
    await lab.clock.advance(40 * DAY_MS);
    expect((await lab.get(`vlans/${String(sub?.subscribed_object)}/`)).subscription).to.equal(null);
    expect(lab.cloud.leaks().leaks.join()).to.include("without a subscription");
    await lab.want(204, "DELETE", `servers/${String(s.uuid)}/`);
    expect((await lab.call("GET", `vlans/${String(sub?.subscribed_object)}/`)).status).to.equal(404);
  });

  it("extends by a follow-up at the end of the chain", async () => {
    const [sub] = await buy({ period: "1 week" });
    const next = await lab.want(200, "POST", `subscriptions/${String(sub?.id)}/action/?do=extend`, { period: "1 week" });
    expect(next).to.include({ start_time: sub?.end_time, status: "inactive", subscribed_object: sub?.subscribed_object });
    const third = await lab.want(200, "POST", `subscriptions/${String(sub?.id)}/action/?do=extend`, {});
    expect(third.start_time).to.equal(next.end_time);
    await lab.clock.advance(10 * DAY_MS);
    expect(await lab.objects("vlans/")).to.have.length(1);
  });

  it("counts as leaks what costs money, and apart what is only paid in advance", async () => {
    expect(lab.cloud.leaks()).to.deep.equal({ leaks: [], prepaid: [] });
    const [vlan] = await buy({ auto_renew: false });
    await buy({ resource: "ip" });
    const d = await lab.drive();
    const s = await lab.server({ nics: [{ ip_v4_conf: { conf: "dhcp" } }] });
    await lab.run(s.uuid);
    await lab.create("tags", { name: "free of charge" });
    const { leaks, prepaid } = (await lab.get("/_local/leaks")) as { leaks: string[]; prepaid: string[] };
    expect(leaks.map((l) => l.split(" ").slice(0, 2).join(" ")).sort()).to.deep.equal(["drive disk", "dynamic address", "server one", "subscription 4711"]);
    expect(leaks.join()).to.include(String(d.uuid));
    expect(prepaid).to.have.length(1);
    expect(prepaid[0]).to.include(String(vlan?.subscribed_object));
  });

  it("shows current use against subscriptions", async () => {
    await buy({ resource: "cpu", amount: 1000 });
    const s = await lab.server();
    await lab.run(s.uuid);
    expect(((await lab.get("currentusage/")).usage as Json).cpu).to.deep.equal({ burst: 1000, subscribed: 1000, using: 2000 });
  });
});
