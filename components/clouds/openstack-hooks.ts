import * as pulumi from "@pulumi/pulumi";
import { isCloudError } from "../errors";
import type { Openstack } from "../openstack/api";
import { explainFailure } from "../openstack/explain";
import { removeLost, type LostKind } from "../openstack/lost";
import { reasonBehind } from "../openstack/reasons";

/** Repeats of one operation. */
export const MOST_REPEATS = 6;
const PAUSE_MS = 1_000, MOST_PAUSE_MS = 15_000;

export type Verdict = "repeat" | "give up";

/**
 * Texts of gophercloud, which the engine's plugin is made of, and of the services, for what may work a moment later. For 500, 503, 408 and
 * 429 gophercloud has sentences of its own; for others it says "but got 502 instead".
 */
const PASSING =
  /\b50[0234]\b|\b429\b|internal server error|unable to handle the request|temporary condition|service unavailable|server timed out waiting|too many requests|bad gateway|gateway time-?out|temporarily|connection (reset|refused|aborted)|\bEOF\b|broken pipe|i\/o timeout|tls handshake timeout|timed? ?out (waiting|while)|remote end closed|nil state during create|could not find role assignment/i;
/** What a first try whose answer was lost leaves behind. */
const LEFTOVER = /already exists|already has a port|already allocated|in use|duplicate|conflict|\b409\b/i;
/** The cloud is full: nova gives it as an error 500. */
const FULL = /quota exceeded|overquota|no valid host|not enough hosts/i;
/** Time does not help here, unless the text names a failure that passes. */
const LASTING = /quota|exceeded|no valid host|not enough hosts|forbidden|\b40[013]\b|unauthorized|invalid|malformed|could not be found|unable to find/i;

/**
 * Whether an operation is worth another try. `removed`: something of the lost try was found and taken away, so that what it left no
 * longer stands in the way.
 */
export function judge(error: string, repeats: number, removed: boolean): Verdict {
  if (repeats >= MOST_REPEATS) return "give up";
  if (FULL.test(error)) return "give up";
  if (PASSING.test(error)) return "repeat";
  if (LASTING.test(error)) return "give up";
  return removed && LEFTOVER.test(error) ? "repeat" : "give up";
}

const KINDS: Readonly<Record<string, LostKind>> = {
  "openstack:networking/network:Network": "networks",
  "openstack:networking/subnet:Subnet": "subnets",
  "openstack:networking/router:Router": "routers",
  "openstack:networking/routerInterface:RouterInterface": "router interface",
  "openstack:networking/secGroup:SecGroup": "security-groups",
  "openstack:networking/secGroupRule:SecGroupRule": "security-group-rules",
  "openstack:networking/port:Port": "ports",
  "openstack:networking/floatingIp:FloatingIp": "floatingips",
  "openstack:compute/keypair:Keypair": "keypair",
  "openstack:compute/instance:Instance": "server",
  "openstack:orchestration/stackV1:StackV1": "stack",
  "openstack:identity/applicationCredential:ApplicationCredential": "application credential",
  "openstack:images/image:Image": "image",
};

let hooks = 0;

/**
 * The hook of all OpenStack resources: a failure that passes is no failed `up`. Before a create is repeated, what the lost try may have
 * made is looked for by its mark or name, and removed. The engine calls it in `up` only: `destroy` runs without the program, and goes on
 * when it is repeated.
 */
export function retryHook(api: () => Openstack, pause: (ms: number) => Promise<void> = (ms) => new Promise((r) => setTimeout(r, ms))): pulumi.ErrorHook {
  return new pulumi.ErrorHook(`elastigrid-openstack-${(hooks += 1)}`, async (failed) => {
    let error = failed.errors[0] ?? "";
    const repeats = failed.errors.length - 1;
    const what = `${failed.failedOperation} of ${failed.name}`;
    let removed = false;
    let reason: string | undefined;
    try {
      reason = await reasonBehind(api(), KINDS[failed.type], failed.newInputs ?? {}, error);
      if (reason !== undefined) error += `\n${reason}`;
    } catch (e) {
      if (!isCloudError(e)) throw e;
      pulumi.log.warn(`${what}: could not ask for the reason: ${e.message}`);
    }
    if (failed.failedOperation === "create") {
      try {
        removed = await removeLost(api(), KINDS[failed.type], failed.newInputs ?? {});
      } catch (e) {
        if (!isCloudError(e)) throw e;
        pulumi.log.warn(`${what}: could not look for what the failed try left: ${e.message}`);
        return false; // a repeat without a look could make it twice
      }
    }
    if (judge(error, repeats, removed) === "give up") {
      const said = explainFailure(error);
      if (said !== undefined || reason !== undefined) pulumi.log.error(`${failed.name}: ${[reason, said].filter((t) => t !== undefined).join("; ")}`);
      return false;
    }
    pulumi.log.info(`${what}: a failure that may pass${removed ? ", what it left is removed" : ""}; trying again (${repeats + 1} of ${MOST_REPEATS})`);
    await pause(Math.min(MOST_PAUSE_MS, PAUSE_MS * 2 ** repeats));
    return true;
  });
}
