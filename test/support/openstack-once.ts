import type { Owned } from "./openstack-inventory";

/** What Pulumi declares, by type, and what it is in the project. */
const KINDS: Readonly<Record<string, string>> = {
  "openstack:networking/network:Network": "network",
  "openstack:networking/subnet:Subnet": "subnet",
  "openstack:networking/router:Router": "router",
  "openstack:networking/port:Port": "port",
  "openstack:networking/floatingIp:FloatingIp": "floating ip",
  "openstack:networking/secGroup:SecGroup": "security group",
  "openstack:compute/keypair:Keypair": "key pair",
  "openstack:compute/instance:Instance": "server",
  "openstack:orchestration/stackV1:StackV1": "stack",
  "openstack:identity/applicationCredential:ApplicationCredential": "application credential",
  "openstack:images/image:Image": "image",
  "openstack:blockstorage/volume:Volume": "volume",
};

interface Declared {
  readonly type: string;
}

/** What the project has too little or too much of, compared with what the state declares and the group makes by itself; "" when each is there once. */
export function onceEach(state: readonly Declared[], owned: readonly Owned[], workers: number): string {
  const wanted = new Map<string, number>();
  const want = (kind: string, more: number): void => void wanted.set(kind, (wanted.get(kind) ?? 0) + more);
  for (const r of state) if (KINDS[r.type] !== undefined) want(KINDS[r.type] ?? "", 1);
  const byHeat = { server: workers, port: workers, stack: 1 }; // the group's own stack is nested in ours
  for (const [kind, count] of Object.entries(byHeat)) want(kind, count);
  const wrong: string[] = [];
  for (const kind of new Set([...wanted.keys(), ...Object.values(KINDS)])) {
    // each member of a group may be a stack of its own, where it is more than a server
    const found = owned.filter((o) => o.kind === kind && !(kind === "stack" && o.marks === undefined && !/-group-[^-]+$/.test(o.name)));
    if (found.length !== (wanted.get(kind) ?? 0)) wrong.push(`${found.length} of ${kind} instead of ${wanted.get(kind) ?? 0}: ${found.map((o) => `${o.name} ${o.id}`).join(", ")}`);
  }
  return wrong.join("; ");
}
