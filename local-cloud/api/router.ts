import { notAllowed, notFoundPath } from "../api-error";

export interface Call {
  readonly method: string;
  readonly path: string;
  /** What stood in the place of `{...}` in the route, in order. */
  readonly params: readonly string[];
  readonly query: URLSearchParams;
  /** By which address the caller reached us (the Host header): guests come by another one than this computer. */
  readonly host?: string;
  /** Parsed JSON; undefined when there was no body. */
  readonly body: unknown;
}

export interface Reply {
  readonly status: number;
  /** undefined: no body, and `text/html` as the service says it. */
  readonly body?: unknown;
  /** Plain text instead of JSON. */
  readonly text?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export type Handler = (call: Call) => Reply | Promise<Reply>;

interface Route {
  readonly pattern: RegExp;
  readonly action: string | undefined;
  readonly methods: Map<string, Handler>;
}

export const ok = (body: unknown): Reply => ({ status: 200, body });
export const accepted = (body: unknown): Reply => ({ status: 202, body });
export const noContent: Reply = { status: 204 };
export const created = (objects: { resource_uri?: unknown }[], root: object = {}): Reply => {
  const at = objects[0]?.resource_uri;
  return { status: 201, body: { ...root, objects }, ...(typeof at === "string" ? { headers: { location: at } } : {}) };
};

/** Paths are `/servers/{}/action/?do=start`: `{}` stands for one segment, `do` for the action. */
export class Router {
  private readonly routes: Route[] = [];
  private readonly byText = new Map<string, Route>();

  on(method: string, path: string, handler: Handler): void {
    let route = this.byText.get(path);
    if (route === undefined) {
      const [plain = "", action] = path.split("?do=");
      const pattern = new RegExp(`^${plain.split("{}").map((s) => s.replace(/[.*+?^$()|[\]\\]/g, "\\$&")).join("([^/]+)")}$`);
      route = { pattern, action, methods: new Map() };
      this.byText.set(path, route);
      this.routes.push(route);
    }
    route.methods.set(method, handler);
  }

  /** Finds the handler; unknown paths are 404, known paths with another method 405. Literal segments win over `{}`. */
  find(method: string, path: string, query: URLSearchParams): { handler: Handler; params: string[] } {
    // GET without the slash survives on the service; a redirect would lose the body of the others
    const full = path.endsWith("/") || method !== "GET" ? path : `${path}/`;
    const action = query.get("do") ?? undefined;
    let best: { route: Route; params: string[] } | undefined;
    for (const route of this.routes) {
      if (route.action !== undefined && route.action !== action) continue;
      const m = route.pattern.exec(full);
      if (m === null) continue;
      const params = m.slice(1).map(decoded);
      if (best === undefined || params.length < best.params.length) best = { route, params };
    }
    if (best === undefined) throw notFoundPath(action === undefined ? path : `${path}?do=${action}`);
    const handler = best.route.methods.get(method);
    if (handler === undefined && method === "OPTIONS") {
      const list = [...best.route.methods.keys(), "OPTIONS"].join(",");
      return { handler: () => ({ status: 200, text: list, headers: { allow: list } }), params: best.params };
    }
    if (handler === undefined) throw notAllowed(method);
    return { handler, params: best.params };
  }
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment; // a stray percent sign: no object has such a name, so it ends as 404
  }
}
