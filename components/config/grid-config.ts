import type { AlarmSettings, ScalingSettings } from "./controller-config";

/** A grid's configuration as all parts use it: checked, complete, in numbers with their units. */
export interface GridConfig {
  readonly name: string;
  readonly image: ImageChoice;
  readonly network: { readonly cidr: string; readonly vlan?: string };
  /** Static address (CloudSigma) or floating IP (OpenStack) to use. */
  readonly address?: string;
  readonly purchases: { readonly vlan: boolean; readonly address: boolean; readonly period: string };
  /** `replace`: uuid of the one object that holds the queue and may be replaced all the same. */
  readonly master: ServerSize & { readonly replace?: string };
  readonly ssh: { readonly port: number; readonly allowFrom: readonly string[]; readonly authorizedKeys: readonly string[] };
  readonly workers: WorkersConfig;
  readonly scaling: ScalingSettings;
  readonly alarms: AlarmSettings;
  readonly firewall: readonly FirewallRule[];
  readonly condor: { readonly settings: Readonly<Record<string, string>> };
  readonly timeouts: { readonly masterReadySeconds: number; readonly workersReadySeconds: number };
  readonly openstack: OpenstackOptions;
  readonly bootstrap: "ssh" | "none";
}

/** What can be said about OpenStack only; left out means: ask the cloud. */
export interface OpenstackOptions {
  /** Name or id. */
  readonly externalNetwork?: string;
  /** Empty: the cloud's own. */
  readonly dnsServers?: readonly string[];
  /** Name or id. */
  readonly masterFlavor?: string;
  readonly workersFlavor?: string;
  /** File to upload as the image; relative to the project's root. */
  readonly imageFile?: string;
  /** The master boots from a volume of its disk's size. */
  readonly bootVolume: boolean;
  /** An IPv6 subnet too, where the cloud has a prefix for it. */
  readonly ipv6: boolean;
  readonly alarms: { readonly native: boolean; readonly metric: string; readonly aggregationMethod: string; readonly granularitySeconds: number; readonly resourceType: string };
  readonly credential: { readonly expiresInDays: number; readonly warnDaysBefore: number; readonly accessRules: boolean };
}

export interface ServerSize {
  readonly vcpus: number;
  readonly memoryMiB: number;
  readonly diskMiB: number;
}

/** What workers of one type are like, beside their size. */
export interface WorkerTraits {
  /** What one costs an hour. @default 0 */
  readonly price?: number;
  /** Attributes of its machine ad, as ClassAd expressions. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** Size, price and labels are those of the first type. */
export interface WorkersConfig extends ServerSize, WorkerTraits {
  readonly min: number;
  readonly max: number;
  /** Further types, in the order of their names. @default none */
  readonly types?: readonly WorkerTypeConfig[];
  /** Of which type this configuration speaks, where it is that of one: see `ofType`. @default the first */
  readonly type?: string;
}

export interface WorkerTypeConfig extends ServerSize, WorkerTraits {
  readonly name: string;
  /** @default the grid's */
  readonly image?: ImageChoice;
  /** @default the group's */
  readonly max?: number;
}

/** By name or by uuid, never both. */
export interface ImageChoice {
  readonly name?: string;
  readonly uuid?: string;
  readonly kind: "appliance" | "stock";
}

export interface FirewallRule {
  readonly name: string;
  readonly protocol: "tcp" | "udp" | "icmp";
  /** Left out for icmp. */
  readonly ports?: { readonly first: number; readonly last: number };
  readonly from: readonly string[];
  readonly to: "master" | "workers";
}
