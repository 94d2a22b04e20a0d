import { homedir } from "node:os";
import { join } from "node:path";
import { buildApplianceTree } from "./build";

/** Builds the appliance tree from the command line: `node dist/images/build-tree.js [cache folder]`. */
const cacheDir = process.argv[2] ?? join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "elastigrid");
const stop = new AbortController();
for (const s of ["SIGINT", "SIGTERM"] as const) process.once(s, () => stop.abort());
buildApplianceTree({ cacheDir, progress: (l) => console.error(l), signal: stop.signal }).then(
  (t) => console.log(JSON.stringify(t)),
  (e: Error) => {
    console.error(e.message);
    process.exitCode = 1;
  },
);
