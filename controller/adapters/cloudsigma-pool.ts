import { listOwn, type Client } from "../../components/cloudsigma/client";
import { isClosing, isMember, poolOf } from "../../components/cloudsigma/membership";
import { MARK } from "../../components/cloudsigma/marks";
import { lastLines, listenTo, parseConsoleUrl } from "../../components/cloudsigma/provider/console";
import type { ActionResult, Server } from "../../components/cloudsigma/wire";
import { CloudError, isCloudError } from "../../components/errors";
import { known, unknown, type GrowResult, type Member, type MemberStatus, type Observed, type Pool, type PoolView, type RemovalStep } from "../ports";

export interface CloudsigmaPoolOptions {
  readonly client: Client;
  readonly templateUuid: string;
}

const STATUSES: ReadonlySet<string> = new Set(["stopped", "starting", "running", "stopping"]);
/** Only these may have been copied for this server alone. */
const COPYING = "cloning_dst";
const CONSOLE_LIMIT_MS = 3_000;
const CONSOLE_LINES = 15;

/** The worker group on CloudSigma: clones of a stopped template server, known by what a clone copies of its meta. */
export class CloudsigmaPool implements Pool {
  private readonly client: Client;
  private readonly templateUuid: string;
  private poolId: string | undefined;
  /** Disks of servers that are being deleted: looked for until they are gone too. */
  private readonly disks = new Map<string, readonly string[]>();

  constructor(options: CloudsigmaPoolOptions) {
    this.client = options.client;
    this.templateUuid = options.templateUuid;
  }

  async observe(): Promise<Observed<PoolView>> {
    let servers: readonly Server[];
    try {
      servers = await listOwn(this.client, "servers");
    } catch (e) {
      return unknown(e instanceof Error ? e.message : String(e));
    }
    const template = servers.find((s) => s.uuid === this.templateUuid);
    if (template !== undefined) this.poolId = poolOf(template) ?? this.poolId;
    const closing = template === undefined ? "the template server of the group is gone" : isClosing(template) ? "the group is being deleted" : undefined;
    return known({ members: servers.filter((s) => this.isOurs(s)).map(toMember), closing });
  }

  async grow(names: readonly string[]): Promise<GrowResult> {
    const created: { id: string; name: string }[] = [];
    for (const name of names) {
      try {
        // Never repeated here: an unclear answer ends the round, and the next look at the cloud shows what came of it.
        const clone = await this.client.action<Server>("servers", this.templateUuid, "clone", { name, random_vnc_password: true });
        if (typeof clone?.uuid !== "string") return { created, failure: "the cloud answered a clone without saying which", ambiguous: true, wait: false };
        created.push({ id: clone.uuid, name });
      } catch (e) {
        if (!isCloudError(e)) throw e;
        return { created, failure: e.message, ambiguous: e.ambiguous, wait: e.kind === "funds" || e.kind === "capacity" || e.kind === "auth" || e.kind === "invalid" || e.kind === "not-found" };
      }
    }
    return { created, ambiguous: false, wait: false };
  }

  async start(id: string): Promise<boolean> {
    const server = await this.client.find("servers", id);
    if (server === undefined || server.status !== "stopped") return false;
    this.refuseForeign(server);
    const drives = await Promise.all(server.drives.map((d) => this.client.find("drives", d.drive.uuid)));
    if (drives.some((d) => d?.status === COPYING)) return false;
    try {
      await this.client.action("servers", id, "start");
      return true;
    } catch (e) {
      if (isCloudError(e, "wrong-state") || isCloudError(e, "not-found")) return false; // it moved on by itself
      throw e;
    }
  }

  async remove(id: string): Promise<RemovalStep> {
    const server = await this.client.find("servers", id);
    if (server === undefined) return this.removeDisks(id);
    this.refuseForeign(server);
    if (!this.disks.has(id)) this.disks.set(id, server.drives.map((d) => d.drive.uuid));
    try {
      if (server.status === "stopping") return "stopping";
      if (server.status !== "stopped") {
        await this.client.action("servers", id, "stop");
        return "stopping";
      }
      await this.client.delete("servers", id, { query: { recurse: "all_drives" } });
      return "deleting";
    } catch (e) {
      if (isCloudError(e, "wrong-state") || isCloudError(e, "not-found") || (isCloudError(e) && e.kind === "transient")) return "stopping"; // the next step sees where it is
      throw e;
    }
  }

  /** By the serial console of the API: opened, read for a moment, closed. */
  async consoleTail(id: string): Promise<string | undefined> {
    const server = await this.client.find("servers", id);
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

  private isOurs(s: Server): boolean {
    if (s.uuid === this.templateUuid) return false;
    return (this.poolId !== undefined && isMember(s, this.poolId)) || s.meta?.[MARK.template] === this.templateUuid;
  }

  private refuseForeign(s: Server): void {
    if (!this.isOurs(s)) throw new CloudError("invalid", `server ${s.uuid} is not a worker of this group: left alone`);
  }
}

function toMember(s: Server): Member {
  const since = s.runtime?.active_since ? Date.parse(s.runtime.active_since) : Number.NaN;
  return {
    id: s.uuid, name: s.name, status: (STATUSES.has(s.status) ? s.status : "unknown") as MemberStatus, copying: false,
    activeSinceMs: Number.isFinite(since) ? since : undefined, macs: s.nics.map((n) => n.mac.toLowerCase()),
  };
}
