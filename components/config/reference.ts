import { gridSchema } from "./grid-schema";
import { elementOf, metaOf, shapeOf, unwrap, valueOf, type AnySchema } from "./schema-walk";

/** The configuration reference, made from the schema: `node dist/components/config/reference.js > docs/configuration.md`. */
export function configurationReference(): string {
  return [
    "# Configuration",
    "",
    "Made from the schema by `node dist/components/config/reference.js > docs/configuration.md`; do not edit.",
    "",
    "All keys of `elastigrid:grid` in `stacks/Pulumi.<stack>.yaml`. Unknown keys are refused. Sizes are text with a binary",
    'unit: `"512 MiB"`, `"2 GiB"`.',
    "",
    "| key | type | default | meaning |",
    "|---|---|---|---|",
    ...rowsOf(gridSchema, "").map((r) => `| \`${r.key}\` | ${r.type} | ${r.fallback} | ${r.meaning} |`),
    "",
    "Beside it:",
    "",
    "| key | environment | meaning |",
    "|---|---|---|",
    "| `elastigrid:cloud` | | which cloud: `cloudsigma` (default) or `openstack` |",
    "| `cloudsigma:location` | `CLOUDSIGMA_LOCATION` | code of the location, such as `zrh` |",
    "| `cloudsigma:endpoint` | `CLOUDSIGMA_ENDPOINT` | full URL of the API; goes before the location |",
    "| `cloudsigma:username` | `CLOUDSIGMA_USERNAME` | account |",
    "| `cloudsigma:password` | `CLOUDSIGMA_PASSWORD` | secret: `pulumi config set --secret cloudsigma:password` |",
    "| `cloudsigma:token` | `CLOUDSIGMA_TOKEN` | secret; instead of username and password |",
    "| `openstack:cloud` | `OS_CLOUD` | name of a cloud in clouds.yaml (`OS_CLIENT_CONFIG_FILE`, the current folder, `~/.config/openstack`, `/etc/openstack`); with it nothing else is needed |",
    "| `openstack:authUrl` | `OS_AUTH_URL` | Keystone's URL |",
    "| `openstack:region` | `OS_REGION_NAME` | region, where the cloud has several |",
    "| `openstack:userName`, `openstack:userDomainName` | `OS_USERNAME`, `OS_USER_DOMAIN_NAME` | user and the domain it belongs to |",
    "| `openstack:password` | `OS_PASSWORD` | secret: `pulumi config set --secret openstack:password` |",
    "| `openstack:tenantName` or `openstack:tenantId`, `openstack:projectDomainName` | `OS_PROJECT_NAME` or `OS_PROJECT_ID`, `OS_PROJECT_DOMAIN_NAME` | project and the domain it belongs to |",
    "| `openstack:applicationCredentialId`, `openstack:applicationCredentialSecret` | `OS_APPLICATION_CREDENTIAL_ID`, `OS_APPLICATION_CREDENTIAL_SECRET` | instead of user, password and project; must have been made with `--unrestricted`, because the grid makes one for its controller |",
    "| `openstack:token` | `OS_TOKEN` | secret; instead of user and password |",
    "| `openstack:cacertFile` | `OS_CACERT` | PEM file of the authority that signed the cloud's certificates |",
    "| `openstack:insecure` | `OS_INSECURE` | do not check certificates |",
    "",
    "The stack's configuration goes before the environment, and that before clouds.yaml.",
    "",
  ].join("\n");
}

interface Row {
  readonly key: string;
  readonly type: string;
  readonly fallback: string;
  readonly meaning: string;
}

function rowsOf(schema: AnySchema, prefix: string): Row[] {
  return Object.entries(shapeOf(schema) ?? {}).flatMap(([name, value]) => {
    const key = prefix + name;
    const own = { key, meaning: escape(meaningOf(value)) };
    if (shapeOf(value) !== undefined) return [{ ...own, type: "object", fallback: "" }, ...rowsOf(value, `${key}.`)];
    const element = elementOf(value), named = valueOf(value);
    const list: Row = { ...own, type: typeOf(value), fallback: defaultOf(value) };
    if (named !== undefined && shapeOf(named) !== undefined) return [list, ...rowsOf(named, `${key}.NAME.`)];
    return element !== undefined && shapeOf(element) !== undefined ? [list, ...rowsOf(element, `${key}[].`)] : [list];
  });
}

const meaningOf = (schema: AnySchema): string => metaOf(schema).description ?? "";

function typeOf(schema: AnySchema): string {
  const { unit } = metaOf(schema);
  const inner = unwrap(schema);
  const def = inner._zod.def as { type: string; entries?: Record<string, string> };
  if (unit !== undefined) return unit;
  if (def.entries !== undefined) return Object.values(def.entries).map((v) => `\`${v}\``).join(" or ");
  const element = elementOf(inner);
  if (element !== undefined) return shapeOf(element) === undefined ? `list of ${typeOf(element)}` : "list of objects";
  const words: Record<string, string> = { string: "text", boolean: "true or false", number: "number", record: "object", union: "text or number" };
  return words[def.type] ?? def.type;
}

function defaultOf(schema: AnySchema): string {
  const def = schema._zod.def as { type: string; defaultValue?: unknown; innerType?: AnySchema };
  if (def.type === "optional") return "none";
  if (def.defaultValue !== undefined) return `\`${typeof def.defaultValue === "string" ? def.defaultValue : JSON.stringify(def.defaultValue)}\``;
  return def.innerType === undefined ? "required" : defaultOf(def.innerType);
}

const escape = (text: string): string => text.replaceAll("|", "\\|");

if (require.main === module) process.stdout.write(configurationReference());
