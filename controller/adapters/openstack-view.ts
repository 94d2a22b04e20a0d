import { explainFailure } from "../../components/openstack/explain";
import { isBusy, isFailed, type GroupMember, type HeatGroup } from "../../components/openstack/heat";
import { macsOf, type NovaServer } from "../../components/openstack/nova";
import type { Member, MemberStatus, PoolView } from "../ports";

/** What the pool has asked Heat for and Heat may not show yet. */
export interface Order {
  readonly target: number;
  /** `updated_time` of the stack before: another one shows that Heat has begun. */
  readonly before: string | null | undefined;
  readonly atMs: number;
}

/** A Heat stack with the servers of its members. */
export interface SeenGroup {
  readonly group: HeatGroup;
  readonly servers: ReadonlyMap<string, NovaServer>;
  /** Servers that nova has not known for a while. */
  readonly missing: ReadonlySet<string>;
  /** It is of a former definition. */
  readonly former: boolean;
  /** Of which worker type its members are. */
  readonly type: string;
  /** That type is not declared (any more). */
  readonly undeclared: boolean;
}

const GONE = /^DELETE_(COMPLETE)$/;
const LEAVING = /^DELETE_/;
/** Nova's words; one that is not here is shown as unknown. */
const STATUSES: Readonly<Record<string, MemberStatus>> = {
  ACTIVE: "running", PASSWORD: "running", RESIZE: "running", VERIFY_RESIZE: "running", MIGRATING: "running",
  BUILD: "starting", REBUILD: "starting", REBOOT: "starting", HARD_REBOOT: "starting",
  SHUTOFF: "stopped", PAUSED: "stopped", SUSPENDED: "stopped", SHELVED: "stopped", SHELVED_OFFLOADED: "stopped", RESCUE: "stopped",
  ERROR: "failed", DELETED: "gone", SOFT_DELETED: "gone",
};
const PENDING = "-pending";
export const isPending = (id: string): boolean => id.endsWith(PENDING);

/** Members as Heat's group counts them: failed ones do not count, and the next update takes them away. */
export const counted = (g: HeatGroup, leaving: ReadonlySet<string>): readonly GroupMember[] =>
  g.members.filter((m) => !isFailed(m.status) && !LEAVING.test(m.status) && (m.serverId === undefined || !leaving.has(m.serverId)));

/** A failed member whose server runs: the next change of the group would kill it. */
export const endangered = (s: SeenGroup, leaving: ReadonlySet<string>): readonly GroupMember[] =>
  s.group.members.filter((m) => isFailed(m.status) && !LEAVING.test(m.status) && m.serverId !== undefined && !leaving.has(m.serverId) && isAlive(s.servers.get(m.serverId)));

const isAlive = (s: NovaServer | undefined): boolean => s !== undefined && !["ERROR", "DELETED", "SOFT_DELETED"].includes(s.status) && s["OS-EXT-STS:task_state"] !== "deleting";

/** A failed member without a server that runs: nothing is lost with it. */
export const dead = (s: SeenGroup, leaving: ReadonlySet<string>): readonly GroupMember[] => {
  const kept = new Set(endangered(s, leaving));
  return s.group.members.filter((m) => isFailed(m.status) && !LEAVING.test(m.status) && !kept.has(m) && (m.serverId === undefined || !leaving.has(m.serverId)));
};

/** What Heat is doing with the group, or undefined where it has come to rest. */
export function activity({ stack, nested }: HeatGroup): string | undefined {
  const doing = [stack.stack_status, nested?.stack_status].find(isBusy);
  return doing === undefined ? undefined : `Heat is in ${doing} with ${stack.stack_name}`;
}

/** So many more will show, by what was ordered or by what Heat itself says it is making. */
export function pendingCount(g: HeatGroup, order: Order | undefined, leaving: ReadonlySet<string>): number {
  const listed = counted(g, leaving).length;
  const wanted = order?.target ?? (isBusy(g.stack.stack_status) ? Number(g.stack.parameters?.["min"] ?? 0) : 0);
  return Math.max(0, wanted - listed);
}

/** What Heat could not do, in words for people. */
export function groupFailure({ stack, nested }: HeatGroup): PoolView["failure"] {
  const failed = isFailed(stack.stack_status) ? stack : isFailed(nested?.stack_status) && !isBusy(stack.stack_status) ? nested : undefined;
  if (failed === undefined) return undefined;
  const reason = failed.stack_status_reason ?? "no reason given";
  const meaning = explainFailure(reason);
  return { key: `${stack.id} ${stack.updated_time ?? ""} ${reason}`, why: `Heat could not change the group: ${meaning === undefined ? reason : `${meaning} (${reason})`}` };
}

/** Why nothing may be made any more. */
export const closingReason = ({ stack }: HeatGroup): string | undefined =>
  /^DELETE_/.test(stack.stack_status) ? "the group's stack is being deleted"
    : /^(CREATE|ROLLBACK|ADOPT)_FAILED$/.test(stack.stack_status) ? `the group's stack is in ${stack.stack_status}: ${stack.stack_status_reason ?? "no reason given"}; run \`pulumi up\`, which makes it anew`
      : undefined;

/** What nova says of one server, asked by itself. */
export const novaStatus = (server: NovaServer | undefined): MemberStatus =>
  server === undefined ? "gone" : server["OS-EXT-STS:task_state"] === "deleting" ? "stopping" : (STATUSES[server.status] ?? "unknown");

/** Nothing runs on it, and nothing will without somebody's doing. */
export const isOff = (status: MemberStatus): boolean => status === "stopped" || status === "failed" || status === "gone" || status === "stopping";

export function membersOf(s: SeenGroup, leaving: ReadonlySet<string>): readonly Member[] {
  const doomed = new Set(endangered(s, leaving));
  const { type } = s;
  const retiring = s.undeclared ? `its worker type ${type} is no longer declared` : s.former ? "it was made from a former definition of the group" : undefined;
  return s.group.members.filter((m) => !GONE.test(m.status)).flatMap((m): Member[] => {
    if (m.serverId === undefined) return isFailed(m.status) || LEAVING.test(m.status) ? [] : [pendingMember(m.resource, type, retiring)];
    const server = s.servers.get(m.serverId);
    const detail = server?.fault?.message ?? (isFailed(m.status) ? m.reason : undefined);
    const launched = Date.parse(`${server?.["OS-SRV-USG:launched_at"] ?? ""}Z`);
    return [{
      id: m.serverId, name: `${server?.name ?? s.group.stack.stack_name}-${m.resource}`, type, copying: false, macs: server === undefined ? [] : macsOf(server),
      status: statusOf(m, server, s.missing.has(m.serverId)),
      ...(Number.isFinite(launched) ? { activeSinceMs: launched } : {}), ...(detail === undefined || detail === "" ? {} : { detail }),
      ...(retiring === undefined ? {} : { retiring }), ...(doomed.has(m) ? { doomed: true } : {}),
    }];
  });
}

/** One that Heat has accepted and nova does not know yet. */
export const pendingMember = (name: string, type: string, retiring?: string): Member => ({ id: `${name}${PENDING}`, name, type, status: "starting", placeholder: true, copying: true, macs: [], ...(retiring === undefined ? {} : { retiring }) });

function statusOf(m: GroupMember, server: NovaServer | undefined, missing: boolean): MemberStatus {
  if (server === undefined) return LEAVING.test(m.status) ? "stopping" : missing ? "gone" : "unknown";
  return LEAVING.test(m.status) ? "stopping" : novaStatus(server);
}
