// `node tools/lib/totals.mjs FILE PART...`: the last line of a run in several parts. Each part has written its sum to the file as a
// line of JSON (tools/totals.ts); one that did not get that far counts as failed. Plain JavaScript: it must work when nothing could be built.
import { readFileSync } from "node:fs";

const [file, ...parts] = process.argv.slice(2);
const sums = readFileSync(file, "utf8").split("\n").filter((l) => l !== "").map((l) => JSON.parse(l));
const total = { passed: 0, failed: 0, skipped: 0 };
for (const part of parts) {
  const sum = sums.find((s) => s.part === part);
  if (sum === undefined) console.log(`part ${part} ended before it had a result`);
  for (const key of Object.keys(total)) total[key] += sum === undefined ? Number(key === "failed") : sum[key];
}
console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1;
