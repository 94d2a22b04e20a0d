import type { ServerRow } from "../model/rows";

/** Invented prices per month and unit; only their shape follows the service. Amounts are in the resource's own unit. */
export const PRICES: Readonly<Record<string, { readonly perMonth: number; readonly unit: string; readonly multiplier: number }>> = {
  cpu: { perMonth: 9, unit: "GHz/month", multiplier: 1_000 },
  intel_cpu: { perMonth: 9, unit: "GHz/month", multiplier: 1_000 },
  mem: { perMonth: 6, unit: "GB/month", multiplier: 2 ** 30 },
  intel_mem: { perMonth: 6, unit: "GB/month", multiplier: 2 ** 30 },
  dssd: { perMonth: 0.14, unit: "GB/month", multiplier: 2 ** 30 },
  nvme: { perMonth: 0.2, unit: "GB/month", multiplier: 2 ** 30 },
  zadara: { perMonth: 0.1, unit: "GB/month", multiplier: 2 ** 30 },
  ssd: { perMonth: 0.14, unit: "GB/month", multiplier: 2 ** 30 },
  tx: { perMonth: 0.05, unit: "GB", multiplier: 2 ** 30 },
  ip: { perMonth: 3, unit: "ip/month", multiplier: 1 },
  vlan: { perMonth: 5, unit: "vlan/month", multiplier: 1 },
};

const MONTH_MS = 30 * 86_400_000;
const FIVE_DAYS_MS = 5 * 86_400_000;

export const priceOf = (resource: string, amount: number, ms: number): number => {
  const price = PRICES[resource];
  if (price === undefined) return 0;
  return (price.perMonth * amount * (resource === "tx" ? 1 : ms / MONTH_MS)) / price.multiplier;
};

/** What a start needs to be covered for. */
export const fiveDaysCost = (s: ServerRow): number => priceOf("cpu", s.cpu, FIVE_DAYS_MS) + priceOf("mem", s.mem, FIVE_DAYS_MS);
