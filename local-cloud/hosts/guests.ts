import { spawn, type ChildProcess } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { cpus } from "node:os";
import { openConsole, type Console } from "./console";
import { guestInitScript, guestOuterScript } from "./guest-init";
import type { FabricNetwork } from "./network";
import type { GuestSpec } from "./protocol";

/** What systemd takes for the power button of a container: SIGRTMIN+4. */
const SIG_POWER = 38;
/**
 * Guests that boot at once: more would only make all of them slow. The rest wait for their turn, at most this long each. A boot needs 1.3 s
 * of CPU until its token and waits for longer than that: of six new workers on two busy cores the last got its first job 17 s after the
 * order with three boots at a time, 12 s with eight.
 */
const BOOTS_AT_ONCE = cpus().length * 4;
const BOOT_SLOT_MS = 15_000;
const BOOTED = "Reached target multi-user.target";
const START_TIMEOUT_MS = 30_000;
const END_TIMEOUT_MS = 20_000;

interface Guest {
  readonly spec: GuestSpec;
  console?: Console;
  child?: ChildProcess;
  pid?: number;
  cards: string[];
  unplugged: boolean;
  booted: boolean;
  /** Gives back the turn to boot: once systemd is up, or the guest is off. */
  release(): void;
  readonly ended: Promise<void>;
  markEnded(): void;
}

/** The running computers of a fabric: starts, switches off, and says when one ended. */
export class Guests {
  private readonly all = new Map<string, Guest>();
  private readonly slots = new Slots(BOOTS_AT_ONCE);

  constructor(
    private readonly network: Pick<FabricNetwork, "plug" | "cut" | "remove">,
    private readonly toolTree: string,
    private readonly onExit: (uuid: string, reason?: string) => void,
  ) {}

  running(): string[] {
    return [...this.all.keys()];
  }

  async boot(spec: GuestSpec): Promise<void> {
    if (this.all.has(spec.uuid)) return;
    let markEnded = (): void => undefined;
    const ended = new Promise<void>((r) => (markEnded = r));
    const guest: Guest = { spec, cards: [], unplugged: false, booted: false, ended, markEnded, release: () => undefined };
    this.all.set(spec.uuid, guest);
    await this.start(guest);
  }

  private async start(guest: Guest): Promise<void> {
    const { spec } = guest;
    const turn = this.slots.take(BOOT_SLOT_MS);
    await Promise.race([turn, guest.ended]);
    if (guest.unplugged) {
      void turn.then((release) => release());
      throw new Error("the plug was pulled before it could boot");
    }
    guest.release = await turn;
    try {
      let tail = "";
      guest.console ??= await openConsole(this.toolTree, spec.consoleLog, (text) => {
        tail = (tail + text).slice(-BOOTED.length - text.length);
        if (tail.includes(BOOTED)) guest.release();
      });
    } catch (e) {
      this.finish(guest);
      throw e;
    }
    const child = spawn("sh", ["-c", guestOuterScript, "guest", ...spec.cgroups], {
      stdio: ["pipe", "pipe", "pipe"],
      env: {
        PATH: "/usr/sbin:/usr/bin:/sbin:/bin", GUEST_INIT: guestInitScript, UUID: spec.uuid, HOST_NAME: spec.hostName, TREE: spec.tree,
        DRIVE: spec.drive, RUN_DIR: spec.runDir, CONSOLE: guest.console.device, CGROUPS_V1: spec.cgroupMounts.join(" "),
      },
    });
    guest.child = child;
    guest.booted = false;
    let stderr = "";
    const initRuns = new Promise<void>((resolve) => child.stdout?.once("data", () => resolve()));
    child.stderr?.on("data", (d: Buffer) => (stderr += d.toString()));
    child.stdin?.on("error", () => undefined); // the guest's exit says what went wrong
    const failed = new Promise<never>((_, reject) => {
      child.on("error", (e) => reject(new Error(`cannot start a guest: ${e.message}`)));
      child.on("exit", (code, signal) => {
        if (!guest.booted) reject(new Error(`the guest ended while it was being set up (${code ?? signal}): ${stderr.trim() || "no message"}`));
        void this.ended(guest, signal, stderr);
      });
    });
    failed.catch(() => undefined); // also raced below; without a listener Node would end the fabric
    const launch = async (): Promise<void> => {
      guest.pid = await childOf(child.pid as number);
      guest.cards = await this.network.plug(guest.pid, spec.nics);
      child.stdin?.end("go\n");
      await initRuns;
    };
    try {
      await Promise.race([launch(), failed, timeout(START_TIMEOUT_MS, () => `the guest was not set up within ${START_TIMEOUT_MS / 1000} s: ${stderr.trim()}`)]);
      guest.booted = true;
    } catch (e) {
      child.kill("SIGKILL");
      await guest.ended;
      throw e;
    }
  }

  /** Once per start: after a reboot of its own the guest starts again, otherwise it is off. */
  private async ended(guest: Guest, signal: NodeJS.Signals | null, stderr: string): Promise<void> {
    await this.network.remove(guest.cards, guest.spec.nics).catch((e: Error) => (stderr += e.message));
    guest.cards = [];
    if (guest.booted && signal === "SIGHUP" && !guest.unplugged) {
      try {
        return await this.start(guest);
      } catch (e) {
        return this.finish(guest, `reboot failed: ${(e as Error).message}`);
      }
    }
    // A guest that powers off ends with SIGINT; unplugged ones were asked to.
    const expected = signal === "SIGINT" || guest.unplugged;
    this.finish(guest, expected ? undefined : `its first process ended with ${signal ?? "an exit"} ${stderr.trim()}`.trim());
  }

  private finish(guest: Guest, reason?: string): void {
    if (!this.all.delete(guest.spec.uuid)) return;
    guest.release();
    guest.console?.close();
    guest.markEnded();
    this.onExit(guest.spec.uuid, reason);
  }

  power(uuid: string): void {
    const pid = this.all.get(uuid)?.pid;
    if (pid !== undefined) signalPid(pid, SIG_POWER);
  }

  async unplug(uuid: string): Promise<void> {
    const guest = this.all.get(uuid);
    if (guest === undefined) return;
    guest.unplugged = true;
    if (guest.child === undefined) return this.finish(guest); // it waits for its turn to boot, and will not take it
    await this.network.cut(guest.cards);
    // Its first process takes all others with it; until that exists, its maker does.
    if (guest.pid !== undefined) signalPid(guest.pid, "SIGKILL");
    else guest.child?.kill("SIGKILL");
    await Promise.race([guest.ended, timeout(END_TIMEOUT_MS, () => `server ${uuid} still runs ${END_TIMEOUT_MS / 1000} s after the plug was pulled`)]);
  }
}

/** At most `size` holders at once; a turn ends by itself after its limit. */
class Slots {
  private free: number;
  private readonly queue: Array<() => void> = [];
  constructor(size: number) {
    this.free = size;
  }
  async take(limitMs: number): Promise<() => void> {
    if (this.free > 0) this.free--;
    else await new Promise<void>((go) => this.queue.push(go));
    let held = true;
    const release = (): void => {
      if (!held) return;
      held = false;
      clearTimeout(timer);
      const next = this.queue.shift();
      if (next) next();
      else this.free++;
    };
    const timer = setTimeout(release, limitMs);
    return release;
  }
}

function signalPid(pid: number, signal: number | NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code !== "ESRCH") throw e; // ended meanwhile: what was wanted, or soon reported
  }
}

const timeout = (ms: number, message: () => string): Promise<never> =>
  new Promise((_, reject) => setTimeout(() => reject(new Error(message())), ms).unref());

/** The first process inside the namespaces that process `outer` made. */
async function childOf(outer: number): Promise<number> {
  for (;;) {
    for (const name of readdirSync("/proc")) {
      if (!/^\d+$/.test(name)) continue;
      try {
        const stat = readFileSync(`/proc/${name}/stat`, "utf8");
        const parent = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1];
        if (Number(parent) === outer) return Number(name);
      } catch (e) {
        const code = (e as NodeJS.ErrnoException).code;
        if (code !== "ENOENT" && code !== "ESRCH") throw e; // ended while we looked
      }
    }
    await new Promise((r) => setTimeout(r, 5)); // bounded by the caller's limit, which ends `outer`
  }
}
