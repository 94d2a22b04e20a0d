import { EventEmitter } from "node:events";
import { createHash } from "node:crypto";
import { mkdir, open as openFile, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import type { Server } from "node:net";
import { join, resolve } from "node:path";
import type { Backend, BackendEvents, HostSpec, LibraryImage } from "../backend";
import { appliance, imageUuid } from "../../images/appliance";
import { buildApplianceTree } from "../../images/build";
import { GATEWAY, addressesOf, claimNetwork, guestAddress, type NetworkClaim } from "./addresses";
import { Cgroups } from "./cgroups";
import { Drives } from "./drives";
import { Fabric } from "./fabric";
import { apiSocket } from "./protocol";
import { Publisher, SocketFolder, serveApi } from "./relay";
import { messageOf, run } from "./run";
import { hostName, renderSeed } from "./seed";

export interface HostsOptions {
  /** Drives and consoles live here, in `hosts/`; one instance per folder. */
  readonly stateDir: string;
  /** Where the appliance tree is, or will be built. */
  readonly cacheDir: string;
  /** Part of the names of cgroups, for people; the folder makes them unique. */
  readonly instance: string;
  /** Ports of public addresses that this computer reaches. @default 22, 2222, 80, 443 */
  readonly publishPorts?: readonly number[];
  /** What an operator should read: a port that is not relayed, a limit that cannot be set, progress of the image. */
  readonly log?: (text: string) => void;
}

const DEFAULT_PORTS = [22, 2222, 80, 443];

/** Why this computer cannot run hosts, and what would help; undefined when it can. */
export async function hostsProblem(): Promise<string | undefined> {
  if (process.platform !== "linux") return `real hosts need Linux (this is ${process.platform}); use back end none`;
  if (process.getuid?.() !== 0) return "real hosts need root: run the same command as root, or use back end none";
  for (const command of ["unshare", "setpriv", "mount", "flock", "chroot", "cp"]) {
    const found = await run("sh", ["-c", 'command -v "$1"', "sh", command]).then(() => true, () => false);
    if (!found) return `the command ${command} is missing; install it: apt-get install -y util-linux coreutils`;
  }
  return undefined;
}

/** Every running server is an isolated Linux host on the appliance tree. */
export const hostsBackend = (options: HostsOptions): Backend => new HostsBackend(options);

class HostsBackend implements Backend {
  readonly kind = "hosts";
  readonly events = new EventEmitter<BackendEvents>();
  readonly images: readonly LibraryImage[] = [
    {
      uuid: imageUuid(appliance.name), name: appliance.name, sizeBytes: 2 * 2 ** 30, arch: "64", os: "linux",
      distribution: "debian", version: appliance.version, description: appliance.description,
    },
  ];
  private readonly home: string;
  private readonly runDir: string;
  private readonly prefix: string;
  private readonly fabric = new Fabric();
  private readonly running = new Map<string, HostSpec>();
  /** What is under way per server, so that boot, unplug and the end of a guest never overlap. */
  private readonly turns = new Map<string, Promise<unknown>>();
  private readonly apis = new Map<number, Server>();
  private reopening?: Promise<void>;
  private wantedApis: { host: string; port: number }[] = [];
  private parts?: { drives: Drives; cgroups: Cgroups; folder: SocketFolder; publisher: Publisher; claim: NetworkClaim; tree: string };

  constructor(private readonly options: HostsOptions) {
    this.home = join(resolve(options.stateDir), "hosts");
    this.runDir = join(this.home, "run");
    const unique = createHash("sha256").update(this.home).digest("hex").slice(0, 8);
    this.prefix = `elastigrid-${options.instance.replace(/[^a-zA-Z0-9]/g, "")}${unique}`;
    this.fabric.events.on("exit", (uuid, reason) => void this.turn(uuid, () => this.guestEnded(uuid, reason)).catch((e) => this.log(messageOf(e))));
    this.fabric.events.on("log", (text) => this.log(text));
    this.fabric.events.on("lost", (why) => {
      this.log(why);
      for (const uuid of [...this.running.keys()]) void this.turn(uuid, () => this.guestEnded(uuid, why)).catch((e) => this.log(messageOf(e)));
    });
  }

  async open(): Promise<void> {
    const problem = await hostsProblem();
    if (problem !== undefined) throw new Error(problem);
    for (const p of [this.home, resolve(this.options.cacheDir)]) {
      if (/[,:\\\n]/.test(p)) throw new Error(`overlay file systems cannot use ${p}: choose a folder without comma, colon or backslash in its path`);
    }
    const { path: tree } = await buildApplianceTree({ cacheDir: resolve(this.options.cacheDir), progress: (l) => this.log(l) });
    await mkdir(this.runDir, { recursive: true, mode: 0o700 });
    await mkdir(join(this.home, "consoles"), { recursive: true, mode: 0o700 });
    await this.openFabric(tree);
    try {
      await this.probeOverlay(tree);
      const cgroups = await Cgroups.open(this.prefix, (t) => this.log(t));
      await cgroups.sweep();
      await rm(join(this.runDir, "servers"), { recursive: true, force: true });
      const drives = new Drives(join(this.home, "drives"), new Map([[this.images[0]?.uuid ?? "", tree]]));
      await drives.open();
      const claim = await this.claim();
      const folder = new SocketFolder(this.runDir);
      const publisher = new Publisher(folder, this.options.publishPorts ?? DEFAULT_PORTS, (t) => this.log(t));
      this.parts = { drives, cgroups, folder, publisher, claim, tree };
      for (const api of this.wantedApis) await this.openApi(api);
    } catch (e) {
      await this.fabric.close();
      throw e;
    }
  }

  async close(): Promise<void> {
    const { parts } = this;
    if (parts === undefined) return;
    this.parts = undefined;
    await this.fabric.close();
    await Promise.allSettled([...this.turns.values()]);
    await parts.publisher.close();
    for (const server of this.apis.values()) await new Promise<void>((done) => server.close(() => done()));
    this.apis.clear();
    parts.folder.close();
    await parts.claim.release();
    this.running.clear();
    await parts.cgroups.sweep();
    await rm(this.runDir, { recursive: true, force: true });
  }

  publicAddresses(): readonly string[] {
    return addressesOf(this.ready().claim.octet);
  }

  guestEndpoint(listen: { host: string; port: number }): string {
    if (!this.wantedApis.some((a) => a.port === listen.port)) {
      this.wantedApis = [...this.wantedApis, listen];
      if (this.parts !== undefined) this.openApi(listen).catch((e: unknown) => this.log(`guests cannot reach the API: ${messageOf(e)}`));
    }
    return `http://${GATEWAY}:${listen.port}/api/2.0/`;
  }

  async openToGuests(listen: { host: string; port: number }): Promise<string> {
    await this.openApi(listen);
    return GATEWAY;
  }

  async closeToGuests(port: number): Promise<void> {
    const server = this.apis.get(port);
    if (server === undefined) return; // closed with everything else
    this.apis.delete(port);
    server.close();
    if (this.fabric.alive) await this.fabric.request("closeGateway", { port });
  }

  async createDrive(uuid: string, from?: string): Promise<void> {
    await this.ready().drives.create(uuid, from);
  }

  async deleteDrive(uuid: string): Promise<void> {
    for (const s of this.running.values()) if (s.bootDriveUuid === uuid) throw new Error(`drive ${uuid} is in use by running server ${s.uuid}`);
    await this.ready().drives.delete(uuid);
  }

  boot(spec: HostSpec): Promise<void> {
    return this.turn(spec.uuid, async () => {
      if (this.running.has(spec.uuid)) return;
      const { drives, cgroups, publisher, tree } = this.ready();
      if (!this.fabric.alive) await this.reopenFabric(tree);
      if (spec.bootDriveUuid === undefined) throw new Error(`server ${spec.name} has no drive to boot from`);
      const drive = await drives.paths(spec.bootDriveUuid);
      if (drive.tree === undefined) throw new Error(`drive ${spec.bootDriveUuid} of server ${spec.name} is empty: no operating system found`);
      for (const s of this.running.values()) {
        if (s.bootDriveUuid === spec.bootDriveUuid) throw new Error(`drive ${spec.bootDriveUuid} is in use by running server ${s.uuid}`);
      }
      const runDir = join(this.runDir, "servers", spec.uuid);
      await rm(runDir, { recursive: true, force: true });
      await mkdir(join(runDir, "root"), { recursive: true });
      await mkdir(join(runDir, "seed"), { mode: 0o700 });
      const seed = renderSeed(spec);
      await writeFile(join(runDir, "seed", "user-data"), seed.userData, { mode: 0o600 });
      await writeFile(join(runDir, "seed", "meta-data"), seed.metaData, { mode: 0o600 });
      await writeFile(this.consoleLog(spec.uuid), "", { mode: 0o600 });
      const publicNics = spec.nics.flatMap((n) => (n.publicAddress === undefined ? [] : [n.publicAddress]));
      this.running.set(spec.uuid, spec);
      try {
        const folders = await cgroups.create(spec.uuid, spec);
        for (const a of publicNics) await publisher.publish(a, guestAddress(a));
        await this.fabric.request("boot", {
          uuid: spec.uuid, hostName: hostName(spec.name, spec.uuid), tree: drive.tree, drive: drive.folder, runDir,
          consoleLog: this.consoleLog(spec.uuid), cgroups: folders, cgroupMounts: cgroups.guestMounts(),
          nics: spec.nics.map((n) => ({ mac: n.mac, vlan: n.vlanUuid, address: n.publicAddress === undefined ? undefined : guestAddress(n.publicAddress) })),
        });
      } catch (e) {
        await this.cleanUp(spec);
        throw e;
      }
    });
  }

  async pressPower(uuid: string): Promise<void> {
    if (this.running.has(uuid)) await this.fabric.request("power", { uuid });
  }

  async unplug(uuid: string): Promise<void> {
    // Again where a boot was under way that the fabric had not heard of.
    while (this.running.has(uuid) && this.fabric.alive) {
      await this.fabric.request("unplug", { uuid });
      await this.turns.get(uuid)?.catch(() => undefined); // a boot that fails because of us has told its caller
    }
  }

  isRunning(uuid: string): Promise<boolean> {
    return Promise.resolve(this.running.has(uuid));
  }

  async consoleTail(uuid: string, bytes: number): Promise<string> {
    try {
      const file = await openFile(this.consoleLog(uuid), "r");
      try {
        const { size } = await stat(this.consoleLog(uuid));
        const buffer = Buffer.alloc(Math.min(bytes, size));
        await file.read(buffer, 0, buffer.length, size - buffer.length);
        return buffer.toString("utf8");
      } finally {
        await file.close();
      }
    } catch (e) {
      if ((e as NodeJS.ErrnoException).code === "ENOENT") return ""; // never switched on
      throw e;
    }
  }

  private async guestEnded(uuid: string, reason?: string): Promise<void> {
    const spec = this.running.get(uuid);
    if (spec === undefined) return; // its boot failed and has said so
    await this.cleanUp(spec);
    this.events.emit("exit", uuid, reason);
  }

  private async cleanUp(spec: HostSpec): Promise<void> {
    this.running.delete(spec.uuid);
    const { parts } = this;
    if (parts === undefined) return; // close() sweeps for all
    for (const n of spec.nics) if (n.publicAddress !== undefined) await parts.publisher.withdraw(n.publicAddress);
    await parts.cgroups.remove(spec.uuid);
    await rm(join(this.runDir, "servers", spec.uuid), { recursive: true, force: true });
  }

  private turn<T>(uuid: string, act: () => Promise<T>): Promise<T> {
    const next = (this.turns.get(uuid) ?? Promise.resolve()).catch(() => undefined).then(act);
    this.turns.set(uuid, next);
    return next;
  }

  private async openApi(api: { host: string; port: number }): Promise<void> {
    this.apis.set(api.port, await serveApi(this.ready().folder, apiSocket(api.port), api));
    await this.fabric.request("gateway", { port: api.port });
  }

  /** After a fabric that ended by accident: its guests are off and reported; new ones get a new one. */
  private reopenFabric(tree: string): Promise<void> {
    this.reopening ??= (async () => {
      await this.openFabric(tree);
      for (const port of this.apis.keys()) await this.fabric.request("gateway", { port });
    })().finally(() => (this.reopening = undefined));
    return this.reopening;
  }

  private openFabric(tree: string): Promise<void> {
    return this.fabric.open({ runDir: this.runDir, toolTree: tree }, join(this.home, "lock"));
  }

  /** Not every file system can carry a drive; better known now than at the first boot. */
  private async probeOverlay(tree: string): Promise<void> {
    const probe = join(this.runDir, "probe");
    for (const d of ["upper", "work", "root"]) await mkdir(join(probe, d), { recursive: true });
    const mount = 'mount -t overlay probe -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work,index=off,metacopy=off,volatile" "$2/root"';
    try {
      await run("unshare", ["--mount", "sh", "-c", mount, "sh", tree, probe]);
    } catch (e) {
      throw new Error(`${this.home} cannot hold drives: its file system (or kernel) refuses overlayfs; choose a state folder on ext4 or xfs (${messageOf(e)})`);
    } finally {
      await rm(probe, { recursive: true, force: true });
    }
  }

  /** The same loopback network as last time where it is free: addresses in the cloud's state stay true. */
  private async claim(): Promise<NetworkClaim> {
    const file = join(this.home, "network.json");
    const last = await readFile(file, "utf8").then((t) => (JSON.parse(t) as { octet: number }).octet, () => undefined);
    const claim = await claimNetwork(this.prefix, last);
    if (last !== undefined && claim.octet !== last) this.log(`network 127.66.${last}.0/24 is taken by another instance; public addresses are now in 127.66.${claim.octet}.0/24`);
    await writeFile(`${file}.new`, JSON.stringify({ octet: claim.octet }) + "\n");
    await rename(`${file}.new`, file);
    return claim;
  }

  private consoleLog(uuid: string): string {
    return join(this.home, "consoles", `${uuid}.log`);
  }

  private ready(): NonNullable<HostsBackend["parts"]> {
    if (this.parts === undefined) throw new Error("the hosts back end is not open");
    return this.parts;
  }

  private log(text: string): void {
    (this.options.log ?? ((t: string) => process.stderr.write(`local-cloud: ${t}\n`)))(text);
  }
}
