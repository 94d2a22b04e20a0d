/** The objects of the CloudSigma API 2.0 as they travel. Only what this project reads or writes; the service sends more. */

/** Reference to another object, as answers hold it; requests take the bare uuid. */
export interface Ref {
  readonly uuid: string;
  readonly resource_uri?: string | { readonly resource_uri: string; readonly uuid: string };
}
export type Meta = Record<string, string>;
/** Reference as requests may hold it. */
export type RefIn = string | Ref;

interface Owned {
  readonly uuid: string;
  readonly name?: string;
  /** null on library drives; absent on key pairs. */
  readonly owner?: Ref | null;
  readonly meta?: Meta;
  readonly tags?: readonly Ref[];
  readonly resource_uri?: string;
}

export interface IpConf {
  readonly conf: "dhcp" | "static" | "manual";
  readonly ip: Ref | null;
}

export interface NicRuntime {
  readonly interface_type?: "public" | "private";
  readonly mac?: string;
  readonly ip_v4?: Ref | null;
}

export interface Nic {
  readonly mac: string;
  readonly model?: string;
  readonly boot_order?: number | null;
  readonly ip_v4_conf: IpConf | null;
  readonly ip_v6_conf?: IpConf | null;
  readonly vlan: Ref | null;
  readonly runtime?: NicRuntime | null;
}

export interface AttachedDrive {
  readonly boot_order: number | null;
  /** `controller:unit`. */
  readonly dev_channel: string;
  readonly device: "virtio" | "ide" | "scsi";
  readonly drive: Ref;
}

export interface Server extends Owned {
  readonly name: string;
  /** MHz in total over all cores. */
  readonly cpu: number;
  /** Bytes. */
  readonly mem: number;
  readonly smp: number;
  readonly status: string;
  readonly vnc_password?: string;
  readonly drives: readonly AttachedDrive[];
  readonly nics: readonly Nic[];
  readonly meta: Meta;
  readonly pubkeys: readonly Ref[];
  readonly auto_start?: boolean;
  readonly jobs?: readonly Ref[];
  readonly runtime: { readonly active_since?: string | null; readonly nics?: readonly NicRuntime[] } | null;
}

export interface Drive extends Owned {
  readonly name: string;
  /** Bytes, a multiple of 16384. */
  readonly size: number;
  readonly media: "disk" | "cdrom";
  readonly storage_type: string | null;
  readonly status: string;
  readonly allow_multimount?: boolean;
  readonly mounted_on?: readonly Ref[];
  readonly meta: Meta;
  readonly jobs?: readonly Ref[];
}

export interface LibDrive extends Owned {
  readonly name: string;
  readonly size: number;
  readonly media: "disk" | "cdrom";
  readonly status?: string;
  readonly os?: string;
  readonly arch?: string;
  readonly distribution?: string;
  readonly version?: string;
  readonly image_type?: string;
}

export interface SubscriptionRef {
  readonly id: number;
  readonly resource_uri?: string;
}

export interface Vlan extends Owned {
  readonly meta: Meta;
  readonly servers: readonly Ref[];
  readonly subscription: SubscriptionRef | null;
}

/** A public address; its uuid is the address itself. */
export interface Ip extends Owned {
  readonly meta: Meta;
  /** Prefix length. */
  readonly netmask: number;
  readonly gateway: string;
  readonly nameservers?: readonly string[];
  readonly server: Ref | null;
  /** null: lent to a server by DHCP, not ours. */
  readonly subscription: SubscriptionRef | null;
}

export interface Tag extends Owned {
  readonly name: string;
  readonly resources: readonly (Ref & { readonly res_type?: string })[];
}

export interface KeyPair extends Owned {
  readonly name: string;
  readonly public_key: string;
  readonly fingerprint?: string;
}

export interface Subscription {
  readonly id: string;
  readonly uuid: string;
  readonly resource: string;
  readonly amount: string;
  readonly auto_renew: boolean;
  readonly status: string;
  readonly period?: string | null;
  readonly start_time: string | null;
  readonly end_time: string | null;
  readonly price?: string | null;
  /** IP address or VLAN uuid. */
  readonly subscribed_object: string | null;
}

export interface Job {
  readonly uuid: string;
  readonly operation: string;
  readonly state: string;
  readonly data?: { readonly progress?: number };
  readonly resources?: readonly string[];
  readonly children?: readonly Job[];
}

export interface Snapshot extends Owned {
  readonly name: string;
  readonly drive: Ref;
  readonly status: string;
  readonly allocated_size: number | null;
}

export interface Location {
  readonly id: string;
  readonly display_name: string;
  /** API base that servers and clients of this location use. */
  readonly api_endpoint: string;
  readonly country_code?: string;
}

export interface License {
  readonly name: string;
  readonly long_name?: string;
  readonly type?: string;
}

export interface MinMax {
  readonly min: number;
  readonly max: number;
}
export interface HostLimits {
  readonly cpu: MinMax;
  readonly cpu_per_smp: MinMax;
  readonly mem: MinMax;
  readonly smp: MinMax;
}
export interface Capabilities {
  /** Deprecated copy of hosts.amd, but always there. */
  readonly servers?: HostLimits;
  readonly hosts?: Readonly<Record<string, HostLimits>>;
  readonly hypervisors?: Readonly<Record<string, readonly string[]>>;
  readonly drives: Readonly<Record<string, { readonly size?: MinMax; readonly min_size?: number; readonly max_size?: number }>>;
  readonly default_storage_type?: string;
}

export interface Profile {
  readonly uuid: string;
  readonly email?: string;
  readonly state?: string;
  readonly currency?: string;
  readonly clone_naming?: string;
}

export interface Balance {
  readonly balance: string;
  readonly currency: string;
  readonly credit_limit?: string;
}

export interface CurrentUsage {
  readonly balance?: { readonly balance: string; readonly currency: string };
  readonly usage: Readonly<Record<string, { readonly burst: string | number; readonly subscribed: string | number; readonly using: string | number }>>;
}

/** Answer of a server action; the open_ actions add their URL. */
export interface ActionResult {
  readonly action?: string;
  readonly result?: string;
  readonly uuid?: string;
  readonly console_url?: string;
  readonly vnc_url?: string;
}

/** Collections of the API and what they hold. */
export interface Kinds {
  servers: Server;
  drives: Drive;
  libdrives: LibDrive;
  vlans: Vlan;
  ips: Ip;
  tags: Tag;
  keypairs: KeyPair;
  pubkeys: KeyPair;
  subscriptions: Subscription;
  jobs: Job;
  snapshots: Snapshot;
  locations: Location;
  licenses: License;
}
export type Kind = keyof Kinds;

/** Single objects of the API (no list). */
export interface Singles {
  profile: Profile;
  balance: Balance;
  capabilities: Capabilities;
  currentusage: CurrentUsage;
}
export type Single = keyof Singles;
