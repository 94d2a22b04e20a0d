import { EventEmitter } from "node:events";
import type { Backend, BackendEvents, HostSpec, LibraryImage } from "./backend";
import type { Clock } from "./clock";

/** The appliance under its usual name, so that the default configuration of a grid finds it; it boots nothing here. */
const appliance: LibraryImage = {
  uuid: "e1a57160-0000-4000-8000-000000000001", name: "elastigrid-appliance", sizeBytes: 2 * 2 ** 30, arch: "64", os: "linux", distribution: "debian", version: "13",
  description: "elastigrid appliance (states only)",
};

/** Meta keys by which a test tells one guest how to behave; clones inherit them like all meta. */
export const GUEST_META = {
  /** `ignore`: ACPI shutdown has no effect. */
  acpi: "local-cloud-acpi",
  /** `fail`: the start is accepted, the boot fails. */
  boot: "local-cloud-boot",
} as const;

/** Only plays the states: nothing runs, thousands of servers fit. */
export class NoneBackend implements Backend {
  readonly kind = "none";
  readonly events = new EventEmitter<BackendEvents>();
  readonly images = [appliance];
  private readonly guests = new Map<string, HostSpec>();
  private readonly drives = new Set<string>();
  private readonly addresses = ranges();
  constructor(private readonly clock: Clock, private readonly acpiMs = 20) {}

  async open(): Promise<void> {}
  async close(): Promise<void> {
    this.guests.clear();
  }
  publicAddresses(): readonly string[] {
    return this.addresses;
  }
  guestEndpoint(): undefined {
    return undefined;
  }
  async openToGuests(): Promise<undefined> {}
  async closeToGuests(): Promise<void> {}
  async createDrive(uuid: string): Promise<void> {
    this.drives.add(uuid);
  }
  async deleteDrive(uuid: string): Promise<void> {
    this.drives.delete(uuid);
  }
  async boot(spec: HostSpec): Promise<void> {
    if (spec.meta[GUEST_META.boot] === "fail") throw new Error("the guest did not boot (its meta says so)");
    this.guests.set(spec.uuid, spec);
  }
  async pressPower(uuid: string): Promise<void> {
    const guest = this.guests.get(uuid);
    if (guest === undefined || guest.meta[GUEST_META.acpi] === "ignore") return;
    this.guests.delete(uuid);
    this.clock.setTimeout(() => this.events.emit("exit", uuid), this.acpiMs);
  }
  async unplug(uuid: string): Promise<void> {
    this.guests.delete(uuid);
  }
  async isRunning(uuid: string): Promise<boolean> {
    return this.guests.has(uuid);
  }
  async consoleTail(uuid: string, bytes: number): Promise<string> {
    const guest = this.guests.get(uuid);
    return guest === undefined ? "" : `${guest.name} login: `.slice(-bytes);
  }
  /** For tests: the guest goes off by itself. */
  powerOff(uuid: string, reason?: string): void {
    if (this.guests.delete(uuid)) this.events.emit("exit", uuid, reason);
  }
  /** For tests: what a guest was booted with. */
  specOf(uuid: string): HostSpec | undefined {
    return this.guests.get(uuid);
  }
}

/** Documentation addresses first, then the benchmark range, which has room for thousands of servers. */
function ranges(): string[] {
  const out: string[] = [];
  for (const net of ["198.51.100", "203.0.113"]) for (let i = 10; i < 255; i++) out.push(`${net}.${i}`);
  for (let b = 0; b < 64; b++) for (let i = 10; i < 255; i++) out.push(`198.18.${b}.${i}`);
  return out;
}
