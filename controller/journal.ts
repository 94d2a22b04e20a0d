import { appendFileSync, mkdirSync, renameSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { readState } from "./files";
import type { Clock, Journal, JournalEntry } from "./ports";

const MOST_BYTES = 2 * 2 ** 20;
const REMEMBERED = 1_000;

/** What the controller did and why, one JSON object per line; the file before the present one is kept, older ones go. */
export class FileJournal implements Journal {
  private readonly recent: JournalEntry[];
  private seq: number;
  private bytes: number;

  constructor(private readonly path: string, private readonly clock: Clock, private readonly echo?: (line: string) => void, private readonly mostBytes = MOST_BYTES) {
    try {
      mkdirSync(dirname(path), { recursive: true });
    } catch (e) {
      echo?.(`journal: ${dirname(path)} cannot be made (${e instanceof Error ? e.message : String(e)}): entries stay in memory`);
    }
    this.recent = [...read(`${path}.1`), ...read(path)].slice(-REMEMBERED);
    this.seq = this.recent.at(-1)?.seq ?? 0;
    this.bytes = sizeOf(path);
  }

  write(what: string, why: string, worker?: string): void {
    const entry: JournalEntry = { seq: ++this.seq, at: new Date(this.clock.nowMs()).toISOString(), what, why, ...(worker === undefined ? {} : { worker }) };
    this.recent.push(entry);
    if (this.recent.length > REMEMBERED) this.recent.shift();
    const line = `${JSON.stringify(entry)}\n`;
    this.echo?.(`${what}${worker === undefined ? "" : ` ${worker}`}: ${why}`);
    try {
      if (this.bytes + line.length > this.mostBytes) {
        renameSync(this.path, `${this.path}.1`);
        this.bytes = 0;
      }
      appendFileSync(this.path, line);
      this.bytes += line.length;
    } catch (e) {
      // A full disk must not stop the grid: the entry is in memory, and on the service's own log.
      this.echo?.(`journal: not written (${e instanceof Error ? e.message : String(e)})`);
    }
  }

  tail(count: number): readonly JournalEntry[] {
    return this.recent.slice(-count);
  }
}

function sizeOf(path: string): number {
  try {
    return statSync(path).size;
  } catch {
    return 0; // not there, or not readable: writing tells
  }
}

/** A line that a crash cut off is left out: the ones around it still tell what happened. */
function read(path: string): JournalEntry[] {
  const found = readState(path, (text) => text.split("\n").flatMap(readLine));
  return found !== undefined && "value" in found ? found.value : [];
}

function readLine(line: string): JournalEntry[] {
  try {
    const e: unknown = JSON.parse(line);
    return isEntry(e) ? [e] : [];
  } catch {
    return [];
  }
}

function isEntry(e: unknown): e is JournalEntry {
  if (typeof e !== "object" || e === null) return false;
  const { seq, at, what, why, worker } = e as Record<string, unknown>;
  return Number.isSafeInteger(seq) && typeof at === "string" && !Number.isNaN(Date.parse(at)) && typeof what === "string" && typeof why === "string" && (worker === undefined || typeof worker === "string");
}
