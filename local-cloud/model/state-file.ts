import { existsSync } from "node:fs";
import { open, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import type { State } from "./rows";

const NAME = "state.json";
const LATER_MS = 100;

/** One JSON document in the state folder; a reader finds the old one or the new one whole, never half of one. */
export class StateFile {
  private dirty = 0;
  private saved = 0;
  private writing: Promise<void> | undefined;
  private timer: NodeJS.Timeout | undefined;
  constructor(private readonly dir: string, private readonly read: () => State, private readonly log: (text: string) => void) {}

  static async load(dir: string): Promise<State | undefined> {
    const file = join(dir, NAME);
    if (!existsSync(file)) return undefined;
    const state = JSON.parse(await readFile(file, "utf8")) as State;
    if (state.version !== 1) throw new Error(`${file} is of version ${String(state.version)}, which this program does not know; start with --reset to begin anew`);
    return state;
  }

  /** Something changed: written soon, together with what changes meanwhile. */
  touch(): void {
    this.dirty++;
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.flush().catch((e: unknown) => this.log(`the state cannot be saved: ${e instanceof Error ? e.message : String(e)}`));
    }, LATER_MS).unref();
  }

  /** Resolves once everything that changed so far is on disk. Calls that wait together share a write. */
  async flush(): Promise<void> {
    const target = this.dirty;
    while (this.saved < target) {
      this.writing ??= this.write().finally(() => (this.writing = undefined));
      await this.writing;
    }
  }

  private async write(): Promise<void> {
    const upTo = this.dirty;
    const text = JSON.stringify(this.read());
    await writeWhole(this.dir, NAME, text);
    this.saved = upTo;
  }

  async close(): Promise<void> {
    if (this.timer !== undefined) clearTimeout(this.timer);
    await this.flush();
  }
}

/** Writes beside, syncs, renames, syncs the folder. Readable by the owner alone: it holds passwords and keys. */
export async function writeWhole(dir: string, name: string, text: string): Promise<void> {
  const temporary = join(dir, `${name}.new`);
  const file = await open(temporary, "w", 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, join(dir, name));
  const folder = await open(dir, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
