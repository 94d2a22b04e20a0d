#!/usr/bin/env node
// Entry of `npm start`, `npm test`, `npm run setup` and `npm run build`. Plain JavaScript without dependencies, because
// in a fresh clone neither node_modules nor compiled code is there: it brings both, then hands over to tools/main.ts.
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 9)) {
  console.error(`Node ${process.versions.node} is too old: install Node 20.9 or newer (Debian, Ubuntu: apt-get install -y nodejs npm, or from nodejs.org) and run again`);
  process.exit(1);
}
try {
  const { prepare } = await import("./lib/prepare.mjs");
  await prepare(root, { force: process.argv[2] === "build" && process.argv.includes("--force") });
  const { main } = await import(pathToFileURL(join(root, "dist", "tools", "main.js")).href);
  process.exitCode = await main(process.argv.slice(2));
} catch (e) {
  console.error(e.advice === undefined ? e.stack : `set-up failed: ${e.message}\n${e.advice}`);
  process.exitCode = 1;
}
