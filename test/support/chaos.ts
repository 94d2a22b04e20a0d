import { readdirSync, readFileSync } from "node:fs";
import { MARK } from "../../components/cloudsigma/marks";
import type { Access } from "./stack";

/** The long form strikes everywhere and often; the short one is for every run of the lane. */
export const long = process.env["ELASTIGRID_LONG"] === "1";

/** Repeats a run: ELASTIGRID_SEED=<the number that it printed>. */
export const seed = Number(process.env["ELASTIGRID_SEED"] ?? Math.floor(Math.random() * 2 ** 31));

export const say = (line: string): void => console.log(`      ${line}`);
export const pause = (ms: number): Promise<void> => new Promise((r) => setTimeout(r, ms));
export const secondsSince = (ms: number): string => `${((Date.now() - ms) / 1000).toFixed(1)} s`;

export async function until<T>(what: string, limitMs: number, look: () => T | undefined | false | Promise<T | undefined | false>): Promise<T> {
  const end = Date.now() + limitMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > end) throw new Error(`${what}: not within ${limitMs / 1000} s`);
    await pause(100);
  }
}

interface Row {
  readonly name?: string;
  readonly status?: string;
  readonly owner?: { readonly uuid?: string } | null;
  readonly meta?: Record<string, string>;
  readonly resource?: string;
  readonly auto_renew?: boolean;
  readonly subscription?: unknown;
  readonly mem?: number;
  readonly drives?: readonly unknown[];
  readonly nics?: readonly unknown[];
  readonly mounted_on?: readonly { readonly name?: string }[];
}

const list = async (access: Access, kind: string): Promise<Row[]> => {
  const authorization = `Basic ${Buffer.from(`${access.username}:${access.password}`).toString("base64")}`;
  const answer = await fetch(new URL(`${kind}/?limit=0`, access.endpoint), { headers: { authorization }, signal: AbortSignal.timeout(10_000) });
  if (!answer.ok) throw new Error(`${kind}: ${answer.status}`);
  return ((await answer.json()) as { objects: Row[] }).objects;
};

/** `0123/master-disk#ab12` belongs to `master-disk`, whatever deployment made it. */
const logicalName = (row: Row): string => (row.meta?.[MARK.id] ?? "no mark").replace(/^[^/]*\//, "").replace(/#.*$/, "");

/** Everything of the account as sorted lines without uuids: two deployments of one program read the same. */
export async function inventory(access: Access): Promise<string[]> {
  const lines: string[] = [];
  for (const kind of ["servers/detail", "drives/detail", "vlans/detail", "ips/detail", "tags", "keypairs", "snapshots/detail", "subscriptions"])
    for (const o of await list(access, kind)) {
      // the console's and the library's things carry no mark; own ones are few and all count
      const more = [o.status, o.resource, o.auto_renew, o.mem, o.drives?.length, o.nics?.length, ...(o.mounted_on ?? []).map((s) => s.name)].filter((x) => x !== undefined);
      lines.push([kind.replace("/detail", ""), kind === "subscriptions" ? "" : (o.name ?? ""), kind === "subscriptions" ? "" : logicalName(o), ...more].join(" "));
    }
  return lines.sort();
}

/** What the second list has too little or too much, in one line; empty when they agree. */
export function difference(wanted: readonly string[], got: readonly string[]): string {
  const left = [...got];
  const missing = wanted.filter((w) => {
    const at = left.indexOf(w);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
  return [...missing.map((m) => `lost: ${m}`), ...left.map((l) => `too much: ${l}`)].join("; ");
}

/** Works on all items, so many at a time; the results in the items' order. */
export async function inParallel<T, R>(items: readonly T[], width: number, work: (item: T, index: number) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  await Promise.all(Array.from({ length: width }, async () => {
    for (let i = next++; i < items.length; i = next++) results[i] = await work(items[i] as T, i);
  }));
  return results;
}

export interface Process {
  readonly pid: number;
  readonly parent: number;
  /** In clock ticks since boot: with the pid it names one process for ever. */
  readonly started: string;
  readonly command: string;
}

export function processes(): Process[] {
  const out: Process[] = [];
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, "utf8");
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      if (fields[0] === "Z") continue;
      out.push({ pid: Number(entry), parent: Number(fields[1]), started: fields[19] ?? "", command: readFileSync(`/proc/${entry}/cmdline`, "utf8").replaceAll("\0", " ").trim() });
    } catch {
      continue; // it has just ended
    }
  }
  return out;
}

/** A process of ours and all that descend from it. */
export function family(pid: number, all = processes()): Process[] {
  const found = all.filter((p) => p.pid === pid);
  for (const p of found) found.push(...all.filter((q) => q.parent === p.pid));
  return found;
}

export const alive = (p: Process): boolean => processes().some((q) => q.pid === p.pid && q.started === p.started);

/** SIGKILL for exactly these, without a chance to tidy up. */
export function killAll(victims: readonly Process[]): void {
  for (const p of victims) {
    try {
      if (alive(p)) process.kill(p.pid, "SIGKILL");
    } catch (e) {
      if ((e as NodeJS.ErrnoException).code !== "ESRCH") throw e;
    }
  }
}

/** A grid of which nobody needs more than the cloud's objects. */
export const statesOnly = {
  name: "lane", bootstrap: "none", image: { name: "Debian 12 Server", kind: "stock" }, workers: { min: 1, max: 4, memory: "1 GiB", disk: "12 GiB" }, master: { disk: "12 GiB" },
} as const;
