import { createHash } from "node:crypto";
import { createSocket } from "node:dgram";
import { writeFileSync } from "node:fs";
import { GATEWAY, PREFIX_LENGTH } from "./addresses";
import { answerDhcp } from "./dhcp";
import type { FabricNic } from "./protocol";
import { messageOf, run } from "./run";

const PUBLIC = "public";

/** Bridges and cards inside the fabric's own network namespace; the computer's namespace never sees them. */
export class FabricNetwork {
  private readonly leases = new Map<string, string>();
  /** Bridge of a VLAN -> cards on it; a bridge without cards is removed. */
  private readonly vlans = new Map<string, Set<string>>();
  private counter = 0;
  private queue: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly toolTree: string,
    private readonly log: (text: string) => void,
  ) {}

  async open(): Promise<void> {
    // Settings of this namespace alone. With forwarding on and nowhere to forward to, guests learn at once that the world is away.
    writeFileSync("/proc/sys/net/ipv4/ip_forward", "1");
    for (const c of ["all", "default"]) this.tolerate(() => writeFileSync(`/proc/sys/net/ipv6/conf/${c}/disable_ipv6`, "1"));
    await this.ip([
      "link set lo up",
      `link add ${PUBLIC} type bridge forward_delay 0 mcast_snooping 0`,
      `addr add ${GATEWAY}/${PREFIX_LENGTH} dev ${PUBLIC}`,
      `link set ${PUBLIC} up`,
      `route add 255.255.255.255/32 dev ${PUBLIC}`,
    ]);
    await this.serveDhcp();
  }

  /** Puts a guest's cards into its namespace as eth0, eth1, ...; answers the names of the fabric's ends. */
  async plug(pid: number, nics: readonly FabricNic[]): Promise<string[]> {
    const lines: string[] = [];
    const ends = nics.map((nic, i) => {
      const end = `c${(this.counter++).toString(36)}`;
      const bridge = nic.vlan === undefined ? PUBLIC : this.joinVlan(nic.vlan, end, lines);
      lines.push(`link add name ${end} type veth peer name eth${i} address ${nic.mac} netns ${pid}`);
      lines.push(`link set ${end} master ${bridge} up`);
      if (nic.vlan === undefined && nic.address !== undefined) this.leases.set(nic.mac.toLowerCase(), nic.address);
      return end;
    });
    try {
      await this.ip(lines);
    } catch (e) {
      await this.remove(ends, nics);
      throw e;
    }
    return ends;
  }

  /** Pulls the cables: from now on no packet of the guest reaches anybody. */
  cut(ends: readonly string[]): Promise<void> {
    return this.ip(ends.map((e) => `link set ${e} down`), true);
  }

  async remove(ends: readonly string[], nics: readonly FabricNic[]): Promise<void> {
    const lines = ends.map((e) => `link del ${e}`);
    for (const [bridge, members] of this.vlans) {
      for (const e of ends) members.delete(e);
      if (members.size === 0) {
        this.vlans.delete(bridge);
        lines.push(`link del ${bridge}`);
      }
    }
    for (const n of nics) this.leases.delete(n.mac.toLowerCase());
    await this.ip(lines, true);
  }

  private joinVlan(uuid: string, end: string, lines: string[]): string {
    const bridge = `v${createHash("sha256").update(uuid).digest("hex").slice(0, 12)}`;
    let members = this.vlans.get(bridge);
    if (members === undefined) {
      this.vlans.set(bridge, (members = new Set()));
      lines.push(`link add ${bridge} type bridge forward_delay 0 mcast_snooping 0`, `link set ${bridge} up`);
    }
    members.add(end);
    return bridge;
  }

  /** One `ip` at a time, so that a bridge is there before its first card. */
  private ip(lines: readonly string[], force = false): Promise<void> {
    if (lines.length === 0) return Promise.resolve();
    const args = [this.toolTree, "ip", ...(force ? ["-force"] : []), "-batch", "-"];
    const next = this.queue.then(async () => {
      try {
        await run("chroot", args, { input: lines.join("\n") + "\n", timeoutMs: 20_000 });
      } catch (e) {
        // What vanished with its guest's namespace need not be removed.
        if (force && /Cannot find device/.test(messageOf(e))) return;
        throw new Error(`${messageOf(e)} (lines: ${lines.join("; ")})`);
      }
    });
    this.queue = next.catch(() => undefined); // the caller of `ip` gets the failure; the next in line must not
    return next;
  }

  private serveDhcp(): Promise<void> {
    const socket = createSocket({ type: "udp4", reuseAddr: true });
    socket.on("message", (packet) => {
      const answer = answerDhcp(packet, (mac) => this.leases.get(mac));
      if (answer === undefined) return;
      socket.send(answer.packet, 68, answer.to, (e) => {
        if (e) this.log(`DHCP answer to ${answer.to} failed: ${e.message}`);
      });
    });
    return new Promise((resolve, reject) => {
      socket.once("error", reject);
      socket.bind(67, "0.0.0.0", () => {
        socket.setBroadcast(true);
        socket.off("error", reject);
        socket.on("error", (e) => this.log(`DHCP: ${e.message}`));
        resolve();
      });
    });
  }

  /** Kernels without IPv6 have nothing to switch off. */
  private tolerate(act: () => void): void {
    try {
      act();
    } catch (e) {
      if ((e as NodeJS.ErrnoException).code !== "ENOENT") throw e;
    }
  }
}
