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

/**
 * What the controller's application credential may do: look at and resize the grid's own stacks, and what Heat, nova and neutron need to
 * carry that out. As Heat comes packaged it acts with the caller's own token, and hands it to nova, which hands it to neutron; each of them
 * asks whether the credential may. So servers and ports have to be allowed as a kind: Keystone's rules know paths, and a path does not
 * say whose server it is. What a stolen credential cannot do: read or change other stacks, make or delete one, change a template, touch
 * networks, routers, addresses, security groups, images, keys, volumes, measures, or make another credential.
 *
 * Each rule was seen in use on Heat 19, nova 26, neutron 21, with nothing more asked for. Nova fetches the image of a new server with the same
 * token (`/file`), which its fake driver does not.
 */
export function accessRules({ projectId, stackPrefix, alarms = false }: AccessRulesInput): readonly AccessRule[] {
  const stacks = `v1/${projectId}/stacks`;
  const stack = `${stacks}/${stackPrefix}*/*`;
  // Some clouds serve all APIs at one address: `/compute/v2.1/…`.
  const rules = (service: string, method: AccessRule["method"], ...paths: readonly string[]): AccessRule[] => paths.map((path) => ({ service, method, path: `/**${path}` }));
  return [
    // The list shows names and states of all stacks of the project: a former one of the grid is found no other way.
    ...rules("orchestration", "GET", stacks, stack, `${stack}/resources`),
    ...rules("orchestration", "PATCH", stack, `${stack}/resources/*`),
    // With alarms it would be of no use: they hold trusts, and Keystone lets no application credential take these away.
    ...(alarms ? rules("alarming", "GET", "v2/alarms/*") : rules("orchestration", "DELETE", stack)),
    // `servers/*` is the list with details, too. The actions that the controller needs: start, console output.
    ...rules("compute", "GET", "v2.1/servers/*", "v2.1/servers/*/os-interface", "v2.1/flavors", "v2.1/flavors/*", "v2.1/limits", "v2.1/os-keypairs/*"),
    ...rules("compute", "POST", "v2.1/servers", "v2.1/servers/*/action"),
    ...rules("compute", "DELETE", "v2.1/servers/*"),
    ...rules("image", "GET", "v2/images", "v2/images/*", "v2/images/*/file", "v2/schemas/*"),
    // Nova, for the servers' ports. It asks for the extensions once in ten minutes.
    ...rules("network", "GET", "v2.0/networks", "v2.0/ports", "v2.0/security-groups", "v2.0/quotas/*", "v2.0/extensions"),
    ...rules("network", "POST", "v2.0/ports"),
    ...rules("network", "DELETE", "v2.0/ports/*"),
  ];
}
