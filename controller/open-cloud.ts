import { makeClient } from "../components/cloudsigma/client";
import type { ControllerConfig, OpenstackTarget } from "../components/config/controller-config";
import type { OpenstackSettings } from "../components/openstack/api";
import { makeOpenstack } from "../components/openstack/client";
import { CloudsigmaPool } from "./adapters/cloudsigma-pool";
import { OpenstackAlarms } from "./adapters/openstack-alarms";
import { OpenstackPool } from "./adapters/openstack-pool";
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
    pool: new OpenstackPool({ api, target: cloud, limits: workers }),
    ...(cloud.alarms === undefined ? {} : { alarms: new OpenstackAlarms(api, cloud.alarms) }),
  };
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
