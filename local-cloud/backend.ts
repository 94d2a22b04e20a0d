import type { EventEmitter } from "node:events";

/** A drive of the library that a back end can boot. */
export interface LibraryImage {
  /** Stable across restarts, so that configurations may name it. */
  readonly uuid: string;
  readonly name: string;
  readonly sizeBytes: number;
  readonly arch: string;
  readonly os: "linux" | "windows" | "other";
  readonly distribution: string;
  readonly version: string;
  readonly description: string;
}

export interface HostNic {
  /** `22:` and five random bytes, as the API shows it. */
  readonly mac: string;
  /** Set for a NIC on a VLAN: no address is given, the guests see to that themselves. */
  readonly vlanUuid?: string;
  /** Set for a public NIC: the address by which this computer reaches it, as the API shows it. */
  readonly publicAddress?: string;
}

/** What a server is when it is switched on. */
export interface HostSpec {
  readonly uuid: string;
  readonly name: string;
  /** Total MHz over all cores, and the number of cores. */
  readonly cpuMHz: number;
  readonly smp: number;
  readonly memoryBytes: number;
  /** The drive with boot_order 1, else the first disk. */
  readonly bootDriveUuid?: string;
  /** In the order of the definition, which is the order in the guest. */
  readonly nics: readonly HostNic[];
  /** The server's meta as stored (base64_fields not yet decoded). */
  readonly meta: Readonly<Record<string, string>>;
  /** Public keys attached to the server (`pubkeys`), in authorized_keys form. */
  readonly publicKeys: readonly string[];
}

export interface BackendEvents {
  /** The guest is off: by itself, by ACPI, by the plug, or because it could not boot (then with a reason). */
  exit: [uuid: string, reason?: string];
}

/**
 * What a "server" is behind the API. The API owns all state machines and calls a back end only for effects; a back end
 * never changes API objects. Every method is idempotent: what is already so is success.
 */
export interface Backend {
  readonly kind: "none" | "hosts";
  readonly events: EventEmitter<BackendEvents>;
  /** Library drives that this back end boots. */
  readonly images: readonly LibraryImage[];
  /** Removes what an earlier run left behind, then gets ready. */
  open(): Promise<void>;
  /** Ends every guest and removes everything that open and boot made; drives stay. */
  close(): Promise<void>;
  /** Public addresses to lend or sell, in order of use. */
  publicAddresses(): readonly string[];
  /** Where guests reach the API; undefined: the same URL as this computer. `listen` is the API's own address. */
  guestEndpoint(listen: { host: string; port: number }): string | undefined;
  /** Lets guests reach a port of this computer too; answers the host by which they do. undefined: as this computer does. */
  openToGuests(listen: { host: string; port: number }): Promise<string | undefined>;
  closeToGuests(port: number): Promise<void>;
  /** Makes the contents of a drive: empty, or a copy of another drive or library image. */
  createDrive(uuid: string, from?: string): Promise<void>;
  deleteDrive(uuid: string): Promise<void>;
  /** Switches a server on; resolves once pid 1 runs. A failure rejects: the API turns it into a failed boot. */
  boot(spec: HostSpec): Promise<void>;
  /** Presses the power button (ACPI); the guest may ignore it. */
  pressPower(uuid: string): Promise<void>;
  /** Pulls the plug; resolves when nothing of the guest runs any more. */
  unplug(uuid: string): Promise<void>;
  isRunning(uuid: string): Promise<boolean>;
  /** What the guest wrote to its serial console so far, at most the last `bytes`. */
  consoleTail(uuid: string, bytes: number): Promise<string>;
}
