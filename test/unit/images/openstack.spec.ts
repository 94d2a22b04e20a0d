import { expect } from "chai";
import { openstackFiles } from "../../../images/openstack";

const textOf = (end: string): string => openstackFiles.find((f) => f.path.endsWith(end))?.text ?? "";

describe("an appliance for OpenStack", () => {
  it("takes the IPv6 prefix that the cloud's router announces, with the address that the cloud expects of its card", () => {
    const network = textOf("80-openstack.network").split("\n");
    expect(network).to.include.members(["DHCP=ipv4", "LinkLocalAddressing=ipv6", "IPv6AcceptRA=yes", "IPv6PrivacyExtensions=no", "Token=eui64"]);
  });
  it("calls itself online when it has an IPv4 address: an IPv6 one alone does not reach the metadata service", () => {
    expect(textOf("systemd-networkd-wait-online.service")).to.match(/^ExecStart=.* --any --ipv4 /m);
  });
});
