import { gunzipSync } from "node:zlib";
import { changes, type Owned } from "../support/openstack-inventory";
import { openLabProject } from "../support/openstack-lab";
import type { ConformanceCloud, SeenServer } from "./cloud";
import { labPool } from "./openstack-pool";

interface ServerRow {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly flavor: { readonly vcpus: number; readonly ram: number };
  readonly addresses: Readonly<Record<string, readonly { readonly addr: string; readonly "OS-EXT-IPS:type": string }[]>>;
}

const MOVE_LIMIT_MS = 120_000;
const WRONG = "Wr0ng-password-of-a-test";
/** Nobody listens there. */
const NOBODY = "http://127.0.0.1:1";

/** The OpenStack lab, in a project of its own that begins empty. */
export async function labConformance(): Promise<ConformanceCloud> {
  const project = await openLabProject("conform");
  const { api, admin } = project;
  const find = async (id: string): Promise<ServerRow | undefined> => {
    const answer = await api.ask<{ server: ServerRow }>("compute", "GET", `/v2.1/servers/${id}`);
    if (answer.status === 404) return undefined;
    if (answer.status !== 200) throw new Error(`server ${id}: ${answer.status}`);
    return answer.body.server;
  };
  const until = async (what: string, holds: () => Promise<boolean>): Promise<void> => {
    for (const end = Date.now() + MOVE_LIMIT_MS; !(await holds()); await new Promise((r) => setTimeout(r, 500))) if (Date.now() > end) throw new Error(`${what}: not within ${MOVE_LIMIT_MS / 1000} s`);
  };
  const seen = (s: ServerRow): SeenServer => ({
    id: s.id, name: s.name, running: s.status === "ACTIVE", vcpus: s.flavor.vcpus, memoryMiB: s.flavor.ram,
    publicAddresses: Object.values(s.addresses).flat().filter((a) => a["OS-EXT-IPS:type"] === "floating").map((a) => a.addr),
  });
  const strangers = new Set<string>();
  const label = (o: Owned): string => `${o.kind} ${o.name} ${o.id}`;
  return {
    name: "openstack",
    target: project.target(),
    wrongPassword: { ...project.target({ password: WRONG }), password: WRONG },
    away: { ...project.target({ authUrl: `${NOBODY}/v3` }), address: new URL(NOBODY).host },
    secrets: [project.login.password],
    servers: async () => (await api.get<{ servers: ServerRow[] }>("compute", "/v2.1/servers/detail")).servers.map(seen),
    things: () => project.owned(),
    leaks: async () => (await project.owned()).map(label),
    async writesDuring(work) {
      const before = await project.owned();
      await work();
      return changes(before, await project.owned());
    },
    async userData(id) {
      const { server } = await admin.call<{ server: Record<string, string | null> }>("compute", "GET", `/v2.1/servers/${id}`, undefined, { "x-openstack-nova-api-version": "2.3" });
      const raw = Buffer.from(server["OS-EXT-SRV-ATTR:user_data"] ?? "", "base64");
      return (raw[0] === 0x1f && raw[1] === 0x8b ? gunzipSync(raw) : raw).toString();
    },
    pool: (target, limits, fault) => labPool(target, { ...project.login, region: project.region, ...(fault === "away" ? { authUrl: `${NOBODY}/v3` } : fault === "refused" ? { password: WRONG } : {}) }, limits, fault !== undefined),
    async atRest({ min }) {
      const stacks = `/v1/${api.projectId}/stacks`;
      const { stacks: all } = await api.get<{ stacks: { id: string; stack_name: string; stack_status: string }[] }>("orchestration", stacks);
      const shown = await Promise.all(all.map((s) => api.get<{ stack: { parameters: { min?: string } } }>("orchestration", `${stacks}/${s.stack_name}/${s.id}`)));
      return all.every((s) => s.stack_status.endsWith("_COMPLETE")) && shown.every(({ stack }) => stack.parameters.min === String(min));
    },
    byHand: {
      async addServer(name) {
        const [{ flavors }, { images }] = await Promise.all([api.get<{ flavors: { id: string; ram: number }[] }>("compute", "/v2.1/flavors/detail"), api.get<{ images: { id: string }[] }>("image", "/v2/images?name=elastigrid-appliance")]);
        const flavorRef = [...flavors].sort((a, b) => a.ram - b.ram).at(-1)?.id;
        const { server } = await api.call<{ server: { id: string } }>("compute", "POST", "/v2.1/servers", { server: { name, flavorRef, imageRef: images[0]?.id, networks: "none" } });
        await until("it runs", async () => (await find(server.id))?.status === "ACTIVE");
        strangers.add(server.id);
        return server.id;
      },
      async stop(id) {
        await api.call("compute", "POST", `/v2.1/servers/${id}/action`, { "os-stop": null });
        await until("it has stopped", async () => (await find(id))?.status === "SHUTOFF");
      },
      async delete(id) {
        await api.delete("compute", `/v2.1/servers/${id}`);
        await until("it is gone", async () => (await find(id)) === undefined);
      },
    },
    async close() {
      const left = (await project.close()).filter((l) => ![...strangers].some((id) => l.endsWith(id)));
      if (left.length > 0) console.log(`      removed at the end, because a test left it: ${left.join("; ")}`);
    },
  };
}
