import { existsSync } from "node:fs";
import { mkdir, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "./run";

/** What a drive's upper folder lies on: a tree, or nothing where the drive began empty. */
interface DriveRecord {
  readonly tree?: string;
}

export interface DrivePaths {
  readonly folder: string;
  readonly tree?: string;
}

/** Contents of drives: the changes against a tree, one folder each, ready for overlayfs. */
export class Drives {
  /** `trees` maps the uuids of library images to their trees. */
  constructor(
    private readonly home: string,
    private readonly trees: ReadonlyMap<string, string>,
  ) {}

  async open(): Promise<void> {
    await mkdir(this.home, { recursive: true });
    for (const name of await readdir(this.home)) if (name.startsWith("making-") || name.startsWith("going-")) await this.discard(name);
  }

  async create(uuid: string, from?: string): Promise<void> {
    if (existsSync(this.folder(uuid))) return;
    const making = join(this.home, `making-${uuid}`);
    await rm(making, { recursive: true, force: true });
    await mkdir(making);
    let record: DriveRecord = {};
    const tree = from === undefined ? undefined : this.trees.get(from);
    if (tree !== undefined) record = { tree };
    else if (from !== undefined) {
      record = await this.record(from);
      await run("cp", ["-a", "--reflink=auto", join(this.folder(from), "upper"), join(making, "upper")], { timeoutMs: 600_000 });
    }
    await mkdir(join(making, "upper"), { recursive: true });
    await mkdir(join(making, "work"));
    await writeFile(join(making, "drive.json"), JSON.stringify(record) + "\n");
    await rename(making, this.folder(uuid));
  }

  async delete(uuid: string): Promise<void> {
    if (!existsSync(this.folder(uuid))) return;
    await rename(this.folder(uuid), join(this.home, `going-${uuid}`));
    await this.discard(`going-${uuid}`);
  }

  async paths(uuid: string): Promise<DrivePaths> {
    return { folder: this.folder(uuid), ...(await this.record(uuid)) };
  }

  private async record(uuid: string): Promise<DriveRecord> {
    try {
      return JSON.parse(await readFile(join(this.folder(uuid), "drive.json"), "utf8")) as DriveRecord;
    } catch (e) {
      if ((e as NodeJS.ErrnoException).code !== "ENOENT") throw e;
      throw new Error(`drive ${uuid} has no contents here (${this.folder(uuid)} is missing)`);
    }
  }

  private discard(name: string): Promise<void> {
    return rm(join(this.home, name), { recursive: true, force: true });
  }

  private folder(uuid: string): string {
    if (!/^[0-9a-zA-Z-]+$/.test(uuid)) throw new Error(`"${uuid}" is not a drive's uuid`);
    return join(this.home, uuid);
  }
}
