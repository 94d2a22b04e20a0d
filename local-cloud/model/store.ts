import { newUuid } from "./ids";
import type { AccountRow, AclRow, AuditRow, DriveRow, FwPolicyRow, IpRow, JobRow, KeyPairRow, LedgerRow, Row, ServerRow, SnapshotRow, State, SubscriptionRow, TagRow, VlanRow } from "./rows";

/** Objects of one kind, in the order they were made. Deleted ones stay in lists for a while when told so. */
export class Table<R extends Row> {
  private readonly rows = new Map<string, R>();
  private readonly ghosts = new Map<string, { row: R; untilMs: number }>();
  constructor(rows: readonly R[], private readonly changed: () => void) {
    for (const row of rows) this.rows.set(row.uuid, row);
  }
  get size(): number {
    return this.rows.size;
  }
  get(uuid: string): R | undefined {
    return this.rows.get(uuid);
  }
  add(row: R): R {
    this.rows.set(row.uuid, row);
    this.changed();
    return row;
  }
  remove(uuid: string, ghostUntilMs = 0): void {
    const row = this.rows.get(uuid);
    if (row === undefined) return;
    this.rows.delete(uuid);
    if (ghostUntilMs > 0) this.ghosts.set(uuid, { row, untilMs: ghostUntilMs });
    this.changed();
  }
  all(): IterableIterator<R> {
    return this.rows.values();
  }
  /** What a list shows: new rows only after the lag, removed rows until theirs has passed. */
  listed(nowMs: number, lagMs: number): R[] {
    const rows = lagMs > 0 ? [...this.rows.values()].filter((r) => r.createdMs + lagMs <= nowMs) : [...this.rows.values()];
    for (const [uuid, ghost] of this.ghosts) if (ghost.untilMs > nowMs) rows.push(ghost.row);
    else this.ghosts.delete(uuid);
    return rows;
  }
}

const AUDIT_ROWS_KEPT = 5_000;

/** All rows and the indexes over them. Knows no rules, time or files; `onChange` hears of every change. */
export class Store {
  readonly account: AccountRow;
  readonly servers: Table<ServerRow>;
  readonly drives: Table<DriveRow>;
  readonly snapshots: Table<SnapshotRow>;
  readonly tags: Table<TagRow>;
  readonly acls: Table<AclRow>;
  readonly keypairs: Table<KeyPairRow>;
  readonly vlans: Table<VlanRow>;
  readonly ips: Table<IpRow>;
  readonly fwpolicies: Table<FwPolicyRow>;
  readonly jobs: Table<JobRow>;
  readonly subscriptions: Table<SubscriptionRow>;
  readonly audit: AuditRow[];
  readonly ledger: LedgerRow[];
  onChange: () => void = () => undefined;
  private nextSubscription: number;
  /** Which servers hold a drive, a VLAN or a static address. */
  private readonly users = new Map<string, Set<string>>();
  private readonly used = new Map<string, readonly string[]>();
  /** Lent addresses by the NIC's mac. */
  private readonly lent = new Map<string, string>();

  constructor(state: State) {
    const changed = (): void => this.onChange();
    this.account = state.account;
    this.nextSubscription = state.nextSubscription;
    this.servers = new Table(state.servers, changed);
    this.drives = new Table(state.drives, changed);
    this.snapshots = new Table(state.snapshots, changed);
    this.tags = new Table(state.tags, changed);
    this.acls = new Table(state.acls, changed);
    this.keypairs = new Table(state.keypairs, changed);
    this.vlans = new Table(state.vlans, changed);
    this.ips = new Table(state.ips, changed);
    this.fwpolicies = new Table(state.fwpolicies, changed);
    this.jobs = new Table(state.jobs, changed);
    this.subscriptions = new Table(state.subscriptions, changed);
    this.audit = state.audit;
    this.ledger = state.ledger;
    for (const server of this.servers.all()) this.indexServer(server);
    for (const ip of this.ips.all()) if (ip.lent !== null) this.lent.set(ip.lent.mac, ip.uuid);
  }

  /** To be called after a row was changed in place. */
  touch(): void {
    this.onChange();
  }

  /** To be called when a server's drives or NICs have changed. */
  indexServer(server: ServerRow): void {
    this.unindexServer(server.uuid);
    const things = new Set<string>();
    for (const d of server.drives) things.add(d.drive);
    for (const n of server.nics) {
      if (n.vlan !== null) things.add(n.vlan);
      if (n.ip_v4_conf?.conf === "static" && n.ip_v4_conf.ip !== null) things.add(n.ip_v4_conf.ip);
      if (n.firewall_policy) things.add(n.firewall_policy);
    }
    this.used.set(server.uuid, [...things]);
    for (const thing of things) {
      const set = this.users.get(thing) ?? new Set<string>();
      this.users.set(thing, set.add(server.uuid));
    }
    this.onChange();
  }

  unindexServer(uuid: string): void {
    for (const thing of this.used.get(uuid) ?? []) {
      const set = this.users.get(thing);
      set?.delete(uuid);
      if (set?.size === 0) this.users.delete(thing);
    }
    this.used.delete(uuid);
  }

  /** Servers that hold a drive, VLAN or static address in their definition. */
  usersOf(thing: string): string[] {
    return [...(this.users.get(thing) ?? [])];
  }

  /** An address that DHCP lends to a NIC while its server is on. */
  lend(ip: IpRow): void {
    this.ips.add(ip);
    if (ip.lent !== null) this.lent.set(ip.lent.mac, ip.uuid);
  }
  lentTo(mac: string): string | undefined {
    return this.lent.get(mac);
  }
  takeBack(mac: string): void {
    const address = this.lent.get(mac);
    if (address === undefined) return;
    this.lent.delete(mac);
    this.ips.remove(address);
  }

  takeSubscriptionId(): number {
    this.onChange();
    return this.nextSubscription++;
  }

  addAudit(row: AuditRow): void {
    this.audit.push(row);
    if (this.audit.length > AUDIT_ROWS_KEPT) this.audit.splice(0, this.audit.length - AUDIT_ROWS_KEPT);
    this.onChange();
  }

  toState(): State {
    return {
      version: 1,
      account: this.account,
      nextSubscription: this.nextSubscription,
      servers: [...this.servers.all()],
      drives: [...this.drives.all()],
      snapshots: [...this.snapshots.all()],
      tags: [...this.tags.all()],
      acls: [...this.acls.all()],
      keypairs: [...this.keypairs.all()],
      vlans: [...this.vlans.all()],
      ips: [...this.ips.all()],
      fwpolicies: [...this.fwpolicies.all()],
      jobs: [...this.jobs.all()],
      subscriptions: [...this.subscriptions.all()],
      audit: this.audit,
      ledger: this.ledger,
    };
  }
}

export const emptyState = (balance: number): State => ({
  version: 1,
  account: { uuid: newUuid(), balance, refuseStarts: false, profile: {}, globalContext: {} },
  nextSubscription: 4710,
  servers: [], drives: [], snapshots: [], tags: [], acls: [], keypairs: [], vlans: [], ips: [], fwpolicies: [], jobs: [], subscriptions: [], audit: [], ledger: [],
});
