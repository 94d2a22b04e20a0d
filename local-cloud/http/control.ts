import { invalid } from "../api-error";
import { isObject } from "../api/read-body";
import { ok, Router } from "../api/router";
import type { World } from "../api/world";
import { findLeaks } from "../leaks";
import type { Calls } from "./calls";
import { faultProblem, type Faults, type FaultSpec } from "./faults";

/** What an operator or a test asks local-cloud itself, under /_local/: no part of the imitated API. */
export function controlRoutes(world: World, faults: Faults, calls: Calls): Router {
  const router = new Router();
  router.on("GET", "/status/", () => {
    const count = (rows: Iterable<{ status: string }>): Record<string, number> => {
      const out: Record<string, number> = {};
      for (const r of rows) out[r.status] = (out[r.status] ?? 0) + 1;
      return out;
    };
    const { store } = world;
    return ok({
      backend: world.backend.kind, endpoint: world.endpoint, guestEndpoint: world.guestEndpoint, pid: process.pid, lastCall: calls.last, servers: count(store.servers.all()), drives: count(store.drives.all()),
      vlans: store.vlans.size, ips: store.ips.size, balance: store.account.balance, faults: faults.list(),
    });
  });
  router.on("GET", "/calls/", (c) => ok({ calls: calls.since(Number(c.query.get("since") ?? 0)), last: calls.last }));
  router.on("GET", "/leaks/", () => ok(findLeaks(world)));
  router.on("GET", "/faults/", () => ok({ faults: faults.list() }));
  router.on("POST", "/faults/", (c) => {
    const specs = Array.isArray(c.body) ? (c.body as unknown[]) : [c.body];
    for (const spec of specs) {
      const problem = faultProblem(spec);
      if (problem !== undefined) throw invalid("faults", problem);
    }
    return { status: 201, body: { ids: specs.map((s) => faults.add(s as FaultSpec)) } };
  });
  router.on("DELETE", "/faults/", () => (faults.clear(), { status: 204 }));
  /** Switches of the account: `balance`, `refuseStarts`. */
  router.on("POST", "/account/", (c) => {
    if (!isObject(c.body)) throw invalid(null, "the body must be an object");
    const { balance, refuseStarts } = c.body;
    if (typeof balance === "number") world.store.account.balance = balance;
    if (typeof refuseStarts === "boolean") world.store.account.refuseStarts = refuseStarts;
    world.store.touch();
    return ok({ balance: world.store.account.balance, refuseStarts: world.store.account.refuseStarts });
  });
  return router;
}
