import { z } from "zod";
import { subscribedVerbs, type SubscribedInputs, type SubscribedOutputs } from "../provider/subscribed";
import type { Ip } from "../wire";

export type StaticIpInputs = SubscribedInputs;
export interface StaticIpOutputs extends SubscribedOutputs {
  readonly address: string;
  readonly netmask: number;
  readonly gateway: string;
}

const v = subscribedVerbs<Ip>({
  collection: "ips",
  resource: "ip",
  noun: "static address",
  wantedSchema: z.ipv4("is not an IPv4 address; give one that the account has subscribed"),
  inUse: (o) => o.server !== null,
  facts: (o) => ({ address: o.uuid, netmask: o.netmask, gateway: o.gateway }),
});
export const { configure, check, diff, create, read, update } = v;
const { remove } = v;
export { remove as delete };
