import type { HostSpec } from "../backend";
import { forbidden, noCapacity, noFunds } from "../api-error";
import { audit, type World } from "../api/world";
import type { NicRow, ServerRow, ServerStatus } from "../model/rows";
import { fiveDaysCost } from "./prices";
import { refusal, type PowerAction } from "./power-rules";

/** Power of servers: what an action sets off, and what the end of a guest means. */

export function requireState(action: PowerAction, server: ServerRow): void {
  const why = refusal(action, server.status, server.uuid);
  if (why !== undefined) throw forbidden(why);
}

export function setStatus(world: World, server: ServerRow, status: ServerStatus): void {
  if (world.habits.statusLagMs > 0) world.lastStatus.set(server.uuid, { status: server.status, untilMs: world.clock.now() + world.habits.statusLagMs });
  server.status = status;
  if (status !== "running" && status !== "stopping") server.activeSinceMs = null;
  world.store.touch();
}

/** Checks all that can refuse a start, then sets it off. The outcome shows by polling and in the audit log. */
export function beginStart(world: World, server: ServerRow): void {
  requireState("start", server);
  for (const d of server.drives) {
    const drive = world.store.drives.get(d.drive);
    if (drive !== undefined && drive.status !== "ready") throw forbidden(`Cannot start guest ${server.uuid}: drive ${drive.uuid} is in state '${drive.status}'`);
  }
  const { account } = world.store;
  if (account.refuseStarts || account.balance < fiveDaysCost(server)) throw noFunds("the balance does not cover five days of burst use of this server");
  lendAddresses(world, server);
  audit(world, "start_send", "Servers", server.uuid);
  bootUp(world, server);
}

/** Boots without asking; also how servers that ran come back after a restart of the cloud. */
export function bootUp(world: World, server: ServerRow): void {
  setStatus(world, server, "starting");
  const still = (): boolean => world.store.servers.get(server.uuid) === server && server.status === "starting" && !world.closing;
  world.tasks.run(`boot of ${server.uuid}`, async () => {
    const planted = takePlanted(world, server.uuid);
    try {
      await Promise.all([
        world.tasks.sleep(world.delays.startMs),
        world.tasks.inTurn(server.uuid, async () => {
          if (!still()) return;
          if (planted !== undefined) throw new Error(planted);
          await world.backend.boot(hostSpec(world, server));
        }),
      ]);
    } catch (e) {
      if (!still()) return;
      audit(world, "boot", "Servers", server.uuid, e instanceof Error ? e.message : String(e));
      return settleStopped(world, server);
    }
    if (!still()) return;
    server.activeSinceMs = world.clock.now();
    setStatus(world, server, "running");
    audit(world, "boot", "Servers", server.uuid);
  });
}

function takePlanted(world: World, uuid: string): string | undefined {
  const at = world.planted.boots.findIndex((b) => b.uuid === undefined || b.uuid === uuid);
  return at < 0 ? undefined : world.planted.boots.splice(at, 1)[0]?.reason;
}

export function beginStop(world: World, server: ServerRow): void {
  requireState("stop", server);
  audit(world, "stop_send", "Servers", server.uuid);
  setStatus(world, server, "stopping");
  world.tasks.run(`stop of ${server.uuid}`, async () => {
    await Promise.all([world.tasks.sleep(world.delays.stopMs), world.tasks.inTurn(server.uuid, () => world.backend.unplug(server.uuid))]);
    if (world.store.servers.get(server.uuid) !== server || server.status !== "stopping") return;
    audit(world, "stop", "Servers", server.uuid);
    settleStopped(world, server);
  });
}

const PRESS_EVERY_MS = 1_000;

/** ACPI: the button is pressed every second for a minute; a guest that ignores it is running again afterwards. */
export function beginShutdown(world: World, server: ServerRow): void {
  requireState("shutdown", server);
  audit(world, "shutdown_ACPI_send", "Servers", server.uuid);
  setStatus(world, server, "stopping");
  const still = (): boolean => world.store.servers.get(server.uuid) === server && server.status === "stopping";
  world.tasks.run(`shutdown of ${server.uuid}`, async () => {
    const end = world.clock.now() + world.delays.acpiMs;
    while (still() && world.clock.now() < end) {
      await world.tasks.inTurn(server.uuid, () => world.backend.pressPower(server.uuid));
      await world.tasks.sleep(Math.min(PRESS_EVERY_MS, Math.max(1, end - world.clock.now())));
    }
    if (still()) setStatus(world, server, "running");
  });
}

/** The guest is off, whoever did it. */
export function guestEnded(world: World, uuid: string, reason?: string): void {
  const server = world.store.servers.get(uuid);
  if (server === undefined || world.closing || !["starting", "running", "stopping", "paused", "unavailable"].includes(server.status)) return;
  if (server.status === "starting") audit(world, "boot", "Servers", uuid, reason ?? "the guest ended while it booted");
  else audit(world, "stop", "Servers", uuid, reason);
  settleStopped(world, server);
}

function settleStopped(world: World, server: ServerRow): void {
  returnAddresses(world, server);
  world.consoles.close(server.uuid);
  setStatus(world, server, "stopped");
}

const isPublicDhcp = (nic: NicRow): boolean => nic.vlan === null && nic.ip_v4_conf?.conf === "dhcp";

/** One free address per NIC that wants DHCP; it shows in /ips/ while the server is on. */
export function lendAddresses(world: World, server: ServerRow): void {
  const wanting = server.nics.filter((n) => isPublicDhcp(n) && world.store.lentTo(n.mac) === undefined);
  const free = freeAddresses(world, wanting.length);
  if (free.length < wanting.length) throw noCapacity("no public address is free at the moment");
  wanting.forEach((nic, i) => {
    const address = free[i];
    if (address === undefined) return;
    world.store.lend({ uuid: address, owner: server.owner, createdMs: world.clock.now(), meta: {}, tags: [], subscription: null, lent: { server: server.uuid, mac: nic.mac } });
  });
}

export function freeAddresses(world: World, count: number): string[] {
  const free: string[] = [];
  if (count === 0) return free;
  for (const address of world.backend.publicAddresses()) {
    if (world.store.ips.get(address) !== undefined) continue;
    free.push(address);
    if (free.length === count) break;
  }
  return free;
}

export function returnAddresses(world: World, server: ServerRow): void {
  for (const nic of server.nics) world.store.takeBack(nic.mac);
}

/** What the back end switches on. */
export function hostSpec(world: World, server: ServerRow): HostSpec {
  const { store } = world;
  const disks = server.drives.filter((d) => (store.drives.get(d.drive)?.media ?? world.library.get(d.drive)?.media) !== undefined);
  const boot = disks.find((d) => d.boot_order === 1) ?? disks.find((d) => store.drives.get(d.drive)?.media === "disk") ?? disks[0];
  return {
    uuid: server.uuid, name: server.name, cpuMHz: server.cpu, smp: server.smp, memoryBytes: server.mem, meta: { ...server.meta },
    ...(boot === undefined ? {} : { bootDriveUuid: boot.drive }),
    nics: server.nics.map((n) => {
      const address = n.ip_v4_conf?.conf === "static" ? (n.ip_v4_conf.ip ?? undefined) : store.lentTo(n.mac);
      return { mac: n.mac, ...(n.vlan === null ? {} : { vlanUuid: n.vlan }), ...(address === undefined ? {} : { publicAddress: address }) };
    }),
    publicKeys: server.pubkeys.map((k) => store.keypairs.get(k)?.public_key).filter((k) => k !== undefined),
  };
}
