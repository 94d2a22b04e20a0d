import { CloudError } from "../../components/errors";
import type { CallOptions, Openstack, Service } from "../../components/openstack/api";

/** Nova's side of the fake: whoever owns the servers says what becomes of them. */
export interface FakeServers {
  make(resource: string): string;
  /** Heat deletes it. */
  kill(id: string): void;
  find(id: string): { readonly status: string } | undefined;
}

export interface FakeMember {
  readonly resource: string;
  serverId?: string;
  status: string;
  reason: string;
}

interface Step {
  readonly atMs: number;
  readonly run: () => void;
}

/**
 * Heat's autoscaling group as it was measured (heat 19): an update always reaches the group and keeps its size; failed members do not
 * count, go first, and are replaced in place when the size needs them; a policy is refused when it changes nothing, during the cooldown,
 * and while the group is a failure; a second update over a first is accepted.
 */
export class FakeHeat {
  readonly members: FakeMember[] = [];
  readonly log: string[] = [];
  min: number;
  status = "CREATE_COMPLETE";
  nestedStatus = "CREATE_COMPLETE";
  reason = "";
  updated: string | null = null;
  exists = true;
  /** No more servers than this: nova's quota. */
  quota = Number.POSITIVE_INFINITY;
  former: FakeHeat[] = [];
  private steps: Step[] = [];
  private serial = 0;
  private cooldownUntilMs = 0;

  constructor(readonly name: string, private readonly o: { readonly min: number; readonly max: number; readonly nowMs: () => number; readonly random: () => number; readonly servers: FakeServers; readonly made?: string }) {
    this.min = o.min;
    for (let i = 0; i < o.min; i += 1) this.members.push(this.born("CREATE_COMPLETE"));
  }

  /** Does what is due by now. */
  tick(): void {
    for (;;) {
      const due = this.steps.filter((s) => s.atMs <= this.o.nowMs()).sort((a, b) => a.atMs - b.atMs)[0];
      if (due === undefined) break;
      this.steps = this.steps.filter((s) => s !== due);
      due.run();
    }
    for (const f of this.former) f.tick();
  }

  /** A signal of the native high alarm. */
  signalUp(): void {
    if (!/_COMPLETE$/.test(this.status) || !/_COMPLETE$/.test(this.nestedStatus) || this.o.nowMs() < this.cooldownUntilMs) return;
    this.nestedStatus = "UPDATE_IN_PROGRESS";
    this.resize(Math.min(this.o.max, this.healthy().length + 1), (why) => {
      this.nestedStatus = why === undefined ? "UPDATE_COMPLETE" : "UPDATE_FAILED";
    });
  }

  /** As `openstack stack check` with a nova that does not answer. */
  checkFails(member: FakeMember): void {
    Object.assign(member, { status: "CHECK_FAILED", reason: "nova did not answer" });
  }

  update(min: number): void {
    if (min > this.o.max) throw new CloudError("invalid", "HTTP 400: MinSize can not be greater than MaxSize", { status: 400 });
    this.min = min;
    this.log.push(`update min=${min}`);
    this.updated = `t${(this.serial += 1)}`;
    Object.assign(this, { status: "UPDATE_IN_PROGRESS", nestedStatus: "UPDATE_IN_PROGRESS" });
    this.steps = this.steps.filter((s) => !("update" in s));
    this.later(1_000, () => {
      this.resize(Math.min(this.o.max, Math.max(min, this.healthy().length)), (why) => {
        const end = why === undefined ? "UPDATE_COMPLETE" : "UPDATE_FAILED";
        Object.assign(this, { status: end, nestedStatus: end, reason: why ?? "" });
      });
    });
  }

  private healthy(): FakeMember[] {
    return this.members.filter((m) => !m.status.endsWith("_FAILED") && !m.status.startsWith("DELETE"));
  }

  private resize(size: number, done: (why?: string) => void): void {
    this.cooldownUntilMs = this.o.nowMs() + 60_000;
    const healthy = this.healthy(), failed = this.members.filter((m) => m.status.endsWith("_FAILED") && !m.status.startsWith("DELETE"));
    const replaced = failed.slice(0, Math.max(0, size - healthy.length));
    const going = [...failed.filter((m) => !replaced.includes(m)), ...healthy.slice(0, Math.max(0, healthy.length - size))];
    let why: string | undefined;
    const create = (m: FakeMember): void => {
      if (this.members.filter((x) => x.serverId !== undefined).length >= this.quota) {
        Object.assign(m, { status: "CREATE_FAILED", reason: "quota", serverId: undefined });
        why = `resources.${m.resource}: Forbidden: Quota exceeded for instances: Requested 1, but already used ${this.quota} of ${this.quota} instances (HTTP 403)`;
      } else Object.assign(m, { status: "CREATE_IN_PROGRESS", reason: "", serverId: this.o.servers.make(m.resource) });
    };
    for (const m of replaced) {
      if (m.serverId !== undefined) this.kill(m);
      create(m);
    }
    for (let i = healthy.length + replaced.length; i < size; i += 1) {
      const m: FakeMember = { resource: this.fresh(), status: "INIT_COMPLETE", reason: "" };
      this.members.push(m);
      this.later(500, () => create(m));
    }
    for (const m of going) {
      if (m.serverId !== undefined) this.kill(m);
      m.status = "DELETE_IN_PROGRESS";
    }
    this.later(4_000, () => {
      for (const m of this.members) if (m.status === "CREATE_IN_PROGRESS") m.status = "CREATE_COMPLETE";
      for (const m of going) this.members.splice(this.members.indexOf(m), 1);
      done(why);
    });
  }

  private later(ms: number, run: () => void): void {
    this.steps.push({ atMs: this.o.nowMs() + ms * (0.5 + this.o.random()), run });
  }

  private kill(m: FakeMember): void {
    this.o.servers.kill(m.serverId ?? "");
    m.serverId = m.status.endsWith("_FAILED") ? m.serverId : m.serverId;
  }

  private fresh = (): string => `r${(this.serial += 1)}x${Math.floor(this.o.random() * 1e6).toString(36)}`;
  private born(status: string): FakeMember {
    const resource = this.fresh();
    return { resource, status, reason: "", serverId: this.o.servers.make(resource) };
  }

  /** The API as far as the pool uses it. `wrap` is where time passes and calls fail. */
  api(wrap: <T>(label: string, effect: () => T) => Promise<T> = async (_, effect) => effect()): Openstack {
    const missing = (what: string): CloudError => new CloudError("not-found", `${what}: HTTP 404`, { status: 404 });
    const at = (path: string): { heat: FakeHeat; rest: string; nested: boolean } | undefined => {
      for (const heat of [this, ...this.former]) {
        const own = `/stacks/${heat.name}/id-${heat.name}`, inner = `/stacks/${heat.name}-group-x/nested-${heat.name}`;
        if (heat.exists && path.startsWith(inner)) return { heat, rest: path.slice(inner.length), nested: true };
        if (heat.exists && path.startsWith(own)) return { heat, rest: path.slice(own.length), nested: false };
      }
      return undefined;
    };
    const read = (service: Service, path: string): unknown => {
      this.tick();
      if (service === "compute") {
        const id = path.replace("/servers/", "");
        const found = this.o.servers.find(id);
        if (found === undefined) throw missing(path);
        return { server: { id, name: "worker", created: "", addresses: {}, ...found } };
      }
      const hit = at(path);
      if (hit === undefined) throw missing(path);
      const { heat } = hit;
      if (hit.rest === "") return { stack: hit.nested ? { id: `nested-${heat.name}`, stack_name: `${heat.name}-group-x`, stack_status: heat.nestedStatus, stack_status_reason: heat.reason } : heat.stack() };
      return { resources: [
        { resource_name: "group", resource_type: "OS::Heat::AutoScalingGroup", resource_status: heat.status, links: [{ rel: "nested", href: `http://h/v1/p/stacks/${heat.name}-group-x/nested-${heat.name}` }] },
        ...heat.members.map((m) => ({ resource_name: m.resource, resource_type: "OS::Nova::Server", parent_resource: "group", resource_status: m.status, resource_status_reason: m.reason, physical_resource_id: m.serverId ?? "" })),
      ] };
    };
    const patch = (path: string, body: unknown): void => {
      this.tick();
      const hit = at(path);
      if (hit === undefined) throw missing(path);
      const { heat } = hit;
      if (!hit.nested) return heat.update(Number((body as { parameters: { min: string } }).parameters.min));
      const m = heat.members.find((x) => hit.rest === `/resources/${x.resource}`);
      if (m === undefined) throw missing(path);
      const bad = (body as { mark_unhealthy: boolean }).mark_unhealthy;
      heat.log.push(`${bad ? "mark" : "unmark"} ${m.serverId ?? m.resource}`);
      if (bad && !m.status.startsWith("DELETE")) m.status = "CHECK_FAILED";
      else if (!bad && m.status === "CHECK_FAILED") m.status = "CHECK_COMPLETE";
    };
    const never = (): Promise<never> => Promise.reject(new Error("the pool has no business there"));
    const api: Openstack = {
      settings: { authUrl: "http://k", auth: { kind: "applicationCredential", id: "i", secret: "s" } },
      session: never, has: async () => true, endpoint: async () => "http://h",
      get: <T>(service: Service, path: string) => wrap(`GET ${path}`, () => read(service, path) as T),
      find: async <T>(service: Service, path: string) => wrap(`GET ${path}`, () => {
        try {
          return read(service, path) as T;
        } catch (e) {
          if (e instanceof CloudError && e.kind === "not-found") return undefined;
          throw e;
        }
      }),
      list: <T>(_: Service, path: string) => wrap(`GET ${path}`, () => {
        this.tick();
        if (path === "/servers/detail") return [] as readonly T[]; // every one is asked for by its id
        return [this, ...this.former].filter((h) => h.exists).map((h) => h.stack()) as unknown as readonly T[];
      }),
      post: <T>(_: Service, path: string) => wrap(`POST ${path}`, () => ({ output: path }) as T),
      put: never,
      patch: <T>(_: Service, path: string, body: unknown, _o?: CallOptions) => wrap(`PATCH ${path}`, () => patch(path, body) as T),
      delete: (_, path) => wrap(`DELETE ${path}`, () => {
        const hit = at(path);
        if (hit !== undefined) hit.heat.exists = false;
        if (hit !== undefined) hit.heat.log.push("deleted");
        return hit !== undefined;
      }),
    };
    return api;
  }

  private stack(): object {
    return { id: `id-${this.name}`, stack_name: this.name, stack_status: this.status, stack_status_reason: this.reason, updated_time: this.updated, creation_time: this.o.made ?? "2026-01-02T00:00:00Z", parameters: { min: String(this.min) } };
  }
}
