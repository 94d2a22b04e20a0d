import { makeClient } from "../components/cloudsigma/client";
import { DEFAULT_TYPE, typesOf, type ControllerConfig, type OpenstackTarget, type WorkerLimits, type WorkerType } from "../components/config/controller-config";
import type { Openstack, OpenstackSettings } from "../components/openstack/api";
import { makeOpenstack } from "../components/openstack/client";
import { CloudsigmaPool } from "./adapters/cloudsigma-pool";
import { OpenstackAlarms } from "./adapters/openstack-alarms";
import { OpenstackPool } from "./adapters/openstack-pool";
import { TypedPools } from "./adapters/typed-pools";
import type { CloudAlarms, Pool } from "./ports";

export interface OpenedCloud {
  readonly pool: Pool;
  readonly alarms?: CloudAlarms;
}

type Credentials = Readonly<Record<string, string | undefined>>;

/** The loop comes back by itself: better a quick "unknown" than a pass that hangs in repetitions. */
const RETRY = { attempts: 2, timeoutMs: 20_000 };
const USER_AGENT = "elastigrid-controller";

/** The cloud's side of the group, by what `pulumi up` said where it is and how to log in. */
export function openCloud(config: ControllerConfig, credentials: Credentials): OpenedCloud {
  const { cloud, workers } = config;
  if (cloud.kind === "cloudsigma") {
    const { username, password, token } = credentials;
    const client = makeClient({ endpoint: cloud.endpoint, username, password, token, userAgent: USER_AGENT, allowHttp: true, retry: RETRY });
    return { pool: new CloudsigmaPool({ client, templateUuid: cloud.templateUuid, ...(cloud.templates === undefined ? {} : { templates: cloud.templates }) }) };
  }
  const api = makeOpenstack(openstackSettings(cloud, credentials), { userAgent: USER_AGENT, retry: RETRY });
  return {
    pool: openstackPool(api, cloud, workers),
    ...(cloud.alarms === undefined ? {} : { alarms: new OpenstackAlarms(api, cloud.alarms) }),
  };
}

/** One group of Heat, or one for each type of worker. */
export function openstackPool(api: Openstack, target: OpenstackTarget, workers: WorkerLimits): Pool {
  const of = ({ name, max }: WorkerType): OpenstackPool => new OpenstackPool({ api, target, type: name, limits: name === DEFAULT_TYPE ? workers : { min: 0, max: max ?? workers.max } });
  const types = typesOf(workers);
  return types.length === 1 ? new OpenstackPool({ api, target, limits: workers }) : new TypedPools(new Map(types.map((t) => [t.name, of(t)])));
}

function openstackSettings(target: OpenstackTarget, { applicationCredentialId: id, applicationCredentialSecret: secret }: Credentials): OpenstackSettings {
  if (id === undefined || secret === undefined) throw new Error("the cloud's credentials hold no application credential; run `pulumi up`, which brings one");
  return {
    authUrl: target.authUrl, auth: { kind: "applicationCredential", id, secret },
    ...(target.region === undefined ? {} : { region: target.region }),
    ...(target.interface === undefined ? {} : { interface: target.interface }),
    ...(target.caCertificates === undefined ? {} : { caCertificates: target.caCertificates }),
    ...(target.insecure === undefined ? {} : { insecure: target.insecure }),
  };
}
