import { timeText } from "./api/views";
import type { World } from "./api/world";

export interface Leaks {
  /** What costs money now or will be renewed, one line each. */
  readonly leaks: string[];
  /** Paid in advance and not renewed. */
  readonly prepaid: string[];
}

/** Own things only; foreign ones are somebody else's bill. */
export function findLeaks(world: World): Leaks {
  const { store } = world;
  const mine = <R extends { owner: string }>(rows: Iterable<R>): R[] => [...rows].filter((r) => r.owner === store.account.uuid);
  const leaks: string[] = [];
  const prepaid: string[] = [];
  for (const s of mine(store.servers.all())) leaks.push(`server ${s.name} (${s.uuid}) is ${s.status}`);
  for (const d of mine(store.drives.all())) if (!d.deleting) leaks.push(`drive ${d.name} (${d.uuid}) of ${d.size} bytes`);
  for (const s of mine(store.snapshots.all())) if (!s.deleting) leaks.push(`snapshot ${s.name} (${s.uuid})`);
  for (const ip of mine(store.ips.all())) if (ip.subscription === null) leaks.push(ip.lent ? `dynamic address ${ip.uuid} of server ${ip.lent.server}` : `address ${ip.uuid} without a subscription`);
  for (const v of mine(store.vlans.all())) if (v.subscription === null) leaks.push(`VLAN ${v.uuid} without a subscription`);
  for (const s of mine(store.subscriptions.all())) {
    if (s.closed || s.endMs <= world.clock.now()) continue;
    const what = `subscription ${s.id} of ${s.resource}${s.subscribed_object === null ? ` (${s.amount})` : ` ${s.subscribed_object}`}`;
    if (s.auto_renew) leaks.push(`${what} renews itself at ${timeText(s.endMs)}`);
    else prepaid.push(`${what} is paid until ${timeText(s.endMs)}`);
  }
  return { leaks, prepaid };
}
