import { inService, type Asking } from "./asking";

const NEEDED = ["OS::Heat::AutoScalingGroup", "OS::Heat::ScalingPolicy", "OS::Nova::Server"] as const;

/** Whether Heat lets this user in, and the resource types that it has for this project. */
export async function checkHeat(asking: Asking): Promise<readonly string[] | undefined> {
  const { api } = asking;
  if ((await asking.ask("identity", api.has("orchestration"))) !== true) return undefined;
  const [answer] = await Promise.all([
    asking.ask("orchestration", api.get<{ resource_types: readonly string[] }>("orchestration", "/resource_types")),
    asking.ask("orchestration", api.get<unknown>("orchestration", "/stacks", { query: { limit: 1 } })),
  ]);
  if (answer === undefined) return undefined;
  const missing = NEEDED.filter((t) => !answer.resource_types.includes(t));
  if (missing.length > 0) asking.complain(inService("orchestration"), undefined, `does not offer ${missing.join(", ")} to this project`, "ask the cloud's administrator for these resource types");
  return answer.resource_types;
}
