import { expect } from "chai";
import { differences, readSetting, withSettings, type Setting } from "../../../demo/settings";

const documented = "# how it began\nconfig:\n  elastigrid:cloud: cloudsigma\n  elastigrid:grid:\n    name: grid\n    workers:\n      min: 1\n      max: 7\n  cloudsigma:endpoint: http://127.0.0.1:9931/api/2.0/\n";
const set = (...texts: string[]): readonly Setting[] =>
  texts.map((t) => {
    const s = readSetting(t);
    if (typeof s === "string") throw new Error(s);
    return s;
  });

describe("--set KEY=VALUE", () => {
  const table: [string, Setting][] = [
    ["workers.max=5", { path: ["workers", "max"], value: 5 }],
    ["workers.memory=1 GiB", { path: ["workers", "memory"], value: "1 GiB" }],
    ["firewall=[]", { path: ["firewall"], value: [] }],
    ["condor.settings.A_B=x=y", { path: ["condor", "settings", "A_B"], value: "x=y" }],
    ["openstack.ipv6=false", { path: ["openstack", "ipv6"], value: false }],
  ];
  for (const [text, wanted] of table) it(`reads ${text}`, () => expect(readSetting(text)).to.deep.equal(wanted));
  for (const text of ["workers.max", "=5", "workers..max=5", "a b=1", "__proto__.x=1"]) it(`refuses ${text}`, () => expect(readSetting(text)).to.match(/^--set .* wanted KEY=VALUE/));

  it("changes just that key of the stack's configuration", () => {
    const done = withSettings(documented, set("workers.max=5", "scaling.idleSeconds=20"));
    if ("problem" in done) throw new Error(done.problem);
    expect(differences(documented, done.yaml)).to.deep.equal(["workers.max=5", "scaling.idleSeconds=20"]);
    expect(done.yaml).to.contain("cloudsigma:endpoint: http://127.0.0.1:9931/api/2.0/");
  });
  it("keeps what was set before", () => {
    const first = withSettings(documented, set("workers.max=5"));
    const second = withSettings("yaml" in first ? first.yaml : "", set("workers.min=2"));
    expect("yaml" in second && differences(documented, second.yaml)).to.deep.equal(["workers.min=2", "workers.max=5"]);
  });
  it("says all that the schema says of wrong ones", () => {
    const refused = withSettings(documented, set("workers.mim=1", "workers.max=many", "alarms=no"));
    expect("problem" in refused && refused.problem).to.match(/grid\.workers\.mim: is not a known key; did you mean min\?/).and.match(/grid\.workers\.max = "many"/).and.match(/grid\.alarms/);
  });
});
