import { expect } from "chai";
import { isLocalHost, LOCATIONS, resolveEndpoint } from "../../../components/cloudsigma/endpoint";
import { settingsFrom } from "../../../components/cloudsigma/provider/context";

const url = (o: Parameters<typeof resolveEndpoint>[0]): string => {
  const r = resolveEndpoint(o);
  return r.ok ? r.url : `refused: ${r.problem.rule}`;
};

describe("resolveEndpoint", () => {
  const good: [object, string][] = [
    [{ location: "zrh" }, "https://zrh.cloudsigma.com/api/2.0/"],
    [{ location: "DUB" }, "https://ec.servecentric.com/api/2.0/"],
    [{ endpoint: "https://a.example/api/2.0" }, "https://a.example/api/2.0/"],
    [{ endpoint: "https://a.example/api/2.0///" }, "https://a.example/api/2.0/"],
    [{ endpoint: "https://a.example" }, "https://a.example/api/2.0/"],
    [{ endpoint: "http://127.0.0.1:9931/api/2.0/", location: "zrh" }, "http://127.0.0.1:9931/api/2.0/"],
    [{ endpoint: "http://192.168.3.4:80/x/" }, "http://192.168.3.4/x/"],
    [{ endpoint: "http://cloud.example/api/2.0/", allowHttp: true }, "http://cloud.example/api/2.0/"],
  ];
  for (const [given, wanted] of good) it(`takes ${JSON.stringify(given)}`, () => expect(url(given)).to.equal(wanted));
  const bad: [object, RegExp][] = [
    [{}, /neither/],
    [{ location: "nowhere" }, /unknown location "nowhere"/],
    [{ endpoint: "zrh" }, /not a URL/],
    [{ endpoint: "ftp://a.example/" }, /protocol/],
    [{ endpoint: "http://cloud.example/api/2.0/" }, /unencrypted/],
    [{ endpoint: "https://u:p@a.example/api/2.0/" }, /user name or password/],
    [{ endpoint: "https://a.example/api/2.0/?x=1" }, /query/],
  ];
  for (const [given, why] of bad) it(`refuses ${JSON.stringify(given)}`, () => expect(url(given)).to.match(why));
  it("has https and a trailing slash for every location", () => {
    for (const u of Object.values(LOCATIONS)) expect(u).to.match(/^https:\/\/[a-z0-9.-]+\/api\/2\.0\/$/);
  });
  it("tells private hosts from public ones", () => {
    for (const h of ["localhost", "127.66.1.2", "10.1.2.3", "172.31.0.1", "[::1]", "[fd00::1]", "198.51.100.1"]) expect(isLocalHost(h), h).to.equal(true);
    for (const h of ["a.example", "8.8.8.8", "172.32.0.1", "127.0.0.1.example", "[2001:db8::1]"]) expect(isLocalHost(h), h).to.equal(false);
  });
});

describe("settingsFrom", () => {
  const env = { CLOUDSIGMA_ENDPOINT: "http://127.0.0.1:1/", CLOUDSIGMA_USERNAME: "eu", CLOUDSIGMA_PASSWORD: "ep", CLOUDSIGMA_TOKEN: "et" };
  const from = (config: Record<string, string>, e: Record<string, string> = env): object => settingsFrom((k) => config[k], e);
  it("takes the environment where nothing is configured", () => expect(from({})).to.deep.equal({ endpoint: "http://127.0.0.1:1/", username: "eu", password: "ep", token: "et" }));
  it("lets a configured location win over the environment's endpoint", () => expect(from({ "cloudsigma:location": "zrh" })).to.include({ location: "zrh" }).and.not.have.property("endpoint"));
  it("lets a configured login win over the environment's token", () => expect(from({ "cloudsigma:username": "u", "cloudsigma:password": "p" })).to.include({ username: "u", password: "p" }).and.not.have.property("token"));
  it("counts empty values as not set", () => expect(from({ "cloudsigma:endpoint": "" }, {})).to.deep.equal({}));
});
