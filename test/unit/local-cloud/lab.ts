import { startLocalCloud, VirtualClock, type LocalCloud, type LocalCloudOptions } from "../../../local-cloud";

export type Json = Record<string, unknown>;
export interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly headers: Headers;
}

/** A cloud of a test's own, in memory, whose time the test moves. */
export class Lab {
  private constructor(readonly cloud: LocalCloud, readonly clock: VirtualClock) {}

  static async start(options: LocalCloudOptions = {}): Promise<Lab> {
    const clock = new VirtualClock();
    const said: string[] = [];
    const cloud = await startLocalCloud({ memory: true, clock, log: (t) => said.push(t), ...options });
    return new Lab(cloud, clock);
  }

  get authorization(): string {
    return `Basic ${Buffer.from(`${this.cloud.username}:${this.cloud.password}`).toString("base64")}`;
  }

  async call(method: string, path: string, body?: unknown): Promise<Answer> {
    const answer = await fetch(new URL(path, this.cloud.endpoint), {
      method, headers: { authorization: this.authorization, ...(body === undefined ? {} : { "content-type": "application/json" }) }, ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(20_000),
    });
    const text = await answer.text();
    const json = answer.headers.get("content-type")?.startsWith("application/json") ?? false;
    return { status: answer.status, body: json ? JSON.parse(text) : text, headers: answer.headers };
  }

  /** The body of an answer that must have this status. */
  async want(status: number, method: string, path: string, body?: unknown): Promise<Json> {
    const answer = await this.call(method, path, body);
    if (answer.status !== status) throw new Error(`${method} ${path} answered ${answer.status}, not ${status}: ${JSON.stringify(answer.body)}`);
    return answer.body as Json;
  }
  get(path: string): Promise<Json> {
    return this.want(200, "GET", path);
  }
  async objects(path: string): Promise<Json[]> {
    return (await this.get(path)).objects as Json[];
  }
  async create(kind: string, body: Json): Promise<Json> {
    const made = (await this.want(201, "POST", `${kind}/`, body)).objects as Json[];
    return made[0] ?? {};
  }
  /** A server with sensible values, and what else is given. */
  server(over: Json = {}): Promise<Json> {
    return this.create("servers", { name: "one", cpu: 2000, mem: 2 ** 30, vnc_password: "Inv3nted!pw", ...over });
  }
  async drive(over: Json = {}): Promise<Json> {
    const made = await this.create("drives", { name: "disk", size: 5 * 2 ** 30, media: "disk", ...over });
    await this.clock.advance(1_000);
    return made;
  }
  action(kind: string, uuid: unknown, name: string, body: unknown = {}): Promise<Answer> {
    return this.call("POST", `${kind}/${String(uuid)}/action/?do=${name}`, body);
  }
  async status(kind: string, uuid: unknown): Promise<unknown> {
    return (await this.get(`${kind}/${String(uuid)}/`)).status;
  }
  async run(uuid: unknown): Promise<void> {
    await this.want(202, "POST", `servers/${String(uuid)}/action/?do=start`, {});
    await this.clock.advance(1_000);
  }
  stop(): Promise<void> {
    return this.cloud.stop();
  }
}

export const boot = (drive: unknown, channel = "0:0", device = "virtio"): Json => ({ boot_order: 1, dev_channel: channel, device, drive });
