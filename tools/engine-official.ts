import { createWriteStream } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream } from "node:stream/web";
import { engineVersions } from "./engine-versions";
import { mustRun } from "./process";

/** Where Pulumi's own installer gets its archives. */
export const OFFICIAL_BASE = "https://get.pulumi.com/releases/sdk";

const PROBE_MS = 5_000;
const DOWNLOAD_MS = 10 * 60_000;

/** The archive of the pinned engine for this computer; undefined where Pulumi publishes none. */
export function archiveUrl(base: string = OFFICIAL_BASE, platform: string = process.platform, arch: string = process.arch): string | undefined {
  if (!["linux", "darwin"].includes(platform) || !["x64", "arm64"].includes(arch)) return undefined;
  return `${base}/pulumi-v${engineVersions.engine}-${platform}-${arch}.tar.gz`;
}

/** Whether the archive can be had, within five seconds: most networks answer or refuse at once. */
export async function isReachable(url: string, timeoutMs: number = PROBE_MS): Promise<boolean> {
  try {
    return (await fetch(url, { method: "HEAD", signal: AbortSignal.timeout(timeoutMs) })).ok;
  } catch {
    return false; // no name, no route, no answer: all the same to the caller, who builds instead
  }
}

/** Unpacks engine, language host and dynamic provider into `target`. */
export async function downloadEngine(url: string, target: string): Promise<void> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(DOWNLOAD_MS) });
  if (!answer.ok || answer.body === null) throw new Error(`${url} answers ${answer.status}`);
  const archive = join(target, "archive.tar.gz");
  await pipeline(Readable.fromWeb(answer.body as ReadableStream), createWriteStream(archive));
  await mustRun("tar", ["-xzf", archive, "-C", target, "--strip-components=1"], { timeoutMs: 120_000 });
  await rm(archive);
}
