import type { View } from "../api/envelope";
import type { Store } from "../model/store";

/** Limits of this cloud, as the recorded capabilities of a location. */
export const LIMITS = {
  cpu: { max: 96_000, min: 250 },
  cpu_per_smp: { max: 3_000, min: 1_000 },
  mem: { max: 558_345_748_480, min: 268_435_456 },
  smp: { max: 32, min: 1 },
} as const;
export const CPU_TYPES: readonly string[] = ["amd", "intel"];

const drive = (min: number, max: number, base: number): View => ({ iops: { base, max: base * 2, min: 1 }, max_size: max, min_size: min, size: { max, min } });

export const STORAGE: Readonly<Record<string, { readonly min: number; readonly max: number; readonly iops: number }>> = {
  dssd: { min: 536_870_912, max: 15_492_389_427_364, iops: 30_000 },
  nvme: { min: 536_870_912, max: 12_074_020_121_525, iops: 30_000 },
  zadara: { min: 1_073_741_824, max: 14_180_205_493_621, iops: 4_000 },
};

export const capabilitiesView = (store: Store): View => ({
  backfilling: false, card_backend: "LocalCloud", currencies: [{ id: "EUR", name: "eur" }], default_inactive_period: 45, default_storage_type: "dssd",
  drives: Object.fromEntries(Object.entries(STORAGE).map(([name, s]) => [name, drive(s.min, s.max, s.iops)])),
  hosts: { amd: { ...LIMITS, cpu_per_smp: { max: 2_893, min: 1_000 } }, intel: LIMITS },
  hypervisors: { kvm: ["intel", "amd"] }, inactive_period_range: { max: 250, min: 0 },
  remote_snapshots: { current: 0, max: 600, remote_locations: ["ZRH"] },
  servers: { ...LIMITS, default_start_method: "regular", start_methods: ["eager", "lazy", "regular"] },
  snapshots: { current: store.snapshots.size, max: 700, max_per_drive: 90 },
});
