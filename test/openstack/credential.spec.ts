import { expect } from "chai";
import { randomBytes } from "node:crypto";
import { OpenstackPool } from "../../controller/adapters/openstack-pool";
import { OpenstackAlarms } from "../../controller/adapters/openstack-alarms";
import type { PoolView } from "../../controller/ports";
import { parseGridConfig } from "../../components/config/schema";
import { isCloudError } from "../../components/errors";
import { accessRules } from "../../components/openstack/access-rules";
import type { Openstack } from "../../components/openstack/api";
import { makeOpenstack } from "../../components/openstack/client";
import { sshKeyPairFromSeed } from "../../components/policy/ssh-key";
import { workerGroupTemplate } from "../../components/render/heat";
import { say, until } from "../support/chaos";
import { needLab, openLabProject, type LabProject } from "../support/openstack-lab";

const PREFIX = "limited-workers-0123456789abcdef-";
const LIMIT_MS = 180_000;
const limits = { min: 1, max: 4 };
const config = parseGridConfig({ name: "limited", workers: { ...limits, vcpus: 1, memory: "512 MiB", disk: "2 GiB" } });

interface Stack {
  readonly id: string;
  readonly stack_name: string;
  readonly stack_status: string;
  readonly stack_status_reason: string;
  readonly outputs: ReadonlyArray<{ output_key: string; output_value: string }>;
}

/** Heat as it comes packaged: it acts with the caller's own token, so the rules have to be wide enough for nova and neutron behind it. */
describe("the controller's credential", function () {
  this.timeout(300_000);
  let project: LabProject, limited: Openstack, pool: OpenstackPool, own: Stack, other: Stack;
  let networkId: string, groupId: string;

  const root = (): string => `/v1/${project.api.projectId}/stacks`;
  const settled = (name: string): Promise<Stack> =>
    until(`stack ${name} has settled`, LIMIT_MS, async () => {
      const answer = await project.api.ask<{ stack: Stack }>("orchestration", "GET", `${root()}/${name}`);
      return answer.status === 200 && !answer.body.stack.stack_status.endsWith("_IN_PROGRESS") ? answer.body.stack : undefined;
    });
  const make = async (name: string, alarms: boolean, min: number): Promise<Stack> => {
    const parameters = { image: "elastigrid-appliance", flavor: "m1.tiny", network: networkId, key_name: "limited", security_group: groupId, user_data: "#cloud-config\n", grid_uid: "0123456789abcdef", min: String(min) };
    const template = workerGroupTemplate({ config, alarms, controlled: true, vcpus: 1 });
    await project.api.call("orchestration", "POST", root(), { stack_name: name, template, parameters, environment: "{}", timeout_mins: 5 });
    const made = await settled(name);
    expect(made.stack_status, made.stack_status_reason).to.equal("CREATE_COMPLETE");
    return made;
  };
  const login = async (alarms: boolean): Promise<Openstack> => {
    const { api } = project;
    const rules = accessRules({ projectId: api.projectId, stackPrefix: PREFIX, alarms });
    const { application_credential: made } = await api.call<{ application_credential: { id: string; secret: string } }>("identity", "POST", `/v3/users/${api.userId}/application_credentials`, {
      application_credential: { name: `limited-${randomBytes(3).toString("hex")}`, unrestricted: false, roles: [{ name: "member" }], access_rules: rules },
    });
    return makeOpenstack({ authUrl: project.login.authUrl, region: project.region, auth: { kind: "applicationCredential", id: made.id, secret: made.secret } });
  };
  const look = async (): Promise<PoolView> => {
    const seen = await pool.observe();
    if (!seen.known) throw new Error(seen.reason);
    if (seen.value.failure !== undefined) throw new Error(seen.value.failure.why);
    return seen.value;
  };
  const ids = (v: PoolView): string[] => v.members.map((m) => m.id).sort();
  const atRest = (count: number): Promise<PoolView> =>
    until(`the group has ${count} running members`, LIMIT_MS, async () => {
      const v = await look();
      return v.busy === undefined && v.members.length === count && v.members.every((m) => m.status === "running") ? v : undefined;
    });

  before(async function () {
    await needLab(this);
    project = await openLabProject("credential");
    const { api } = project;
    networkId = (await api.call<{ network: { id: string } }>("network", "POST", "/v2.0/networks", { network: { name: "limited" } })).network.id;
    await api.call("network", "POST", "/v2.0/subnets", { subnet: { name: "limited", network_id: networkId, cidr: "10.77.0.0/24", ip_version: 4 } });
    groupId = (await api.call<{ security_group: { id: string } }>("network", "POST", "/v2.0/security-groups", { security_group: { name: "limited" } })).security_group.id;
    await api.call("compute", "POST", "/v2.1/os-keypairs", { keypair: { name: "limited", public_key: sshKeyPairFromSeed("5a".repeat(32), "limited").publicKey } });
    [own, other] = await Promise.all([make(`${PREFIX}aaaaaa`, true, 1), make("somebody-else", false, 0)]);
    limited = await login(true);
    pool = new OpenstackPool({ api: limited, limits, target: { kind: "openstack", authUrl: "", stackName: own.stack_name, stackId: own.id, stackPrefix: PREFIX, alarms: {} } });
  });
  after(async () => void (await project?.close()));

  it("sees the group, and who its workers are on the network", async () => {
    const { members } = await atRest(1);
    expect(members[0]?.macs.join()).to.match(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/);
  });
  it("grows the group by many in one call", async () => {
    const began = Date.now();
    expect(await pool.grow(["a", "b", "c"])).to.include({ accepted: 3 });
    await atRest(4);
    say(`1 to 4 in ${Math.round((Date.now() - began) / 1_000)} s`);
  });
  it("removes exactly the worker that it names", async () => {
    const before = ids(await look()), victim = before[1] ?? "";
    const began = Date.now();
    await until("it is gone", LIMIT_MS, async () => (await pool.remove(victim)) === "gone" || undefined);
    say(`gone in ${Math.round((Date.now() - began) / 1_000)} s`);
    expect(ids(await atRest(3))).to.deep.equal(before.filter((id) => id !== victim));
  });
  it("removes two at once", async () => {
    const [first, second, third] = ids(await look());
    const gone = (id = ""): Promise<true> => until("it is gone", LIMIT_MS, async () => (await pool.remove(id)) === "gone" || undefined);
    await Promise.all([gone(first), gone(third)]);
    expect(ids(await atRest(1))).to.deep.equal([second]);
  });
  it("starts a stopped worker and reads its console", async () => {
    const [id = ""] = ids(await look());
    await project.api.call("compute", "POST", `/v2.1/servers/${id}/action`, { "os-stop": null });
    await until("it is stopped", LIMIT_MS, async () => (await look()).members[0]?.status === "stopped" || undefined);
    expect(await pool.start(id)).to.equal(true);
    await atRest(1);
    expect(await pool.consoleTail(id)).to.be.a("string");
  });
  it("reads the alarms of the group", async () => {
    const alarmId = (key: string): string => own.outputs.find((o) => o.output_key === key)?.output_value ?? "";
    const seen = await new OpenstackAlarms(limited, { highId: alarmId("high_alarm"), lowId: alarmId("low_alarm") }).observe();
    expect(seen.known && [seen.value.high?.actsItself, seen.value.low?.actsItself]).to.deep.equal([true, false]);
  });

  const refused: ReadonlyArray<readonly [string, () => Promise<unknown>]> = [
    ["make a credential", async () => limited.post("identity", `/users/${project.api.userId}/application_credentials`, { application_credential: { name: "more" } })],
    ["make a trust", async () => limited.post("identity", "/OS-TRUST/trusts", { trust: { trustor_user_id: project.api.userId, trustee_user_id: project.api.userId, project_id: project.api.projectId, impersonation: true, roles: [{ name: "member" }] } })],
    ["read another stack", async () => limited.get("orchestration", `/stacks/${other.stack_name}/${other.id}`)],
    ["change another stack", async () => limited.patch("orchestration", `/stacks/${other.stack_name}/${other.id}`, { existing: true, parameters: { min: "1" } })],
    ["make a stack", async () => limited.post("orchestration", "/stacks", { stack_name: `${PREFIX}more`, template: "heat_template_version: 2018-08-31" })],
    ["change the template of its own stack", async () => limited.put("orchestration", `/stacks/${own.stack_name}/${own.id}`, { template: "heat_template_version: 2018-08-31" })],
    ["delete its own stack", async () => limited.delete("orchestration", `/stacks/${own.stack_name}/${own.id}`)],
    ["make a network", async () => limited.post("network", "/networks", { network: { name: "more" } })],
    ["delete a network", async () => limited.delete("network", `/networks/${networkId}`)],
    ["open a security group", async () => limited.post("network", "/security-group-rules", { security_group_rule: { security_group_id: groupId, direction: "ingress" } })],
    ["take a floating IP", async () => limited.post("network", "/floatingips", { floatingip: {} })],
    ["put a key into the project", async () => limited.post("compute", "/os-keypairs", { keypair: { name: "more" } })],
    ["make an image", async () => limited.post("image", "/images", { name: "more", disk_format: "raw", container_format: "bare" })],
    ["list the alarms of the project", async () => limited.list("alarming", "/alarms", "")],
    ["read or write measures", async () => limited.list("metric", "/resource/instance", "")],
  ];
  for (const [what, call] of refused)
    it(`may not ${what}`, async () => {
      const answer = await call().then((body) => ({ allowed: body }), (e: unknown) => e);
      expect(isCloudError(answer) ? [401, 403].includes(answer.status) : answer).to.equal(true);
    });
  it("has left everything as it was", async () => {
    const now = await Promise.all([settled(own.stack_name), settled(other.stack_name)]);
    expect(now.map((s) => s.stack_status.endsWith("_COMPLETE"))).to.deep.equal([true, true]);
    expect((await project.owned()).filter((o) => o.name === "more")).to.deep.equal([]);
  });

  it("takes away an empty former stack, where there are no alarms", async () => {
    const former = await make(`${PREFIX}bbbbbb`, false, 0);
    await (await login(false)).delete("orchestration", `/stacks/${former.stack_name}/${former.id}`);
    await until("it is gone", LIMIT_MS, async () => (await project.api.ask("orchestration", "GET", `${root()}/${former.stack_name}`)).status === 404 || undefined);
  });
});
