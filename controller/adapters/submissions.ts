import { open, type FileHandle } from "node:fs/promises";
import type { RunCommand } from "../run-command";

export interface SubmissionsOptions {
  readonly run: RunCommand;
  /** Jobs have been submitted. */
  readonly submitted: () => void;
  /** @default 250 */
  readonly everyMs?: number;
}

const EVERY_MS = 250, TIMEOUT_MS = 15_000, PATH_AGAIN_MS = 60_000;
/** More than that since the last look is not searched: a negotiation about 10,000 kinds of jobs writes 0.8 MB. */
const MOST_BYTES = 4 * 2 ** 20;
/** A new ad in HTCondor's log of the queue (CondorLogOp_NewClassAd): a job, or the cluster that it belongs to. */
const NEW_AD = "\n101 ";

/**
 * Notices submissions by the schedd's own log of its queue, to which it appends each change, without asking the schedd. It only says that a look
 * is worth while: what there is to do, the look finds out, and without this one it comes at its interval.
 */
export class Submissions {
  private path: string | undefined;
  private askedAtMs = Number.NEGATIVE_INFINITY;
  private before: { readonly file: number; readonly size: number; readonly end: string } | undefined;
  private timer: NodeJS.Timeout | undefined;
  private ended = false;

  constructor(private readonly options: SubmissionsOptions) {}

  start(): void {
    if (this.ended) return;
    this.timer = setTimeout(() => void this.look().finally(() => this.start()), this.options.everyMs ?? EVERY_MS).unref();
  }

  stop(): void {
    this.ended = true;
    clearTimeout(this.timer);
  }

  /** Reads what has been added since the last time. Never rejects: a log that cannot be read shows nothing. */
  async look(): Promise<void> {
    const path = this.path ??= await this.ask();
    const log = path === undefined ? undefined : await open(path, "r").catch(() => undefined);
    if (log === undefined) return;
    try {
      if (await this.hasNew(log)) this.options.submitted();
    } catch {
      this.before = undefined;
    } finally {
      await log.close().catch(() => undefined);
    }
  }

  private async hasNew(log: FileHandle): Promise<boolean> {
    const { ino, size } = await log.stat();
    const { before } = this;
    this.before = { file: ino, size, end: "\n" };
    if (before === undefined) return false;
    // Written anew, with all jobs, or too much to search: some of it may be new.
    if (before.file !== ino || size < before.size || size - before.size > MOST_BYTES) return true;
    if (size === before.size) {
      this.before = before;
      return false;
    }
    const { buffer, bytesRead } = await log.read(Buffer.alloc(size - before.size), 0, size - before.size, before.size);
    const text = before.end + buffer.toString("latin1", 0, bytesRead);
    this.before = { file: ino, size: before.size + bytesRead, end: text.slice(1 - NEW_AD.length) };
    return text.includes(NEW_AD);
  }

  private async ask(): Promise<string | undefined> {
    if (performance.now() - this.askedAtMs < PATH_AGAIN_MS) return undefined;
    this.askedAtMs = performance.now();
    const { code, stdout } = await this.options.run("condor_config_val", ["JOB_QUEUE_LOG"], { timeoutMs: TIMEOUT_MS });
    return code === 0 && stdout.trim().startsWith("/") ? stdout.trim() : undefined;
  }
}
