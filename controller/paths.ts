import { join } from "node:path";

/** Where things are on the master. `root` is another place for tests. */
export const masterPaths = (root = process.env["ELASTIGRID_ROOT"] ?? "/") => ({
  config: join(root, "etc/elastigrid/controller.json"),
  credentials: join(root, "etc/elastigrid/credentials.json"),
  poolKey: join(root, "etc/condor/passwords.d/POOL"),
  socket: join(root, "run/elastigrid/controller.sock"),
  /** A name in the kernel, no file: see `soleController`. */
  lock: join(root, "run/elastigrid/controller"),
  state: join(root, "var/lib/elastigrid"),
  override: join(root, "var/lib/elastigrid/override.json"),
  journal: join(root, "var/lib/elastigrid/journal.jsonl"),
  applied: join(root, "var/lib/elastigrid/applied.json"),
  bundle: join(root, "opt/elastigrid/elastigrid.cjs"),
});
export type MasterPaths = ReturnType<typeof masterPaths>;
