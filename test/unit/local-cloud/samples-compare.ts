/** Compares a golden sample with a live answer: key sets and types of values, not values. */

/** Where the reference allows null as well as a value. */
const NULLABLE = /(^|\.)(runtime|server|subscription|vlan|ip_v4_conf|ip_v6_conf|ip|ip_v4|ip_v6|owner|name|is_snapshotable|allocated_size|boot_order|firewall_policy|error_point|error_type|email|subscribed_object|comment|dst_ip|src_ip|dst_port|src_port|ip_proto|discount_amount|discount_percent|discounts|private_key|storage_type|distribution|version|gpu|user|iops)$/;

/** Objects whose keys are data: any key, values of one type each. */
const FREE_FORM = /(^|\.)(meta|usage|current|next|discounts|global_context|drives\.iops|free_tier|free_tier_monthly|hypervisors)$/;

/** The recordings span 2013 to 2025. local-cloud shows the newest set, so older samples lack these keys. */
export const NEWER_KEYS: readonly (readonly [RegExp, string])[] = [
  [/(^|\.)(allocation_pool|auto_start)$/, "servers since 2021"],
  [/(^|\.)pubkeys$/, "servers since 2014-07"],
  [/(^|\.)(cpu_type|hypervisor)$/, "servers after the recording of fwpolicies/server-attach"],
  [/(^|\.)(rx|tx)_(foreign|local)$/, "counters of NICs since 2021"],
  [/(^|\.)(backup_scheduler|iops|remote_snapshots)$/, "drives since 2023"],
  [/(^|\.)(is_downloadable|is_ephemeral)$/, "runtime of drives since 2023"],
  [/(^|\.)(discounts|free_tier|was_billed)$/, "subscriptions: in lists of the recordings, not in the answer to a purchase"],
  [/(^|\.)firewall_policy$/, "shown on every NIC while firewall policies are switched on"],
];
/** What samples hold that local-cloud does not show. */
export const GONE_KEYS: readonly (readonly [RegExp, string])[] = [[/(^|\.)firewall_policy$/, "decommissioned in 2022; scrubbed from recordings in 2025"]];

const typeOf = (v: unknown): string => (v === null ? "null" : Array.isArray(v) ? "list" : typeof v);
const known = (list: readonly (readonly [RegExp, string])[], path: string): boolean => list.some(([pattern]) => pattern.test(path));

export function differences(sample: unknown, live: unknown, path = ""): string[] {
  const a = typeOf(sample), b = typeOf(live);
  if (a !== b) return (a === "null" || b === "null") && NULLABLE.test(path) ? [] : [`${path || "(root)"}: sample ${a}, live ${b}`];
  if (Array.isArray(sample) && Array.isArray(live)) {
    if (sample.length === 0 || live.length === 0) return [];
    // rows of one list differ in nullable places only: every live row must fit one of the sample's rows
    return live.flatMap((row: unknown) => {
      const found = sample.map((s: unknown) => differences(s, row, path));
      return found.find((f) => f.length === 0) ?? found[0] ?? [];
    });
  }
  if (a !== "object" || FREE_FORM.test(path)) return [];
  const s = sample as Record<string, unknown>, l = live as Record<string, unknown>;
  const at = (key: string): string => (path === "" ? key : `${path}.${key}`);
  return [
    ...Object.keys(s).filter((k) => !(k in l) && !known(GONE_KEYS, at(k))).map((k) => `${at(k)}: only in the sample`),
    ...Object.keys(l).filter((k) => !(k in s) && !known(NEWER_KEYS, at(k))).map((k) => `${at(k)}: only live`),
    ...Object.keys(s).filter((k) => k in l).flatMap((k) => differences(s[k], l[k], at(k))),
  ];
}
