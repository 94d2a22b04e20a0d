/** What local-cloud remembers: one row per object, references as bare uuids. The state file holds exactly this. */
export type Meta = Record<string, string>;

export interface Row {
  readonly uuid: string;
  /** uuid of the owning user. */
  readonly owner: string;
  readonly createdMs: number;
}

export type ServerStatus = "stopped" | "starting" | "running" | "stopping" | "paused" | "unavailable" | "cloning";

export interface AttachmentRow {
  boot_order: number | null;
  dev_channel: string;
  device: string;
  drive: string;
}

export interface NicRow {
  mac: string;
  model: string;
  boot_order: number | null;
  ip_v4_conf: { conf: "dhcp" | "static" | "manual"; ip: string | null } | null;
  ip_v6_conf: { conf: string; ip: string | null } | null;
  vlan: string | null;
  firewall_policy?: string | null;
}

export interface ServerRow extends Row {
  name: string;
  cpu: number;
  mem: number;
  smp: number;
  vnc_password: string;
  cpu_type: string;
  cpu_model: string | null;
  cpus_instead_of_cores: boolean;
  hypervisor: string;
  enable_numa: boolean;
  hv_relaxed: boolean;
  hv_tsc: boolean;
  context: boolean;
  auto_start: boolean;
  allocation_pool: string | null;
  drives: AttachmentRow[];
  nics: NicRow[];
  meta: Meta;
  tags: string[];
  pubkeys: string[];
  requirements: unknown[];
  epcs: { size: number }[];
  gpus: { model: string }[];
  jobs: string[];
  status: ServerStatus;
  /** When it came up; null unless running. */
  activeSinceMs: number | null;
  /** Clone under way: settles when all drives are ready. */
  cloneJob: string | null;
}

export type DriveStatus = "creating" | "ready" | "cloning_dst" | "resizing" | "unavailable";

export interface License {
  readonly amount: number;
  readonly license: { readonly burstable: boolean; readonly long_name: string; readonly name: string; readonly resource_uri: string; readonly type: string; readonly user_metric: string };
  readonly user: string | null;
}

export interface DriveRow extends Row {
  name: string;
  size: number;
  media: "disk" | "cdrom";
  storage_type: string;
  allow_multimount: boolean;
  affinities: unknown[];
  iops: number | null;
  meta: Meta;
  tags: string[];
  licenses: readonly License[];
  jobs: string[];
  /** `ready` shows as mounted or unmounted. */
  status: DriveStatus;
  /** What it is being copied from; kept so that a copy can go on after a crash. */
  cloneFrom: string | null;
  newSize: number | null;
  /** Deleted, but still readable for a while. */
  deleting: boolean;
}

export interface SnapshotRow extends Row {
  name: string;
  drive: string;
  meta: Meta;
  tags: string[];
  status: "creating" | "available";
  deleting: boolean;
}

export interface TagRow extends Row {
  name: string;
  meta: Meta;
}

export interface AclRow extends Row {
  name: string;
  meta: Meta;
  rules: { permission: string }[];
  tags: string[];
  grantees: { email: string | null; uuid: string }[];
}

export interface KeyPairRow extends Row {
  name: string;
  public_key: string;
  private_key: string | null;
  fingerprint: string;
  meta: Meta;
  tags: string[];
}

export interface VlanRow extends Row {
  meta: Meta;
  tags: string[];
  subscription: number | null;
}

/** Its uuid is the address. */
export interface IpRow extends Row {
  meta: Meta;
  tags: string[];
  subscription: number | null;
  /** Lent to a NIC by DHCP while its server is on. */
  lent: { server: string; mac: string } | null;
}

export interface FwPolicyRow extends Row {
  name: string | null;
  meta: Meta;
  tags: string[];
  rules: Record<string, unknown>[];
}

export interface JobRow extends Row {
  operation: string;
  state: "started" | "success" | "failed";
  progress: number;
  /** Paths such as `/api/2.0/drives/{uuid}/`. */
  resources: string[];
  children: string[];
  modifiedMs: number;
}

export interface SubscriptionRow extends Row {
  readonly id: number;
  resource: string;
  amount: string;
  auto_renew: boolean;
  startMs: number;
  endMs: number;
  price: string;
  subscribed_object: string | null;
  descendants: number[];
  /** Its follow-up exists or it has ended: nothing is left to do at its end. */
  closed: boolean;
}

export interface AuditRow {
  readonly action: string;
  readonly category: string;
  readonly details: string;
  readonly error_message: string;
  readonly error_point: string | null;
  readonly error_type: string | null;
  readonly success: boolean;
  readonly atMs: number;
  readonly uuid: string;
}

export interface LedgerRow {
  readonly id: number;
  readonly amount: string;
  readonly end: string;
  readonly initial: string;
  readonly reason: string;
  readonly resource_amount: string;
  readonly atMs: number;
}

export interface AccountRow {
  uuid: string;
  balance: number;
  /** Starting a server answers 402, whatever the balance. */
  refuseStarts: boolean;
  profile: Record<string, unknown>;
  globalContext: Record<string, unknown>;
}

export interface State {
  version: 1;
  account: AccountRow;
  nextSubscription: number;
  servers: ServerRow[];
  drives: DriveRow[];
  snapshots: SnapshotRow[];
  tags: TagRow[];
  acls: AclRow[];
  keypairs: KeyPairRow[];
  vlans: VlanRow[];
  ips: IpRow[];
  fwpolicies: FwPolicyRow[];
  jobs: JobRow[];
  subscriptions: SubscriptionRow[];
  audit: AuditRow[];
  ledger: LedgerRow[];
}
