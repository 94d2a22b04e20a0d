import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** The least of an OpenStack that the plugin needs: log-in, catalog, key pairs. On loopback; no check of any credential. */
export interface TinyOpenstack {
  readonly authUrl: string;
  /** `POST /v3/auth/tokens` and so on, in order. */
  readonly calls: string[];
  /** The next calls that match fail with these statuses; 0 cuts the connection. */
  fail(call: RegExp, ...statuses: number[]): void;
  close(): Promise<void>;
}

export async function startTinyOpenstack(): Promise<TinyOpenstack> {
  const calls: string[] = [], keys = new Map<string, object>();
  let faults: { call: RegExp; statuses: number[] }[] = [];
  const server: Server = createServer((req, res) => {
    let body = "";
    req.on("data", (part: Buffer) => (body += part.toString())).on("end", () => {
      const call = `${req.method} ${req.url}`;
      calls.push(call);
      const status = faults.find((f) => f.statuses.length > 0 && f.call.test(call))?.statuses.shift();
      if (status === 0) return void req.socket.destroy();
      const [code, answer] = status === undefined ? answerTo(call, body, keys, base()) : [status, { error: { message: "planted" } }];
      res.writeHead(code, { "content-type": "application/json", "x-subject-token": "token" }).end(answer === undefined ? undefined : JSON.stringify(answer));
    });
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const base = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    authUrl: `${base()}/v3`, calls,
    fail: (call, ...statuses) => void (faults = [{ call, statuses }, ...faults]),
    close: () => new Promise((done) => (server.closeAllConnections(), server.close(() => done()))),
  };
}

function answerTo(call: string, body: string, keys: Map<string, object>, base: string): [number, object?] {
  if (/^GET \/(v3\/?)?$/.test(call)) return [200, { version: { id: "v3.14", status: "stable", links: [{ rel: "self", href: `${base}/v3/` }] } }];
  if (call === "POST /v3/auth/tokens") return [201, { token: token(base) }];
  if (call === "POST /compute/os-keypairs") {
    const { keypair } = JSON.parse(body) as { keypair: { name: string } };
    if (keys.has(keypair.name)) return [409, { conflictingRequest: { message: "it exists" } }];
    keys.set(keypair.name, { ...keypair, fingerprint: "aa:bb", user_id: "u" });
    return [200, { keypair: keys.get(keypair.name) }];
  }
  const named = /^(GET|DELETE) \/compute\/os-keypairs\/([^?]+)/.exec(call), key = keys.get(named?.[2] ?? "");
  if (named === null || key === undefined) return [404, { itemNotFound: { message: "not here" } }];
  if (named[1] === "GET") return [200, { keypair: key }];
  keys.delete(named[2] ?? "");
  return [202];
}

function token(base: string): object {
  const domain = { id: "default", name: "Default" };
  const catalog = Object.entries({ identity: "v3", compute: "compute" }).map(([type, path]) => ({
    type, name: type, id: type,
    endpoints: ["public", "internal", "admin"].map((face) => ({ id: type + face, interface: face, region: "R", region_id: "R", url: `${base}/${path}` })),
  }));
  return {
    methods: ["password"], user: { id: "u", name: "demo", domain }, project: { id: "p", name: "demo", domain }, roles: [],
    issued_at: new Date().toISOString(), expires_at: new Date(Date.now() + 3_600_000).toISOString(), catalog,
  };
}
