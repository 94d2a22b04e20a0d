import type { LabApi, LabService } from "./openstack-api";

/** Anything that a project owns. */
export interface Owned {
  readonly kind: string;
  readonly id: string;
  readonly name: string;
  /** Text by which it can be known again; undefined for what can carry none. */
  readonly marks?: string;
  /** Changes when somebody changes it. */
  readonly revision: string;
  readonly service: LabService;
  /** Where to delete it. */
  readonly path: string;
}

interface Row {
  readonly id: string;
  readonly name?: string;
  readonly description?: string | null;
  readonly tags?: readonly string[] | null;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly revision_number?: number;
  readonly updated_at?: string;
  readonly status?: string;
}
interface PortRow extends Row {
  readonly device_id: string;
  readonly device_owner: string;
}

const marksOf = (r: Row): string => JSON.stringify([r.name, r.description, r.tags, r.metadata]);

/** Everything that a project and its user own, except what every project has (the default security group). */
export async function inventory(api: LabApi): Promise<Owned[]> {
  const [servers, keys, network, stacks, trusts, credentials, rules, alarms, images, volumes] = await Promise.all([
    list<Row & { updated: string; flavor: { original_name: string } }>(api, "compute", "/v2.1/servers/detail", "servers"),
    list<{ keypair: { name: string; fingerprint: string } }>(api, "compute", "/v2.1/os-keypairs", "keypairs"),
    networkThings(api),
    list<Row & { stack_name: string; stack_status: string; parent: string | null; creation_time: string; updated_time: string | null }>(api, "orchestration", `/v1/${api.projectId}/stacks?show_nested=true`, "stacks"),
    list<Row>(api, "identity", `/v3/OS-TRUST/trusts?trustor_user_id=${api.userId}`, "trusts"),
    list<Row>(api, "identity", `/v3/users/${api.userId}/application_credentials`, "application_credentials"),
    list<Row & { path: string }>(api, "identity", `/v3/users/${api.userId}/access_rules`, "access_rules"),
    api.get<{ alarm_id: string; name: string; gnocchi_aggregation_by_resources_threshold_rule?: unknown; alarm_actions: unknown; enabled: boolean }[]>("alarming", "/v2/alarms"),
    list<Row>(api, "image", `/v2/images?owner=${api.projectId}`, "images"),
    api.has("volumev3") ? list<Row>(api, "volumev3", `/v3/${api.projectId}/volumes/detail`, "volumes") : Promise.resolve([]),
  ]);
  const serverMarks = new Map(servers.map((s) => [s.id, marksOf(s)]));
  const users = `/v3/users/${api.userId}`;
  return [
    ...servers.map((r) => owned("server", r, "compute", `/v2.1/servers/${r.id}`, { revision: `${r.updated} ${r.status} ${r.flavor.original_name}` })),
    ...keys.map(({ keypair: k }) => owned("key pair", { id: k.name, name: k.name }, "compute", `/v2.1/os-keypairs/${encodeURIComponent(k.name)}`, { revision: k.fingerprint })),
    // the network's own ports come and go with it
    ...network.ports.filter((p) => !p.device_owner.startsWith("network:")).map((r) =>
      owned("port", r, "network", `/v2.0/ports/${r.id}`, { marks: marksOf(r) + (serverMarks.get(r.device_id) ?? "") })),
    ...network.others,
    ...stacks.map((r) => owned("stack", { ...r, name: r.stack_name }, "orchestration", `/v1/${api.projectId}/stacks/${r.stack_name}/${r.id}`, {
      revision: `${r.updated_time ?? r.creation_time} ${r.stack_status}`, ...(r.parent === null ? {} : { marks: undefined }),
    })),
    ...trusts.map((r) => owned("trust", r, "identity", `/v3/OS-TRUST/trusts/${r.id}`, { marks: undefined, revision: "" })),
    ...credentials.map((r) => owned("application credential", r, "identity", `${users}/application_credentials/${r.id}`, { revision: "" })),
    ...rules.map((r) => owned("access rule", { id: r.id, name: r.path }, "identity", `${users}/access_rules/${r.id}`, { marks: undefined, revision: "" })),
    ...alarms.map((a) => owned("alarm", { id: a.alarm_id, name: a.name }, "alarming", `/v2/alarms/${a.alarm_id}`, { marks: undefined, revision: JSON.stringify([a.gnocchi_aggregation_by_resources_threshold_rule, a.alarm_actions, a.enabled]) })),
    ...images.map((r) => owned("image", r, "image", `/v2/images/${r.id}`)),
    ...volumes.map((r) => owned("volume", r, "volumev3", `/v3/${api.projectId}/volumes/${r.id}`)),
  ];
}

async function networkThings(api: LabApi): Promise<{ ports: PortRow[]; others: Owned[] }> {
  const rows = <R extends Row>(plural: string): Promise<R[]> => list<R>(api, "network", `/v2.0/${plural}?project_id=${api.projectId}`, plural.replaceAll("-", "_"));
  const [networks, subnets, routers, ports, addresses, groups] = await Promise.all([
    rows("networks"), rows("subnets"), rows("routers"), rows<PortRow>("ports"), rows<Row & { floating_ip_address: string; port_id: string | null }>("floatingips"), rows("security-groups"),
  ]);
  const revision = (r: Row): { revision: string } => ({ revision: `${r.revision_number} ${r.updated_at}` });
  return {
    ports,
    others: [
      ...networks.map((r) => owned("network", r, "network", `/v2.0/networks/${r.id}`, revision(r))),
      ...subnets.map((r) => owned("subnet", r, "network", `/v2.0/subnets/${r.id}`, revision(r))),
      ...routers.map((r) => owned("router", r, "network", `/v2.0/routers/${r.id}`, revision(r))),
      // its revision moves with the state of its port
      ...addresses.map((r) => owned("floating ip", { ...r, name: r.floating_ip_address }, "network", `/v2.0/floatingips/${r.id}`, { revision: r.port_id ?? "" })),
      ...groups.filter((g) => g.name !== "default").map((r) => owned("security group", r, "network", `/v2.0/security-groups/${r.id}`, revision(r))),
    ],
  };
}

const owned = (kind: string, row: Row, service: LabService, path: string, over: Partial<Pick<Owned, "marks" | "revision">> = {}): Owned => ({
  kind, id: row.id, name: row.name ?? "", marks: marksOf(row), revision: `${row.updated_at} ${row.status}`, service, path, ...over,
});

/** One page holds everything that a test makes. */
async function list<T>(api: LabApi, service: LabService, path: string, key: string): Promise<T[]> {
  return (await api.get<Record<string, T[]>>(service, path))[key] ?? [];
}

/** What differs between two looks, one line each. */
export function changes(before: readonly Owned[], after: readonly Owned[]): string[] {
  const label = (o: Owned): string => `${o.kind} ${o.name} ${o.id}`;
  const old = new Map(before.map((o) => [label(o), o])), now = new Map(after.map((o) => [label(o), o]));
  return [
    ...before.filter((o) => !now.has(label(o))).map((o) => `gone: ${label(o)}`),
    ...after.filter((o) => !old.has(label(o))).map((o) => `new: ${label(o)}`),
    ...after.filter((o) => old.has(label(o)) && old.get(label(o))?.revision !== o.revision).map((o) => `changed: ${label(o)} (${old.get(label(o))?.revision} -> ${o.revision})`),
  ].sort();
}
