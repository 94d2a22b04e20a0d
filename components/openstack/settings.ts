import { load } from "js-yaml";
import type { Problem } from "../errors";
import type { OpenstackAuth, OpenstackSettings } from "./api";

export type Get = (key: string) => string | undefined;
export type Environment = Readonly<Record<string, string | undefined>>;
/** A file's text, or undefined where there is none. */
export type ReadFile = (path: string) => string | undefined;

type Domain = { readonly id: string } | { readonly name: string };
/** One flat set of values, by the names of clouds.yaml. */
type Values = Readonly<Record<string, string | undefined>>;

/** clouds.yaml's names: the published provider's configuration keys, the variables. */
const NAMES: ReadonlyArray<readonly [string, readonly string[], readonly string[]]> = [
  ["auth_url", ["authUrl"], ["OS_AUTH_URL"]],
  ["username", ["userName"], ["OS_USERNAME", "OS_USER_NAME"]],
  ["password", ["password"], ["OS_PASSWORD"]],
  ["project_id", ["tenantId"], ["OS_PROJECT_ID", "OS_TENANT_ID"]],
  ["project_name", ["tenantName"], ["OS_PROJECT_NAME", "OS_TENANT_NAME"]],
  ["user_domain_id", ["userDomainId"], ["OS_USER_DOMAIN_ID"]],
  ["user_domain_name", ["userDomainName"], ["OS_USER_DOMAIN_NAME"]],
  ["project_domain_id", ["projectDomainId"], ["OS_PROJECT_DOMAIN_ID"]],
  ["project_domain_name", ["projectDomainName"], ["OS_PROJECT_DOMAIN_NAME"]],
  ["domain_id", ["domainId"], ["OS_DOMAIN_ID"]],
  ["domain_name", ["domainName"], ["OS_DOMAIN_NAME"]],
  ["default_domain", ["defaultDomain"], ["OS_DEFAULT_DOMAIN"]],
  ["token", ["token"], ["OS_TOKEN", "OS_AUTH_TOKEN"]],
  ["application_credential_id", ["applicationCredentialId"], ["OS_APPLICATION_CREDENTIAL_ID"]],
  ["application_credential_name", ["applicationCredentialName"], ["OS_APPLICATION_CREDENTIAL_NAME"]],
  ["application_credential_secret", ["applicationCredentialSecret"], ["OS_APPLICATION_CREDENTIAL_SECRET"]],
  ["region_name", ["region"], ["OS_REGION_NAME"]],
  ["interface", ["endpointType"], ["OS_INTERFACE", "OS_ENDPOINT_TYPE"]],
  ["cacert", ["cacertFile"], ["OS_CACERT"]],
  ["insecure", ["insecure"], ["OS_INSECURE"]],
  ["cloud", ["cloud"], ["OS_CLOUD"]],
];

export interface OpenstackSettingsFound {
  readonly settings?: OpenstackSettings;
  readonly problems: readonly Problem[];
}

/**
 * Where the cloud is and how to log in: the stack's `openstack:*` keys, then the `OS_*` variables, then the entry of clouds.yaml that
 * `openstack:cloud` or `OS_CLOUD` names. The engine's plugin reads the same places by itself, so nothing secret becomes a resource's input.
 */
export function readOpenstackSettings(config: Get, env: Environment, readFile: ReadFile): OpenstackSettingsFound {
  const set = (v: string | undefined): string | undefined => (v === undefined || v === "" ? undefined : v);
  const own: Record<string, string | undefined> = {};
  for (const [key, configKeys, variables] of NAMES) {
    own[key] = configKeys.map((k) => set(config(`openstack:${k}`))).find((v) => v !== undefined) ?? variables.map((v) => set(env[v])).find((v) => v !== undefined);
  }
  const cloudName = own["cloud"];
  const problems: Problem[] = [];
  const file = cloudName === undefined ? undefined : fromCloudsYaml(cloudName, env, readFile, problems);
  if (problems.length > 0) return { problems };
  const values: Values = { ...file, ...Object.fromEntries(Object.entries(own).filter(([, v]) => v !== undefined)) };
  const where = cloudName === undefined ? undefined : `clouds.yaml, cloud ${cloudName}`;
  const complain = (key: string, rule: string, fix: string): void => void problems.push({ path: where ?? pathOf(key), rule: where === undefined ? rule : `${key} ${rule}`, fix });
  if (values["auth_url"] === undefined) {
    complain("auth_url", "is missing", cloudName === undefined ? "set OS_CLOUD to an entry of clouds.yaml, or OS_AUTH_URL to the identity URL of the cloud's web console (API access)" : "copy the identity URL of the cloud's web console (API access)");
  } else if (!URL.canParse(values["auth_url"]) || !/^https?:$/.test(new URL(values["auth_url"]).protocol)) {
    problems.push({ path: where ?? pathOf("auth_url"), value: values["auth_url"], rule: "is no http or https URL", fix: "write it like https://cloud.example.org:5000/v3" });
  }
  const auth = authOf(values, complain);
  if (problems.length > 0 || auth === undefined) return { problems };
  return {
    problems,
    settings: {
      authUrl: values["auth_url"] ?? "",
      auth,
      ...(values["region_name"] === undefined ? {} : { region: values["region_name"] }),
      ...interfaceOf(values["interface"]),
      ...(values["cacert"] === undefined ? {} : { caCertificateFile: values["cacert"] }),
      ...(values["insecure"] !== undefined && /^(1|true|yes)$/i.test(values["insecure"]) ? { insecure: true } : {}),
      ...(cloudName === undefined ? {} : { cloudName }),
    },
  };
}

function pathOf(key: string): string {
  const [, configKeys, variables] = NAMES.find(([k]) => k === key) ?? [key, [key], [key]];
  return `openstack:${configKeys[0]} (${variables[0]})`;
}

const interfaceOf = (value: string | undefined): { interface?: "public" | "internal" | "admin" } => {
  const word = value?.replace(/URL$/, "");
  return word === "public" || word === "internal" || word === "admin" ? { interface: word } : {};
};

const domainOf = (values: Values, kind: "user" | "project"): Domain | undefined => {
  const id = values[`${kind}_domain_id`] ?? values["domain_id"];
  const name = values[`${kind}_domain_name`] ?? values["domain_name"] ?? (id === undefined ? values["default_domain"] : undefined);
  if (values[`${kind}_domain_id`] === undefined && values[`${kind}_domain_name`] !== undefined) return { name: values[`${kind}_domain_name`] ?? "" };
  return id !== undefined ? { id } : name !== undefined ? { name } : undefined;
};
/** What every installation has unless somebody chose otherwise. */
const DEFAULT_DOMAIN: Domain = { id: "default" };

function authOf(values: Values, complain: (key: string, rule: string, fix: string) => void): OpenstackAuth | undefined {
  const { application_credential_id: id, application_credential_name: name, application_credential_secret: secret, token, username, password } = values;
  if (id !== undefined || name !== undefined || secret !== undefined) {
    if (secret === undefined) complain("application_credential_secret", "is missing", "set it to the secret that was shown when the application credential was made");
    if (id === undefined && name === undefined) complain("application_credential_id", "is missing", "set it to the id of the application credential");
    if (id === undefined && name !== undefined && username === undefined) complain("username", "is missing", "an application credential by name needs its user; or give its id");
    if (secret === undefined) return undefined;
    if (id !== undefined) return { kind: "applicationCredential", id, secret };
    return name === undefined || username === undefined ? undefined : { kind: "applicationCredential", name, username, userDomain: domainOf(values, "user") ?? DEFAULT_DOMAIN, secret };
  }
  const project = values["project_id"] !== undefined ? { id: values["project_id"] } : values["project_name"] === undefined ? undefined : { name: values["project_name"], domain: domainOf(values, "project") ?? domainOf(values, "user") ?? DEFAULT_DOMAIN };
  if (token !== undefined && username === undefined) return { kind: "token", token, ...(values["project_id"] === undefined ? {} : { projectId: values["project_id"] }) };
  if (username === undefined) complain("username", "is missing", "set it, or log in with an application credential");
  if (password === undefined) complain("password", "is missing", "set it, or log in with an application credential");
  if (project === undefined) complain("project_name", "is missing", "set the project that the grid shall live in");
  if (username === undefined || password === undefined || project === undefined) return undefined;
  return { kind: "password", username, password, userDomain: domainOf(values, "user") ?? DEFAULT_DOMAIN, project };
}

function fromCloudsYaml(cloud: string, env: Environment, readFile: ReadFile, problems: Problem[]): Values | undefined {
  const home = env["HOME"] ?? "";
  const named = env["OS_CLIENT_CONFIG_FILE"];
  const candidates = named === undefined || named === "" ? ["clouds.yaml", `${home}/.config/openstack/clouds.yaml`, "/etc/openstack/clouds.yaml"] : [named];
  const file = candidates.find((path) => readFile(path) !== undefined);
  const path = "OS_CLOUD (openstack:cloud)";
  if (file === undefined) {
    problems.push({ path, value: cloud, rule: `needs a clouds.yaml, and there is none (looked at ${candidates.join(", ")})`, fix: "download it from the cloud's web console (API access) to ~/.config/openstack/clouds.yaml, or set OS_CLIENT_CONFIG_FILE" });
    return undefined;
  }
  const clouds = cloudsIn(file, readFile, problems);
  const entry = clouds?.[cloud];
  if (clouds !== undefined && entry === undefined) problems.push({ path, value: cloud, rule: `is no cloud of ${file}`, fix: `set it to ${Object.keys(clouds).length === 1 ? Object.keys(clouds)[0] : `one of ${Object.keys(clouds).join(", ")}`}` });
  if (entry === undefined) return undefined;
  const secure = file.replace(/clouds\.yaml$/, "secure.yaml");
  const more = secure !== file && readFile(secure) !== undefined ? cloudsIn(secure, readFile, problems)?.[cloud] : undefined;
  return { ...flat(entry), ...flat(more ?? {}) };
}

type Entry = Readonly<Record<string, unknown>>;

function cloudsIn(file: string, readFile: ReadFile, problems: Problem[]): Readonly<Record<string, Entry>> | undefined {
  try {
    const parsed = load(readFile(file) ?? "") as { clouds?: Record<string, Entry> } | null | undefined;
    if (parsed?.clouds !== undefined && typeof parsed.clouds === "object" && parsed.clouds !== null) return parsed.clouds;
    problems.push({ path: file, rule: "has no `clouds`", fix: "download it anew from the cloud's web console (API access)" });
  } catch (e) {
    // The parser's message quotes lines of the file, and these may hold a password.
    const line = (e as { mark?: { line?: number } }).mark?.line;
    problems.push({ path: file, rule: `is no YAML${line === undefined ? "" : ` (line ${line + 1})`}`, fix: "mend it, or download it anew from the cloud's web console" });
  }
  return undefined;
}

function flat(entry: Entry): Values {
  const text = (v: unknown): string | undefined => (typeof v === "string" ? v : typeof v === "number" || typeof v === "boolean" ? String(v) : undefined);
  const { auth, verify, ...rest } = entry as Entry & { auth?: Entry; verify?: unknown };
  const all = Object.entries({ ...rest, ...auth }).map(([k, v]) => [k, text(v)] as const).filter(([, v]) => v !== undefined);
  return { ...(verify === false ? { insecure: "true" } : {}), ...Object.fromEntries(all) };
}
