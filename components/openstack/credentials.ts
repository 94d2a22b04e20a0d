import { isCloudError } from "../errors";
import type { Openstack } from "./api";

interface Credential {
  readonly id: string;
  readonly name: string;
  readonly access_rules?: ReadonlyArray<{ readonly id: string }>;
}

/** Removes the user's application credentials of these names, and their access rules, which Keystone keeps for others to use. */
export async function removeCredentials(api: Openstack, wanted: (name: string) => boolean): Promise<boolean> {
  const user = `/users/${(await api.session()).userId}`;
  const found = (await api.list<Credential>("identity", `${user}/application_credentials`, "application_credentials")).filter((c) => wanted(c.name));
  for (const credential of found) {
    await api.delete("identity", `${user}/application_credentials/${credential.id}`);
    for (const { id } of credential.access_rules ?? []) await removeRule(api, `${user}/access_rules/${id}`);
  }
  return found.length > 0;
}

async function removeRule(api: Openstack, path: string): Promise<void> {
  try {
    await api.delete("identity", path);
  } catch (e) {
    // Another credential of the user's has a rule of the same words, and so the same rule.
    if (!isCloudError(e) || e.status !== 403) throw e;
  }
}
