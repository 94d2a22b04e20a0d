import { main } from "./start";

/** The part of `npm start -- --cloud openstack` that runs inside the lab's network namespace. */
main(process.argv.slice(2)).then(
  (code) => (process.exitCode = code),
  (e: unknown) => {
    process.stderr.write(`npm start failed: ${e instanceof Error ? e.message : String(e)}\n`);
    process.exitCode = 1;
  },
);
