import { makeClient } from "../../components/cloudsigma/client";
import { isTemplate } from "../../components/cloudsigma/membership";
import { USER_DATA_KEY } from "../../components/cloudsigma/provider/servers";
import { CloudsigmaPool } from "../../controller/adapters/cloudsigma-pool";
import { startLocalCloud } from "../../local-cloud";
import type { ServerRow } from "../../local-cloud/model/rows";
import { freePort } from "../support/lane";
import { cloudsigmaTarget } from "../support/stack";
import type { ConformanceCloud, SeenServer, Thing } from "./cloud";

const MHZ_PER_VCPU = 2_000;
const MOVE_LIMIT_MS = 10_000;

/** local-cloud without hosts, with an empty account. */
export async function localConformance(): Promise<ConformanceCloud> {
  const cloud = await startLocalCloud({ memory: true, log: () => undefined });
  const { store, username } = cloud;
  const unused = `http://127.0.0.1:${await freePort()}/api/2.0/`;
  const wrong = "Wr0ng-password-of-a-test";
  const call = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const authorization = `Basic ${Buffer.from(`${username}:${cloud.password}`).toString("base64")}`;
    const answer = await fetch(new URL(path, cloud.endpoint), { method, headers: { authorization, "content-type": "application/json" }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text.slice(0, 300)}`);
    return text === "" ? undefined : JSON.parse(text);
  };
  const until = async (holds: () => boolean): Promise<void> => {
    for (const end = Date.now() + MOVE_LIMIT_MS; !holds(); await new Promise((r) => setTimeout(r, 20))) if (Date.now() > end) throw new Error(`not within ${MOVE_LIMIT_MS} ms: ${holds}`);
  };
  const stop = async (id: string): Promise<void> => {
    if (store.servers.get(id)?.status === "running") await call("POST", `servers/${id}/action/?do=stop`, {});
    await until(() => store.servers.get(id)?.status === "stopped");
  };
  const mine = <R extends { owner: string }>(rows: Iterable<R>): R[] => [...rows].filter((r) => r.owner === store.account.uuid);
  const seen = (s: ServerRow): SeenServer => ({
    id: s.uuid, name: s.name, running: s.status === "running", vcpus: Math.round(s.cpu / MHZ_PER_VCPU), memoryMiB: s.mem / 2 ** 20,
    publicAddresses: s.nics.flatMap((n) => n.ip_v4_conf?.ip ?? []),
  });
  const things = (): Thing[] => {
    const thing = (kind: string, name: string, r: { uuid: string; meta: Record<string, string> }): Thing => ({ kind, name, id: r.uuid, marks: JSON.stringify(r.meta) });
    return [
      ...mine(store.servers.all()).map((r) => thing("server", r.name, r)),
      ...mine(store.drives.all()).filter((d) => !d.deleting).map((r) => thing("drive", r.name, r)),
      ...mine(store.snapshots.all()).filter((d) => !d.deleting).map((r) => thing("snapshot", r.name, r)),
      ...mine(store.tags.all()).map((r) => thing("tag", r.name, r)),
      ...mine(store.keypairs.all()).map((r) => thing("key pair", r.name, r)),
      ...mine(store.vlans.all()).map((r) => thing("vlan", "", r)),
      ...mine(store.ips.all()).map((r) => thing("address", "", r)),
    ];
  };
  return {
    name: "cloudsigma",
    target: cloudsigmaTarget(cloud),
    wrongPassword: { ...cloudsigmaTarget({ ...cloud, password: wrong }), password: wrong },
    away: { ...cloudsigmaTarget({ ...cloud, endpoint: unused }), address: new URL(unused).host },
    get secrets() {
      return [cloud.password, ...[...store.servers.all()].map((s) => s.vnc_password)];
    },
    servers: async () => [...store.servers.all()].filter((s) => s.owner === store.account.uuid && !isTemplate(s)).map(seen),
    things: async () => things(),
    leaks: async () => cloud.leaks().leaks,
    async writesDuring(work) {
      const from = cloud.calls.last;
      await work();
      return cloud.calls.writes(from).map((c) => `${c.method} ${c.path}`);
    },
    async userData(id) {
      const meta = store.servers.get(id)?.meta ?? {};
      const text = meta[USER_DATA_KEY] ?? "";
      return (meta["base64_fields"] ?? "").split(",").includes(USER_DATA_KEY) ? Buffer.from(text, "base64").toString() : text;
    },
    pool(target, _limits, fault) {
      const client = makeClient({
        endpoint: fault === "away" ? unused : String(target["endpoint"]), username, password: fault === "refused" ? wrong : cloud.password,
        ...(fault === undefined ? {} : { retry: { attempts: 2, baseMs: 1, capMs: 1 } }),
      });
      return new CloudsigmaPool({ client, templateUuid: String(target["templateUuid"]) });
    },
    atRest: async () => true,
    byHand: {
      async addServer(name) {
        const made = (await call("POST", "servers/", { objects: [{ name, cpu: 1_000, mem: 2 ** 30, vnc_password: "Str0ng-password!" }] })) as { objects: { uuid: string }[] };
        const id = made.objects[0]?.uuid ?? "";
        await call("POST", `servers/${id}/action/?do=start`, {});
        await until(() => store.servers.get(id)?.status === "running");
        return id;
      },
      stop,
      async delete(id) {
        await stop(id);
        await call("DELETE", `servers/${id}/?recurse=all_drives`);
        await until(() => store.servers.get(id) === undefined);
      },
    },
    close: () => cloud.stop(),
  };
}
