import type { OpenstackTarget } from "../../components/config/controller-config";
import { makeOpenstack } from "../../components/openstack/client";
import { OpenstackPool } from "../../controller/adapters/openstack-pool";
import type { Pool } from "../../controller/ports";
import type { LabLogin } from "../support/openstack-api";
import type { GroupLimits } from "./cloud";

/** The controller's adapter, logged in as the project's user. `impatient`: for an API that will not answer however long one tries. */
export function labPool(target: Readonly<Record<string, unknown>>, login: LabLogin & { readonly region: string }, limits: GroupLimits, impatient: boolean): Pool {
  const domain = { name: "Default" };
  const auth = { kind: "password", username: login.username, password: login.password, userDomain: domain, project: { name: login.project, domain } } as const;
  const api = makeOpenstack({ authUrl: login.authUrl, region: login.region, auth }, impatient ? { retry: { attempts: 2, baseMs: 1, capMs: 1 } } : {});
  return new OpenstackPool({ api, target: target as unknown as OpenstackTarget, limits });
}
