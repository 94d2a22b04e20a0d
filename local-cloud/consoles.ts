import { timingSafeEqual } from "node:crypto";
import { createServer, type Server, type Socket } from "node:net";
import type { AddressInfo } from "node:net";
import type { Consoles } from "./api/world";
import type { Backend } from "./backend";

const TAIL_BYTES = 64 * 1024;
const LOOK_AGAIN_MS = 500;
const PASSWORD_LIMIT_MS = 30_000;

/** One loopback port per opened console: asks for the password, then shows what the guest has said and goes on saying. */
export class LoopbackConsoles implements Consoles {
  private readonly open_ = new Map<string, { server: Server; sockets: Set<Socket>; guestPort?: number }>();
  constructor(private readonly backend: Backend, private readonly host: string, private readonly log: (text: string) => void) {}

  async open(uuid: string, kind: "console" | "vnc", password: string, forGuest: boolean): Promise<string> {
    this.close(uuid, kind);
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
      socket.on("error", () => socket.destroy()); // the caller went away: nothing is lost, it may connect again
      // VNC itself is not played: the port is there, as clients probe it
      if (kind === "vnc") return void socket.write("RFB 003.008\n");
      this.talk(uuid, socket, password);
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(0, this.host, resolve);
    });
    server.unref();
    const { port } = server.address() as AddressInfo;
    this.open_.set(`${kind} ${uuid}`, { server, sockets, ...(forGuest ? { guestPort: port } : {}) });
    const host = forGuest ? await this.backend.openToGuests({ host: this.host, port }) : undefined;
    if (forGuest && this.open_.get(`${kind} ${uuid}`)?.server !== server) await this.backend.closeToGuests(port); // closed meanwhile
    return `${kind === "vnc" ? "vnc" : "csconsole"}://${host ?? this.host}:${port}`;
  }

  private talk(uuid: string, socket: Socket, password: string): void {
    let typed = "";
    socket.setTimeout(PASSWORD_LIMIT_MS, () => socket.destroy());
    socket.write("Password: ");
    const onData = (data: Buffer): void => {
      typed += data.toString("utf8");
      const end = typed.search(/[\r\n]/);
      if (end < 0) return void (typed.length > 1024 && socket.destroy());
      socket.off("data", onData);
      if (!same(typed.slice(0, end), password)) return void socket.end("wrong password\r\n");
      socket.setTimeout(0);
      socket.resume();
      void this.follow(uuid, socket).catch((e: unknown) => socket.end(`\r\nconsole: ${e instanceof Error ? e.message : String(e)}\r\n`));
    };
    socket.on("data", onData);
  }

  private async follow(uuid: string, socket: Socket): Promise<void> {
    let shown = "";
    socket.write("\r\n");
    while (!socket.destroyed) {
      const now = await this.backend.consoleTail(uuid, TAIL_BYTES);
      if (now !== shown) socket.write(fresh(shown, now));
      shown = now;
      await new Promise<void>((resolve) => setTimeout(resolve, LOOK_AGAIN_MS).unref());
    }
  }

  close(uuid: string, kind?: "console" | "vnc"): void {
    for (const k of kind === undefined ? (["console", "vnc"] as const) : [kind]) {
      const entry = this.open_.get(`${k} ${uuid}`);
      this.open_.delete(`${k} ${uuid}`);
      entry?.sockets.forEach((s) => s.destroy());
      entry?.server.close();
      if (entry?.guestPort !== undefined) this.backend.closeToGuests(entry.guestPort).catch((e: unknown) => this.log(`a console stays open to guests: ${e instanceof Error ? e.message : String(e)}`));
    }
  }

  closeAll(): void {
    for (const key of [...this.open_.keys()]) this.close(key.split(" ")[1] ?? "");
  }
}

const same = (a: string, b: string): boolean => {
  const x = Buffer.from(a), y = Buffer.from(b);
  return x.length === y.length && timingSafeEqual(x, y);
};

/** What a window of the last bytes shows that the window before did not. */
export function fresh(before: string, now: string): string {
  if (now.startsWith(before)) return now.slice(before.length);
  for (let cut = 1; cut < before.length; cut++) if (now.startsWith(before.slice(cut))) return now.slice(before.length - cut);
  return now;
}
