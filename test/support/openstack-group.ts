import { parseGridConfig } from "../../components/config/schema";
import type { Openstack } from "../../components/openstack/api";
import { makeOpenstack } from "../../components/openstack/client";
import { sshKeyPairFromSeed } from "../../components/policy/ssh-key";
import { workerGroupTemplate } from "../../components/render/heat";
import { until } from "./chaos";
import type { LabProject } from "./openstack-lab";

export interface GroupStackNow {
  readonly id: string;
  readonly stack_name: string;
  readonly stack_status: string;
  readonly stack_status_reason: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly outputs: ReadonlyArray<{ readonly output_key: string; readonly output_value: string }>;
}

const SETTLED_MS = 180_000;

/** Worker groups in a project of the test's own, as the adapter declares them, without the engine. */
export class LabGroups {
  private constructor(readonly project: LabProject, readonly api: Openstack, private readonly parameters: Readonly<Record<string, string>>) {}

  static async open(project: LabProject): Promise<LabGroups> {
    const { api } = project;
    const name = "grouped";
    const { network } = await api.call<{ network: { id: string } }>("network", "POST", "/v2.0/networks", { network: { name } });
    await api.call("network", "POST", "/v2.0/subnets", { subnet: { name, network_id: network.id, cidr: "10.77.0.0/24", ip_version: 4 } });
    const { security_group: group } = await api.call<{ security_group: { id: string } }>("network", "POST", "/v2.0/security-groups", { security_group: { name } });
    await api.call("compute", "POST", "/v2.1/os-keypairs", { keypair: { name, public_key: sshKeyPairFromSeed("5a".repeat(32), name).publicKey } });
    const domain = { name: "Default" };
    const { username, password, project: projectName, authUrl } = project.login;
    const auth = { kind: "password", username, password, userDomain: domain, project: { name: projectName, domain } } as const;
    const fixed = { image: "elastigrid-appliance", flavor: "m1.tiny", network: network.id, key_name: name, security_group: group.id, user_data: "#cloud-config\n", grid_uid: "0123456789abcdef" };
    return new LabGroups(project, makeOpenstack({ authUrl, region: project.region, auth }), fixed);
  }

  private get root(): string { return `/v1/${this.project.api.projectId}/stacks`; }

  async make(name: string, limits: { readonly min: number; readonly max: number }): Promise<GroupStackNow> {
    const config = parseGridConfig({ name: "grouped", workers: { ...limits, vcpus: 1, memory: "512 MiB", disk: "2 GiB" } });
    const template = workerGroupTemplate({ config, alarms: false, controlled: true, vcpus: 1 });
    await this.project.api.call("orchestration", "POST", this.root, { stack_name: name, template, parameters: { ...this.parameters, min: String(limits.min) }, environment: "{}", timeout_mins: 5 });
    const made = await this.settled(name);
    if (made.stack_status !== "CREATE_COMPLETE") throw new Error(`${made.stack_status}: ${made.stack_status_reason}`);
    return made;
  }

  show = async (name: string): Promise<GroupStackNow | undefined> => {
    const answer = await this.project.api.ask<{ stack: GroupStackNow }>("orchestration", "GET", `${this.root}/${name}`);
    return answer.status === 200 ? answer.body.stack : undefined;
  };

  settled = (name: string): Promise<GroupStackNow> =>
    until(`stack ${name} has settled`, SETTLED_MS, async () => {
      const now = await this.show(name);
      return now === undefined || now.stack_status.endsWith("_IN_PROGRESS") ? undefined : now;
    });
}
