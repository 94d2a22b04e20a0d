import { backoffMs, DEFAULT_RETRY, retryAfterMs, systemClock, type Clock, type RetryPolicy } from "../cloudsigma/retry";
import { reasonOf } from "../cloudsigma/http-errors";
import { CloudError, isCloudError } from "../errors";
import type { CallOptions, Openstack, OpenstackSettings, Query, Service, Session } from "./api";
import { endpointOf } from "./catalog";
import { openstackError } from "./errors";
import { identityBase, sessionOf, tokenRequest, type Login, type TokenAnswer } from "./login";
import { transportOf } from "./transport";

export interface OpenstackParts {
  /** @default Node's fetch, with the settings' certificates */
  readonly fetch?: typeof fetch;
  readonly clock?: Clock;
  /** Milliseconds since 1970, for a token's end. @default Date.now */
  readonly nowMs?: () => number;
  readonly random?: () => number;
  readonly retry?: Partial<RetryPolicy>;
  readonly userAgent?: string;
}

type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
interface Call {
  readonly method: Method;
  readonly service: Service;
  readonly path: string;
  readonly body?: unknown;
  readonly options: CallOptions;
}
interface Answer {
  readonly status: number;
  readonly json: unknown;
  readonly error?: CloudError;
  readonly retryAfterMs?: number;
}

/** A token is renewed this long before it ends: a call may take a while. */
const RENEW_MS = 120_000;
const MAX_PAGES = 1_000;
/** Descriptions and MAC addresses in servers; every cloud since Train has it. */
const COMPUTE_MICROVERSION = "2.79";

/** Client of one project on one cloud. Holds the credentials in a closure: printing it shows none. */
export function makeOpenstack(settings: OpenstackSettings, parts: OpenstackParts = {}): Openstack {
  const doFetch = parts.fetch ?? transportOf(settings);
  const clock = parts.clock ?? systemClock;
  const nowMs = parts.nowMs ?? Date.now;
  const random = parts.random ?? Math.random;
  const policy: RetryPolicy = { ...DEFAULT_RETRY, ...parts.retry };
  const secrets = secretsOf(settings);
  const redact = (text: string, more: readonly string[] = []): string => [...secrets, ...more].reduce((t, s) => t.split(s).join("[secret]"), text);
  const region = settings.region === undefined ? {} : { region: settings.region };
  let login: Promise<Login> | undefined;

  async function once(label: string, url: string, init: { method: Method; body?: unknown; headers: Readonly<Record<string, string>>; signal?: AbortSignal }): Promise<Answer & { headers?: Headers }> {
    const limit = AbortSignal.timeout(policy.timeoutMs);
    let response: Response;
    let text: string;
    try {
      response = await doFetch(url, {
        method: init.method,
        // A redirect would lose the body of a POST, or carry the token elsewhere.
        redirect: "manual",
        headers: { accept: "application/json", "user-agent": parts.userAgent ?? "elastigrid", ...(init.body === undefined ? {} : { "content-type": "application/json" }), ...init.headers },
        ...(init.body === undefined ? {} : { body: JSON.stringify(init.body) }),
        signal: init.signal ? AbortSignal.any([init.signal, limit]) : limit,
      });
      text = await response.text();
    } catch (e) {
      init.signal?.throwIfAborted();
      const reason = limit.aborted ? `none within ${policy.timeoutMs / 1_000} s` : reasonOf(e);
      return { status: 0, json: undefined, error: new CloudError("transient", `${label}: no answer: ${redact(reason)}`, { ambiguous: true, cause: causeOf(e) }) };
    }
    const { status, headers } = response;
    if (status >= 300) {
      const requestId = headers.get("x-openstack-request-id") ?? headers.get("x-compute-request-id") ?? undefined;
      const token = init.headers["x-auth-token"];
      const error = openstackError({ call: label, status, body: redact(text, token === undefined ? [] : [token]), ...(requestId === undefined ? {} : { requestId }) });
      const after = retryAfterMs(headers.get("retry-after"), Date.now());
      return { status, json: undefined, error, ...(after === undefined ? {} : { retryAfterMs: after }) };
    }
    if (text === "") return { status, json: undefined, headers };
    try {
      return { status, json: JSON.parse(text), headers };
    } catch {
      return { status, json: undefined, error: new CloudError("transient", `${label}: HTTP ${status} with a body that is not JSON`, { status, ambiguous: true }) };
    }
  }

  /** Tries until it works, cannot work, or the cap is reached. */
  async function tries<A extends Answer>(attempt: () => Promise<A>, repeatable: (e: CloudError) => boolean, signal?: AbortSignal): Promise<A> {
    for (let n = 0; ; n++) {
      const answer = await attempt();
      if (answer.error === undefined) return answer;
      const after = answer.retryAfterMs;
      if (!repeatable(answer.error) || n + 1 >= policy.attempts || (after !== undefined && after > policy.maxRetryAfterMs)) throw answer.error;
      await clock.sleep(Math.max(after ?? 0, backoffMs(n, policy, random)), signal);
    }
  }

  async function newLogin(): Promise<Login> {
    const url = `${identityBase(settings.authUrl)}/auth/tokens`;
    // A second token does no harm: logging in may be repeated.
    const answer = await tries(() => once("POST identity /auth/tokens", url, { method: "POST", body: tokenRequest(settings), headers: {} }), isPassing);
    const body = answer.json as TokenAnswer;
    return { session: sessionOf(body), token: answer.headers?.get("x-subject-token") ?? "", catalog: body.token.catalog ?? [] };
  }

  async function loggedIn(): Promise<Login> {
    const known = login;
    const current = known === undefined ? undefined : await known.catch(() => undefined);
    if (current !== undefined && current.session.expiresAtMs - nowMs() > RENEW_MS) return current;
    if (login === known) {
      login = newLogin();
      login.catch(() => undefined); // whoever awaits it hears of it
    }
    return login ?? newLogin();
  }

  async function baseOf(service: Service): Promise<string | undefined> {
    const { catalog, session } = await loggedIn();
    const found = endpointOf(catalog, service, { ...region, interface: settings.interface ?? "public", projectId: session.projectId });
    // An application credential's catalog may leave out keystone itself.
    return found ?? (service === "identity" ? identityBase(settings.authUrl) : undefined);
  }

  async function endpoint(service: Service): Promise<string> {
    const base = await baseOf(service);
    if (base === undefined) throw new CloudError("not-found", `the catalog${settings.region === undefined ? "" : ` of region ${settings.region}`} has no service ${service}`);
    return base;
  }

  async function send({ method, service, path, body, options }: Call): Promise<unknown> {
    const label = `${method} ${service} ${path}`;
    let renewed = false;
    const attempt = async (): Promise<Answer> => {
      const used = await loggedIn();
      const url = `${await endpoint(service)}${path}${queryText(options.query)}`;
      const micro: Record<string, string> = service === "compute" ? { "x-openstack-nova-api-version": COMPUTE_MICROVERSION, "openstack-api-version": `compute ${COMPUTE_MICROVERSION}` } : {};
      const answer = await once(label, url, { method, body, headers: { "x-auth-token": used.token, ...micro, ...options.headers }, ...(options.signal ? { signal: options.signal } : {}) });
      if (answer.status !== 401 || renewed) return answer;
      renewed = true; // the token may have been revoked; a second refusal is meant
      login = undefined;
      return attempt();
    };
    const repeatable = (e: CloudError): boolean =>
      method === "GET" ? isPassing(e) : method === "POST" ? false : isPassing(e) && (e.status === 0 || e.status === 503 || e.status === 429);
    return (await tries(attempt, repeatable, options.signal)).json;
  }

  const api: Openstack = {
    settings,
    session: async (): Promise<Session> => (await loggedIn()).session,
    has: async (service) => (await baseOf(service)) !== undefined,
    endpoint,
    get: async <T>(service: Service, path: string, options: CallOptions = {}) => (await send({ method: "GET", service, path, options })) as T,
    async find<T>(service: Service, path: string, options?: CallOptions) {
      try {
        return await api.get<T>(service, path, options);
      } catch (e) {
        if (isCloudError(e, "not-found")) return undefined;
        throw e;
      }
    },
    async list<T>(service: Service, path: string, key: string, options: CallOptions = {}) {
      const found: T[] = [];
      let at: { path: string; query?: Query } = { path, ...(options.query === undefined ? {} : { query: options.query }) };
      const base = await endpoint(service);
      for (let page = 0; page < MAX_PAGES; page++) {
        const answer = await api.get<unknown>(service, at.path, { ...options, query: at.query });
        const rows = key === "" ? answer : (answer as Record<string, unknown> | undefined)?.[key];
        if (!Array.isArray(rows)) throw new CloudError("invalid", `GET ${service} ${path}: the answer holds no list ${key}`);
        found.push(...(rows as T[]));
        const next = nextPage(answer, key, base);
        if (next === undefined || rows.length === 0) return found;
        at = { path: next };
      }
      throw new CloudError("invalid", `GET ${service} ${path}: more than ${MAX_PAGES} pages`);
    },
    post: async <T>(service: Service, path: string, body: unknown, options: CallOptions = {}) => (await send({ method: "POST", service, path, body, options })) as T,
    put: async <T>(service: Service, path: string, body: unknown, options: CallOptions = {}) => (await send({ method: "PUT", service, path, body, options })) as T,
    patch: async <T>(service: Service, path: string, body: unknown, options: CallOptions = {}) => (await send({ method: "PATCH", service, path, body, options })) as T,
    async delete(service, path, options = {}) {
      try {
        await send({ method: "DELETE", service, path, options });
        return true;
      } catch (e) {
        if (isCloudError(e, "not-found")) return false;
        throw e;
      }
    },
  };
  return api;
}

const isPassing = (e: CloudError): boolean => e.kind === "transient";

function queryText(query: Query | undefined): string {
  const pairs = Object.entries(query ?? {}).flatMap(([key, value]) => (value === undefined ? [] : (Array.isArray(value) ? value : [value]).map((v): [string, string] => [key, String(v)])));
  return pairs.length === 0 ? "" : `?${new URLSearchParams(pairs).toString()}`;
}

/** Path and query of the next page: nova and neutron link it as `KEY_links`, glance and keystone as `next`. */
function nextPage(answer: unknown, key: string, base: string): string | undefined {
  const body = answer as Record<string, unknown>;
  const linked = (body[`${key}_links`] as ReadonlyArray<{ rel: string; href: string }> | undefined)?.find((l) => l.rel === "next")?.href;
  const href = linked ?? (typeof body["next"] === "string" ? body["next"] : (body["links"] as { next?: string | null } | undefined)?.next) ?? undefined;
  if (typeof href !== "string" || href === "") return undefined;
  const url = new URL(href, `${base}/`);
  const prefix = new URL(base).pathname;
  return `${url.pathname.startsWith(prefix) ? url.pathname.slice(prefix.length) : url.pathname}${url.search}`;
}

const secretsOf = ({ auth }: OpenstackSettings): string[] =>
  [auth.kind === "password" ? auth.password : auth.kind === "token" ? auth.token : auth.secret].filter((s) => s.length >= 4);

/** The code of a failed connection, without the request that failed: it holds the token. */
function causeOf(e: unknown): unknown {
  for (let at: unknown = e, depth = 0; at !== undefined && at !== null && depth < 8; depth++) {
    const { code, cause } = at as { code?: unknown; cause?: unknown };
    if (typeof code === "string") return Object.assign(new Error(code), { code });
    at = cause;
  }
  return undefined;
}
