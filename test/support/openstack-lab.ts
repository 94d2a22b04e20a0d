import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { load } from "js-yaml";
import { toYaml } from "../../components/render/yaml";
import { engineEnvironment } from "../../tools/engine-env";
import { ask, type LabStatus } from "../openstack-lab/control";
import { labHome, placesOf } from "../openstack-lab/places";
import { LabApi, type LabLogin, type LabService } from "./openstack-api";
import { inventory, type Owned } from "./openstack-inventory";
import type { StackTarget } from "./stack";

const ADMIN = "elastigrid-lab-admin";
const IMAGE = "elastigrid-appliance";
/** More than any test needs. */
export const MANY = 40;
const GONE_MS = 120_000;

const SERVICES: readonly LabService[] = ["identity", "compute", "network", "image", "orchestration", "alarming", "metric", "volumev3"];

interface CloudsYaml {
  readonly clouds: Readonly<Record<string, { readonly auth: { readonly auth_url: string; readonly username: string; readonly password: string; readonly project_name: string }; readonly region_name: string }>>;
}

const cloudsYaml = (): CloudsYaml => load(readFileSync(process.env["OS_CLIENT_CONFIG_FILE"] ?? "", "utf8")) as CloudsYaml;

/** Why specs that need the lab cannot run here; undefined when they can. */
export async function noLab(): Promise<string | undefined> {
  const engine = engineEnvironment();
  if (!engine.available) return engine.reason;
  try {
    const url = cloudsYaml().clouds[ADMIN]?.auth.auth_url ?? "";
    await fetch(url, { signal: AbortSignal.timeout(5_000) });
    return undefined;
  } catch {
    return "not in the network of an OpenStack lab: npm run test:openstack";
  }
}

/** Why specs whose servers must really run cannot run in this lab; undefined when they can. */
export async function noGuests(): Promise<string | undefined> {
  const lab = await ask<LabStatus>(placesOf(labHome()).socket, "GET", "/status");
  return lab?.settings.virt === "hosts" ? undefined : "servers do not really run in this lab: npm run lab:openstack -- up --guests, then npm test -- openstack";
}

/** For a `before`: skips its suite aloud where it cannot run. */
export async function needLab(suite: Mocha.Context, also: () => Promise<string | undefined> = async () => undefined): Promise<void> {
  const why = (await noLab()) ?? (await also());
  if (why === undefined) return;
  console.log(`      skipped: ${why}`);
  suite.skip();
}

/** A project of the test's own with an ordinary member in it: nobody else's things can be mistaken for leaks. */
export interface LabProject {
  readonly name: string;
  readonly login: LabLogin;
  readonly region: string;
  /** As the project's user, and as the administrator of the cloud (in a project of its own). */
  readonly api: LabApi;
  readonly admin: LabApi;
  /** What a user has to set: OS_CLOUD and clouds.yaml. `over` changes the login or the URL. */
  target(over?: Partial<LabLogin>): StackTarget;
  /** Where the APIs are, for what stands in front of them. */
  readonly origins: readonly string[];
  /** As the administrator: how many servers the project may have. */
  allowServers(count: number): Promise<void>;
  /** Everything that the project owns, but for what this file put there. */
  owned(): Promise<Owned[]>;
  /** Removes what is left, and the project; answers what was left. */
  close(): Promise<string[]>;
}

export async function openLabProject(prefix: string): Promise<LabProject> {
  const { clouds } = cloudsYaml();
  const as = clouds[ADMIN];
  if (as === undefined) throw new Error(`clouds.yaml has no cloud ${ADMIN}`);
  const authUrl = as.auth.auth_url;
  const admin = await LabApi.login({ authUrl, username: as.auth.username, password: as.auth.password, project: as.auth.project_name });
  const name = `${prefix}-${randomBytes(3).toString("hex")}`;
  const password = `Pw-${randomBytes(12).toString("hex")}`;
  const { project } = await admin.call<{ project: { id: string } }>("identity", "POST", "/v3/projects", { project: { name, domain_id: "default" } });
  const { user } = await admin.call<{ user: { id: string } }>("identity", "POST", "/v3/users", { user: { name, password, domain_id: "default", default_project_id: project.id } });
  const { roles } = await admin.get<{ roles: { id: string; name: string }[] }>("identity", "/v3/roles");
  for (const role of roles.filter((r) => r.name === "member" || r.name === "reader")) await admin.call("identity", "PUT", `/v3/projects/${project.id}/users/${user.id}/roles/${role.id}`);
  const quota = (set: object): Promise<unknown> => admin.call("compute", "PUT", `/v2.1/os-quota-sets/${project.id}`, { quota_set: { force: true, ...set } });
  await quota({ instances: MANY, cores: 80, ram: 200_000 });
  const login: LabLogin = { authUrl, username: name, password, project: name };
  const api = await LabApi.login(login);
  const image = await ensureImage(api);
  const dir = mkdtempSync(join(tmpdir(), "elastigrid-clouds-"));
  let files = 0;
  const owned = async (): Promise<Owned[]> => (await inventory(api)).filter((o) => o.id !== image);
  return {
    name, login, api, admin, owned, region: as.region_name,
    origins: SERVICES.filter((s) => api.has(s)).map((s) => api.origin(s)),
    allowServers: async (count) => void (await quota({ instances: count })),
    target(over = {}) {
      const { authUrl: auth_url, username, password: secret, project: project_name } = { ...login, ...over };
      const file = join(dir, `clouds-${(files += 1)}.yaml`);
      const cloud = { auth: { auth_url, username, password: secret, project_name, user_domain_name: "Default", project_domain_name: "Default" }, region_name: as.region_name, identity_api_version: 3 };
      writeFileSync(file, toYaml({ clouds: { test: cloud } }), { mode: 0o600 });
      return { config: { "elastigrid:cloud": "openstack" }, env: { OS_CLIENT_CONFIG_FILE: file, OS_CLOUD: "test" } };
    },
    async close() {
      const left = await owned();
      try {
        await removeAll(api);
        if (image !== undefined) await api.delete("image", `/v2/images/${image}`);
        const groups = await admin.get<{ security_groups: { id: string }[] }>("network", `/v2.0/security-groups?project_id=${project.id}`);
        await admin.delete("identity", `/v3/users/${user.id}`);
        await admin.delete("identity", `/v3/projects/${project.id}`);
        for (const g of groups.security_groups) await admin.delete("network", `/v2.0/security-groups/${g.id}`);
      } finally {
        rmSync(dir, { recursive: true, force: true });
      }
      return left.map((o) => `${o.kind} ${o.name} ${o.id}`);
    },
  };
}

/** The appliance by its usual name; where nobody has put it into the cloud, an empty one of the project's own (nothing boots on the fake driver). */
async function ensureImage(api: LabApi): Promise<string | undefined> {
  const { images } = await api.get<{ images: unknown[] }>("image", `/v2/images?name=${IMAGE}`);
  if (images.length > 0) return undefined;
  const { id } = await api.call<{ id: string }>("image", "POST", "/v2/images", { name: IMAGE, disk_format: "raw", container_format: "bare" });
  await api.call("image", "PUT", `/v2/images/${id}/file`, new Blob([new Uint8Array(2 ** 20)]));
  return id;
}

/** In the order in which OpenStack lets go of things. */
async function removeAll(api: LabApi): Promise<void> {
  const ofKind = async (...kinds: string[]): Promise<Owned[]> => (await inventory(api)).filter((o) => kinds.includes(o.kind));
  const remove = async (...kinds: string[]): Promise<void> => {
    for (const o of await ofKind(...kinds)) await api.delete(o.service, o.path);
  };
  const gone = async (...kinds: string[]): Promise<void> => {
    for (const end = Date.now() + GONE_MS; (await ofKind(...kinds)).length > 0; await new Promise((r) => setTimeout(r, 1_000)))
      if (Date.now() > end) throw new Error(`still there: ${(await ofKind(...kinds)).map((o) => `${o.kind} ${o.name}`).join(", ")}`);
  };
  for (const o of await ofKind("stack")) if (o.marks !== undefined) await api.delete(o.service, o.path); // nested ones go with theirs
  await gone("stack");
  await remove("server");
  await gone("server");
  await remove("floating ip", "port");
  for (const router of await ofKind("router")) {
    const { ports } = await api.get<{ ports: { fixed_ips: { subnet_id: string }[] }[] }>("network", `/v2.0/ports?device_id=${router.id}`);
    for (const subnet of ports.flatMap((p) => p.fixed_ips)) await api.ask("network", "PUT", `/v2.0/routers/${router.id}/remove_router_interface`, { subnet_id: subnet.subnet_id });
    await api.delete(router.service, router.path);
  }
  for (const kind of ["subnet", "network", "security group", "key pair", "alarm", "volume", "application credential", "access rule", "trust"]) await remove(kind);
}
