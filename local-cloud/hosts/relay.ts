import { closeSync, openSync, rmSync } from "node:fs";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { RELAY_SOCKET } from "./protocol";

/**
 * TCP between the computer and the guests, in user space: a byte pipe from a loopback address to a unix socket of the
 * fabric, which connects to the guest. The fabric answers `+` once the guest has, so that a refusal stays a refusal.
 */
export const GRANTED = "+".charCodeAt(0);

/** Unix socket paths end at 108 bytes; through an open folder they are always short. */
export class SocketFolder {
  private readonly fd: number;
  constructor(path: string) {
    this.fd = openSync(path, "r");
  }
  path(name: string): string {
    return `/proc/self/fd/${this.fd}/${name}`;
  }
  close(): void {
    closeSync(this.fd);
  }
}

/** Joins two connections until both directions have ended; when one breaks, the other is broken too. */
export function join(a: Socket, b: Socket): void {
  for (const [from, to] of [[a, b], [b, a]] as const) {
    from.pipe(to);
    from.on("error", () => to.destroy());
    // After an orderly end of both directions the other side may still have bytes to deliver: leave it alone.
    from.on("close", () => {
      if (!from.readableEnded || !from.writableFinished) to.destroy();
    });
  }
}

/** Connects to an address behind the fabric's socket; `undefined` when nobody answers there. */
export function connectThrough(folder: SocketFolder, address: string, port: number, done: (s: Socket | undefined) => void): void {
  const s = createConnection({ path: folder.path(RELAY_SOCKET), allowHalfOpen: true });
  let granted = false;
  const refuse = (): void => {
    if (granted) return;
    granted = true;
    s.destroy();
    done(undefined);
  };
  s.on("error", refuse);
  s.on("end", refuse);
  s.once("data", (d: Buffer) => {
    if (granted || d[0] !== GRANTED) return refuse();
    granted = true;
    s.pause();
    if (d.length > 1) s.unshift(d.subarray(1));
    done(s);
  });
  s.write(`${address} ${port}\n`);
}

/** The fabric's end: reads the wish, connects, answers, joins. */
export function serveRelay(folder: SocketFolder): Promise<Server> {
  const server = createServer({ allowHalfOpen: true }, (s) => {
    s.on("error", () => s.destroy());
    s.once("data", (d: Buffer) => {
      s.pause();
      const end = d.indexOf(10);
      const [host, port] = d.subarray(0, end).toString().split(" ");
      if (end < 0 || host === undefined || !(Number(port) > 0)) return void s.destroy();
      if (d.length > end + 1) s.unshift(d.subarray(end + 1));
      const t = createConnection({ host, port: Number(port), allowHalfOpen: true, noDelay: true });
      const abandon = (): void => void s.destroy();
      t.setTimeout(15_000, abandon); // a guest without a card in this network never answers
      t.once("error", abandon);
      t.once("connect", () => {
        t.setTimeout(0);
        s.write(Buffer.from([GRANTED]));
        join(s, t);
      });
      s.on("close", () => t.destroy());
    });
  });
  return listen(server, { path: folder.path(RELAY_SOCKET) });
}

export const listen = (server: Server, where: { path: string } | { host: string; port: number }): Promise<Server> =>
  new Promise((resolve, reject) => {
    // The lock on the state folder is ours: a socket that is there already belongs to a run that was killed.
    if ("path" in where) rmSync(where.path, { force: true });
    server.once("error", reject);
    server.listen(where, () => {
      server.off("error", reject);
      resolve(server);
    });
  });

/** Public ports of running guests on this computer's loopback addresses. */
export class Publisher {
  private readonly open = new Map<string, { servers: Server[]; sockets: Set<Socket> }>();
  private readonly reported = new Set<number>();

  constructor(
    private readonly folder: SocketFolder,
    private readonly ports: readonly number[],
    private readonly report: (text: string) => void,
  ) {}

  async publish(publicAddress: string, guestAddress: string): Promise<void> {
    if (this.open.has(publicAddress)) return;
    const entry = { servers: [] as Server[], sockets: new Set<Socket>() };
    this.open.set(publicAddress, entry);
    for (const port of this.ports) {
      const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, (s) => {
        entry.sockets.add(s);
        s.on("close", () => entry.sockets.delete(s));
        s.on("error", () => s.destroy());
        connectThrough(this.folder, guestAddress, port, (t) => {
          if (t === undefined) return void s.resetAndDestroy();
          if (s.destroyed) return void t.destroy();
          join(s, t);
        });
      });
      try {
        entry.servers.push(await listen(server, { host: publicAddress, port }));
      } catch (e) {
        const code = (e as NodeJS.ErrnoException).code;
        if (code !== "EADDRINUSE" && code !== "EACCES") throw e;
        if (!this.reported.has(port)) this.report(`port ${port} of public addresses is not relayed: something else on this computer owns it (${code})`);
        this.reported.add(port);
      }
    }
  }

  async withdraw(publicAddress: string): Promise<void> {
    const entry = this.open.get(publicAddress);
    if (entry === undefined) return;
    this.open.delete(publicAddress);
    const closed = entry.servers.map((s) => new Promise<void>((done) => s.close(() => done())));
    for (const s of entry.sockets) s.resetAndDestroy();
    await Promise.all(closed);
  }

  async close(): Promise<void> {
    for (const a of [...this.open.keys()]) await this.withdraw(a);
  }
}

/** local-cloud's end of the guests' way to the API. */
export const serveApi = (folder: SocketFolder, name: string, api: { host: string; port: number }): Promise<Server> =>
  listen(
    createServer({ allowHalfOpen: true }, (s) => {
      s.on("error", () => s.destroy());
      const t = createConnection({ ...api, allowHalfOpen: true, noDelay: true });
      join(s, t);
    }),
    { path: folder.path(name) },
  );

/** The fabric's end of it: a port on the gateway. */
export const serveGateway = (folder: SocketFolder, name: string, at: { host: string; port: number }): Promise<Server> =>
  listen(
    createServer({ allowHalfOpen: true, noDelay: true }, (s) => {
      s.on("error", () => s.destroy());
      const t = createConnection({ path: folder.path(name), allowHalfOpen: true });
      join(s, t);
    }),
    at,
  );
