import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

/** What one fresh cloud is made with; kept in its state, gone with it. */
export interface LabSecrets {
  /** Of every service user and of the database: each reads its own copy from its configuration. */
  readonly service: string;
  readonly admin: string;
  readonly demo: string;
  readonly heatEncryptionKey: string;
}

export async function ensureSecrets(file: string): Promise<LabSecrets> {
  if (!existsSync(file)) {
    const word = (): string => randomBytes(12).toString("hex");
    const made: LabSecrets = { service: word(), admin: word(), demo: word(), heatEncryptionKey: randomBytes(16).toString("hex") };
    await mkdir(dirname(file), { recursive: true });
    await writeFile(`${file}.new`, JSON.stringify(made) + "\n", { mode: 0o600 });
    await rename(`${file}.new`, file);
  }
  return JSON.parse(await readFile(file, "utf8")) as LabSecrets;
}
