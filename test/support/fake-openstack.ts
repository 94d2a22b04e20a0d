import { CloudError } from "../../components/errors";
import type { CallOptions, Openstack, OpenstackSettings, Service, Session } from "../../components/openstack/api";

type Row = Record<string, unknown>;

/** An OpenStack of plain values, for reads: lists and answers by `service path`. A function sees the query; an Error is thrown. */
export interface OpenstackWorld {
  settings: OpenstackSettings;
  session: Session | CloudError;
  services: Set<Service>;
  answers: Record<string, unknown>;
}

export const PROJECT = "56d6579cfdfd4937acce552c0ff87f5a";
export const USER = "3176e60950284f819dc4560831c914b2";

/** A cloud on which the default grid fits. */
export function openstackWorld(): OpenstackWorld {
  const flavor = (name: string, vcpus: number, ram: number, disk: number): Row => ({ id: `id-${name}`, name, vcpus, ram, disk, "OS-FLV-DISABLED:disabled": false });
  const limits = { maxTotalInstances: 10, totalInstancesUsed: 0, maxTotalCores: 20, totalCoresUsed: 0, maxTotalRAMSize: 51_200, totalRAMUsed: 0, maxTotalKeypairs: 100 };
  const quota = Object.fromEntries(["network", "subnet", "router", "port", "floatingip", "security_group", "security_group_rule"].map((k) => [k, { limit: 100, used: 0, reserved: 0 }]));
  return {
    settings: {
      authUrl: "https://cloud.example.org:5000/v3",
      auth: { kind: "password", username: "demo", password: "not shown", userDomain: { name: "Default" }, project: { name: "demo", domain: { name: "Default" } } },
      region: "RegionOne",
    },
    session: { projectId: PROJECT, projectName: "demo", userId: USER, roles: ["member", "reader"], expiresAtMs: 0 },
    services: new Set<Service>(["identity", "compute", "network", "image", "orchestration", "alarming", "metric"]),
    answers: {
      "identity /auth/catalog": { catalog: [{ type: "identity", endpoints: [{ region_id: "RegionOne" }, { region_id: "RegionTwo" }] }] },
      "compute /flavors/detail": [flavor("m1.large", 4, 4096, 40), flavor("m1.medium", 2, 2048, 20), flavor("m1.small", 1, 1024, 5), flavor("m1.diskless", 1, 1024, 0)],
      "compute /limits": { limits: { absolute: limits } },
      "compute /os-keypairs": [],
      "compute /servers/detail": [],
      "network /networks": [{ id: "ext", name: "public", status: "ACTIVE", admin_state_up: true, "router:external": true, subnets: ["s"] }],
      "network /subnets": [],
      "network /subnetpools": [],
      "network /routers": [],
      "network /security-groups": [],
      "network /floatingips": [],
      "network /ports": [],
      [`network /quotas/${PROJECT}/details`]: { quota },
      "image /images": [{ id: "img", name: "elastigrid-appliance", status: "active", size: 2 ** 29, virtual_size: 2 ** 30, min_disk: 0, min_ram: 0 }],
      "orchestration /resource_types": { resource_types: ["OS::Heat::AutoScalingGroup", "OS::Heat::ScalingPolicy", "OS::Nova::Server", "OS::Aodh::GnocchiAggregationByResourcesAlarm"] },
      "orchestration /stacks": { stacks: [] },
      "alarming /alarms": [],
      "metric /archive_policy": [{ name: "p", aggregation_methods: ["mean", "rate:mean"], definition: [{ granularity: "0:01:00" }] }],
      "metric /resource_type/instance": { name: "instance" },
    },
  };
}

export const refusal = (status: number, message = `HTTP ${status}`, cause?: unknown): CloudError =>
  new CloudError(status === 401 || status === 403 ? "auth" : status === 404 ? "not-found" : "transient", message, { status, cause });

/** Rows are filtered by those fields of the query that they have, as the real services do. */
const filtered = (rows: readonly Row[], options?: CallOptions): readonly Row[] =>
  rows.filter((row) => Object.entries(options?.query ?? {}).every(([k, v]) => !(k in row) || typeof v === "object" || row[k] === v));

export function fakeOpenstack(world: OpenstackWorld, asked: string[] = []): Openstack {
  const answer = <T>(service: Service, path: string): T => {
    asked.push(`${service} ${path}`);
    if (service !== "identity" && !world.services.has(service)) throw new CloudError("not-found", `the catalog has no ${service}`);
    const found = world.answers[`${service} ${path}`];
    if (found instanceof Error) throw found;
    if (found === undefined) throw refusal(404, `GET ${path}: HTTP 404`);
    return found as T;
  };
  const writes = (): Promise<never> => Promise.reject(new Error("a look must not write"));
  return {
    settings: world.settings,
    session: async () => {
      if (world.session instanceof Error) throw world.session;
      return world.session;
    },
    has: async (service) => world.services.has(service),
    endpoint: async (service) => `https://cloud.example.org/${service}`,
    get: async (service, path) => answer(service, path),
    find: async (service, path) => {
      try {
        return answer(service, path);
      } catch (e) {
        if (e instanceof CloudError && e.status === 404) return undefined;
        throw e;
      }
    },
    list: async <T>(service: Service, path: string, _key: string, options?: CallOptions) => filtered(answer<readonly Row[]>(service, path), options) as unknown as readonly T[],
    post: writes,
    put: writes,
    patch: writes,
    delete: writes,
  };
}
