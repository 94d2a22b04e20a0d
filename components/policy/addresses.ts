import { contains6, parseRange6 } from "./ranges6";

/** IPv4 arithmetic: plain numbers and text in, plain values out. */

export interface Cidr {
  /** Network address as an unsigned 32-bit number. */
  readonly base: number;
  /** 0 to 32. */
  readonly prefix: number;
}

/** The number behind `10.1.2.3`; undefined where the text is no IPv4 address (leading zeros are none: they read as octal elsewhere). */
export function parseAddress(text: string): number | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((p) => /^(0|[1-9]\d{0,2})$/.test(p) && Number(p) <= 255)) return undefined;
  return parts.reduce((sum, p) => sum * 256 + Number(p), 0);
}

export const formatAddress = (n: number): string => [24, 16, 8, 0].map((shift) => (n >>> shift) & 255).join(".");

export const maskOf = (prefix: number): number => (prefix === 0 ? 0 : (0xffffffff << (32 - prefix)) >>> 0);

/** Splits `10.1.0.0/24`; undefined where it is none. Host bits are kept out: see `hasHostBits`. */
export function parseCidr(text: string): Cidr | undefined {
  const match = /^([\d.]+)\/(\d|[12]\d|3[0-2])$/.exec(text);
  const address = match && parseAddress(match[1]!);
  if (match === null || address === null || address === undefined) return undefined;
  const prefix = Number(match[2]);
  return { base: (address & maskOf(prefix)) >>> 0, prefix };
}

/** `10.1.0.7/24` names a host, not a network. */
export function hasHostBits(text: string): boolean {
  const cidr = parseCidr(text);
  return cidr !== undefined && formatCidr(cidr) !== text;
}

export const formatCidr = (c: Cidr): string => `${formatAddress(c.base)}/${c.prefix}`;

const sizeOf = (c: Cidr): number => 2 ** (32 - c.prefix);

export const contains = (outer: Cidr, inner: Cidr): boolean =>
  outer.prefix <= inner.prefix && ((inner.base & maskOf(outer.prefix)) >>> 0) === outer.base;

export const overlaps = (a: Cidr, b: Cidr): boolean => contains(a, b) || contains(b, a);

export const containsAddress = (c: Cidr, address: number): boolean => ((address & maskOf(c.prefix)) >>> 0) === c.base;

const privateRanges = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"].map((t) => parseCidr(t)!);

/** RFC 1918. */
export const isPrivate = (c: Cidr): boolean => privateRanges.some((p) => contains(p, c));

/** Addresses that hosts may have: all but the network's own and the broadcast address. */
export const hostCount = (c: Cidr): number => Math.max(0, sizeOf(c) - 2);

/** The nth host address, counted from 1 (the master's). */
export function hostAddress(c: Cidr, nth: number): string {
  if (!Number.isInteger(nth) || nth < 1 || nth > hostCount(c)) throw new RangeError(`${formatCidr(c)} has no host number ${nth}`);
  return formatAddress(c.base + nth);
}

/** What the private network looks like to its hosts: the master has the first address, DHCP lends out the others. */
export interface NetworkPlan {
  readonly cidr: string;
  readonly prefix: number;
  readonly netmask: string;
  readonly masterAddress: string;
  readonly dhcpFirst: string;
  readonly dhcpLast: string;
  /** The last one but one: where the cloud's router takes the last. */
  readonly beforeLast: string;
  readonly broadcast: string;
  /** Addresses beside the master's. */
  readonly workerAddresses: number;
  /** Short where addresses are few, because workers come and go and a dead one gives nothing back. */
  readonly leaseSeconds: number;
}

export function planNetwork(cidrText: string): NetworkPlan {
  const cidr = parseCidr(cidrText);
  if (cidr === undefined) throw new RangeError(`${cidrText} is no IPv4 network`);
  return {
    cidr: formatCidr(cidr),
    prefix: cidr.prefix,
    netmask: formatAddress(maskOf(cidr.prefix)),
    masterAddress: hostAddress(cidr, 1),
    dhcpFirst: hostAddress(cidr, 2),
    dhcpLast: hostAddress(cidr, hostCount(cidr)),
    beforeLast: hostAddress(cidr, hostCount(cidr) - 1),
    broadcast: formatAddress(cidr.base + sizeOf(cidr) - 1),
    workerAddresses: hostCount(cidr) - 1,
    leaseSeconds: Math.min(3600, Math.max(120, hostCount(cidr) * 15)),
  };
}

/** The ranges (of both families) that no other of them covers, in their order, each once. */
export function withoutCovered(ranges: readonly string[]): string[] {
  const unique = [...new Set(ranges)];
  return unique.filter((range) => !unique.some((other) => other !== range && covers(other, range)));
}

function covers(outer: string, inner: string): boolean {
  const [a, b] = [parseCidr(outer), parseCidr(inner)];
  if (a !== undefined && b !== undefined) return contains(a, b);
  const [c, d] = [parseRange6(outer), parseRange6(inner)];
  return c !== undefined && d !== undefined && contains6(c, d);
}
