import type { Client } from "../../components/cloudsigma/client";
import { BY_TYPE } from "../../components/cloudsigma/explain";
import { MARK } from "../../components/cloudsigma/marks";
import { isClosing, isMember, poolOf } from "../../components/cloudsigma/membership";
import { lastLines, listenTo, parseConsoleUrl } from "../../components/cloudsigma/provider/console";
import { ownerOf, rowProblem } from "../../components/cloudsigma/readable";
import { formerShape } from "../../components/cloudsigma/shape";
import { listWhole } from "../../components/cloudsigma/whole-list";
import type { ActionResult, Server } from "../../components/cloudsigma/wire";
import { DEFAULT_TYPE } from "../../components/config/controller-config";
import { CloudError, isCloudError } from "../../components/errors";
import { AtMost } from "../at-most";
import { known, unknown, type GrowResult, type Member, type MemberStatus, type Observed, type Pool, type PoolView, type RemovalStep } from "../ports";
import { failureClassOf } from "./failure-class";

export interface CloudsigmaPoolOptions {
  readonly client: Client;
  /** The stopped server that workers of the first type are cloned from. */
  readonly templateUuid: string;
  /** Those of further types by name. @default none */
  readonly templates?: Readonly<Record<string, string>>;
}

const STATUSES: ReadonlySet<string> = new Set(["stopped", "starting", "running", "stopping"]);
/** Only these may have been copied for this server alone. */
const COPYING = "cloning_dst";
const CONSOLE_LIMIT_MS = 3_000;
const CONSOLE_LINES = 15;
/** Clones or starts at a time: a ramp is not held up by the slowest answer, and the service's limit of calls per minute is far. */
const AT_A_TIME = 4;
/** Tries of one clone that the service refused because it was making another one of the same template. */
const COLLISIONS = 5;
const AFTER_COLLISION_MS = 250;

const statusOf = (s: Server): MemberStatus => (STATUSES.has(s.status) ? s.status : "unknown") as MemberStatus;
const isCollision = (e: unknown): boolean => isCloudError(e) && e.errorType === "concurrency";
/** Waiting does not help: a person has to do something, or the cloud needs long. */
const waits = (e: CloudError): boolean => ["funds", "capacity", "auth", "invalid", "not-found"].includes(e.kind);
const inWords = (e: CloudError): string => (e.kind === "funds" ? `no money: ${BY_TYPE.billing.cause}; ${BY_TYPE.billing.next} (${e.message})` : e.message);

/** The worker group on CloudSigma: clones of stopped template servers, one a type, known by what a clone copies of its template's meta. */
export class CloudsigmaPool implements Pool {
  private readonly client: Client;
  /** Uuid of the template by worker type. */
  private readonly templates: ReadonlyMap<string, string>;
  private readonly templateUuids: ReadonlySet<string>;
  /** As last seen. */
  private readonly seenTemplates = new Map<string, Server>();
  private poolId: string | undefined;
  /** Disks of servers that are being deleted: looked for until they are gone too. */
  private readonly disks = new Map<string, readonly string[]>();
  private readonly starts = new AtMost(AT_A_TIME);
  /** One after it was seen that the service refuses clones of one template beside one another. */
  private width = AT_A_TIME;

  constructor(options: CloudsigmaPoolOptions) {
    this.client = options.client;
    this.templates = new Map([[DEFAULT_TYPE, options.templateUuid], ...Object.entries(options.templates ?? {})]);
    this.templateUuids = new Set(this.templates.values());
  }

  async observe(): Promise<Observed<PoolView>> {
    try {
      const [me, list] = await Promise.all([this.client.profileUuid(), listWhole(this.client, "servers")]);
      const lacks = list.partial === undefined ? [] : [list.partial];
      const servers: Server[] = [];
      for (const row of list.rows) {
        const owner = ownerOf(row);
        if (typeof owner === "string" && owner !== me) continue;
        const problem = rowProblem(row);
        if (problem === undefined) servers.push(row as unknown as Server);
        else lacks.push(`server ${row.uuid} cannot be read (${problem})`);
      }
      const partial = lacks.length === 0 ? undefined : `the cloud's list of servers is not the whole: ${lacks.slice(0, 3).join("; ")}${lacks.length > 3 ? `; and ${lacks.length - 3} more` : ""}`;
      return known(this.view(servers, partial !== undefined), partial);
    } catch (e) {
      return unknown(e instanceof Error ? e.message : String(e));
    }
  }

  private view(servers: readonly Server[], isPartial: boolean): PoolView {
    const byUuid = new Map(servers.map((s) => [s.uuid, s]));
    for (const [type, uuid] of this.templates) {
      const template = byUuid.get(uuid);
      if (template !== undefined) this.seenTemplates.set(type, template);
    }
    const first = byUuid.get(this.templates.get(DEFAULT_TYPE) ?? "");
    if (first !== undefined) this.poolId = poolOf(first) ?? this.poolId;
    const closing = first !== undefined ? (isClosing(first) ? "the group is being deleted" : undefined) : isPartial ? undefined : "the template server of the group is gone";
    return { members: servers.filter((s) => this.isOurs(s)).map((s) => this.toMember(s)), closing };
  }

  async statusNow(id: string): Promise<Observed<MemberStatus>> {
    try {
      const server = await this.find(id);
      return known(server === undefined ? "gone" : statusOf(server));
    } catch (e) {
      return unknown(e instanceof Error ? e.message : String(e));
    }
  }

  async grow(names: readonly string[], type = DEFAULT_TYPE): Promise<GrowResult> {
    const template = this.templates.get(type);
    if (template === undefined) return { created: [], failure: `there is no worker type ${type} in this grid: run \`pulumi up\``, ambiguous: false, wait: true, failureClass: "invalid" };
    const made = new Map<string, { readonly id: string; readonly name: string }>();
    const failures: CloudError[] = [];
    const one = async (name: string): Promise<void> => {
      if (failures.length > 0) return; // an unclear answer ends the round, and the next look at the cloud shows what came of it
      try {
        made.set(name, { id: await this.clone(template, name), name });
      } catch (e) {
        if (!isCloudError(e)) throw e;
        failures.push(e);
      }
    };
    const lane = new AtMost(this.width);
    const ends = await Promise.allSettled(names.map((name) => lane.run(() => one(name))));
    for (const end of ends) if (end.status === "rejected") throw end.reason;
    const created = names.flatMap((name) => made.get(name) ?? []);
    const worst = failures.find((e) => e.ambiguous) ?? failures[0];
    if (worst === undefined) return { created, ambiguous: false, wait: false };
    return { created, failure: inWords(worst), ambiguous: worst.ambiguous, wait: waits(worst), failureClass: failureClassOf(worst) };
  }

  /** Repeated only after a collision with another clone of the same template, and then only where no server has got this name of its own. */
  private async clone(template: string, name: string): Promise<string> {
    for (let collisions = 0; ; collisions++) {
      try {
        const clone = await this.client.action<Server>("servers", template, "clone", { name, random_vnc_password: true }, { beside: this.width > 1 });
        if (typeof clone?.uuid !== "string") throw new CloudError("transient", "the cloud answered a clone without saying which", { ambiguous: true });
        return clone.uuid;
      } catch (e) {
        if (!isCollision(e) || collisions + 1 >= COLLISIONS) throw e;
        this.width = 1;
        await this.client.clock.sleep(AFTER_COLLISION_MS * (collisions + 1));
        const made = (await listWhole(this.client, "servers")).rows.find((s) => s["name"] === name);
        if (made !== undefined) return made.uuid;
      }
    }
  }

  async start(id: string): Promise<boolean> {
    return this.starts.run(async () => {
      const server = await this.find(id);
      if (server === undefined || server.status !== "stopped") return false;
      this.refuseForeign(server);
      const drives = await Promise.all(server.drives.map((d) => this.client.find("drives", d.drive.uuid)));
      if (drives.some((d) => d?.status === COPYING)) return false;
      try {
        await this.client.action("servers", id, "start");
        return true;
      } catch (e) {
        if (isCloudError(e, "wrong-state") || isCloudError(e, "not-found")) return false; // it moved on by itself
        if (isCloudError(e, "funds")) throw new CloudError("funds", inWords(e), { status: e.status });
        throw e;
      }
    });
  }

  async remove(id: string, how: { readonly onlyIfOff?: boolean } = {}): Promise<RemovalStep> {
    const server = await this.find(id);
    if (server === undefined) return this.removeDisks(id);
    this.refuseForeign(server);
    // Whatever is neither off nor on its way there may be working.
    if (how.onlyIfOff === true && server.status !== "stopped" && server.status !== "stopping") return "runs";
    if (!this.disks.has(id)) this.disks.set(id, server.drives.map((d) => d.drive.uuid));
    try {
      if (server.status === "stopping") return "stopping";
      if (server.status !== "stopped") {
        await this.client.action("servers", id, "stop");
        return "stopping";
      }
      // The cloud refuses to delete one that runs: the last word is its own.
      await this.client.delete("servers", id, { query: { recurse: "all_drives" } });
      return "deleting";
    } catch (e) {
      if (isCloudError(e, "wrong-state") && how.onlyIfOff === true) return this.afterRefusal(id);
      if (isCloudError(e, "wrong-state") || isCloudError(e, "not-found") || (isCloudError(e) && e.kind === "transient")) return "stopping"; // the next step sees where it is
      throw e;
    }
  }

  /** The cloud would not delete what it had just called stopped: either it runs after all, or it is on its way out. */
  private async afterRefusal(id: string): Promise<RemovalStep> {
    const now = await this.find(id);
    return now === undefined || now.status === "stopped" || now.status === "stopping" ? "stopping" : "runs";
  }

  /** By the serial console of the API: opened, read for a moment, closed. */
  async consoleTail(id: string): Promise<string | undefined> {
    const server = await this.find(id);
    if (server === undefined || server.status !== "running") return undefined;
    this.refuseForeign(server);
    const at = parseConsoleUrl((await this.client.action<ActionResult>("servers", id, "open_console")).console_url ?? "");
    if (at === undefined) return undefined;
    const secret = server.vnc_password ?? "";
    try {
      return lastLines(await listenTo({ ...at, say: `${secret}\n`, limitMs: CONSOLE_LIMIT_MS }), CONSOLE_LINES, [secret]).join("\n");
    } finally {
      await this.client.action("servers", id, "close_console");
    }
  }

  /** The recursion of a delete runs on after the server is gone, and a lost answer may hide that it did not happen. */
  private async removeDisks(id: string): Promise<RemovalStep> {
    let left = 0;
    for (const uuid of this.disks.get(id) ?? []) {
      const drive = await this.client.find("drives", uuid);
      // A CD or a library drive is shared, and one that hangs on another server is not this worker's.
      if (drive === undefined || drive.owner == null || drive.media !== "disk" || (drive.mounted_on ?? []).some((s) => s.uuid !== id)) continue;
      left += 1;
      try {
        if (drive.status !== "deleting") await this.client.delete("drives", uuid);
      } catch (e) {
        if (!isCloudError(e, "wrong-state") && !(isCloudError(e) && e.kind === "transient")) throw e;
      }
    }
    if (left > 0) return "deleting";
    this.disks.delete(id);
    return "gone";
  }

  /** The server as the cloud shows it now; undefined only where it says that there is none. */
  private async find(id: string): Promise<Server | undefined> {
    const server = await this.client.find("servers", id);
    if (server === undefined) return undefined;
    const problem = rowProblem(server) ?? (server.uuid === id ? undefined : `it is about ${server.uuid}`);
    if (problem !== undefined) throw new CloudError("transient", `the cloud's answer about server ${id} cannot be read (${problem})`);
    return server;
  }

  private isOurs(s: Server): boolean {
    if (this.templateUuids.has(s.uuid)) return false;
    const template = s.meta[MARK.template];
    return (this.poolId !== undefined && isMember(s, this.poolId)) || (template !== undefined && this.templateUuids.has(template));
  }

  private refuseForeign(s: Server): void {
    if (!this.isOurs(s)) throw new CloudError("invalid", `server ${s.uuid} is not a worker of this group: left alone`);
  }

  private toMember(s: Server): Member {
    const since = typeof s.runtime?.active_since === "string" ? Date.parse(s.runtime.active_since) : Number.NaN;
    const type = s.meta[MARK.type] ?? DEFAULT_TYPE;
    const template = this.seenTemplates.get(type);
    const retiring = !this.templates.has(type) ? `its worker type ${type} is no longer declared` : template === undefined ? undefined : formerShape(s, template);
    return {
      id: s.uuid, name: s.name, status: statusOf(s), type, copying: false, activeSinceMs: Number.isFinite(since) ? since : undefined,
      macs: s.nics.map((n) => n.mac.toLowerCase()), ...(retiring === undefined ? {} : { retiring }),
    };
  }
}
