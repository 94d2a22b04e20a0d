import { isCloudError, type CloudError, type Problem } from "../../errors";
import type { Openstack, Service, Session } from "../../openstack/api";
import { failureProblem } from "./login";

export const serviceNames: Readonly<Record<Service, string>> = {
  identity: "Keystone",
  compute: "Nova",
  network: "Neutron",
  image: "Glance",
  orchestration: "Heat",
  alarming: "Aodh",
  metric: "Gnocchi",
  volume: "Cinder",
};

/** The path of a problem that lies in the cloud, not in a key of the configuration. */
export const inService = (service: Service): string => `openstack ${service} (${serviceNames[service]})`;

/** One look at a cloud: many reads at once, and all problems that they show. */
export interface Asking {
  readonly api: Openstack;
  readonly session: Session;
  readonly problems: Problem[];
  /** What cannot be asked is a problem of its own, and hides only the checks that need the answer. */
  ask<T>(service: Service, answer: Promise<T>): Promise<T | undefined>;
  complain(path: string, value: string | undefined, rule: string, fix: string): undefined;
}

export function asking(api: Openstack, session: Session): Asking {
  const problems: Problem[] = [];
  return {
    api,
    session,
    problems,
    async ask(service, answer) {
      try {
        return await answer;
      } catch (e) {
        if (!isCloudError(e)) throw e; // a mistake of ours is no problem of the configuration
        const path = inService(service);
        if (!problems.some((p) => p.path === path)) problems.push(failed(path, service, e, api, session));
        return undefined;
      }
    },
    complain(path, value, rule, fix) {
      problems.push({ path, ...(value === undefined ? {} : { value }), rule, fix });
      return undefined;
    },
  };
}

function failed(path: string, service: Service, e: CloudError, api: Openstack, session: Session): Problem {
  if (e.status === 403) {
    const heat = service === "orchestration" ? " (Heat's policy often wants heat_stack_owner or member)" : "";
    return {
      path,
      rule: `does not let this user in: ${oneLine(e.message)}`,
      fix: `ask the cloud's administrator for the missing role in project ${session.projectName}${heat}; the user has ${session.roles.length === 0 ? "none" : session.roles.join(", ")} there`,
    };
  }
  return failureProblem(path, e, api.settings);
}

export const oneLine = (text: string): string => text.trim().replace(/\s*\n\s*/g, "; ");
