import type { OpenstackSettings } from "../../openstack/api";
import { identityBase } from "../../openstack/login";
import { transportOf } from "../../openstack/transport";

const LIMIT_MS = 20_000;

/**
 * The projects that a user with a password may enter: a login that names none, then a question. Undefined where user or
 * password are wrong themselves, or Keystone does not say.
 */
export async function projectsOfUser(settings: OpenstackSettings, doFetch: typeof fetch = transportOf(settings)): Promise<readonly string[] | undefined> {
  const { auth } = settings;
  if (auth.kind !== "password") return undefined;
  const keystone = identityBase(settings.authUrl);
  const body = { auth: { identity: { methods: ["password"], password: { user: { name: auth.username, domain: auth.userDomain, password: auth.password } } }, scope: "unscoped" } };
  try {
    const login = await doFetch(`${keystone}/auth/tokens`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body), signal: AbortSignal.timeout(LIMIT_MS) });
    const token = login.headers.get("x-subject-token");
    if (login.status !== 201 || token === null) return undefined;
    const answer = await doFetch(`${keystone}/auth/projects`, { headers: { "x-auth-token": token }, signal: AbortSignal.timeout(LIMIT_MS) });
    if (!answer.ok) return undefined;
    const { projects } = (await answer.json()) as { projects: ReadonlyArray<{ name: string; enabled?: boolean }> };
    return projects.filter((p) => p.enabled !== false).map((p) => p.name).sort();
  } catch {
    return undefined; // only makes the message better: the refused login is reported in any case
  }
}
