// The part of set-up that runs under the lock; see prepare.mjs.
import { prepare } from "./prepare.mjs";

try {
  await prepare(process.argv[2], { force: process.argv.includes("--force") });
} catch (e) {
  console.error(e.advice === undefined ? e.stack : `set-up: ${e.message}. ${e.advice}`);
  process.exitCode = 1;
}
