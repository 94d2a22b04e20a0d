import { identity } from "@pulumi/openstack";
import * as pulumi from "@pulumi/pulumi";
import type { GridConfig } from "../config/grid-config";
import { accessRules } from "../openstack/access-rules";
import { stackPrefix } from "../openstack/stacks";
import { digest } from "../policy/identity";
import type { ChildOptions } from "./cloud";
import type { OpenstackFacts } from "./openstack-facts";

const DAY_MS = 86_400_000;

export interface CredentialTerm {
  /** Changes when the credential is due to be renewed. */
  readonly number: number;
  /** RFC 3339, seconds. */
  readonly expiresAt: string;
  /** From then on `up` renews it, and `elastigrid status` says so. */
  readonly warnAt: string;
}

/**
 * Which credential is in force. Terms follow one another in steps of `expiresInDays - warnDaysBefore`, the same for every run in between:
 * the preview stays empty, and the first `up` of a new term makes a new credential, brings it to the master and deletes the old one. After
 * any `up` at least `warnDaysBefore` days are left.
 */
export function credentialTerm(nowMs: number, credential: { readonly expiresInDays: number; readonly warnDaysBefore: number }): CredentialTerm {
  const stepMs = Math.max(1, credential.expiresInDays - credential.warnDaysBefore) * DAY_MS;
  const number = Math.floor(nowMs / stepMs);
  return { number, expiresAt: rfc3339(number * stepMs + credential.expiresInDays * DAY_MS), warnAt: rfc3339((number + 1) * stepMs) };
}

const rfc3339 = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");

export interface CredentialSpec {
  readonly config: GridConfig;
  readonly gridUid: pulumi.Input<string>;
  readonly facts: OpenstackFacts;
  /** Of the user who deploys. */
  readonly roles: readonly string[];
  readonly term: CredentialTerm;
}

/**
 * The deploying user's roles, less what the controller need not have. They are named, because without names Keystone takes those of the
 * token at hand; a Keystone that serves requests in several threads was seen to take another request's (400 in one create of three).
 */
export function controllerRoles(roles: readonly string[]): string[] {
  const few = roles.filter((r) => r !== "admin" && !(r === "reader" && roles.includes("member")));
  return [...(few.length > 0 ? few : roles)].sort();
}

/**
 * What the controller logs in with: of this project, for the calls that it makes (see `accessRules`), for a limited time. Nothing of it
 * can be changed in place: its name holds a digest, so that the new one can stand beside the old one until the master has it.
 */
export function declareCredential(name: string, spec: CredentialSpec, opts: ChildOptions): identity.ApplicationCredential {
  const { config, facts, term } = spec;
  const roles = controllerRoles(spec.roles);
  const rules = pulumi.output(spec.gridUid).apply((uid) => accessRules({ projectId: facts.projectId, stackPrefix: stackPrefix(uid), alarms: facts.alarms }).map((r) => ({ ...r })));
  const limited = config.openstack.credential.accessRules;
  return new identity.ApplicationCredential(
    `${name}-credential`,
    {
      name: pulumi.all([spec.gridUid, rules]).apply(([uid, all]) => `elastigrid-controller-${uid}-${digest({ roles, expiresAt: term.expiresAt, rules: limited ? all : [] })}`),
      description: `controller of the elastigrid grid ${config.name}`,
      roles,
      ...(limited ? { accessRules: rules } : {}),
      unrestricted: false,
      expiresAt: term.expiresAt,
    },
    opts,
  );
}
