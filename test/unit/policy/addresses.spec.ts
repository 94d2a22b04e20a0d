import { expect } from "chai";
import fc from "fast-check";
import { contains, formatAddress, formatCidr, hasHostBits, hostAddress, hostCount, isPrivate, overlaps, parseAddress, parseCidr, planNetwork, withoutCovered } from "../../../components/policy/addresses";
import { contains6, formatRange6, hasHostBits6, parseRange6 } from "../../../components/policy/ranges6";

const anyAddress = fc.integer({ min: 0, max: 0xffffffff });
const anyCidr = fc.tuple(anyAddress, fc.integer({ min: 0, max: 32 })).map(([a, p]) => parseCidr(`${formatAddress(a)}/${p}`)!);

describe("addresses", () => {
  it("reads back every address it writes", () => fc.assert(fc.property(anyAddress, (n) => parseAddress(formatAddress(n)) === n)));
  for (const text of ["1.2.3", "1.2.3.256", "01.2.3.4", "1.2.3.4.5", "a.b.c.d", "", "1.2.3.-4"]) it(`refuses ${text || "nothing"} as an address`, () => expect(parseAddress(text)).to.equal(undefined));
  for (const text of ["10.0.0.0", "10.0.0.0/33", "10.0.0/8", "10.0.0.0/08"]) it(`refuses ${text} as a network`, () => expect(parseCidr(text)).to.equal(undefined));
  it("sees host bits", () => expect(["10.0.0.1/24", "10.0.0.0/24"].map(hasHostBits)).to.deep.equal([true, false]));
  it("knows private ranges", () => expect(["10.1.0.0/16", "172.32.0.0/16", "192.168.7.0/24", "10.0.0.0/7"].map((t) => isPrivate(parseCidr(t)!))).to.deep.equal([true, false, true, false]));

  it("says that two networks overlap exactly when they share an address", () =>
    fc.assert(
      fc.property(anyCidr, anyCidr, (a, b) => {
        const last = (c: typeof a): number => c.base + 2 ** (32 - c.prefix) - 1;
        return overlaps(a, b) === (a.base <= last(b) && b.base <= last(a));
      }),
    ));

  it("gives hosts addresses inside the network, never its first or last", () =>
    fc.assert(
      fc.property(fc.integer({ min: 16, max: 28 }), fc.nat(0xffff), (prefix, seed) => {
        const c = parseCidr(`10.${seed >> 8}.${seed & 255}.0/${prefix}`)!;
        const first = parseAddress(hostAddress(c, 1))!;
        const last = parseAddress(hostAddress(c, hostCount(c)))!;
        return first === c.base + 1 && last === c.base + 2 ** (32 - prefix) - 2 && contains(c, { base: last, prefix: 32 });
      }),
    ));

  it("plans a network: the master first, the rest for DHCP", () =>
    expect(planNetwork("10.77.0.0/24")).to.deep.equal({ cidr: "10.77.0.0/24", prefix: 24, netmask: "255.255.255.0", masterAddress: "10.77.0.1", dhcpFirst: "10.77.0.2", dhcpLast: "10.77.0.254", beforeLast: "10.77.0.253", broadcast: "10.77.0.255", leaseSeconds: 3600, workerAddresses: 253 }));
  it("lends addresses for a short time where there are few", () => expect(planNetwork("10.0.0.0/28").leaseSeconds).to.equal(210));

  it("drops ranges that others cover, and nothing else", () =>
    fc.assert(
      fc.property(fc.array(anyCidr.map(formatCidr), { maxLength: 6 }), (ranges) => {
        const kept = withoutCovered(ranges);
        const inside = (r: string, rs: readonly string[]): boolean => rs.some((o) => contains(parseCidr(o)!, parseCidr(r)!));
        return ranges.every((r) => inside(r, kept)) && kept.every((r, i) => !inside(r, kept.filter((_, j) => j !== i)));
      }),
    ));
});

describe("IPv6 ranges", () => {
  const any = fc.tuple(fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }), fc.integer({ min: 0, max: 128 })).map(([a, prefix]) => ({ base: (a >> BigInt(128 - prefix)) << BigInt(128 - prefix), prefix }));
  it("read back every range that they write", () => fc.assert(fc.property(any, (r) => void expect(parseRange6(formatRange6(r))).to.deep.equal(r))));
  for (const [long, short] of [["2001:0DB8:0:0::/32", "2001:db8::/32"], ["0:0:0:0:0:0:0:0/0", "::/0"], ["2001:db8:0:1:0:0:0:1/128", "2001:db8:0:1::1/128"]] as const)
    it(`write ${long} as ${short}`, () => expect(formatRange6(parseRange6(long)!)).to.equal(short));
  for (const text of ["::", "::/129", "1::2::/64", ":::/64", "2001:db8/32", "12345::/16", "1:2:3:4:5:6:7:8:9/64", "1:2:3:4:5:6:7::8/64", "::ffff:1.2.3.4/128", "10.0.0.0/8", "::/01"]) it(`are not ${text}`, () => expect(parseRange6(text)).to.equal(undefined));
  it("see host bits", () => expect(["2001:db8::1/64", "2001:db8::/64", "::1/128"].map(hasHostBits6)).to.deep.equal([true, false, false]));
  it("contain what begins as they do", () => expect([["::/0", "2001:db8::/32"], ["2001:db8::/32", "2001:db8:1::/48"], ["2001:db8:1::/48", "2001:db8::/32"], ["2001:db8::/32", "2001:db9::/48"]].map(([a, b]) => contains6(parseRange6(a!)!, parseRange6(b!)!))).to.deep.equal([true, true, false, false]));
  it("are never covered by IPv4 ones, nor cover them", () => expect(withoutCovered(["0.0.0.0/0", "::/0"])).to.deep.equal(["0.0.0.0/0", "::/0"]));
});
