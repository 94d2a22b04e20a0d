import { PulumiError } from "../../demo/pulumi";
import { FaultPlan, type FaultOptions } from "./openstack-fault-plan";
import { openLabProject, type LabProject } from "./openstack-lab";
import { onceEach } from "./openstack-once";
import { startFaultProxy, type FaultProxy } from "./openstack-proxy";
import { openTestStack, type TestStack } from "./stack";

/** A grid of which nobody needs more than the cloud's objects. */
export const trialGrid = {
  name: "trial", bootstrap: "none",
  master: { vcpus: 1, memory: "512 MiB", disk: "5 GiB" },
  workers: { min: 1, max: 4, vcpus: 1, memory: "512 MiB", disk: "5 GiB" },
} as const;

interface StateResource {
  readonly type: string;
}

/** A project behind a fault proxy, and stacks that are deployed through it. */
export class Trial {
  private readonly tests = new Set<TestStack>();
  private constructor(readonly project: LabProject, readonly proxy: FaultProxy) {}

  static async open(name: string, faults: FaultOptions | "none", log?: (line: string) => void): Promise<Trial> {
    const project = await openLabProject(name);
    try {
      const plan = new FaultPlan(faults === "none" ? { seed: 1, creations: 0, cuts: 0 } : faults);
      return new Trial(project, await startFaultProxy(plan, project.origins, log));
    } catch (e) {
      await project.close();
      throw e;
    }
  }

  /** A stack of its own, with nothing in its state. */
  async stack(grid: Readonly<Record<string, unknown>> = trialGrid): Promise<TestStack> {
    const test = await openTestStack(this.project.target({ authUrl: this.proxy.through(this.project.login.authUrl) }), grid, "trial");
    this.tests.add(test);
    return test;
  }

  /** What the project has too little or too much of for a deployed stack; "" when everything is there once. */
  async wrong(test: TestStack, workers: number = trialGrid.workers.min): Promise<string> {
    return onceEach(await resources(test), await this.project.owned(), workers);
  }

  async left(): Promise<string> {
    return (await this.project.owned()).map((o) => `${o.kind} ${o.name} ${o.id}`).join("; ");
  }

  async stackStatus(): Promise<string> {
    const { stacks } = await this.project.api.get<{ stacks: { stack_status: string }[] }>("orchestration", `/v1/${this.project.api.projectId}/stacks`);
    return stacks.map((s) => s.stack_status).join(",");
  }

  drop(test: TestStack): void {
    this.tests.delete(test);
    test.close();
  }

  /** Always: answers what was still in the project. */
  async close(): Promise<string[]> {
    for (const test of this.tests) await test.stack.interrupt();
    for (const test of this.tests) test.close();
    await this.proxy.stop();
    return this.project.close();
  }
}

const resources = async (test: TestStack): Promise<readonly StateResource[]> =>
  (JSON.parse(await test.stack.exported()) as { deployment: { resources?: StateResource[] } }).deployment.resources ?? [];

/** What an `up` says that must fail; the engine's own words, for people. */
export async function failedUp(test: TestStack): Promise<string> {
  try {
    await test.stack.up();
  } catch (e) {
    if (e instanceof PulumiError) return e.message;
    throw e;
  }
  throw new Error("up succeeded although it could not");
}

export const mean = (values: readonly number[]): string => (values.reduce((a, b) => a + b, 0) / Math.max(1, values.length)).toFixed(1);
