import type { GridConfig } from "../../config/grid-config";
import { planNetwork } from "../../policy/addresses";
import type { Asking } from "./asking";
import { parseMark } from "./ours";

interface Subnet {
  readonly id: string;
  readonly cidr: string;
  readonly ip_version: number;
  readonly description?: string | null;
}

/**
 * A deployed grid keeps its range: OpenStack cannot change a subnet's, and a new one would need a new master and new workers at once, while
 * the ports of those that run hold the old one. So it is refused before half of that is done.
 */
export async function checkSameRange(asking: Asking, config: GridConfig, stack: string): Promise<void> {
  const { api, session } = asking;
  const subnets = await asking.ask("network", api.list<Subnet>("network", "/subnets", "subnets", { query: { project_id: session.projectId } }));
  const { cidr } = planNetwork(config.network.cidr);
  const other = subnets?.find((s) => s.ip_version === 4 && s.cidr !== cidr && parseMark(s.description)?.stack === stack);
  if (other === undefined) return;
  asking.complain("grid.network.cidr", config.network.cidr, `is not the range of the deployed grid (${other.cidr}), and on OpenStack that cannot be changed without losing the queue and every running job`, `set it to ${other.cidr}, or run \`pulumi destroy\` first`);
}
