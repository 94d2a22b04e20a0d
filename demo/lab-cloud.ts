import { readFileSync } from "node:fs";
import { load } from "js-yaml";
import { ask, type LabStatus } from "../test/openstack-lab/control";
import { labHome, placesOf } from "../test/openstack-lab/places";
import { LabApi } from "../test/support/openstack-api";
import { inventory } from "../test/support/openstack-inventory";
import type { LeakReport } from "./cloud";

interface CloudsYaml {
  readonly clouds: Readonly<Record<string, { readonly auth: { readonly auth_url: string; readonly username: string; readonly password: string; readonly project_name: string } }>>;
}

/** The OpenStack lab as a run sees it from inside its network: brought up and taken down outside (`lab.ts`). */
export class LabCloud {
  readonly name = "openstack";
  private constructor(private readonly api: LabApi, readonly runsGuests: boolean) {}

  /** `OS_CLIENT_CONFIG_FILE` and `OS_CLOUD` say where it is and who we are. */
  static async open(env: NodeJS.ProcessEnv): Promise<LabCloud> {
    const { clouds } = load(readFileSync(env["OS_CLIENT_CONFIG_FILE"] ?? "", "utf8")) as CloudsYaml;
    const auth = clouds[env["OS_CLOUD"] ?? ""]?.auth;
    if (auth === undefined) throw new Error(`${env["OS_CLIENT_CONFIG_FILE"]} has no cloud ${env["OS_CLOUD"]}`);
    const api = await LabApi.login({ authUrl: auth.auth_url, username: auth.username, password: auth.password, project: auth.project_name });
    const lab = await ask<LabStatus>(placesOf(labHome(env)).socket, "GET", "/status");
    return new LabCloud(api, lab !== undefined && lab.settings.virt !== "fake");
  }

  /** Everything that the project and its user own: the lab's project has nothing of its own. */
  async leaks(): Promise<LeakReport> {
    const left = await inventory(this.api);
    return { leaks: left.map((o) => `${o.kind} ${o.name} ${o.id}`), prepaid: [] };
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }
}
