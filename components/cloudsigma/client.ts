import { CloudError, isCloudError } from "../errors";
import { resolveEndpoint } from "./endpoint";
import { cloudErrorFrom, noAnswerError, reasonOf } from "./http-errors";
import { OneAtATime } from "./one-at-a-time";
import { backoffMs, DEFAULT_RETRY, retryAfterMs, systemClock, type Clock, type RetryPolicy } from "./retry";
import type { Kind, Kinds, Single, Singles } from "./wire";

export interface ClientOptions {
  /** Full API base; goes before `location`. */
  readonly endpoint?: string;
  /** Location code such as `zrh`. */
  readonly location?: string;
  readonly username?: string;
  readonly password?: string;
  /** Bearer token; goes before username and password. */
  readonly token?: string;
  /** @default Node's fetch */
  readonly fetch?: typeof fetch;
  readonly clock?: Clock;
  readonly random?: () => number;
  readonly userAgent?: string;
  readonly retry?: Partial<RetryPolicy>;
  /** Send credentials over http to any host. @default only to loopback and private addresses */
  readonly allowHttp?: boolean;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
}
/** One answer of a list. */
export interface Page {
  /** As they came: nobody has looked whether they are what they should be. */
  readonly objects: readonly unknown[];
  /** `meta.total_count`: how many there are before paging, where the service says so. */
  readonly total?: number;
}
export interface ListOptions extends CallOptions {
  /** Filters such as `name` or `uuid`; `limit: 0` (everything) unless given. */
  readonly params?: Readonly<Record<string, string | number>>;
  /** The short rows instead of the full ones. @default false */
  readonly short?: boolean;
}
export interface MakeOptions<T> extends CallOptions {
  /** Sent although another write to the same object is on its way: the caller takes a refusal (503 `concurrency`) for what it is. @default false */
  readonly beside?: boolean;
  /**
   * Looks for what a lost try may have made. Called before every repetition; its find is the result. Without it nothing
   * that makes something is ever repeated.
   */
  readonly findExisting?: (signal?: AbortSignal) => Promise<T | undefined>;
  readonly query?: Readonly<Record<string, string>>;
}

export interface Client {
  /** API base with its trailing slash. */
  readonly endpoint: string;
  readonly clock: Clock;
  list<K extends Kind>(kind: K, options?: ListOptions): Promise<Kinds[K][]>;
  /** The same without trust: see whole-list.ts, which puts pages together and says what they lack. */
  page(kind: Kind, options?: ListOptions): Promise<Page>;
  get<K extends Kind>(kind: K, id: string, options?: CallOptions): Promise<Kinds[K]>;
  /** The object, or undefined on 404. */
  find<K extends Kind>(kind: K, id: string, options?: CallOptions): Promise<Kinds[K] | undefined>;
  single<S extends Single>(name: S, options?: CallOptions): Promise<Singles[S]>;
  create<K extends Kind>(kind: K, body: object, options?: MakeOptions<Kinds[K]>): Promise<Kinds[K]>;
  /** PUT: required fields plus whole values of what changes. Repeated on passing failures: it sets, it does not add. */
  update<K extends Kind>(kind: K, id: string, body: object, options?: CallOptions): Promise<Kinds[K]>;
  /** DELETE; resolves to whether it was there: a 404 is success. */
  delete(kind: Kind, id: string, options?: CallOptions & { readonly query?: Readonly<Record<string, string>> }): Promise<boolean>;
  /** POST .../action/?do=name; the answer as it came. Repeated only with `findExisting`. */
  action<T = unknown>(kind: Kind, id: string, name: string, body?: object, options?: MakeOptions<T>): Promise<T>;
  /** `owner.uuid` of what is ours. Read once. */
  profileUuid(options?: CallOptions): Promise<string>;
}

interface Call {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  readonly path: string;
  readonly body?: object;
  readonly signal?: AbortSignal;
}
interface Answer {
  readonly status: number;
  readonly json: unknown;
}

const enc = encodeURIComponent;
const query = (params: Readonly<Record<string, string | number>>): string => {
  const text = Object.entries(params).map(([k, v]) => `${enc(k)}=${enc(String(v))}`).join("&");
  return text === "" ? "" : `?${text}`;
};
/** Collections whose list already holds every field. */
const FULL_LISTS: ReadonlySet<Kind> = new Set<Kind>(["tags", "keypairs", "pubkeys", "libdrives", "jobs", "subscriptions", "snapshots", "locations", "licenses"]);

const authorization = (o: ClientOptions): string | undefined =>
  o.token ? `Bearer ${o.token}` : o.username && o.password ? `Basic ${Buffer.from(`${o.username}:${o.password}`).toString("base64")}` : undefined;

/** Client of one location and account. Holds the credentials in a closure: printing it shows none. */
export function makeClient(options: ClientOptions): Client {
  const resolved = resolveEndpoint(options);
  if (!resolved.ok) throw new CloudError("invalid", `${resolved.problem.rule}; ${resolved.problem.fix}`);
  const auth = authorization(options);
  if (auth === undefined)
    throw new CloudError("auth", "no credentials: set cloudsigma:username and, as a secret, cloudsigma:password or cloudsigma:token (environment: CLOUDSIGMA_USERNAME, CLOUDSIGMA_PASSWORD, CLOUDSIGMA_TOKEN)", { status: 401 });
  const base = resolved.url;
  const doFetch = options.fetch ?? fetch;
  const clock = options.clock ?? systemClock;
  const random = options.random ?? Math.random;
  const policy: RetryPolicy = { ...DEFAULT_RETRY, ...options.retry };
  const secrets = [options.password, options.token, auth.split(" ")[1]].filter((s): s is string => s !== undefined && s.length >= 4);
  const redact = (text: string): string => secrets.reduce((t, s) => t.split(s).join("[secret]"), text);
  const writes = new OneAtATime();
  let profile: Promise<string> | undefined;

  async function once(call: Call): Promise<Answer & { retryAfterMs?: number; error?: CloudError }> {
    const label = `${call.method} ${call.path}`;
    const limit = AbortSignal.timeout(policy.timeoutMs);
    let response: Response;
    let text: string;
    try {
      response = await doFetch(base + call.path, {
        method: call.method,
        // A redirect would lose the body of a POST, or carry the credentials elsewhere.
        redirect: "manual",
        headers: {
          accept: "application/json",
          authorization: auth as string,
          "user-agent": options.userAgent ?? "elastigrid",
          ...(call.body === undefined ? {} : { "content-type": "application/json" }),
        },
        ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
        signal: call.signal ? AbortSignal.any([call.signal, limit]) : limit,
      });
      text = await response.text();
    } catch (e) {
      call.signal?.throwIfAborted();
      const reason = limit.aborted ? `none within ${policy.timeoutMs / 1_000} s` : reasonOf(e);
      return { status: 0, json: undefined, error: noAnswerError(label, reason, redact) };
    }
    const requestId = response.headers.get("x-request-id") ?? undefined;
    const { status } = response;
    if (status >= 300) {
      const error = cloudErrorFrom({ call: label, status, body: text, redact, ...(requestId === undefined ? {} : { requestId }) });
      const after = retryAfterMs(response.headers.get("retry-after"), Date.now());
      return { status, json: undefined, error, ...(after === undefined ? {} : { retryAfterMs: after }) };
    }
    if (status === 204 || call.method === "DELETE") return { status, json: undefined };
    try {
      return { status, json: JSON.parse(text) };
    } catch {
      return { status, json: undefined, error: noAnswerError(label, `HTTP ${status} with a body that is not JSON`, redact) };
    }
  }

  /** Tries until it works, cannot work, or the cap is reached; `beforeRepeat` may end the tries with a find. */
  async function send<T>(call: Call, pick: (answer: Answer) => T, repeat: "always" | "never" | ((signal?: AbortSignal) => Promise<T | undefined>)): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      const answer = await once(call);
      if (answer.error === undefined) return pick(answer);
      const passing = answer.error.kind === "transient" || (answer.error.kind === "capacity" && call.method === "GET");
      const after = answer.retryAfterMs;
      const last = attempt + 1 >= policy.attempts || (after !== undefined && after > policy.maxRetryAfterMs);
      if (!passing || repeat === "never") throw answer.error;
      if (!last) await clock.sleep(Math.max(after ?? 0, backoffMs(attempt, policy, random)), call.signal);
      if (typeof repeat === "function") {
        const found = await repeat(call.signal); // a lost try may have done its work, the last one too
        if (found !== undefined) return found;
      }
      if (last) throw answer.error;
    }
  }

  const rows = (label: string, json: unknown): unknown[] => {
    const objects = (json as { objects?: unknown } | null | undefined)?.objects;
    if (!Array.isArray(objects)) throw new CloudError("invalid", `${label}: the answer holds no list of objects`);
    return objects;
  };
  const sig = (o?: CallOptions): { signal?: AbortSignal } => (o?.signal ? { signal: o.signal } : {});

  const client: Client = {
    endpoint: base,
    clock,
    async list<K extends Kind>(kind: K, o: ListOptions = {}) {
      return (await client.page(kind, o)).objects as Kinds[K][];
    },
    async page(kind, o = {}) {
      const detail = o.short || FULL_LISTS.has(kind) ? "" : "detail/";
      const path = `${kind}/${detail}${query({ limit: 0, ...o.params })}`;
      return send({ method: "GET", path, ...sig(o) }, (a): Page => {
        const total = (a.json as { meta?: { total_count?: unknown } | null } | null | undefined)?.meta?.total_count;
        return { objects: rows(`GET ${path}`, a.json), ...(typeof total === "number" ? { total } : {}) };
      }, "always");
    },
    async get<K extends Kind>(kind: K, id: string, o?: CallOptions) {
      return send({ method: "GET", path: `${kind}/${enc(id)}/`, ...sig(o) }, (a) => a.json as Kinds[K], "always");
    },
    async find<K extends Kind>(kind: K, id: string, o?: CallOptions) {
      try {
        return await client.get(kind, id, o);
      } catch (e) {
        if (isCloudError(e, "not-found")) return undefined;
        throw e;
      }
    },
    async single<S extends Single>(name: S, o?: CallOptions) {
      return send({ method: "GET", path: `${name}/`, ...sig(o) }, (a) => a.json as Singles[S], "always");
    },
    async create<K extends Kind>(kind: K, body: object, o: MakeOptions<Kinds[K]> = {}) {
      const path = `${kind}/${query(o.query ?? {})}`;
      const first = (a: Answer): Kinds[K] => {
        const row = rows(`POST ${path}`, a.json)[0];
        if (row === undefined) throw new CloudError("invalid", `POST ${path}: the answer holds no object`, { ambiguous: true });
        return row as Kinds[K];
      };
      return send({ method: "POST", path, body: { objects: [body] }, ...sig(o) }, first, o.findExisting ?? "never");
    },
    async update<K extends Kind>(kind: K, id: string, body: object, o?: CallOptions) {
      return writes.run(`${kind}/${id}`, () => send({ method: "PUT", path: `${kind}/${enc(id)}/`, body, ...sig(o) }, (a) => a.json as Kinds[K], "always"));
    },
    async delete(kind, id, o = {}) {
      try {
        await writes.run(`${kind}/${id}`, () => send({ method: "DELETE", path: `${kind}/${enc(id)}/${query(o.query ?? {})}`, ...sig(o) }, () => undefined, "always"));
        return true;
      } catch (e) {
        if (isCloudError(e, "not-found")) return false;
        throw e;
      }
    },
    async action<T>(kind: Kind, id: string, name: string, body: object = {}, o: MakeOptions<T> = {}) {
      const path = `${kind}/${enc(id)}/action/${query({ do: name, ...o.query })}`;
      const post = (): Promise<T> => send<T>({ method: "POST", path, body, ...sig(o) }, (a) => a.json as T, o.findExisting ?? "never");
      return o.beside === true ? post() : writes.run(`${kind}/${id}`, post);
    },
    profileUuid(o) {
      profile ??= client.single("profile", o).then(
        (p) => p.uuid,
        (e: unknown) => {
          profile = undefined; // asked again by the next caller
          throw e;
        },
      );
      return profile;
    },
  };
  return client;
}

/** What is ours: owned by the account that asks. Objects without an owner field (key pairs) are always ours. */
export async function listOwn<K extends Kind>(client: Client, kind: K, options?: ListOptions): Promise<Kinds[K][]> {
  const [me, all] = [await client.profileUuid(options), await client.list(kind, options)];
  return all.filter((o) => {
    const owner = (o as { owner?: { uuid: string } | null }).owner;
    return owner === undefined || owner?.uuid === me;
  });
}
