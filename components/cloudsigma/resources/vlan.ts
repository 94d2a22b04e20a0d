import { uuid } from "../provider/check";
import { subscribedVerbs, type SubscribedInputs, type SubscribedOutputs } from "../provider/subscribed";
import type { Vlan } from "../wire";

export type VlanInputs = SubscribedInputs;
export interface VlanOutputs extends SubscribedOutputs {
  readonly uuid: string;
}

const v = subscribedVerbs<Vlan>({
  collection: "vlans",
  resource: "vlan",
  noun: "VLAN",
  wantedSchema: uuid,
  inUse: (o) => o.servers.length > 0,
  facts: (o) => ({ uuid: o.uuid }),
});
export const { configure, check, diff, create, read, update } = v;
const { remove } = v;
export { remove as delete };
