import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface CloudAccess {
  readonly endpoint: string;
  readonly username: string;
  readonly password: string;
  readonly pid: number;
}

export interface CloudOptions {
  /** The compiled command line program of this package. */
  readonly program: string;
  readonly stateDir: string;
  readonly port: number;
  /** The cloud goes on after this process has ended. */
  readonly keep: boolean;
  readonly onLine: (line: string) => void;
  readonly backend?: "hosts" | "none";
}

/** What a leak check found at the cloud. */
export interface LeakReport {
  /** Things that cost money now or will be renewed. */
  readonly leaks: readonly string[];
  /** Paid in advance, not renewed. */
  readonly prepaid: readonly string[];
}

/** local-cloud as a process of its own, the way a user starts it. It ends with us, also when we are killed, unless kept. */
export class LocalCloudProcess {
  readonly name = "cloudsigma";
  private constructor(readonly access: CloudAccess, private readonly child?: ChildProcess) {}

  /** The one that an earlier `--keep` left running, if there is one. `stop` leaves it running. */
  static attach(stateDir: string): LocalCloudProcess | undefined {
    const kept = keptCloud(stateDir), file = join(stateDir, ENDPOINT_FILE);
    if (kept === undefined || !existsSync(file)) return undefined;
    const { endpoint, pid } = JSON.parse(readFileSync(file, "utf8")) as { endpoint: string; pid: number };
    if (pid !== kept.pid) return undefined; // somebody else has started one on this folder since
    return new LocalCloudProcess({ endpoint, pid, ...credentials(join(stateDir, "credentials.json")) });
  }

  static start(options: CloudOptions): Promise<LocalCloudProcess> {
    const args = [options.program, "local-cloud", "--port", String(options.port), "--state", options.stateDir, "--backend", options.backend ?? "hosts", "--json"];
    if (!options.keep) args.push("--exit-with-parent");
    // One that outlives us talks to a file: nobody would read its pipe.
    const log = options.keep ? openLog(options.stateDir) : undefined;
    const child = spawn(process.execPath, args, { stdio: [options.keep ? "ignore" : "pipe", "pipe", log ?? "pipe"], detached: true });
    if (log !== undefined) closeSync(log);
    return new Promise((resolve, reject) => {
      let said = "", partial = "";
      child.stderr?.setEncoding("utf8").on("data", (text: string) => {
        said += text;
        const lines = (partial + text).split("\n");
        partial = lines.pop() ?? "";
        lines.forEach(options.onLine);
      });
      let out = "";
      child.stdout?.setEncoding("utf8").on("data", (text: string) => {
        out += text;
        const line = out.split("\n").find((l) => l.startsWith("{"));
        if (line === undefined || !out.includes("\n")) return;
        const ready = JSON.parse(line) as { endpoint: string; credentialsFile: string; pid: number };
        if (options.keep) writeFileSync(join(options.stateDir, ENDPOINT_FILE), JSON.stringify({ endpoint: ready.endpoint, pid: ready.pid }));
        if (options.keep) (child.stdout as { unref?: () => void } | null)?.unref?.();
        if (options.keep) child.unref();
        resolve(new LocalCloudProcess({ endpoint: ready.endpoint, pid: ready.pid, ...credentials(ready.credentialsFile) }, child));
      });
      child.on("error", reject);
      child.on("exit", (code) => reject(new Error(`local-cloud ended with code ${code} before it was ready:\n${(options.keep ? readFileSync(keptLog(options.stateDir), "utf8") : said).trim()}`)));
    });
  }

  async leaks(): Promise<LeakReport> {
    return readLeaks(this.access);
  }

  async stop(limitMs = 60_000): Promise<void> {
    const { child } = this;
    if (child === undefined) return;
    if (child.exitCode !== null || child.signalCode !== null) return;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`local-cloud (process ${child.pid}) did not stop within ${limitMs / 1000} s`)), limitMs);
      child.on("exit", () => (clearTimeout(timer), resolve()));
      child.kill("SIGTERM");
    });
  }
}

/** Ends the cloud that an earlier run left in this folder, and waits until it has ended. */
export async function endKeptCloud(stateDir: string, limitMs = 60_000): Promise<void> {
  const kept = keptCloud(stateDir);
  if (kept === undefined) return;
  process.kill(kept.pid, "SIGTERM");
  for (const end = Date.now() + limitMs; Date.now() < end; await new Promise((r) => setTimeout(r, 200))) if (keptCloud(stateDir) === undefined) return;
  throw new Error(`the kept cloud (process ${kept.pid}) does not stop; end it by hand`);
}

/** Where a kept cloud listens. */
const ENDPOINT_FILE = "kept-endpoint.json";

function credentials(file: string): { username: string; password: string } {
  const { username, password } = JSON.parse(readFileSync(file, "utf8")) as { username: string; password: string };
  return { username, password };
}

/** What a kept cloud says. */
export const keptLog = (stateDir: string): string => join(stateDir, "local-cloud.log");

function openLog(stateDir: string): number {
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  return openSync(keptLog(stateDir), "w", 0o600);
}

export async function readLeaks(access: CloudAccess): Promise<LeakReport> {
  const url = new URL("/_local/leaks", access.endpoint);
  const authorization = `Basic ${Buffer.from(`${access.username}:${access.password}`).toString("base64")}`;
  const answer = await fetch(url, { headers: { authorization }, signal: AbortSignal.timeout(10_000) });
  if (!answer.ok) throw new Error(`the leak check got ${answer.status} from local-cloud`);
  return (await answer.json()) as LeakReport;
}

/** The cloud that an earlier `--keep` left running, by its state folder. */
export function keptCloud(stateDir: string): { pid: number } | undefined {
  const file = join(stateDir, "lock");
  if (!existsSync(file)) return undefined;
  const pid = Number(readFileSync(file, "utf8").split(/\s/)[0]);
  try {
    process.kill(pid, 0);
    return { pid };
  } catch {
    return undefined; // it was killed; the next start sweeps up
  }
}
