import { chmodSync, mkdirSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { dirname } from "node:path";
import type { ScaleOrder } from "./override";
import type { GridStatus } from "./status";
import type { JournalEntry } from "./ports";

/** What the socket offers: reads, and the operator's orders. Each order answers what is wrong with it, or nothing. */
export interface ApiHandlers {
  status(): GridStatus;
  jobs(): Promise<unknown>;
  journal(count: number, after?: number): readonly JournalEntry[];
  console(worker: string): Promise<{ readonly text?: string; readonly problem?: string }>;
  scale(order: ScaleOrder): string | undefined;
  drain(worker: string, now: boolean): string | undefined;
  pin(worker: string, pinned: boolean): string | undefined;
  pause(paused: boolean): void;
  /** Ends a wait before the next creation whose cause may be mended. */
  retry(): void;
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}
const ok = (body: unknown): Answer => ({ status: 200, body });
const bad = (error: string): Answer => ({ status: 400, body: { error } });
const BODY_LIMIT_BYTES = 65_536;

/** Answers one request; without any socket, so that a test can ask. */
export async function answer(handlers: ApiHandlers, method: string, url: string, body: unknown): Promise<Answer> {
  const { pathname, searchParams } = new URL(url, "http://controller");
  const order = typeof body === "object" && body !== null && !Array.isArray(body) ? (body as Record<string, unknown>) : {};
  const done = (problem: string | undefined): Answer => (problem === undefined ? ok({ ok: true }) : bad(problem));
  switch (`${method} ${pathname}`) {
    case "GET /status": return ok(handlers.status());
    case "GET /workers": return ok(handlers.status().workers);
    case "GET /jobs": return ok(await handlers.jobs());
    case "GET /journal": {
      const after = searchParams.get("after");
      return ok(handlers.journal(clamp(Number(searchParams.get("n") ?? 50), 1, 1_000), after === null ? undefined : Number(after)));
    }
    case "GET /console": return ok(await handlers.console(searchParams.get("worker") ?? ""));
    case "POST /scale": {
      const wanted = scaleOrder(order);
      return typeof wanted === "string" ? bad(wanted) : done(handlers.scale(wanted));
    }
    case "POST /drain": {
      const worker = order["worker"], now = order["now"] ?? false;
      if (typeof worker !== "string" || worker === "") return bad("worker is missing");
      if (typeof now !== "boolean") return bad("now must be true or false");
      return done(handlers.drain(worker, now));
    }
    case "POST /pin": {
      const worker = order["worker"], pinned = order["pinned"] ?? true;
      if (typeof worker !== "string" || worker === "") return bad("worker is missing");
      if (typeof pinned !== "boolean") return bad("pinned must be true or false");
      return done(handlers.pin(worker, pinned));
    }
    case "POST /pause": handlers.pause(true); return ok({ ok: true });
    case "POST /resume": handlers.pause(false); return ok({ ok: true });
    case "POST /retry": handlers.retry(); return ok({ ok: true });
    default: return { status: 404, body: { error: `no such call: ${method} ${pathname}` } };
  }
}

function scaleOrder(o: Record<string, unknown>): ScaleOrder | string {
  const unknownKey = Object.keys(o).find((k) => !["auto", "size", "min", "max"].includes(k));
  if (unknownKey !== undefined) return `unknown key ${unknownKey}`;
  for (const key of ["size", "min", "max"]) if (o[key] !== undefined && typeof o[key] !== "number") return `${key} must be a number`;
  if (o["auto"] === true) return Object.keys(o).length === 1 ? { auto: true } : "auto goes alone";
  if (typeof o["size"] === "number") return o["min"] === undefined && o["max"] === undefined ? { size: o["size"] } : "a size goes alone, without min and max";
  const { min, max } = o as { min?: number; max?: number };
  return min === undefined && max === undefined ? "say size, min, max or auto" : { min, max };
}

const clamp = (n: number, from: number, to: number): number => (Number.isFinite(n) ? Math.min(to, Math.max(from, n)) : to);

/** Serves the API on a unix socket that root alone can open. */
export async function serve(handlers: ApiHandlers, socket: string): Promise<Server> {
  mkdirSync(dirname(socket), { recursive: true, mode: 0o755 });
  rmSync(socket, { force: true }); // left behind by a controller that was killed; systemd runs one at a time
  const server = createServer((req, res) => void handle(handlers, req, res));
  server.requestTimeout = 10_000;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(socket, () => { server.off("error", reject); resolve(); });
  });
  chmodSync(socket, 0o600);
  return server;
}

async function handle(handlers: ApiHandlers, req: IncomingMessage, res: ServerResponse): Promise<void> {
  let reply: Answer;
  try {
    const text = await readBody(req);
    const body: unknown = text === "" ? undefined : JSON.parse(text);
    reply = await answer(handlers, req.method ?? "", req.url ?? "/", body);
  } catch (e) {
    reply = e instanceof SyntaxError ? bad("the body is not JSON") : { status: 500, body: { error: e instanceof Error ? e.message : String(e) } };
  }
  const data = JSON.stringify(reply.body);
  res.writeHead(reply.status, { "content-type": "application/json", "content-length": Buffer.byteLength(data) }).end(data);
}

async function readBody(req: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > BODY_LIMIT_BYTES) throw new Error("the body is too large");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
