import { settingsPath } from "./login";
import type { Asking } from "./asking";

/** A first `up` with its waits takes less. */
const SHORT_MINUTES = 60;

interface ApplicationCredential {
  readonly id: string;
  readonly name: string;
  readonly unrestricted?: boolean;
}

/** A grid makes an application credential for its controller, and Heat makes trusts: a restricted credential may do neither. */
export async function checkRights(asking: Asking, nowMs: number): Promise<readonly string[]> {
  const { api, session } = asking;
  const { auth } = api.settings;
  if (auth.kind === "applicationCredential") {
    const mine = await asking.ask("identity", api.list<ApplicationCredential>("identity", `/users/${session.userId}/application_credentials`, "application_credentials"));
    const own = mine?.find((c) => ("id" in auth ? c.id === auth.id : c.name === auth.name));
    if (own?.unrestricted === false) asking.complain(settingsPath(api.settings, "applicationCredentialId", "OS_APPLICATION_CREDENTIAL_ID"), own.name, "is a restricted application credential: it may make neither the controller's own credential nor the trusts that Heat needs", "make one with `openstack application credential create --unrestricted NAME`, or log in with a password");
  }
  const notes: string[] = [];
  // Measured: Keystone 22 with the security updates of 2025 answers Heat «Delegated tokens cannot manage trusts», and Heat answers 500.
  if (auth.kind === "applicationCredential") notes.push("logged in with an application credential: Heat makes trusts for the workers' stack, which many Keystones refuse to one (seen as a 500 of Heat); where the stack cannot be made, log in with user and password");
  const leftMinutes = Math.floor((session.expiresAtMs - nowMs) / 60_000);
  if (auth.kind === "token" && leftMinutes < SHORT_MINUTES) notes.push(`the token expires in ${Math.max(0, leftMinutes)} minutes: an \`up\` that takes longer breaks off (a password or an application credential does not run out)`);
  const passive = session.roles.length > 0 && session.roles.every((r) => r === "reader");
  if (passive) notes.push(`the user has only the role reader in project ${session.projectName}: most clouds refuse to make anything with it (ask the cloud's administrator for member)`);
  return notes;
}
