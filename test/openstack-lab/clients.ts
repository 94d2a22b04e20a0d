import { readFile, writeFile } from "node:fs/promises";
import { dump } from "js-yaml";
import { KEYSTONE_URL, REGION } from "./addresses";
import type { Places } from "./places";
import type { LabSecrets } from "./secrets";

export const CLOUDS = ["elastigrid-lab", "elastigrid-lab-admin"] as const;

const openrc = (user: string, password: string): string =>
  [
    "unset ${!OS_*}",
    `export OS_AUTH_URL=${KEYSTONE_URL} OS_IDENTITY_API_VERSION=3 OS_REGION_NAME=${REGION}`,
    `export OS_USERNAME=${user} OS_PROJECT_NAME=${user} OS_USER_DOMAIN_NAME=Default OS_PROJECT_DOMAIN_NAME=Default`,
    `export OS_PASSWORD=${password}`,
    "",
  ].join("\n");

const cloud = (user: string, password: string): object => ({
  auth: { auth_url: KEYSTONE_URL, username: user, password, project_name: user, user_domain_name: "Default", project_domain_name: "Default" },
  region_name: REGION,
  identity_api_version: 3,
});

/** Writes openrc and clouds.yaml for whoever uses the lab; only their owner may read them. */
export async function writeClientFiles(places: Places): Promise<void> {
  const secrets = JSON.parse(await readFile(places.secrets, "utf8")) as LabSecrets;
  const clouds = { clouds: { [CLOUDS[0]]: cloud("demo", secrets.demo), [CLOUDS[1]]: cloud("admin", secrets.admin) } };
  const files = {
    [places.openrc]: openrc("demo", secrets.demo),
    [places.openrcAdmin]: openrc("admin", secrets.admin),
    [places.cloudsYaml]: dump(clouds, { noRefs: true, lineWidth: -1 }),
  };
  for (const [path, text] of Object.entries(files)) await writeFile(path, text, { mode: 0o600 });
}
