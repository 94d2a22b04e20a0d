import { mutate } from "../simulator/world/mutant-run";
import type { ShippedName } from "./shipped-scenarios";

/** Explores one world with some of the controller's checks taken out, in a process of its own: `node shipped-run.js WORLD CHECK,CHECK`. */
async function main(name: string, keys: readonly string[]): Promise<void> {
  const lost = mutate(keys); // before anything loads the controller
  const { explore } = await import("./explorer.js");
  const { Shipped } = await import("./shipped.js");
  const { shippedScenarios } = await import("./shipped-scenarios.js");
  const verdict = await explore(new Shipped(shippedScenarios[name as ShippedName]));
  process.stdout.write(`${JSON.stringify({ lost, ...verdict })}\n`);
}

const [name = "", keys = ""] = process.argv.slice(2);
main(name, keys.split(",").filter((k) => k !== "")).catch((e: unknown) => {
  process.stderr.write(`${e instanceof Error ? e.stack : String(e)}\n`);
  process.exitCode = 1;
});
