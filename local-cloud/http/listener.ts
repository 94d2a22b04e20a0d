import { randomUUID, timingSafeEqual } from "node:crypto";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { ApiError, concurrent, invalid } from "../api-error";
import type { Reply, Router } from "../api/router";
import type { Clock } from "../clock";
import type { Calls } from "./calls";
import { asError, type FaultEffect, type Faults, type Strike } from "./faults";

export interface ListenerParts {
  readonly api: Router;
  readonly control: Router;
  readonly username: string;
  readonly password: string;
  readonly token?: string;
  readonly faults: Faults;
  readonly calls: Calls;
  readonly clock: Clock;
  readonly concurrency: boolean;
  readonly errorAsObject: boolean;
  readonly writeMs: number;
  /** Runs before every call: what time has done meanwhile. */
  readonly before: () => void;
  /** Runs after every write, before its answer goes out. */
  readonly saved: () => Promise<void>;
  readonly log: (text: string) => void;
}

const BASE = "/api/2.0";
const MOST_BODY_BYTES = 32 * 2 ** 20;

/** Thrown to tear the connection without an answer. */
class Cut extends Error {}

/** HTTP around the API: who asks, what the body says, which faults strike, how the answer looks. */
export function makeListener(p: ListenerParts): RequestListener {
  const busy = new Set<string>();
  const expected = [`Basic ${Buffer.from(`${p.username}:${p.password}`).toString("base64")}`, ...(p.token === undefined ? [] : [`Bearer ${p.token}`])];
  const known = (given: string | undefined): boolean => expected.some((e) => e.length === given?.length && timingSafeEqual(Buffer.from(e), Buffer.from(given)));
  const sleep = (ms: number): Promise<void> => new Promise((resolve) => void p.clock.setTimeout(resolve, ms));

  const answer = async (req: IncomingMessage, url: URL, strikes: readonly Strike[]): Promise<Reply> => {
    const method = req.method ?? "GET";
    const isWrite = method !== "GET" && method !== "OPTIONS" && method !== "HEAD";
    const body = await readBody(req);
    await strikeAll(strikes, "before", p.faults, sleep);
    if (!known(req.headers.authorization)) {
      const refused = new ApiError(401, [{ error_message: "wrong or missing credentials", error_point: null, error_type: "permission" }]);
      return { ...errorReply(refused, p.errorAsObject), headers: { "www-authenticate": 'Basic realm="users"' } };
    }
    if (url.pathname.startsWith("/_local/")) {
      const path = url.pathname.slice("/_local".length).replace(/\/?$/, "/");
      const { handler, params } = p.control.find(method, path, url.searchParams);
      return handler({ method, path, params, query: url.searchParams, body: parse(body) });
    }
    const accept = req.headers.accept;
    if (accept !== undefined && !/application\/json|\*\/\*|application\/\*/.test(accept)) throw new ApiError(406, [{ error_message: "answers are application/json", error_point: null, error_type: "validation" }]);
    const path = url.pathname.startsWith(`${BASE}/`) ? url.pathname.slice(BASE.length) : url.pathname;
    p.before();
    const { handler, params } = p.api.find(method, url.pathname.startsWith(`${BASE}/`) ? path : `/..${path}`, url.searchParams);
    const call = { method, path, params, query: url.searchParams, host: req.headers.host, body: parse(body) };
    if (!isWrite) {
      const reply = await handler(call);
      return method === "GET" ? { ...reply, body: p.faults.distort(path.split("/")[1] ?? "", reply.body) } : reply;
    }
    const key = params.length > 0 ? path.split("/").slice(0, 3).join("/") : undefined;
    if (p.concurrency && key !== undefined && busy.has(key)) throw concurrent();
    if (key !== undefined) busy.add(key);
    try {
      if (p.writeMs > 0) await sleep(p.writeMs);
      const reply = await handler(call);
      await p.saved();
      return reply;
    } finally {
      if (key !== undefined) busy.delete(key);
    }
  };

  return (req, res) => {
    void (async () => {
      const method = req.method ?? "GET";
      const url = URL.canParse(req.url ?? "/", "http://local") ? new URL(req.url ?? "/", "http://local") : new URL("http://local/");
      const path = `${url.pathname}${url.search}`;
      const inner = url.pathname.startsWith("/_local/");
      const seq = inner ? 0 : p.calls.next();
      const strikes = inner ? [] : p.faults.strike(method, path);
      const faults = strikes.length > 0 ? { faults: strikes.map((s) => s.id) } : {};
      const note = (status: number): void => (inner ? undefined : p.calls.record({ seq, method, path, status, ...faults }));
      const id = randomUUID();
      try {
        let reply: Reply;
        try {
          reply = await answer(req, url, strikes);
          await strikeAll(strikes, "after", p.faults, sleep);
        } catch (e) {
          if (e instanceof Html) reply = { status: e.status, text: `<html><head><title>${e.status}</title></head><body><h1>${e.status}</h1><hr>gateway</body></html>` };
          else if (e instanceof ApiError) reply = errorReply(e, p.errorAsObject || (e instanceof Planned && e.asObject));
          else if (e instanceof Cut) throw e;
          else {
            p.log(`${method} ${url.pathname}: ${e instanceof Error ? (e.stack ?? e.message) : String(e)}`);
            reply = errorReply(asError({ status: 500, type: "backend", message: "an error of local-cloud itself; see its log" }), p.errorAsObject);
          }
        }
        note(reply.status);
        send(res, reply, id);
      } catch (e) {
        note(0);
        if (!(e instanceof Cut)) p.log(`${method} ${url.pathname}: ${String(e)}`);
        req.socket.destroy();
      }
    })();
  };
}

class Html extends Error {
  constructor(readonly status: number) {
    super(`HTML ${status}`);
  }
}

class Planned extends ApiError {
  asObject = false;
}

async function strikeAll(strikes: readonly Strike[], when: Strike["when"], faults: Faults, sleep: (ms: number) => Promise<void>): Promise<void> {
  for (const s of strikes) if (s.when === when) await strikeOne(s.effect, faults, sleep);
}

async function strikeOne(effect: FaultEffect, faults: Faults, sleep: (ms: number) => Promise<void>): Promise<void> {
  if (faults.plant(effect)) return;
  if ("delayMs" in effect) return sleep(effect.delayMs);
  if ("cut" in effect) throw new Cut();
  if ("html" in effect) throw new Html(effect.html);
  if ("status" in effect) {
    const error = asError(effect);
    throw Object.assign(new Planned(error.status, error.items), { asObject: effect.asObject ?? false });
  }
}

const errorReply = (e: ApiError, asObject: boolean): Reply => ({ status: e.status, body: asObject ? e.items[0] : e.items });

function readBody(req: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let size = 0;
    req.on("data", (part: Buffer) => {
      size += part.length;
      if (size > MOST_BODY_BYTES) reject(invalid(null, "the body is too large"));
      else parts.push(part);
    });
    req.on("end", () => resolve(Buffer.concat(parts)));
    req.on("error", reject);
  });
}

/** Empty and `null` bodies count as no body: clients send all of them with actions. */
function parse(body: Buffer): unknown {
  if (body.length === 0) return undefined;
  try {
    return JSON.parse(body.toString("utf8")) ?? undefined;
  } catch {
    throw invalid(null, "the body is not JSON");
  }
}

function send(res: ServerResponse, reply: Reply, id: string): void {
  const headers: Record<string, string> = { "x-request-id": id, ...reply.headers };
  if (reply.text !== undefined) headers["content-type"] ??= reply.text.startsWith("<html") ? "text/html; charset=utf-8" : "text/plain; charset=utf-8";
  else headers["content-type"] ??= reply.body === undefined ? "text/html; charset=utf-8" : "application/json; charset=utf-8";
  const body = reply.text ?? (reply.body === undefined ? "" : JSON.stringify(reply.body));
  if (reply.status !== 204) headers["content-length"] = String(Buffer.byteLength(body));
  res.writeHead(reply.status, headers);
  res.end(reply.status === 204 ? undefined : body);
}
