import { CloudError, isCloudError } from "../errors";
import type { Client } from "./client";
import { waitFor } from "./wait";
import type { Server } from "./wire";

export interface PowerOptions {
  readonly intervalMs?: number;
  /** Longest wait for the wanted state. @default 300000 */
  readonly limitMs?: number;
  readonly signal?: AbortSignal;
}

const INTERVAL_MS = 1_000;
const LIMIT_MS = 300_000;
const label = (s: Pick<Server, "name" | "uuid">): string => `server ${s.name} (${s.uuid})`;
const sig = (o: PowerOptions): { signal?: AbortSignal } => (o.signal ? { signal: o.signal } : {});

/**
 * Sends a power action unless the server is already there or on its way. A refusal because it meanwhile got there, and
 * a lost answer whose effect can be seen, are success.
 */
async function send(client: Client, uuid: string, action: "start" | "stop" | "shutdown", done: readonly string[], o: PowerOptions): Promise<void> {
  const look = async (): Promise<true | undefined> => (done.includes((await client.get("servers", uuid, sig(o))).status) ? true : undefined);
  if (await look()) return;
  try {
    await client.action<unknown>("servers", uuid, action, {}, { findExisting: look, ...sig(o) });
  } catch (e) {
    if (isCloudError(e, "wrong-state") && (await look())) return;
    throw e;
  }
}

/** Starts the server and waits until it runs; one that runs already is success. A boot that falls back to stopped fails. */
export async function startServer(client: Client, uuid: string, o: PowerOptions = {}): Promise<Server> {
  await send(client, uuid, "start", ["starting", "running"], o);
  let started = false;
  let stoppedReads = 0;
  return waitFor({
    what: `server ${uuid}`,
    read: async () => {
      const server = await client.get("servers", uuid, sig(o));
      if (server.status === "starting") started = true;
      // "stopped" may be an old answer; after "starting", or seen for long, the boot has failed (the audit log knows why)
      if (server.status === "stopped" && (started || ++stoppedReads > 15))
        throw new CloudError("wrong-state", `${label(server)} did not boot: it was started and is stopped again; see the account's audit log (boot)`);
      return server;
    },
    pending: ["stopped", "starting", "unavailable", "cloning"],
    wanted: ["running"],
    intervalMs: o.intervalMs ?? INTERVAL_MS,
    limitMs: o.limitMs ?? LIMIT_MS,
    clock: client.clock,
    ...sig(o),
  });
}

async function pull(client: Client, uuid: string, o: PowerOptions): Promise<void> {
  try {
    await client.action<unknown>("servers", uuid, "stop", {}, sig(o));
  } catch (e) {
    if (!isCloudError(e, "wrong-state") && !isCloudError(e, "transient")) throw e;
  }
}

/** Pulls the plug and waits for `stopped`; one that is stopped already is success. Undefined when it is gone. */
export async function stopServer(client: Client, uuid: string, o: PowerOptions = {}): Promise<Server | undefined> {
  try {
    const now = await client.get("servers", uuid, sig(o));
    if (now.status === "stopped") return now;
    // cloning and unavailable take no stop: wait until they end, then decide again
    if (now.status === "cloning" || now.status === "unavailable")
      await waitFor({ what: label(now), read: () => client.get("servers", uuid, sig(o)), pending: ["cloning", "unavailable"], wanted: ["stopped", "running", "starting", "stopping", "paused"], intervalMs: o.intervalMs ?? INTERVAL_MS, limitMs: o.limitMs ?? LIMIT_MS, clock: client.clock, ...sig(o) });
    await send(client, uuid, "stop", ["stopping", "stopped"], o);
    // A guest that ignores the power button is "stopping" for a minute and then runs again; a running state may also be
    // an old answer. So the plug is pulled again now and then, and a refusal only means that it is not time yet.
    let tries = 0;
    return await waitFor({
      what: label(now),
      read: async () => {
        const server = await client.get("servers", uuid, sig(o));
        if (server.status !== "stopped" && ++tries % 4 === 0) await pull(client, uuid, o);
        return server;
      },
      pending: ["starting", "running", "stopping", "unavailable", "paused"],
      wanted: ["stopped"],
      intervalMs: o.intervalMs ?? INTERVAL_MS,
      limitMs: o.limitMs ?? LIMIT_MS,
      clock: client.clock,
      ...sig(o),
    });
  } catch (e) {
    if (isCloudError(e, "not-found")) return undefined;
    throw e;
  }
}

/** Presses the power button, gives the guest `graceMs`, then pulls the plug. Undefined when the server is gone. */
export async function shutdownServer(client: Client, uuid: string, graceMs: number, o: PowerOptions = {}): Promise<Server | undefined> {
  const now = await client.find("servers", uuid, sig(o));
  if (now === undefined) return undefined;
  if (now.status === "running" && graceMs > 0) {
    try {
      await send(client, uuid, "shutdown", ["stopping", "stopped"], o);
      let stopping = false;
      return await waitFor({
        what: label(now),
        read: async () => {
          const server = await client.get("servers", uuid, sig(o));
          stopping ||= server.status === "stopping";
          if (stopping && server.status === "running") throw new CloudError("timeout", `${label(server)} ignored the power button`);
          return server;
        },
        pending: ["running", "stopping", "unavailable"],
        wanted: ["stopped"],
        intervalMs: o.intervalMs ?? INTERVAL_MS,
        limitMs: graceMs,
        clock: client.clock,
        ...sig(o),
      });
    } catch (e) {
      // ignored or too slow, or it changed state under our hands: the plug settles both
      if (!isCloudError(e, "timeout") && !isCloudError(e, "wrong-state")) {
        if (isCloudError(e, "not-found")) return undefined;
        throw e;
      }
    }
  }
  return stopServer(client, uuid, o);
}

/** Waits until reading answers 404. */
export async function waitGone(client: Client, kind: "servers" | "drives", uuid: string, o: PowerOptions = {}): Promise<void> {
  await waitFor({
    what: `deleted ${kind.slice(0, -1)} ${uuid}`,
    read: () => client.get(kind, uuid, sig(o)),
    state: () => "still there",
    pending: ["still there"],
    wanted: [],
    gone: "done",
    intervalMs: o.intervalMs ?? INTERVAL_MS,
    limitMs: o.limitMs ?? LIMIT_MS,
    clock: client.clock,
    ...sig(o),
  });
}

/**
 * Stops the server (by the button first where `graceMs` is given), deletes it and waits until it is gone; with
 * `drives` its disks too. Gone at any point is success.
 */
export async function removeServer(client: Client, uuid: string, o: PowerOptions & { readonly drives?: boolean; readonly graceMs?: number } = {}): Promise<void> {
  const seen = await client.find("servers", uuid, sig(o));
  if (seen === undefined) return;
  // library cdroms answer as drives too; removeDrive leaves them alone
  const disks = o.drives ? seen.drives.map((d) => d.drive.uuid) : [];
  for (let round = 0; ; round++) {
    if ((await shutdownServer(client, uuid, o.graceMs ?? 0, o)) === undefined) break;
    try {
      await client.delete("servers", uuid, { ...(o.drives ? { query: { recurse: "all_drives" } } : {}), ...sig(o) });
      break;
    } catch (e) {
      // stopping or deleting: it is on its way, look again
      if (!isCloudError(e, "wrong-state") || round >= 5) throw e;
      await client.clock.sleep(o.intervalMs ?? INTERVAL_MS, o.signal);
    }
  }
  await waitGone(client, "servers", uuid, o);
  for (const drive of disks) {
    // the recursion runs on after the 204, and a lost answer may have hidden a plain delete
    await removeDrive(client, drive, o);
  }
}

/** Deletes the drive and waits until it is gone. Refuses what is attached to a running server, as the service does. */
export async function removeDrive(client: Client, uuid: string, o: PowerOptions = {}): Promise<void> {
  for (let round = 0; ; round++) {
    const drive = await client.find("drives", uuid, sig(o));
    // a library drive answers here too: it is nobody's to delete
    if (drive === undefined || drive.owner === null) return;
    try {
      if (!(await client.delete("drives", uuid, sig(o)))) return;
      break;
    } catch (e) {
      // cloning, resizing or still being detached end by themselves
      const busy = isCloudError(e, "wrong-state") && (drive.mounted_on ?? []).length === 0;
      if (!busy || round >= 60) throw e;
      await client.clock.sleep(o.intervalMs ?? INTERVAL_MS, o.signal);
    }
  }
  await waitGone(client, "drives", uuid, o);
}
