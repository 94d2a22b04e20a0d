import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeWhole } from "./model/state-file";

export interface Credentials {
  readonly username: string;
  readonly password: string;
}

export const newCredentials = (): Credentials => ({ username: "local@cloud.invalid", password: randomBytes(18).toString("base64url") });
export const credentialsFile = (stateDir: string): string => join(stateDir, "credentials.json");

/** Made once per state folder, readable by its owner alone. */
export async function loadCredentials(stateDir: string): Promise<Credentials> {
  const file = credentialsFile(stateDir);
  if (existsSync(file)) {
    const found = JSON.parse(await readFile(file, "utf8")) as Partial<Credentials>;
    if (typeof found.username === "string" && typeof found.password === "string") return { username: found.username, password: found.password };
    throw new Error(`${file} holds no username and password; remove it to get new ones`);
  }
  const made = newCredentials();
  await writeWhole(stateDir, "credentials.json", `${JSON.stringify(made)}\n`);
  return made;
}
