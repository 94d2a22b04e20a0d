/** What an error text of OpenStack means and what to do, for what time does not heal. */
interface Meaning {
  readonly when: RegExp;
  readonly says: (match: RegExpExecArray) => string;
}

const MEANINGS: readonly Meaning[] = [
  {
    when: /quota exceeded for ([a-z_ ,]+): requested (\d+(?:, \d+)*),? but already used (\d+(?:, \d+)*) of (\d+(?:, \d+)*)/i,
    says: ([, what, asked, used, limit]) => `the project's quota of ${what} is spent: ${used} of ${limit} used, ${asked} more wanted; free some, lower grid.workers.max, or ask the cloud's administrator for more`,
  },
  {
    when: /quota exceeded for resources: \[([^\]]+)\]/i,
    says: ([, what]) => `the project's quota of ${what?.replaceAll("'", "")} is spent (openstack quota show --usage); free some, or ask the cloud's administrator for more`,
  },
  {
    when: /(maximum number of [a-z ]+ exceeded|quota[^.\n"]*)/i,
    says: ([, what]) => `a quota of the project is spent (${what?.trim()}); openstack quota show --usage tells which; free some, or ask the cloud's administrator for more`,
  },
  {
    when: /\bvolume \S+ did not finish being created[^"\n}]*status is error/i,
    says: () => "Cinder could not make the master's boot volume; ask the cloud's administrator why (a full back end, an image it cannot convert), or set grid.openstack.bootVolume to false",
  },
  {
    when: /\bvolume \S+ did not finish being created[^"\n}]*status is (\w+)/i,
    says: ([, status]) => `nova gave up waiting for the master's boot volume (Cinder: ${status}); run pulumi up again, or take a smaller image, or one in Cinder's own format (raw); the wait is nova's block_device_allocate_retries, the administrator's to raise`,
  },
  {
    when: /no valid host was found\.?([^"\n}]*)/i,
    says: ([, why]) => `no host of the cloud has room for a server of this flavor${why?.trim() ? ` (${why.trim().replace(/\.$/, "")})` : ""}; choose a smaller flavor (grid.openstack.masterFlavor, workersFlavor), or try again later`,
  },
  {
    when: /flavor'?s (disk|memory) is (too small for|smaller than) [^"\n}]*|image .* is larger than .*|FlavorDiskSmallerThan\w+/i,
    says: ([all]) => `the image does not fit into the flavor (${all.trim()}); give grid.master or grid.workers a larger disk or memory, or name a larger flavor`,
  },
  {
    when: /you are not authorized to perform the requested action:? identity:create_application_credential|create_application_credential[^"\n}]*(forbidden|not authorized)/i,
    says: () => "the login is a restricted application credential, which may make no other for the controller; make one with openstack application credential create --unrestricted, or log in with a password",
  },
  {
    when: /heat_stack_owner|you are not authorized to (use|complete|perform)[^"\n}]*stack/i,
    says: () => "the project's user may not keep Heat stacks; ask the cloud's administrator for the role heat_stack_owner in this project",
  },
  {
    when: /no more ip addresses available on network ([0-9a-f-]+)|external network [^"\n]* is not reachable|ip address generation failure/i,
    says: () => "the external network has no free address; give back an unused floating IP, or name another one in grid.openstack.externalNetwork",
  },
  {
    when: /POST identity \/auth\/tokens: HTTP (401|404)/,
    says: () => "the login is refused: a wrong password or secret, user or project, or an application credential that has expired or was deleted; on the master `pulumi up` brings a new one",
  },
  {
    when: /\b(GET|POST|PUT|PATCH|DELETE) (compute|network|image|orchestration|alarming|metric|volume) \S+: HTTP 401/,
    says: ([, method, service]) => `the token is not valid for this call (${method} at ${service}): the credential's access rules do not allow it, or it was revoked; on the master \`pulumi up\` brings a new one`,
  },
  {
    when: /MinSize can not be greater than MaxSize/,
    says: () => "more workers are wanted than Heat's group may have; raise grid.workers.max and run `pulumi up`",
  },
];

/** One sentence, or undefined where the text says it best itself. */
export function explainFailure(error: string): string | undefined {
  for (const { when, says } of MEANINGS) {
    const match = when.exec(error);
    if (match !== null) return says(match);
  }
  return undefined;
}
