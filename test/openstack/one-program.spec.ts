import { expect } from "chai";
import { load } from "js-yaml";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { startLocalCloud, type LocalCloud } from "../../local-cloud";
import { baseGrid } from "../conformance/story";
import { needLab, openLabProject, type LabProject } from "../support/openstack-lab";
import { cloudsigmaTarget, openTestStack, packageDir, type StackTarget, type TestStack } from "../support/stack";

interface Step {
  readonly op: string;
  readonly urn: string;
}
interface Config {
  readonly config: Readonly<Record<string, unknown>>;
}

/** The same compiled program for both: what decides is the configuration of the stack, and there one key. */
describe("one program for both clouds", function () {
  this.timeout(180_000);
  let local: LocalCloud, project: LabProject;
  const tests: TestStack[] = [];
  const configs: Config[] = [];
  const plans: Step[][] = [];

  before(async function () {
    await needLab(this);
    [local, project] = await Promise.all([startLocalCloud({ memory: true, log: () => undefined }), openLabProject("program")]);
    const plan = async (target: StackTarget): Promise<void> => {
      const test = await openTestStack(target, baseGrid, "program");
      tests.push(test);
      configs.push(load(readFileSync(test.configFile, "utf8")) as Config);
      const { stdout } = await test.stack.run(["preview", "--json", "--non-interactive", "--stack", "program", "--config-file", test.stack.workingConfig]);
      plans.push((JSON.parse(stdout) as { steps: Step[] }).steps);
    };
    await plan(cloudsigmaTarget(local));
    await plan(project.target());
  });
  after(async () => {
    for (const test of tests) test.close();
    await local?.stop();
    await project?.close();
  });

  /** `elastigrid:index:Grid grid`: our components, without what a cloud needs inside of them. */
  const components = (steps: readonly Step[]): string[] =>
    steps.map((s) => s.urn.split("::")).map((u) => `${u[2]?.split("$").at(-1)} ${u[3]}`).filter((c) => c.startsWith("elastigrid:")).sort();

  it("is chosen from by one configuration key, and where the cloud is", () => {
    const [one, other] = configs.map((c) => c.config);
    const differ = [...new Set([...Object.keys(one ?? {}), ...Object.keys(other ?? {})])].filter((k) => JSON.stringify(one?.[k]) !== JSON.stringify(other?.[k]));
    expect(differ.sort()).to.deep.equal(["cloudsigma:endpoint", "elastigrid:cloud"]);
  });
  it("is one and the same compiled file", () => {
    const { main } = load(readFileSync(join(packageDir, "Pulumi.yaml"), "utf8")) as { main: string };
    expect(main).to.equal("dist/stacks/index.js");
    expect(readFileSync(join(packageDir, main), "utf8")).to.not.match(/openstack|cloudsigma/i);
  });
  it("declares the same components under the same names", () => {
    const [one = [], other = []] = plans;
    expect(components(other)).to.deep.equal(components(one));
    expect(components(one)).to.include("elastigrid:index:Grid grid");
  });
  it("declares each cloud's own resources inside of them", () => {
    const types = plans.map((steps) => steps.map((s) => s.urn.split("::")[2]?.split("$").at(-1) ?? ""));
    expect(types[0]).to.include("pulumi-nodejs:dynamic/cloudsigma:Server");
    expect(types[1]).to.include("openstack:compute/instance:Instance");
    expect(types[0]?.filter((t) => t.startsWith("openstack:"))).to.deep.equal([]);
    expect(types[1]?.filter((t) => t.includes("cloudsigma"))).to.deep.equal([]);
  });
});
