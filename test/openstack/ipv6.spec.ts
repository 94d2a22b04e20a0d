import { expect } from "chai";
import { isEmptyChange } from "../../demo/pulumi";
import { say } from "../support/chaos";
import { needLab, openLabProject, type LabProject } from "../support/openstack-lab";
import { openOutside, type Outside } from "../support/openstack-outside";
import { trialGrid } from "../support/openstack-trial";
import { openTestStack, type TestStack } from "../support/stack";

interface Port {
  readonly id: string;
  readonly name: string;
  readonly mac_address: string;
  readonly device_owner: string;
  readonly device_id: string;
  readonly fixed_ips: readonly { readonly ip_address: string; readonly subnet_id: string }[];
}

/** The one thing that is open by IPv6. */
const web = { name: "web", protocol: "tcp", ports: 443, from: ["0.0.0.0/0", "2001:db8:7::/48"] };

/** An external network with IPv6 of the test's own, and a default pool that nobody else sees. */
describe("a grid where the external network has IPv6", function () {
  this.timeout(560_000);
  let project: LabProject, outside: Outside, test: TestStack;
  let first: readonly Port[];

  before(async function () {
    await needLab(this);
    project = await openLabProject("ipv6");
    outside = await openOutside(project);
    test = await openTestStack(project.target(), grid());
  });
  after(async () => {
    test?.close();
    const left = await project?.close();
    await outside?.close();
    expect(left ?? []).to.deep.equal([]);
  });

  const grid = (ipv6?: boolean): Readonly<Record<string, unknown>> => ({ ...trialGrid, firewall: [web], openstack: { externalNetwork: outside.name, ...(ipv6 === undefined ? {} : { ipv6 }) } });
  const up = async (): Promise<void> => {
    const { seconds, changes } = await test.stack.up();
    say(`up: ${Math.round(seconds)} s, ${JSON.stringify(changes)}`);
  };
  const ports = async (): Promise<readonly Port[]> => (await project.api.get<{ ports: Port[] }>("network", `/v2.0/ports?project_id=${project.api.projectId}`)).ports;
  const guests = async (): Promise<readonly Port[]> => (await ports()).filter((p) => p.device_owner.startsWith("compute:")).sort((a, b) => (a.id < b.id ? -1 : 1));
  const addresses = (p: Port | undefined): readonly string[] => (p?.fixed_ips ?? []).map((f) => f.ip_address);
  const sixth = (p: Port): string | undefined => addresses(p).find((a) => a.includes(":"));
  const nothingToDo = async (): Promise<string> => {
    const { changes } = await test.stack.preview();
    return isEmptyChange(changes) ? "" : JSON.stringify(changes);
  };
  const refresh = async (): Promise<void> => void (await test.stack.run(["refresh", "--yes", "--skip-preview", "--non-interactive", "--color", "never", "--stack", "test", "--config-file", test.stack.workingConfig]));
  const sameGuests = async (): Promise<unknown> => expect((await guests()).map((p) => [p.id, p.device_id, addresses(p)[0]])).to.deep.equal(first.map((p) => [p.id, p.device_id, addresses(p)[0]]));

  it("has a subnet of the pool's, a way out by IPv6, and an address of both kinds on master and worker", async () => {
    await up();
    first = await guests();
    expect(first).to.have.length(2);
    const { subnets } = await project.api.get<{ subnets: { ip_version: number; cidr: string; subnetpool_id: string; description: string }[] }>("network", `/v2.0/subnets?project_id=${project.api.projectId}`);
    const second = subnets.find((s) => s.ip_version === 6);
    expect(second?.subnetpool_id).to.equal(outside.pool);
    expect(second?.cidr).to.match(/^2001:db8:[0-9a-f:]+\/64$/);
    expect(second?.description).to.match(/^elastigrid:[0-9a-f]{16}\/grid-network-subnet6#/);
    for (const port of first) {
      expect(addresses(port).filter((a) => a.startsWith("10.77.0."))).to.have.length(1);
      expect(sixth(port)).to.equal(slaac(second?.cidr ?? "", port.mac_address));
    }
    const { routers } = await project.api.get<{ routers: { external_gateway_info: { external_fixed_ips: { ip_address: string }[] } }[] }>("network", "/v2.0/routers");
    expect(routers.flatMap((r) => r.external_gateway_info.external_fixed_ips).some((f) => f.ip_address.startsWith(outside.prefix))).to.equal(true);
  });
  it("is reached by IPv4", async () => {
    const { masterAddress } = await test.stack.outputs();
    expect(masterAddress).to.match(/^198\.51\.100\.\d+$/);
  });
  it("lets in by IPv6 what is declared for IPv6 ranges only", async () => {
    const { security_groups: groups } = await project.api.get<{ security_groups: { name: string; security_group_rules: { direction: string; ethertype: string; remote_ip_prefix: string; protocol: string; port_range_min: number }[] }[] }>("network", `/v2.0/security-groups?project_id=${project.api.projectId}`);
    const own = groups.filter((g) => g.name.startsWith("trial-"));
    expect(own).to.have.length(2);
    expect(own.flatMap((g) => g.security_group_rules).filter((r) => r.direction === "ingress" && r.ethertype !== "IPv4").map((r) => `${r.remote_ip_prefix} ${r.protocol} ${r.port_range_min}`).sort()).to.deep.equal([
      "2001:db8:7::/48 tcp 443", ...Array<string>(2).fill("fe80::/10 ipv6-icmp 134"), // the router's announcements
    ]);
  });
  it("has nothing to do at the next preview", async () => expect(await nothingToDo()).to.equal(""));

  it("loses IPv6 where it is not wanted any more, and no server or port", async () => {
    await test.configure(grid(false));
    await up();
    await sameGuests();
    expect((await guests()).map(sixth)).to.deep.equal([undefined, undefined]);
    expect(await nothingToDo()).to.equal("");
  });
  it("gets it while it lives, and keeps servers and ports", async () => {
    await test.configure(grid());
    await up();
    await sameGuests();
    for (const port of await guests()) expect(sixth(port)).to.be.a("string");
  });
  it("keeps it as it is, also after a refresh, and when the administrator takes the pool from the defaults", async () => {
    await refresh();
    await outside.noDefault();
    expect(await nothingToDo()).to.equal("");
  });
  it("is destroyed with nothing left", async () => {
    const { seconds } = await test.stack.destroy();
    say(`destroy: ${Math.round(seconds)} s`);
    expect(await project.owned()).to.deep.equal([]);
  });
});

/** The address that a guest makes of its card's own (EUI-64), as Neutron writes it. */
function slaac(cidr: string, mac: string): string {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = mac.split(":").map((x) => Number.parseInt(x, 16));
  const pair = (high: number, low: number): string => ((high << 8) | low).toString(16);
  const host = `${pair(a ^ 2, b)}:${pair(c, 0xff)}:${pair(0xfe, d)}:${pair(e, f)}`;
  return new URL(`http://[${cidr.replace(/::\/64$/, "").split(":").concat(["0", "0", "0"]).slice(0, 4).join(":")}:${host}]/`).hostname.slice(1, -1);
}
