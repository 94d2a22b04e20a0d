import { expect } from "chai";
import { accessRules } from "../../../components/openstack/access-rules";

const PROJECT = "0123456789abcdef0123456789abcdef";
const PREFIX = "grid-workers-0123456789abcdef-";

/** As keystonemiddleware reads a rule's path. */
const matches = (pattern: string, path: string): boolean => new RegExp(`^${pattern.replace(/\*\*|\*/g, (w) => (w === "**" ? ".*" : "[^/]+"))}$`).test(path);
const may = (service: string, method: string, path: string, alarms = true): boolean =>
  accessRules({ projectId: PROJECT, stackPrefix: PREFIX, alarms }).some((r) => r.service === service && r.method === method && matches(r.path, path));
const stack = `/v1/${PROJECT}/stacks/${PREFIX}a1b2c3/5fffb23e-a660-4373-aa8b-ffa1dbd8c677`;
const server = "/v2.1/servers/5fffb23e-a660-4373-aa8b-ffa1dbd8c677";

describe("accessRules", () => {
  for (const [service, method, path] of [
    ["orchestration", "GET", `/v1/${PROJECT}/stacks`], ["orchestration", "GET", stack], ["orchestration", "GET", `/heat-api${stack}/resources`], ["orchestration", "PATCH", stack],
    ["orchestration", "PATCH", `${stack.replace("a1b2c3", "a1b2c3-group-x1")}/resources/member`], ["alarming", "GET", "/v2/alarms/x"],
    ["compute", "GET", server], ["compute", "GET", "/compute/v2.1/servers/detail"], ["compute", "POST", `${server}/action`], ["network", "POST", "/v2.0/ports"],
  ] as const) it(`allow ${method} ${service} ${path}`, () => expect(may(service, method, path)).to.equal(true));

  for (const [service, method, path] of [
    ["orchestration", "GET", `/v1/${PROJECT}/stacks/other/5fffb23e`], ["orchestration", "PATCH", `/v1/${PROJECT}/stacks/other-${PREFIX}a/5fffb23e`], ["orchestration", "GET", `/v1/other/stacks`],
    ["orchestration", "PUT", stack], ["orchestration", "DELETE", stack], ["orchestration", "GET", `${stack}/template`], ["orchestration", "POST", `/v1/${PROJECT}/stacks`], ["orchestration", "POST", `${stack}/resources/up/signal`],
    ["alarming", "GET", "/v2/alarms"], ["alarming", "PUT", "/v2/alarms/x"], ["compute", "POST", "/v2.1/os-keypairs"], ["compute", "PUT", server], ["compute", "POST", `${server}/os-volume_attachments`],
    ["network", "DELETE", "/v2.0/networks/x"], ["network", "POST", "/v2.0/security-group-rules"], ["network", "PUT", "/v2.0/ports/x"], ["image", "DELETE", "/v2/images/x"], ["identity", "GET", "/v3/users"],
  ] as const) it(`refuse ${method} ${service} ${path}`, () => expect(may(service, method, path)).to.equal(false));

  it("allow to delete a stack of the grid where it has no alarms", () => {
    expect(may("orchestration", "DELETE", stack, false)).to.equal(true);
    expect(may("alarming", "GET", "/v2/alarms/x", false)).to.equal(false);
  });
  it("are short enough for Keystone with the longest name, and none stands there twice", () => {
    const rules = accessRules({ projectId: PROJECT, stackPrefix: `${"g".repeat(31)}-workers-0123456789abcdef-`, alarms: true });
    expect(Math.max(...rules.map((r) => r.path.length))).to.be.at.most(128);
    expect(new Set(rules.map((r) => JSON.stringify(r))).size).to.equal(rules.length);
  });
});
