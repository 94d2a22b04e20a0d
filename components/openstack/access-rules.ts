/** One call that an application credential may make; Keystone's words. `*` is one segment of a path, or the rest of one. */
export interface AccessRule {
  readonly service: string;
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  readonly path: string;
}

export interface AccessRulesInput {
  readonly projectId: string;
  /** What the names of the grid's Heat stacks begin with; that of the group's own stack inside begins with the same. */
  readonly stackPrefix: string;
  /** Aodh's alarms of the group that the controller reads. */
  readonly alarms?: boolean;
}

/** Keystone keeps no longer paths. */
const MAX_PATH = 128;
/** What follows the prefix in the longest rule. */
const LONGEST_TAIL = "*/*/resources/*";

/**
 * What the controller's application credential may do: look at and resize the grid's own stacks, and what Heat, nova and neutron need to
 * carry that out. As Heat comes packaged it acts with the caller's own token, and hands it to nova, which hands it to neutron; each of them
 * asks whether the credential may. So servers and ports have to be allowed as a kind: Keystone's rules know paths, and a path does not
 * say whose server it is. What a stolen credential still cannot do: other stacks, templates and signed URLs, networks, routers, security
 * groups, images, keys, volumes, credentials.
 *
 * Measured on Heat 19, nova 26, neutron 21; the last group of reads is asked for by other releases of nova.
 */
export function accessRules({ projectId, stackPrefix, alarms = false }: AccessRulesInput): readonly AccessRule[] {
  const project = `/v1/${projectId}/stacks`;
  const prefix = stackPrefix.slice(0, MAX_PATH - `${project}/`.length - LONGEST_TAIL.length);
  const stack = `${project}/${prefix}*/*`;
  const rules = (service: string, method: AccessRule["method"], paths: readonly string[]): AccessRule[] => paths.map((path) => ({ service, method, path }));
  return [
    // The list shows names and states of all stacks of the project: how else would a former one be found.
    ...rules("orchestration", "GET", [project, stack, `${stack}/resources`]),
    ...rules("orchestration", "PATCH", [stack, `${stack}/resources/*`]),
    ...(alarms ? rules("alarming", "GET", ["/v2/alarms/*"]) : []),
    // The controller looks at servers, reads a console and starts what is stopped; the rest is Heat.
    ...rules("compute", "GET", ["/v2.1/servers/detail", "/v2.1/servers/*", "/v2.1/servers/*/os-interface", "/v2.1/flavors", "/v2.1/flavors/*", "/v2.1/limits", "/v2.1/os-keypairs/*"]),
    ...rules("compute", "POST", ["/v2.1/servers", "/v2.1/servers/*/action"]),
    ...rules("compute", "DELETE", ["/v2.1/servers/*"]),
    ...rules("image", "GET", ["/v2/images", "/v2/images/*", "/v2/schemas/*"]),
    // Nova, for the ports of the servers.
    ...rules("network", "GET", ["/v2.0/networks", "/v2.0/ports", "/v2.0/security-groups", "/v2.0/quotas/*"]),
    ...rules("network", "POST", ["/v2.0/ports"]),
    ...rules("network", "DELETE", ["/v2.0/ports/*"]),
    ...rules("network", "GET", ["/v2.0/extensions", "/v2.0/networks/*", "/v2.0/ports/*", "/v2.0/subnets", "/v2.0/floatingips", "/v2.0/security-groups/*"]),
  ];
}
