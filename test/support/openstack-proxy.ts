import { createServer, request as send, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { created, type Fault, type FaultPlan } from "./openstack-fault-plan";

export interface FaultProxy {
  /** What stands in for this URL of the cloud's. */
  through(url: string): string;
  readonly plan: FaultPlan;
  /** Awaited before a call is passed on: for tests that change the cloud at that moment. */
  meanwhile: ((request: { readonly method: string; readonly path: string }) => Promise<void>) | undefined;
  stop(): Promise<void>;
}

/**
 * Stands in front of every API of a cloud, a port for each. A login's answer names the stand-ins, and so do version documents, so
 * that a client which was told where to log in comes here with everything. What the cloud's services say to one another (what Heat asks
 * of nova and neutron) does not pass here.
 */
export async function startFaultProxy(plan: FaultPlan, origins: readonly string[], log: (line: string) => void = () => undefined): Promise<FaultProxy> {
  const standIns = new Map<string, string>();
  const servers: Server[] = [];
  const proxy: Pick<FaultProxy, "meanwhile"> = { meanwhile: undefined };
  const rewrite = (text: string): string => [...standIns].reduce((t, [origin, mine]) => t.replaceAll(origin, mine), text);
  for (const origin of new Set(origins)) {
    const server = createServer((incoming, answer) => {
      const path = (incoming.url ?? "/").split("?")[0] ?? "/";
      const fault = plan.decide({ method: incoming.method ?? "GET", path });
      if (fault !== undefined) log(`call ${plan.calls}: ${incoming.method} ${path} ${created({ method: incoming.method ?? "", path }) ?? ""}: ${fault.kind} ${fault.when}`);
      const work = async (): Promise<void> => {
        await proxy.meanwhile?.({ method: incoming.method ?? "GET", path });
        await pass(origin, incoming, answer, fault, namesPlaces(incoming.method ?? "", path) ? rewrite : undefined);
      };
      void work().catch((e: Error) => {
        log(`${incoming.method} ${path}: ${e.message}`);
        answer.destroy();
      });
    });
    await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
    servers.push(server);
    standIns.set(origin, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  }
  return Object.assign(proxy, {
    through: rewrite,
    plan,
    stop: async () => void (await Promise.all(servers.map((s) => new Promise<void>((done) => (s.close(() => done()), s.closeAllConnections()))))),
  });
}

/** Answers that say where an API is: the catalog, and documents of versions. */
const namesPlaces = (method: string, path: string): boolean => /^\/v3\/auth\/(tokens|catalog)$/.test(path) || (method === "GET" && /^\/(v[\d.]+\/?)?$/.test(path));

const STOPS_AT_PROXY = new Set(["connection", "keep-alive", "transfer-encoding", "content-length", "host"]);
const passedOn = (headers: IncomingMessage["headers"]): Record<string, string | string[]> =>
  Object.fromEntries(Object.entries(headers).filter((h): h is [string, string | string[]] => h[1] !== undefined && !STOPS_AT_PROXY.has(h[0])));

async function pass(origin: string, incoming: IncomingMessage, answer: ServerResponse, fault: Fault | undefined, rewrite: ((text: string) => string) | undefined): Promise<void> {
  const body = await wholeOf(incoming);
  if (fault?.when === "before") return strike(answer, fault);
  const { status, headers, payload } = await ask(origin, incoming, body);
  if (fault !== undefined) return strike(answer, fault);
  const shown = rewrite === undefined ? payload : Buffer.from(rewrite(payload.toString()));
  answer.writeHead(status, { ...passedOn(headers), ...(incoming.method === "HEAD" || status === 204 ? {} : { "content-length": String(shown.length) }) }).end(shown);
}

function strike(answer: ServerResponse, { kind }: Fault): void {
  if (kind === "cut") return void answer.destroy();
  const text = JSON.stringify({ error: { code: Number(kind), title: "struck", message: "struck by the test's fault proxy" } });
  answer.writeHead(Number(kind), { "content-type": "application/json", "content-length": String(text.length) }).end(text);
}

interface Got {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly payload: Buffer;
}

const ask = (origin: string, incoming: IncomingMessage, body: Buffer): Promise<Got> =>
  new Promise((resolve, reject) => {
    // Compressed answers could not be rewritten.
    const headers = { ...passedOn(incoming.headers), host: new URL(origin).host, "accept-encoding": "identity", ...(body.length > 0 || incoming.headers["content-length"] !== undefined ? { "content-length": String(body.length) } : {}) };
    const out = send(`${origin}${incoming.url ?? "/"}`, { method: incoming.method ?? "GET", headers }, (r) => {
      wholeOf(r).then((payload) => resolve({ status: r.statusCode ?? 502, headers: r.headers, payload }), reject);
    });
    out.on("error", reject).end(body);
  });

async function wholeOf(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
