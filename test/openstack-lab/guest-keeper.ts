import { createHash } from "node:crypto";
import { mkdir, open, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Cgroups } from "../../local-cloud/hosts/cgroups";
import { Guests } from "../../local-cloud/hosts/guests";
import { writeLayer } from "./appliance-image";
import { TapNetwork, type Card } from "./guest-network";
import type { BootOrder, GuestsConfig, RunningServer } from "./guest-protocol";
import { placesOf, type Places } from "./places";

const MHZ_PER_VCPU = 2000;

/** Part of the names of a lab's cgroups; the folder makes it unique. */
export const cgroupPrefix = (home: string): string => `elastigrid-lab${createHash("sha256").update(home).digest("hex").slice(0, 8)}`;

/** Removes what a lab's guests left outside its namespaces, which is their cgroups. */
export async function sweepCgroups(home: string, warn: (text: string) => void): Promise<void> {
  await (await Cgroups.open(cgroupPrefix(home), warn)).sweep();
}

/** Servers of the lab as real Linux hosts: what a hypervisor is to nova. */
export class GuestKeeper {
  private readonly places: Places;
  private readonly network: TapNetwork;
  private readonly guests: Guests;
  private cgroups!: Cgroups;
  /** Servers that run with nothing to boot. */
  private readonly idle = new Set<string>();
  private readonly folders = new Map<string, readonly string[]>();
  private readonly devices = new Map<string, readonly string[]>();
  private readonly turns = new Map<string, Promise<unknown>>();

  constructor(private readonly config: GuestsConfig) {
    this.places = placesOf(config.home);
    this.network = new TapNetwork(config.toolTree);
    this.guests = new Guests(this.network, config.toolTree, (uuid, reason) => this.ended(uuid, reason));
  }

  async open(): Promise<void> {
    for (const p of [this.places.home, this.config.tree]) {
      if (/[,:\\\n]/.test(p)) throw new Error(`overlay file systems cannot use ${p}: choose a folder without comma, colon or backslash in its path`);
    }
    this.cgroups = await Cgroups.open(cgroupPrefix(this.config.home), warn);
    await this.cgroups.sweep();
    await writeLayer(this.layer());
    await rm(join(this.places.run, "servers"), { recursive: true, force: true });
  }

  prepare(uuid: string, cards: readonly Card[]): Promise<void> {
    return this.turn(uuid, async () => {
      this.devices.set(uuid, cards.map((c) => c.device));
      if (!this.isOn(uuid)) await this.network.prepare(cards);
    });
  }

  boot(uuid: string, order: BootOrder): Promise<void> {
    return this.turn(uuid, async () => {
      if (this.isOn(uuid)) return;
      this.devices.set(uuid, order.cards.map((c) => c.device));
      if (order.recipe === undefined) {
        await this.network.prepare(order.cards);
        await mkdir(this.folder(uuid), { recursive: true });
        await writeFile(this.consoleLog(uuid), "No bootable device: the image is not one that this lab can boot (it boots elastigrid-appliance only).\n", { mode: 0o600 });
        this.idle.add(uuid);
        return;
      }
      if (order.recipe !== this.config.recipe) {
        throw new Error(`the image names the appliance ${order.recipe}, this lab has ${this.config.recipe}: take the present elastigrid-appliance image`);
      }
      const drive = join(this.folder(uuid), "drive");
      for (const d of ["upper", "work"]) await mkdir(join(drive, d), { recursive: true });
      const runDir = join(this.places.run, "servers", uuid);
      await rm(runDir, { recursive: true, force: true });
      await mkdir(join(runDir, "root"), { recursive: true });
      const folders = await this.cgroups.create(uuid, { cpuMHz: order.vcpus * MHZ_PER_VCPU, memoryBytes: order.memoryMiB * 2 ** 20 });
      this.folders.set(uuid, folders);
      try {
        await this.guests.boot({
          uuid, hostName: order.hostName, tree: `${this.layer()}:${this.config.tree}`, drive, runDir, consoleLog: this.consoleLog(uuid), nics: order.cards, cgroups: folders, cgroupMounts: this.cgroups.guestMounts(),
        });
      } catch (e) {
        await this.cleanUp(uuid);
        throw e;
      }
    });
  }

  press(uuid: string): void {
    if (this.idle.has(uuid)) return this.ended(uuid); // nobody there who could object
    this.guests.power(uuid);
  }

  async unplug(uuid: string): Promise<void> {
    if (this.idle.delete(uuid)) await this.network.remove(this.devices.get(uuid) ?? []);
    else await this.guests.unplug(uuid);
    await this.turns.get(uuid)?.catch(() => undefined); // a boot that fails because of us has told its caller
  }

  /** Ends a server for good, with its drive, its console and its cables. */
  async destroy(uuid: string): Promise<void> {
    await this.unplug(uuid);
    await this.turn(uuid, async () => {
      await this.network.remove(this.devices.get(uuid) ?? []);
      this.devices.delete(uuid);
      await this.cleanUp(uuid);
      await rm(this.folder(uuid), { recursive: true, force: true });
    });
    this.turns.delete(uuid);
  }

  /** A card more, or less, for a server; one that runs gets it when it is switched on the next time. */
  async detach(uuid: string, device: string): Promise<void> {
    await this.network.remove([device]);
    this.devices.set(uuid, (this.devices.get(uuid) ?? []).filter((d) => d !== device));
  }

  async servers(): Promise<RunningServer[]> {
    const usage = async (uuid: string): Promise<RunningServer> => {
      const { cpuNs, memoryBytes } = await this.usage(uuid);
      return { uuid, cpuNs, memoryBytes };
    };
    return Promise.all([...this.idle, ...this.guests.running()].map(usage));
  }

  async console(uuid: string, bytes: number): Promise<Buffer> {
    try {
      const file = await open(this.consoleLog(uuid), "r");
      try {
        const { size } = await stat(this.consoleLog(uuid));
        const buffer = Buffer.alloc(Math.min(bytes, size));
        await file.read(buffer, 0, buffer.length, size - buffer.length);
        return buffer;
      } finally {
        await file.close();
      }
    } catch (e) {
      if ((e as NodeJS.ErrnoException).code === "ENOENT") return Buffer.alloc(0); // never switched on
      throw e;
    }
  }

  private isOn(uuid: string): boolean {
    return this.idle.has(uuid) || this.guests.running().includes(uuid);
  }

  private ended(uuid: string, reason?: string): void {
    this.idle.delete(uuid);
    if (reason !== undefined) warn(`server ${uuid}: ${reason}`);
    this.turn(uuid, () => (this.isOn(uuid) ? Promise.resolve() : this.cleanUp(uuid))).catch((e: Error) => warn(`server ${uuid}: ${e.message}`));
  }

  /** What lives only while a server is on. */
  private async cleanUp(uuid: string): Promise<void> {
    this.folders.delete(uuid);
    await this.cgroups.remove(uuid);
    await rm(join(this.places.run, "servers", uuid), { recursive: true, force: true });
  }

  private async usage(uuid: string): Promise<{ cpuNs: number; memoryBytes: number }> {
    let cpuNs = 0, memoryBytes = 0;
    for (const folder of this.folders.get(uuid) ?? []) {
      const cpu = /^usage_usec (\d+)/m.exec(await readMaybe(join(folder, "cpu.stat")));
      if (cpu?.[1] !== undefined) cpuNs = Number(cpu[1]) * 1000;
      const memory = (await readMaybe(join(folder, "memory.usage_in_bytes"))) || (await readMaybe(join(folder, "memory.current")));
      if (memory !== "") memoryBytes = Number(memory);
    }
    return { cpuNs, memoryBytes };
  }

  private turn<T>(uuid: string, act: () => Promise<T>): Promise<T> {
    const next = (this.turns.get(uuid) ?? Promise.resolve()).catch(() => undefined).then(act);
    this.turns.set(uuid, next);
    return next;
  }

  private folder(uuid: string): string {
    return join(this.places.state, "nova", "servers", uuid);
  }

  private consoleLog(uuid: string): string {
    return join(this.folder(uuid), "console.log");
  }

  private layer(): string {
    return join(this.places.run, "appliance-layer");
  }
}

export const warn = (text: string): void => void process.stderr.write(`${new Date().toISOString()} ${text}\n`);

/** Files of a cgroup whose guest may end at any moment, or of another version of cgroups. */
async function readMaybe(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (e) {
    const { code } = e as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENODEV") return "";
    throw e;
  }
}
