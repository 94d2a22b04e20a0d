import * as pulumi from "@pulumi/pulumi";
import { isCloudError } from "../errors";
import type { Openstack } from "../openstack/api";
import { explainFailure } from "../openstack/explain";
import { listMarks, markIn, removeLost, type LostKind } from "../openstack/lost";
import { reasonBehind } from "../openstack/reasons";
import { abandonedVolume, markVolume } from "../openstack/volumes";

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

/** Under mocks nobody calls hooks, and to register one would not end. */
export const hooksWork = (): boolean => typeof (pulumi.runtime.getMonitor() as { readonly registerErrorHook?: unknown } | undefined)?.registerErrorHook === "function";

let made = 0;

export interface Hooks {
  readonly beforeCreate: pulumi.ResourceHook[];
  readonly onError: pulumi.ErrorHook[];
}

const realPause = (ms: number): Promise<void> => new Promise((r) => setTimeout(r, ms));

/**
 * What all OpenStack resources are bound to, so that a failure that passes is no failed `up` and nothing is made twice:
 *
 * - before a create: what a killed run was making just then carries exactly this mark and is in no state, so it is removed first;
 * - after an error: a passing one is repeated; what the lost try may have made is removed before.
 *
 * The engine calls them in `up` only: `destroy` runs without the program, and goes on when it is repeated.
 */
export function resourceHooks(api: () => Openstack, pause: (ms: number) => Promise<void> = realPause): Hooks {
  if (!hooksWork()) return { beforeCreate: [], onError: [] };
  const name = `elastigrid-openstack-${(made += 1)}`;
  return { beforeCreate: [orphanHook(name, api)], onError: [retryHook(name, api, pause)] };
}

function orphanHook(name: string, api: () => Openstack): pulumi.ResourceHook {
  // One list of each kind, when the first of it is made: a new grid has nothing anywhere.
  const lists = new Map<LostKind, Promise<ReadonlySet<string>>>();
  return new pulumi.ResourceHook(`${name}-create`, async ({ type, name: resource, newInputs = {} }) => {
    const kind = KINDS[type];
    if (kind === undefined) return;
    const mark = markIn(kind, newInputs);
    if (mark !== undefined) {
      const list = lists.get(kind) ?? listMarks(api(), kind);
      lists.set(kind, list);
      if (!(await list).has(mark)) return;
    }
    if (await removeLost(api(), kind, newInputs)) pulumi.log.info(`${resource}: an earlier run was making it when it ended; what there was of it is removed`);
  });
}

/** With the server's mark, the sweep of the destroy finds it. */
async function keepHoldOfVolume(api: Openstack, kind: LostKind | undefined, inputs: Readonly<Record<string, unknown>>, reason: string): Promise<void> {
  const volume = kind === "server" ? abandonedVolume(reason) : undefined;
  const mark = kind === undefined ? undefined : markIn(kind, inputs);
  if (volume !== undefined && mark !== undefined && (await markVolume(api, volume, mark))) pulumi.log.info(`volume ${volume} is left of it, for Cinder is still filling it: pulumi destroy will remove it`);
}

function retryHook(name: string, api: () => Openstack, pause: (ms: number) => Promise<void>): pulumi.ErrorHook {
  return new pulumi.ErrorHook(name, async (failed) => {
    const { failedOperation, newInputs = {} } = failed;
    const kind = KINDS[failed.type];
    const repeats = failed.errors.length - 1;
    const what = `${failedOperation} of ${failed.name}`;
    let error = failed.errors[0] ?? "";
    let reason: string | undefined;
    try {
      reason = await reasonBehind(api(), kind, newInputs, error);
      if (reason !== undefined) error += `\n${reason}`;
      await keepHoldOfVolume(api(), kind, newInputs, reason ?? "");
    } catch (e) {
      if (!isCloudError(e)) throw e;
      pulumi.log.warn(`${what}: could not ask for all about it: ${e.message}`);
    }
    const worthIt = judge(error, repeats, true) === "repeat";
    let removed = false;
    // What is given up stays, for the engine may know it: but for a stack, which it learns of only when it is whole.
    if (failedOperation === "create" && (worthIt || kind === "stack")) {
      try {
        removed = await removeLost(api(), kind, newInputs);
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
