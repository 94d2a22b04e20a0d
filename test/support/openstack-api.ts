/** A small client of the tests' own: what the library made is judged by calls that are not the library's. */
export interface LabLogin {
  readonly authUrl: string;
  readonly username: string;
  readonly password: string;
  readonly project: string;
}

export type LabService = "identity" | "compute" | "network" | "image" | "orchestration" | "alarming" | "metric" | "volumev3";

export interface Answer<T> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: T;
}

const CALL_MS = 60_000;
/** Descriptions, tags and flavors in the servers themselves. */
const COMPUTE_VERSION = "2.87";

export class LabApi {
  private constructor(private readonly token: string, private readonly origins: ReadonlyMap<string, string>, readonly projectId: string, readonly userId: string) {}

  static async login({ authUrl, username, password, project }: LabLogin): Promise<LabApi> {
    const domain = { name: "Default" };
    const auth = { identity: { methods: ["password"], password: { user: { name: username, password, domain } } }, scope: { project: { name: project, domain } } };
    const answer = await fetch(`${authUrl}/auth/tokens`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ auth }), signal: AbortSignal.timeout(CALL_MS) });
    if (!answer.ok) throw new Error(`login as ${username}: ${answer.status} ${(await answer.text()).slice(0, 300)}`);
    const { token } = (await answer.json()) as { token: { project: { id: string }; user: { id: string }; catalog: { type: string; endpoints: { interface: string; url: string }[] }[] } };
    const origins = new Map(token.catalog.map((s) => [s.type, new URL(s.endpoints.find((e) => e.interface === "public")?.url ?? "").origin]));
    return new LabApi(answer.headers.get("x-subject-token") ?? "", origins, token.project.id, token.user.id);
  }

  has = (service: LabService): boolean => this.origins.has(service);
  origin = (service: LabService): string => this.origins.get(service) ?? "";

  /** Answers whatever came, of any status. */
  async ask<T = unknown>(service: LabService, method: string, path: string, body?: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Answer<T>> {
    const origin = this.origins.get(service);
    if (origin === undefined) throw new Error(`the lab has no service ${service}`);
    const version: Record<string, string> = service === "compute" ? { "x-openstack-nova-api-version": COMPUTE_VERSION } : {};
    const payload = body === undefined ? undefined : body instanceof Blob ? body : JSON.stringify(body);
    const answer = await fetch(`${origin}${path}`, {
      method, signal: AbortSignal.timeout(CALL_MS), headers: { "x-auth-token": this.token, "content-type": body instanceof Blob ? "application/octet-stream" : "application/json", ...version, ...headers },
      ...(payload === undefined ? {} : { body: payload }),
    });
    const text = await answer.text();
    let parsed: unknown = text;
    try {
      parsed = text === "" ? undefined : JSON.parse(text);
    } catch {
      // an answer in plain text is an answer, too
    }
    return { status: answer.status, headers: answer.headers, body: parsed as T };
  }

  async call<T = unknown>(service: LabService, method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<T> {
    const answer = await this.ask<T>(service, method, path, body, headers);
    if (answer.status >= 400) throw new Error(`${method} ${service} ${path}: ${answer.status} ${JSON.stringify(answer.body).slice(0, 400)}`);
    return answer.body;
  }

  get = <T>(service: LabService, path: string): Promise<T> => this.call<T>(service, "GET", path);
  /** Gone is success. */
  async delete(service: LabService, path: string): Promise<void> {
    const answer = await this.ask(service, "DELETE", path);
    if (answer.status >= 400 && answer.status !== 404) throw new Error(`DELETE ${service} ${path}: ${answer.status} ${JSON.stringify(answer.body).slice(0, 400)}`);
  }
}
