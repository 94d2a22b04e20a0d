/** IPv6 ranges: text in, plain values out. */

export interface Range6 {
  readonly base: bigint;
  /** 0 to 128. */
  readonly prefix: number;
}

/** Splits `2001:db8::/32`; undefined where it is none. IPv4 in its last words is not understood. */
export function parseRange6(text: string): Range6 | undefined {
  const match = /^([0-9a-f:]+)\/(\d|[1-9]\d|1[01]\d|12[0-8])$/i.exec(text);
  const words = match === null ? undefined : wordsOf(match[1] ?? "");
  if (words === undefined) return undefined;
  const prefix = Number(match?.[2]);
  return { base: cut(words.reduce((sum, w) => (sum << 16n) | BigInt(w), 0n), prefix), prefix };
}

/** `2001:db8::7/64` names a host, not a network. */
export function hasHostBits6(text: string): boolean {
  const range = parseRange6(text);
  return range !== undefined && parseRange6(text.replace(/\d+$/, "128"))?.base !== range.base;
}

/** In the one form that clouds answer with: lower case, the longest run of zeros as `::`. */
export function formatRange6({ base, prefix }: Range6): string {
  const words = [112n, 96n, 80n, 64n, 48n, 32n, 16n, 0n].map((shift) => ((base >> shift) & 0xffffn).toString(16));
  return `${new URL(`http://[${words.join(":")}]/`).hostname.slice(1, -1)}/${prefix}`;
}

export const contains6 = (outer: Range6, inner: Range6): boolean => outer.prefix <= inner.prefix && cut(inner.base, outer.prefix) === outer.base;

/** Of a range that is one. */
export const isIpv6 = (range: string): boolean => range.includes(":");

const cut = (address: bigint, prefix: number): bigint => (address >> BigInt(128 - prefix)) << BigInt(128 - prefix);

function wordsOf(address: string): readonly number[] | undefined {
  const halves = address.split("::");
  const [left = [], right = []] = halves.map((h) => (h === "" ? [] : h.split(":")));
  const missing = 8 - left.length - right.length;
  if (halves.length > 2 || (halves.length === 2 ? missing < 1 : missing !== 0)) return undefined;
  const words = [...left, ...Array.from({ length: missing }, () => "0"), ...right];
  return words.every((w) => /^[0-9a-f]{1,4}$/i.test(w)) ? words.map((w) => Number.parseInt(w, 16)) : undefined;
}
