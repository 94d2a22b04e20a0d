import type { CloudError, Problem } from "../../errors";
import type { OpenstackSettings } from "../../openstack/api";

/** Where the settings come from, as the path of a problem. */
export const settingsPath = (s: OpenstackSettings, key: string, variable: string): string =>
  s.cloudName === undefined ? `openstack:${key} (${variable})` : `clouds.yaml, cloud ${s.cloudName}`;

/** Projects that a user may enter; undefined where name or password themselves are wrong. */
export type ProjectsOf = (settings: OpenstackSettings) => Promise<readonly string[] | undefined>;

/** Why the login failed, as far as Keystone lets on: it answers 401 to a wrong password and to a wrong project alike. */
export async function loginProblem(e: CloudError, settings: OpenstackSettings, projectsOf?: ProjectsOf): Promise<Problem> {
  const { auth } = settings;
  // A token or credential that is none at all is not found: 404 with a text of Keystone's.
  const unknown = e.status === 404 && auth.kind !== "password" && /could not (recognize|find)|failed to validate token/i.test(e.message);
  if (e.status !== 401 && e.status !== 403 && !unknown) return failureProblem(settingsPath(settings, "authUrl", "OS_AUTH_URL"), e, settings, settings.authUrl);
  if (auth.kind === "token") {
    const path = settingsPath(settings, "token", "OS_TOKEN");
    return { path, rule: `is refused by Keystone (HTTP ${e.status}): it has expired, was revoked, or is of another cloud or project`, fix: "get a new one with `openstack token issue`, or log in with a password or an application credential, which do not run out in the middle" };
  }
  if (auth.kind === "applicationCredential") {
    const path = settingsPath(settings, "applicationCredentialId", "OS_APPLICATION_CREDENTIAL_ID");
    return { path, rule: `is refused by Keystone (HTTP ${e.status}): no such application credential, a wrong secret, or it has expired`, fix: "make a new one with `openstack application credential create --unrestricted NAME`" };
  }
  const project = "id" in auth.project ? auth.project.id : auth.project.name;
  const projects = projectsOf === undefined ? undefined : await projectsOf(settings);
  if (projects !== undefined) {
    const there = projects.length === 0 ? "it may enter none: ask the cloud's administrator for a role in one" : `it may enter ${projects.join(", ")}`;
    return { path: settingsPath(settings, "tenantName", "OS_PROJECT_NAME"), value: project, rule: `is no project (of that domain) that user ${auth.username} may enter`, fix: `${there}${projects.length === 0 ? "" : "; else ask the cloud's administrator for a role in it"}` };
  }
  const domain = "id" in auth.userDomain ? auth.userDomain.id : auth.userDomain.name;
  return { path: settingsPath(settings, "userName and openstack:password", "OS_USERNAME, OS_PASSWORD"), value: auth.username, rule: `name or password are refused by Keystone (HTTP ${e.status}), in user domain ${domain}`, fix: "check user, password and user domain; accounts differ between clouds" };
}

/** A cloud or service that cannot be asked. */
export function failureProblem(path: string, e: CloudError, settings: OpenstackSettings, url?: string): Problem {
  const code = errorCode(e);
  if (code === "ENOENT" || code === "EACCES") return { path: settingsPath(settings, "cacertFile", "OS_CACERT"), ...(settings.caCertificateFile === undefined ? {} : { value: settings.caCertificateFile }), rule: `cannot be read (${code})`, fix: "name the PEM file of the authority that signed the cloud's certificates, or leave it out" };
  const at = url === undefined ? {} : { value: url };
  if (code !== undefined && TLS.test(code)) {
    const fix = code === "CERT_HAS_EXPIRED" ? "ask the cloud's administrator" : `set ${settingsPath(settings, "cacertFile", "OS_CACERT")} to the PEM file of the authority that signed it`;
    return { path, ...at, rule: `its certificate is not trusted (${code})`, fix: settings.cloudName === undefined ? fix : fix.replace("clouds.yaml", "cacert of clouds.yaml") };
  }
  if (code !== undefined && PLAIN.test(code)) return { path, ...at, rule: "does not speak TLS", fix: "write http:// instead of https://, or the port of the TLS service" };
  const unreached = code === undefined ? undefined : UNREACHED[code];
  if (unreached !== undefined) return { path, ...at, rule: `${unreached} (${code})`, fix: "check the URL, the network, VPN and proxies" };
  if ([300, 404, 405].includes(e.status)) return { path, ...at, rule: `is not where Keystone's version 3 answers (HTTP ${e.status})`, fix: "copy the identity URL of the cloud's web console (API access); it often ends in :5000/v3 or /identity/v3" };
  return { path, ...at, rule: `cannot be asked: ${e.message.trim().replace(/\s*\n\s*/g, "; ")}`, fix: e.status >= 500 || e.status === 429 ? "run again in a few minutes; if it stays, tell the cloud's administrator" : "check the URL, the network, VPN and proxies, then run again" };
}

const TLS = /^(SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_SELF_SIGNED_CERT|UNABLE_TO_\w+|CERT_\w+|ERR_TLS_CERT_ALTNAME_INVALID|HOSTNAME_MISMATCH)$/;
const PLAIN = /^(ERR_SSL_\w+|EPROTO)$/;
const UNREACHED: Readonly<Record<string, string>> = {
  ENOTFOUND: "has a host name that is not known",
  EAI_AGAIN: "has a host name that cannot be looked up just now",
  ECONNREFUSED: "refuses connections: nothing listens there",
  EHOSTUNREACH: "cannot be reached",
  ENETUNREACH: "cannot be reached",
  ETIMEDOUT: "does not answer",
  UND_ERR_CONNECT_TIMEOUT: "does not answer",
};

/** The innermost code that says more than `fetch failed`. */
export function errorCode(e: unknown): string | undefined {
  for (let at: unknown = e, depth = 0; at !== undefined && at !== null && depth < 8; depth++) {
    const { code, cause, errors } = at as { code?: unknown; cause?: unknown; errors?: readonly unknown[] };
    if (typeof code === "string") return code;
    at = cause ?? errors?.[0];
  }
  return undefined;
}
