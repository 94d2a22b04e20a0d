import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../../local-cloud/hosts/run";
import type { Places } from "./places";
import { treeHash } from "./tree";

/** Raise it when the set-up makes something else than before. */
const SEED_VERSION = 3;
/** What the set-up leaves in the state. Not the message bus: it runs meanwhile, and a fresh one is made in no time. */
const PARTS = ["mysql", "keystone", "done", "secrets.json"] as const;

const seedName = (): string => createHash("sha256").update(`${SEED_VERSION} ${treeHash()}`).digest("hex").slice(0, 12);
const copy = async (from: string, to: string): Promise<unknown> => run("cp", ["-a", "--reflink=auto", "--sparse=always", from, to], { timeoutMs: 300_000 });

/** Keeps a copy of the fresh databases (no user's data is in them yet), so that the next fresh cloud need not make them again. */
export async function saveSeed(places: Places): Promise<void> {
  const home = join(places.seeds, seedName());
  const making = `${home}.making`;
  await rm(making, { recursive: true, force: true });
  await mkdir(making, { recursive: true, mode: 0o700 });
  for (const part of PARTS) await copy(join(places.state, part), making);
  await rm(home, { recursive: true, force: true });
  await rename(making, home);
  for (const other of await readdir(places.seeds)) {
    if (other !== seedName()) await rm(join(places.seeds, other), { recursive: true, force: true });
  }
}

/** Gives a state that has no databases yet those of an earlier set-up, if there are any. */
export async function restoreSeed(places: Places): Promise<void> {
  const home = join(places.seeds, seedName());
  if (!existsSync(home) || existsSync(join(places.state, "secrets.json"))) return;
  // The secrets come last: with them the state counts as begun.
  for (const part of PARTS) {
    await rm(join(places.state, part), { recursive: true, force: true });
    await copy(join(home, part), places.state);
  }
}
