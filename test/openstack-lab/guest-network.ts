import { run, messageOf } from "../../local-cloud/hosts/run";
import type { FabricNic } from "../../local-cloud/hosts/protocol";

/** A network card of a server: its lab end is a port's tap device, as neutron's agent expects it. */
export interface Card extends FabricNic {
  /** `tap` and the first 11 characters of the port's id: how the agent knows whose it is. */
  readonly device: string;
  readonly bridge: string;
  readonly mtu: number;
}

const NAME = /^[a-z0-9-]{1,15}$/;
const MAC = /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/;

/** Cables between guests and neutron's bridges. What libvirt does for its guests, with veth pairs instead of tap devices. */
export class TapNetwork {
  /** Lab ends whose guest does not run yet -> name of the waiting other end. */
  private readonly spare = new Map<string, string>();
  private queue: Promise<unknown> = Promise.resolve();

  constructor(private readonly toolTree: string) {}

  /** Puts lab ends into their bridges before the guest runs, so that the agent can take them into service meanwhile. */
  async prepare(cards: readonly Card[]): Promise<void> {
    for (const c of cards) {
      await this.bridge(c);
      if (this.spare.has(c.device)) continue;
      const other = `w${c.device.slice(3)}`;
      await this.ip([`link del ${c.device}`], true); // of a guest whose end is not buried yet
      await this.ip([`link add name ${c.device} mtu ${c.mtu} type veth peer name ${other} mtu ${c.mtu} address ${c.mac}`, `link set ${c.device} master ${c.bridge} up`]);
      this.spare.set(c.device, other);
    }
  }

  /** Gives a guest its cards as eth0, eth1, ... (from `first` on); answers the names of the lab ends. */
  async plug(pid: number, cards: readonly Card[], first = 0): Promise<string[]> {
    await this.prepare(cards);
    await this.ip(cards.map((c, i) => `link set ${this.spare.get(c.device)} netns ${pid} name eth${first + i}`));
    for (const c of cards) this.spare.delete(c.device);
    return cards.map((c) => c.device);
  }

  cut(devices: readonly string[]): Promise<void> {
    return this.ip(devices.map((d) => `link set ${d} down`), true);
  }

  async remove(devices: readonly string[]): Promise<void> {
    for (const d of devices) this.spare.delete(d);
    await this.ip(devices.map((d) => `link del ${d}`), true);
  }

  /** Neutron's agent makes the bridge too; whoever comes first. */
  private async bridge(c: Card): Promise<void> {
    if (!NAME.test(c.device) || !NAME.test(c.bridge) || !MAC.test(c.mac) || !Number.isInteger(c.mtu)) throw new Error(`not a network card: ${JSON.stringify(c)}`);
    await this.ip([`link add ${c.bridge} type bridge forward_delay 0 mcast_snooping 0`], true);
    await this.ip([`link set ${c.bridge} up`]);
  }

  /** One `ip` at a time; with `force` what exists already, or no longer, is no failure. */
  private ip(lines: readonly string[], force = false): Promise<void> {
    if (lines.length === 0) return Promise.resolve();
    const next = this.queue.then(async () => {
      try {
        await run("chroot", [this.toolTree, "ip", ...(force ? ["-force"] : []), "-batch", "-"], { input: lines.join("\n") + "\n", timeoutMs: 20_000 });
      } catch (e) {
        if (force && /Cannot find device|File exists/.test(messageOf(e))) return;
        throw new Error(`${messageOf(e)} (lines: ${lines.join("; ")})`);
      }
    });
    this.queue = next.catch(() => undefined); // its caller gets the failure; the next in line must not
    return next;
  }
}
