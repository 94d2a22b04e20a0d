import { expect } from "chai";
import * as fc from "fast-check";
import { parseGridConfig } from "../../../components/config/schema";
import { ingressRules, type IngressRule } from "../../../components/policy/security-groups";
import { masterNftables, workerNftables } from "../../../components/render/nftables";

/** What a rule lets in, as one text per range. */
const opened = (rules: readonly IngressRule[]): string[] =>
  rules.flatMap((r) => r.from.map((from) => `${from} ${r.protocol} ${r.ports === undefined ? "echo" : `${r.ports.first}-${r.ports.last}`}`)).sort();

/** What keeps IPv6 going on a link. Neutron lets neighbours in by itself, the adapter declares routers; nobody from elsewhere is let in by it. */
const ipv6Itself: readonly string[] = [
  'ip6 hoplimit 255 icmpv6 type { nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } accept comment "IPv6: routers and neighbours"',
  'ip6 saddr fe80::/10 icmpv6 type mld-listener-query accept comment "IPv6: who listens"',
];

/** The same, read back from what nft gets. Knows only what this library writes; anything else is an error. */
function openedBy(nft: string): string[] {
  const input = /chain input \{([^]*?)\n {2}\}/.exec(nft)?.[1] ?? "";
  const rows = input.split("\n").map((l) => l.trim()).filter((l) => l !== "" && !/^(type filter|ct state|iif "lo")/.test(l) && !ipv6Itself.includes(l) && !/ reject with tcp reset comment "no such connection"$/.test(l));
  return rows
    .flatMap((row) => {
      const match = /^(?:iifname \$(?:private|public) )?ip(6?) saddr (\{ [^}]+ \}|\S+) (?:(tcp|udp) dport (\d+)(?:-(\d+))?|icmp(v6)? type (echo)-request) accept comment "[^"]+"$/.exec(row);
      if (match === null) throw new Error(`not understood: ${row}`);
      const [, six = "", list = "", protocol = "icmp", first, last, v6, echo] = match;
      const ranges = list.replace(/[{}\s]/g, "").split(",");
      if (ranges.some((r) => r.includes(":") !== (six === "6")) || (echo !== undefined && (v6 !== undefined) !== (six === "6"))) throw new Error(`two families in one: ${row}`);
      return ranges.map((from) => `${from} ${protocol} ${echo ?? `${first}-${last ?? first}`}`);
    })
    .sort();
}

const address = fc.tuple(fc.integer({ min: 1, max: 223 }), fc.nat(255)).map(([a, b]) => `${a}.${b}.0.0`);
const word = fc.integer({ min: 1, max: 0xffff }).map((n) => n.toString(16));
const range6 = fc.oneof(fc.constant("::/0"), word.map((w) => `2001:${w}::/32`), fc.tuple(word, word).map(([a, b]) => `2001:${a}:${b}::/48`));
const range4 = fc.oneof(fc.constant("0.0.0.0/0"), address.map((a) => `${a}/16`), address.map((a) => `${a}/24`));
const range = fc.oneof(range4, range6);
const port = fc.integer({ min: 1, max: 65_000 });
const rule = fc.record({
  name: fc.constantFrom("web", "media", "ssh", "x-1"),
  to: fc.constantFrom("master", "workers"),
  from: fc.array(range, { minLength: 1, maxLength: 4 }),
  what: fc.oneof(fc.constant({ protocol: "icmp" }), fc.record({ protocol: fc.constantFrom("tcp", "udp"), ports: fc.tuple(port, fc.nat(500)).map(([p, n]) => (n === 0 ? String(p) : `${p}-${p + n}`)) })),
}).map(({ what, ...rest }) => ({ ...rest, ...what }));
const config = fc.record({
  firewall: fc.uniqueArray(rule, { maxLength: 4, selector: (r) => r.name }),
  ssh: fc.record({ port, allowFrom: fc.tuple(range4, fc.array(range, { maxLength: 3 })).map(([one, more]) => [one, ...more]) }),
}).map((c) => parseGridConfig(c));

describe("security groups and the guests' nftables", () => {
  it("open the same ports to the same ranges, on the master and on workers", () =>
    fc.assert(fc.property(config, (c) => {
      const rules = ingressRules(c);
      expect(openedBy(masterNftables(c, { servesDhcp: true }))).to.deep.equal(opened(rules.master));
      expect(openedBy(workerNftables(c, { servesDhcp: true }))).to.deep.equal(opened(rules.workers));
    })));

  it("open no port of a worker to the outside unless it is declared", () =>
    fc.assert(fc.property(config, (c) => {
      const undeclared = ingressRules({ ...c, firewall: [] }).workers;
      expect(undeclared.every((r) => r.from.every((f) => f.startsWith("10.77.0.")))).to.equal(true);
    })));

  it("open nothing by IPv6 unless it is declared for IPv6 ranges: everybody by IPv4 is nobody by IPv6", () =>
    fc.assert(fc.property(config, (c) => {
      const declared = (to: string): string[] => [...new Set([...(to === "master" ? c.ssh.allowFrom : []), ...c.firewall.filter((r) => r.to === to).flatMap((r) => r.from)].filter((f) => f.includes(":")))];
      const rules = ingressRules(c);
      for (const to of ["master", "workers"] as const) {
        const open = [...new Set(rules[to].flatMap((r) => r.from).filter((f) => f.includes(":")))];
        expect(declared(to)).to.include.members(open);
        expect(open.length > 0).to.equal(declared(to).length > 0);
      }
    })));

  it("differ from the rules on a cloud without DHCP only by the card and by DHCP itself", () =>
    fc.assert(fc.property(config, (c) => {
      const twoCards = masterNftables(c, { servesDhcp: false }).replace(/^.*comment "DHCP"\n/m, "");
      expect(openedBy(twoCards)).to.deep.equal(openedBy(masterNftables(c, { servesDhcp: true })));
    })));

  it("keep ssh on the card to the outside where the master has two: a job on a worker cannot try keys", () => {
    const nft = masterNftables(parseGridConfig({}), { servesDhcp: false });
    expect(nft).to.match(/iifname \$public ip saddr 0\.0\.0\.0\/0 tcp dport 22 accept comment "ssh"/);
    for (const name of ["enrolment", "HTCondor", "names", "ping"]) expect(nft).to.match(new RegExp(`iifname \\$private ip saddr 10\\.77\\.0\\.0/24 .* comment "${name}"`));
  });

  it("hold no range that another one covers: neutron would keep a rule for nothing, nft would refuse it", () => {
    const rules = ingressRules(parseGridConfig({ ssh: { allowFrom: ["10.0.0.0/8", "10.1.0.0/16", "192.0.2.0/24", "2001:db8::/32", "2001:db8:7::/48"] } })).master;
    expect(rules.find((r) => r.name === "ssh")?.from).to.deep.equal(["10.0.0.0/8", "192.0.2.0/24", "2001:db8::/32"]);
  });
});
