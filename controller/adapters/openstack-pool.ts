import { DEFAULT_TYPE, type OpenstackTarget, type WorkerLimits } from "../../components/config/controller-config";
import { CloudError, isCloudError } from "../../components/errors";
import type { Openstack } from "../../components/openstack/api";
import { explainFailure } from "../../components/openstack/explain";
import { isBusy, isFailed, markMember, readGroup, updateGroup, type GroupStack, type StackRef, type UpdateAnswer } from "../../components/openstack/heat";
import { consoleTail, serversById, serverNow } from "../../components/openstack/nova";
import { isGroupOf, stackPath, typeOfStack, typeStackPrefix } from "../../components/openstack/stacks";
import { known, unknown, type GrowResult, type Member, type MemberStatus, type Observed, type Pool, type PoolView, type RemovalStep } from "../ports";
import { failureClassOf } from "./failure-class";
import { activity, closingReason, counted, dead, endangered, groupFailure, isOff, isPending, membersOf, novaStatus, pendingCount, pendingMember, type Order, type SeenGroup } from "./openstack-view";

export interface OpenstackPoolOptions {
  readonly api: Openstack;
  readonly target: OpenstackTarget;
  readonly limits: Pick<WorkerLimits, "min" | "max">;
  /** The worker type whose group this is; the first one's also sees to the stacks of types that are no longer declared. @default the first */
  readonly type?: string;
  readonly nowMs?: () => number;
}

/** A stack whose workers drain, and of which type they are. */
interface FormerRef extends StackRef {
  readonly type: string;
  /** Its type is no longer declared, or not yet known here: an `up` that is just making it must not lose it. */
  readonly undeclared: boolean;
}

/** Of the group in its template (`components/render/heat.ts`). */
const GROUP = "group";
/** Stacks of former definitions come only with a `pulumi up`. */
const LIST_EVERY_MS = 30_000;
/** A raised minimum is put back when nothing has been ordered for so long: each update makes others wait. */
const QUIET_MS = 15_000;
const ORDER_SHOWS_MS = 15_000;
const REPAIR_MS = 10_000, LONGEST_REPAIR_MS = 300_000;
/** One "not found" makes nothing gone. */
const SURE_MISSING_MS = 5_000;
const CONSOLE_LINES = 15;
const REASON = "elastigrid: drained, to be removed";
const KEPT = "elastigrid: it runs, and nobody has drained it";

/**
 * The worker group on OpenStack: a Heat AutoScalingGroup without `desired_capacity`.
 *
 * - It grows by one update with a higher minimum, however many are wanted. The target is absolute: an order that is given twice, or beside
 *   Heat's own scaling, makes nothing twice.
 * - It loses exactly one worker by marking that one unhealthy and an update with a minimum that does not ask for a substitute. Whatever
 *   else Heat holds for failed would go along in that update: so whoever runs and was not drained is marked healthy first.
 * - Heat would begin a second update over a first one; so nothing is sent while it is busy.
 */
export class OpenstackPool implements Pool {
  private readonly api: Openstack;
  private readonly current: StackRef;
  private readonly nowMs: () => number;
  /** Told to go by this process: alone these may be taken away. */
  private readonly leaving = new Set<string>();
  /** Have been members, and when Heat let go of them. */
  private readonly members = new Map<string, number | undefined>();
  /** Servers that nova did not know, and since when. */
  private missing = new Map<string, number>();
  /** Servers about which nova's last answer could not be read, and why. */
  private unreadable = new Map<string, string>();
  /** Former stacks without a worker of which we have spoken. */
  private readonly empty = new Set<string>();
  private order: Order | undefined;
  private lastOrderMs = Number.NEGATIVE_INFINITY;
  private seen: readonly SeenGroup[] = [];
  private formers: { readonly refs: readonly FormerRef[]; readonly atMs: number } | undefined;
  private readonly type: string;
  private closing: string | undefined;
  private repairs = 0;
  private repairAtMs = 0;
  private asked = new Set<string>();
  private round: Promise<ReadonlyMap<string, RemovalStep | CloudError>> | undefined;

  constructor(private readonly options: OpenstackPoolOptions) {
    this.api = options.api;
    this.type = options.type ?? DEFAULT_TYPE;
    const { stackName, stackId } = this.type === DEFAULT_TYPE ? options.target : (options.target.types?.[this.type] ?? { stackName: "", stackId: "" });
    this.current = { stack_name: stackName, id: stackId };
    this.nowMs = options.nowMs ?? Date.now;
  }

  async observe(): Promise<Observed<PoolView>> {
    try {
      const seen = await this.look();
      const now = seen.find((s) => !s.former);
      for (const s of seen) for (const m of s.group.members) if (m.serverId !== undefined) this.members.set(m.serverId, undefined);
      this.closing = now === undefined ? "the group's stack is gone" : closingReason(now.group);
      if (now === undefined) return known({ members: seen.flatMap((s) => membersOf(s, this.leaving)), closing: this.closing }, this.lacks());
      this.noteOrder(now);
      const listed = seen.flatMap((s) => membersOf(s, this.leaving));
      const shown = now.group.members.filter((m) => m.serverId === undefined && !isFailed(m.status)).length;
      const pending = Math.max(0, pendingCount(now.group, this.order, this.leaving));
      const coming = Array.from({ length: pending }, (_, i): Member => pendingMember(`ordered-${this.type}-${String(i + shown + 1).padStart(3, "0")}`, this.type));
      return known({ members: [...listed, ...coming], closing: this.closing, busy: activity(now.group), failure: this.failureOf(now) }, this.lacks());
    } catch (e) {
      if (!isCloudError(e)) throw e;
      const meaning = explainFailure(e.message);
      return unknown(meaning === undefined ? e.message : `${meaning} (${e.message})`);
    }
  }

  private failureOf(now: SeenGroup): PoolView["failure"] {
    const failure = groupFailure(now.group);
    return failure === undefined || this.type === DEFAULT_TYPE ? failure : { ...failure, type: this.type };
  }

  /** Whether a server has been a member, or a placeholder stands for one that is to be. */
  has(id: string): boolean {
    return this.members.has(id) || id.startsWith(`ordered-${this.type}-`);
  }

  private lacks(): string | undefined {
    return this.unreadable.size === 0 ? undefined : [...this.unreadable.values()].slice(0, 3).join("; ");
  }

  async statusNow(id: string): Promise<Observed<MemberStatus>> {
    if (isPending(id)) return unknown(`Heat is still making ${id}: nova does not know it yet`);
    try {
      return known(novaStatus(await serverNow(this.api, id)));
    } catch (e) {
      return unknown(e instanceof Error ? e.message : String(e));
    }
  }

  async grow(names: readonly string[]): Promise<GrowResult> {
    const nothing = { created: [], ambiguous: false, wait: false };
    if (names.length === 0) return nothing;
    if (this.closing !== undefined) return { ...nothing, failure: `workers of type ${this.type}: ${this.closing}`, wait: true, failureClass: "gone" };
    try {
      const seen = await this.seenOrLook();
      const now = seen.find((s) => !s.former);
      if (now === undefined) return { ...nothing, failure: "the group's stack is gone", wait: true, failureClass: "gone" };
      const have = counted(now.group, this.leaving).length + pendingCount(now.group, this.order, this.leaving);
      const most = Math.max(this.options.limits.max, have);
      const target = Math.min(have + names.length, most);
      const tooMany = have + names.length - target;
      const limit = `Heat's maximum of the group is ${this.options.limits.max}; to raise it set grid.workers.max and run \`pulumi up\``;
      if (target === have) return { ...nothing, failure: limit, wait: true, failureClass: "quota" };
      // Heat shows its state at once, and it would let a second update break into a first.
      const { stack } = await this.api.get<{ stack: GroupStack }>("orchestration", stackPath(this.current), { query: { resolve_outputs: false } });
      if (isBusy(stack.stack_status)) return { ...nothing, accepted: 0 };
      const answer = await this.update(now, target);
      if (answer === "busy") return { ...nothing, accepted: 0 };
      if (answer === "gone") return { ...nothing, failure: "the group's stack is gone", wait: true, failureClass: "gone" };
      this.order = { target, before: stack.updated_time, atMs: this.nowMs() };
      return { created: [], accepted: target - have, ambiguous: false, wait: false, ...(tooMany > 0 ? { failure: limit, failureClass: "quota" } : {}) };
    } catch (e) {
      if (!isCloudError(e)) throw e;
      const meaning = explainFailure(e.message);
      return { created: [], failure: meaning === undefined ? e.message : `${meaning} (${e.message})`, ambiguous: e.ambiguous, wait: e.kind !== "transient", failureClass: failureClassOf(e) };
    }
  }

  async start(id: string): Promise<boolean> {
    if (isPending(id)) return false;
    const server = await serverNow(this.api, id);
    if (server?.status !== "SHUTOFF") return false;
    this.refuseForeign(id);
    await this.api.post("compute", `/servers/${encodeURIComponent(id)}/action`, { "os-start": null });
    return true;
  }

  /** Those that are told in the same moment go in one update. */
  async remove(id: string, how: { readonly onlyIfOff?: boolean } = {}): Promise<RemovalStep> {
    if (isPending(id)) throw new CloudError("wrong-state", `Heat is still making ${id}: it can be removed when it is there`);
    if (how.onlyIfOff === true && (await this.runsAfterAll(id))) return "runs";
    this.asked.add(id);
    this.round ??= Promise.resolve().then(() => {
      const ids = this.asked;
      this.asked = new Set();
      this.round = undefined;
      return this.removeAll(ids);
    });
    const step = (await this.round).get(id) ?? "stopping";
    if (typeof step !== "string") throw step;
    return step;
  }

  /** Heat deletes whatever state a server is in: so nova is asked first. One that Heat has begun to delete cannot be kept any more. */
  private async runsAfterAll(id: string): Promise<boolean> {
    if (isOff(novaStatus(await serverNow(this.api, id)))) return false;
    const seen = await this.look();
    if (seen.some((s) => s.group.members.some((m) => m.serverId === id && m.status.startsWith("DELETE_") && !isFailed(m.status)))) return false;
    this.leaving.delete(id);
    return true;
  }

  /** Puts right what could take a worker that nobody chose; mends failed groups; lets empty former stacks go. */
  async tend(): Promise<readonly string[]> {
    const said: string[] = [];
    for (const s of this.seen) {
      const name = s.group.stack.stack_name;
      if (activity(s.group) !== undefined || closingReason(s.group) !== undefined) continue;
      for (const m of endangered(s, this.leaving)) {
        await this.keep(s, m.resource, m.status);
        said.push(`${m.serverId} runs and is ${m.status} in Heat (${m.reason}): marked healthy again, or the next change of the group would have killed it`);
      }
      const going = s.group.members.some((m) => m.serverId !== undefined && this.leaving.has(m.serverId));
      if (going) continue; // their own update does the rest
      const broken = isFailed(s.group.stack.stack_status) || isFailed(s.group.groupStatus) || isFailed(s.group.nested?.stack_status);
      const lost = dead(s, this.leaving);
      if (broken || lost.length > 0) {
        if (this.nowMs() < this.repairAtMs) continue;
        this.repairAtMs = this.nowMs() + Math.min(LONGEST_REPAIR_MS, REPAIR_MS * 2 ** this.repairs);
        this.repairs += 1;
        if ((await this.update(s, this.floor(s))) === "accepted") said.push(`Heat left ${name} in ${s.group.stack.stack_status}${lost.length > 0 ? ` with ${lost.length} member${lost.length === 1 ? "" : "s"} that it could not make` : ""}: updated again, without ${lost.length > 0 ? "these" : "a change"}`);
        continue;
      }
      this.repairs = 0;
      if (s.former) {
        if (!s.undeclared && s.group.members.every((m) => /^DELETE_COMPLETE$/.test(m.status)) && !this.empty.has(s.group.stack.id)) said.push(await this.letGo(s.group.stack));
        continue;
      }
      const quiet = this.order === undefined && this.nowMs() - this.lastOrderMs >= QUIET_MS;
      const floor = this.floor(s);
      const raised = Number(s.group.stack.parameters?.["min"] ?? floor) !== floor;
      // Silent: it changes nothing that anybody could see.
      if (quiet && raised) await this.update(s, floor);
    }
    return said;
  }

  /** A stack with alarms holds trusts, and Keystone lets no application credential take these away: Heat would end in DELETE_FAILED. */
  private async letGo(stack: StackRef): Promise<string> {
    const says = `${stack.stack_name}, of a former definition of the group, has no worker left`;
    if (this.options.target.alarms !== undefined) {
      this.empty.add(stack.id);
      return `${says}; it has alarms, which the deploying user alone may delete: \`pulumi up\` or \`pulumi destroy\` does`;
    }
    await this.api.delete("orchestration", stackPath(stack));
    this.empty.add(stack.id);
    this.formers = undefined;
    return `${says}: deleted`;
  }

  /** The next look finds it failed and running, and marks it healthy again. */
  spare(id: string): void {
    this.leaving.delete(id);
  }

  async consoleTail(id: string): Promise<string | undefined> {
    if (isPending(id)) return undefined;
    this.refuseForeign(id);
    return consoleTail(this.api, id, CONSOLE_LINES);
  }

  private async seenOrLook(): Promise<readonly SeenGroup[]> {
    return this.seen.length > 0 ? this.seen : this.look();
  }

  private async look(): Promise<readonly SeenGroup[]> {
    const formers = await this.formerStacks();
    const refs: readonly StackRef[] = [this.current, ...formers];
    const groups = await Promise.all(refs.map((ref) => readGroup(this.api, ref, GROUP)));
    const ids = groups.flatMap((g) => g?.members.filter((m) => m.status !== "DELETE_COMPLETE").flatMap((m) => m.serverId ?? []) ?? []);
    const unreadable = new Map<string, string>();
    const servers = await serversById(this.api, ids, unreadable);
    this.unreadable = unreadable;
    const nowMs = this.nowMs();
    this.missing = new Map(ids.flatMap((id) => (servers.has(id) || unreadable.has(id) ? [] : [[id, this.missing.get(id) ?? nowMs]])));
    const missing = new Set([...this.missing].flatMap(([id, sinceMs]) => (nowMs - sinceMs >= SURE_MISSING_MS ? [id] : [])));
    this.seen = groups.flatMap((group, i) => (group === undefined ? [] : [{ group, servers, missing, former: i > 0, type: formers[i - 1]?.type ?? this.type, undeclared: formers[i - 1]?.undeclared ?? false }]));
    return this.seen;
  }

  /** Of this type only older ones: a newer one is being made by an `up` that has not told us yet. */
  private async formerStacks(): Promise<readonly FormerRef[]> {
    const { formers } = this;
    if (formers !== undefined && this.nowMs() - formers.atMs < LIST_EVERY_MS) return formers.refs;
    const { stackPrefix, types } = this.options.target;
    const isFirst = this.type === DEFAULT_TYPE;
    const prefix = isFirst ? stackPrefix : typeStackPrefix(stackPrefix, this.type);
    const all = stackPrefix === "" ? [] : (await this.api.list<GroupStack>("orchestration", "/stacks", "stacks")).filter((s) => s.stack_name.startsWith(stackPrefix));
    const own = all.find((s) => s.id === this.current.id);
    const refs: FormerRef[] = [];
    for (const s of own === undefined ? [] : all) {
      const type = typeOfStack(stackPrefix, s.stack_name);
      if (s.id !== this.current.id && isGroupOf(prefix, s.stack_name) && s.creation_time < (own?.creation_time ?? "")) refs.push({ ...s, type: this.type, undeclared: false });
      else if (isFirst && type !== undefined && types?.[type] === undefined) refs.push({ ...s, type, undeclared: true });
    }
    this.formers = { refs, atMs: this.nowMs() };
    return refs;
  }

  /** An order has shown when Heat has come to rest after it began. */
  private noteOrder({ group }: SeenGroup): void {
    const { order } = this;
    if (order === undefined || isBusy(group.stack.stack_status)) return;
    if (group.stack.updated_time !== order.before || this.nowMs() - order.atMs > ORDER_SHOWS_MS) this.order = undefined;
  }

  /** The least that Heat must keep, so that an update makes no substitute for whoever leaves. */
  private floor(s: SeenGroup): number {
    return s.former ? 0 : Math.min(this.options.limits.min, counted(s.group, this.leaving).length);
  }

  private async update(s: SeenGroup, min: number): Promise<UpdateAnswer> {
    this.lastOrderMs = this.nowMs();
    return updateGroup(this.api, s.group.stack, { min: String(min) });
  }

  /** Heat takes only one kind of failure back: so another one is first turned into it. */
  private async keep(s: SeenGroup, resource: string, status: string): Promise<void> {
    if (s.group.nested === undefined) return;
    if (status !== "CHECK_FAILED") await markMember(this.api, s.group.nested, resource, true, KEPT);
    await markMember(this.api, s.group.nested, resource, false, KEPT);
  }

  private async removeAll(ids: ReadonlySet<string>): Promise<ReadonlyMap<string, RemovalStep | CloudError>> {
    const steps = new Map<string, RemovalStep | CloudError>();
    const seen = await this.look();
    for (const s of seen) {
      const mine = s.group.members.filter((m) => m.serverId !== undefined && ids.has(m.serverId) && m.status !== "DELETE_COMPLETE");
      for (const m of mine) {
        this.leaving.add(m.serverId ?? "");
        this.members.set(m.serverId ?? "", undefined);
        steps.set(m.serverId ?? "", "stopping");
      }
      // Those already on their way need nothing more, and a busy Heat is asked again at the next look.
      if (mine.some((m) => !m.status.startsWith("DELETE_") || isFailed(m.status)) && activity(s.group) === undefined) {
        await this.release(s).catch((e: unknown) => {
          if (!isCloudError(e, "wrong-state")) throw e; // an update of Heat's own began meanwhile: the next look goes on
        });
      }
    }
    for (const id of ids) if (!steps.has(id)) steps.set(id, await this.outside(id));
    return steps;
  }

  /** Takes away those that are leaving, in one update: all of them and nobody else. */
  private async release(s: SeenGroup): Promise<void> {
    const { nested } = s.group;
    if (nested === undefined || isBusy(s.group.stack.stack_status)) return;
    const kept = endangered(s, this.leaving);
    for (const m of kept) await this.keep(s, m.resource, m.status);
    for (const m of s.group.members) if (m.serverId !== undefined && this.leaving.has(m.serverId) && m.status !== "CHECK_FAILED" && !m.status.startsWith("DELETE_")) await markMember(this.api, nested, m.resource, true, REASON);
    const least = s.former ? 0 : Math.min(this.options.limits.min, counted(s.group, this.leaving).length + kept.length);
    await this.update(s, least);
  }

  /** A server that is no member: gone, on its way, or none of ours. */
  private async outside(id: string): Promise<RemovalStep | CloudError> {
    if ((await serverNow(this.api, id)) === undefined) {
      this.leaving.delete(id);
      this.members.delete(id);
      return "gone";
    }
    if (!this.members.has(id)) return new CloudError("invalid", `server ${id} is not a worker of this group: left alone`);
    const sinceMs = this.members.get(id) ?? this.nowMs();
    this.members.set(id, sinceMs);
    if (this.nowMs() - sinceMs > LONGEST_REPAIR_MS) return new CloudError("timeout", `Heat let go of server ${id} ${Math.floor((this.nowMs() - sinceMs) / 1000)} s ago, and it is still there: delete it by hand`);
    return "deleting";
  }

  private refuseForeign(id: string): void {
    if (!this.members.has(id)) throw new CloudError("invalid", `server ${id} is not a worker of this group: left alone`);
  }
}
