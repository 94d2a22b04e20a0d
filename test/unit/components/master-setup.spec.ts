import { expect } from "chai";
import { parseGridConfig } from "../../../components/config/schema";
import { setupDocument } from "../../../components/master-setup";

describe("the document for the master", () => {
  const config = parseGridConfig({});
  const resolved = { gridUid: "0123456789abcdef", target: { kind: "openstack" }, credentials: { applicationCredentialId: "i" }, poolKey: "k" };
  const enrolment = (servesDhcp: boolean): object => setupDocument(config, { servesDhcp }, config.alarms, resolved).controller.enrolment;

  it("tells how many workers the private network has addresses for", () => {
    expect(setupDocument(config, { servesDhcp: false }, config.alarms, resolved).controller.addresses).to.equal(253);
  });

  it("names dnsmasq's leases only where the master gives the addresses", () => {
    expect(enrolment(false)).to.deep.equal({ address: "10.77.0.1", port: 9600, leasesFile: "/var/lib/misc/dnsmasq.leases" });
    expect(enrolment(true)).to.deep.equal({ address: "10.77.0.1", port: 9600 });
  });
});
