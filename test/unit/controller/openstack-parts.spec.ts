import { expect } from "chai";
import { CloudError } from "../../../components/errors";
import type { Openstack } from "../../../components/openstack/api";
import { cloudVerdict } from "../../../components/policy/alarms";
import { OpenstackAlarms } from "../../../controller/adapters/openstack-alarms";
import { credentialStatus } from "../../../controller/credential";
import { openCloud } from "../../../controller/open-cloud";
import { OpenstackPool } from "../../../controller/adapters/openstack-pool";
import type { ControllerConfig } from "../../../components/config/controller-config";

const rule = { enabled: true, thresholdPercent: 20, periodSeconds: 60, evaluationPeriods: 1, cooldownSeconds: 60 };
const NOW = Date.parse("2026-06-01T00:00:00Z"), DAY = 86_400_000;

describe("an alarm that the cloud evaluates", () => {
  const state = (s: "ok" | "alarm" | "insufficient data", actsItself = false) => ({ known: true, value: { state: s, reason: "3 samples", actsItself } }) as const;
  const table: ReadonlyArray<readonly [string, ReturnType<typeof cloudVerdict>, boolean, RegExp]> = [
    ["asks for one less when it is raised", cloudVerdict(rule, state("alarm"), NOW), true, /cloud's alarm says alarm \(3 samples\)/],
    ["asks for nothing when it is not", cloudVerdict(rule, state("ok"), NOW), false, /says ok/],
    ["asks for nothing without data", cloudVerdict(rule, state("insufficient data"), NOW), false, /insufficient/],
    ["asks for nothing where the cloud acts by itself", cloudVerdict(rule, state("alarm", true), NOW), false, /acts upon it by itself/],
    ["keeps quiet after it was followed", cloudVerdict(rule, state("alarm"), NOW, NOW - 20_000), false, /cooling down for 40 s/],
    ["is no reason when the cloud does not tell", cloudVerdict(rule, { known: false, reason: "HTTP 503" }, NOW), false, /does not tell.*503/],
  ];
  for (const [says, verdict, wants, why] of table)
    it(says, () => {
      expect([verdict.wants, verdict.by]).to.deep.equal([wants, "cloud"]);
      expect(verdict.why).to.match(why);
    });
  it("is off when it is switched off", () => expect(cloudVerdict({ ...rule, enabled: false }, state("alarm"), NOW).wants).to.equal(false));

  const alarms = (answer: (id: string) => unknown): { read: OpenstackAlarms; asked: string[]; at: { ms: number } } => {
    const asked: string[] = [], at = { ms: 0 };
    const api = { get: async (_: string, path: string) => { asked.push(path); return answer(path.split("/").at(-1) ?? ""); } } as unknown as Openstack;
    return { read: new OpenstackAlarms(api, { highId: "h", lowId: "l" }, () => at.ms), asked, at };
  };
  it("is read from Aodh every few seconds at most", async () => {
    const a = alarms((id) => ({ state: id === "h" ? "ok" : "alarm", state_reason: "r", enabled: true, alarm_actions: id === "h" ? ["trust+http://x"] : [] }));
    const seen = await a.read.observe();
    expect(seen).to.deep.equal({ known: true, value: { high: { state: "ok", reason: "r", actsItself: true }, low: { state: "alarm", reason: "r", actsItself: false } } });
    await a.read.observe();
    expect(a.asked).to.have.length(2);
    a.at.ms += 5_000;
    await a.read.observe();
    expect(a.asked).to.have.length(4);
  });
  it("is unknown when Aodh does not answer", async () => {
    const seen = await alarms(() => { throw new CloudError("transient", "HTTP 503"); }).read.observe();
    expect(seen).to.deep.equal({ known: false, reason: "HTTP 503" });
  });
  it("has no data when it is switched off in Aodh, or in a state that nobody knows", async () => {
    const seen = await alarms((id) => ({ state: id === "h" ? "strange" : "alarm", enabled: id === "h" })).read.observe();
    expect(seen.known && [seen.value.high?.state, seen.value.low?.state]).to.deep.equal(["insufficient data", "insufficient data"]);
  });
});

describe("the controller's login", () => {
  const at = (days: number): string => new Date(NOW + days * DAY).toISOString();
  it("needs no word where it does not expire", () => expect(credentialStatus({ username: "u" }, NOW)).to.equal(undefined));
  it("needs no warning long before its end", () => expect(credentialStatus({ expiresAt: at(30) }, NOW)).to.deep.equal({ expiresAt: at(30) }));
  it("warns before its end, and says what to do", () => expect(credentialStatus({ expiresAt: at(13) }, NOW)?.warning).to.match(/expires in 13 days .*pulumi up/));
  it("warns from when the deployment said", () => expect(credentialStatus({ expiresAt: at(29), warnAt: at(-1) }, NOW)?.warning).to.match(/in 29 days/));
  it("says what no longer works after its end", () => expect(credentialStatus({ expiresAt: at(-1) }, NOW)?.warning).to.match(/expired .*neither grow nor shrink/));
  it("says when it cannot read the end", () => expect(credentialStatus({ expiresAt: "soon" }, NOW)?.warning).to.match(/cannot be read/));
});

describe("the controller's cloud", () => {
  const config = (alarms?: object) => ({ cloud: { kind: "openstack", authUrl: "http://k", stackName: "s", stackId: "i", stackPrefix: "s", ...alarms }, workers: { min: 1, max: 2 } }) as unknown as ControllerConfig;
  const credentials = { applicationCredentialId: "i", applicationCredentialSecret: "s" };
  it("is OpenStack by its target, with the cloud's alarms where there are some", () => {
    expect(openCloud(config(), credentials).pool).to.be.instanceOf(OpenstackPool);
    expect([openCloud(config(), credentials).alarms, openCloud(config({ alarms: { lowId: "l" } }), credentials).alarms !== undefined]).to.deep.equal([undefined, true]);
  });
  it("is not opened without a login", () => expect(() => openCloud(config(), {})).to.throw(/no application credential; run `pulumi up`/));
});
