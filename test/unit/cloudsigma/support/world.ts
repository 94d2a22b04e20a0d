import { makeClient, type Client } from "../../../../components/cloudsigma/client";
import { MARK } from "../../../../components/cloudsigma/marks";
import { configure, contextOf, useContext } from "../../../../components/cloudsigma/provider/context";
import { startLocalCloud, type LocalCloud, type LocalCloudOptions } from "../../../../local-cloud/index";
import { inputsOf, provider, type KindName, type Props } from "./inputs";

/** A cloud that only plays states, empty, with the providers configured for it. */
export interface World {
  readonly cloud: LocalCloud;
  readonly client: Client;
  /** Name of a library image. */
  readonly image: string;
  /** Calls that changed something since the last question, as `METHOD path`. */
  writes(): string[];
  stop(): Promise<void>;
}

const FAST = { startMs: 5, stopMs: 5, driveCreateMs: 5, driveCloneMs: 8, driveResizeMs: 5, deleteMs: 5 };

export async function startWorld(options: LocalCloudOptions = {}): Promise<World> {
  const cloud = await startLocalCloud({ backend: "none", memory: true, delays: FAST, log: () => undefined, ...options });
  const settings: Record<string, string> = { "cloudsigma:endpoint": cloud.endpoint, "cloudsigma:username": cloud.username, "cloudsigma:password": cloud.password };
  await configure({ config: { get: (key) => settings[key] } });
  const client = makeClient({ endpoint: cloud.endpoint, username: cloud.username, password: cloud.password, retry: { baseMs: 4, capMs: 20 } });
  useContext({ ...contextOf(client), pollMs: 15, settleMs: 5 });
  let seen = cloud.calls.last;
  return {
    cloud,
    client,
    image: "elastigrid-appliance",
    writes() {
      const rows = cloud.calls.writes(seen);
      seen = cloud.calls.last;
      return rows.map((r) => `${r.method} ${r.path.replace(/^\/?(api\/2\.0\/)?/, "")}`);
    },
    stop() {
      useContext(undefined);
      return cloud.stop();
    },
  };
}

export interface Made {
  readonly kind: KindName;
  readonly id: string;
  inputs: Props;
  outs: Props;
}

/** check and create, as the engine does. */
export async function make(kind: KindName, over: Props = {}): Promise<Made> {
  const { inputs, failures } = await provider(kind).check({}, { ...inputsOf(kind), ...over });
  if (failures.length > 0) throw new Error(JSON.stringify(failures));
  const { id, outs } = await provider(kind).create(inputs);
  return { kind, id, inputs, outs };
}

/** diff and, where it says so, update; answers what diff said. */
export async function change(made: Made, over: Props): Promise<{ changes: boolean; replaces: string[] }> {
  const p = provider(made.kind);
  const { inputs, failures } = await p.check(made.inputs, { ...made.inputs, ...over });
  if (failures.length > 0) throw new Error(JSON.stringify(failures));
  const diff = await p.diff(made.id, made.outs, inputs);
  if (diff.changes && diff.replaces.length === 0) made.outs = (await p.update(made.id, made.outs, inputs)).outs;
  made.inputs = inputs;
  return diff;
}

export const unmake = (made: Made): Promise<void> => provider(made.kind).delete(made.id, made.outs);

/** Everything in the account that costs money or carries a mark of ours. */
export async function leftovers(w: World): Promise<string[]> {
  const out: string[] = [];
  for (const kind of ["servers", "drives", "tags", "keypairs"] as const) for (const o of await w.client.list(kind)) out.push(`${kind} ${o.name} ${o.uuid}`);
  for (const kind of ["vlans", "ips"] as const)
    for (const o of await w.client.list(kind)) if (Object.keys(o.meta).some((k) => k !== MARK.free)) out.push(`${kind} ${o.uuid} ${JSON.stringify(o.meta)}`);
  for (const s of await w.client.list("subscriptions")) if (s.auto_renew) out.push(`subscription ${s.id} of ${s.resource} renews itself`);
  return out;
}

/** Makes one VLAN of the account, as a user would have. */
export async function someVlan(w: World): Promise<string> {
  const s = await w.client.create("subscriptions", { resource: "vlan", amount: 1, period: "1 month", auto_renew: false });
  if (s.subscribed_object === null) throw new Error("no VLAN");
  return s.subscribed_object;
}
