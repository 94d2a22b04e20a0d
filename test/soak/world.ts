import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { GridStatus } from "../../controller/status";
import type { LocalCloudProcess } from "../../demo/cloud";
import { submitDescription } from "../../demo/jobs";
import { openSession, type Session } from "../../demo/session";
import { withSettings } from "../../demo/settings";
import { RemoteError, type Master } from "../../demo/ssh";
import { pause, until } from "../support/chaos";
import { packageDir } from "../support/stack";
import { Guests } from "./guests";
import type { Action, JobRow } from "./judge";

/** Most workers at a time: what two cores boot while jobs run. */
export const MOST_WORKERS = 5;
const LOG = "/home/grid/soak.log";
const JOURNAL = "/var/lib/elastigrid/journal.jsonl";
const STATUS = "curl -s --max-time 5 --unix-socket /run/elastigrid/controller.sock http://controller/status";

/** A whole grid on real hosts, by the real engine, with hands for what a soak does to it. */
export class SoakWorld {
  readonly guests: Guests;
  private connection: Master | undefined;
  private readonly seenActions = new Map<number, Action>();

  private constructor(private readonly session: Session<LocalCloudProcess>, private readonly dir: string) {
    this.guests = new Guests(session.cloud.access.pid);
  }

  /** `parent` is for state and key; it is removed at the end. */
  static async open(parent: string, port: number, print: (line: string) => void): Promise<SoakWorld> {
    mkdirSync(parent, { recursive: true });
    const dir = mkdtempSync(join(parent, "grid-"));
    const configFile = join(dir, "documented.yaml");
    const documented = readFileSync(
      join(packageDir, "stacks", "Pulumi.local.yaml"), "utf8",
    ).replace(/127\.0\.0\.1:\d+/, `127.0.0.1:${port}`);
    const wanted = withSettings(documented, [{ path: ["workers", "max"], value: MOST_WORKERS }]);
    if ("problem" in wanted) throw new Error(wanted.problem);
    writeFileSync(configFile, wanted.yaml);
    const session = await openSession({ packageDir, stateDir: dir, stack: "soak", configFile, port, keep: false, print: () => undefined });
    const world = new SoakWorld(session, dir);
    try {
      const { seconds } = await session.stack.up();
      print(`the grid is up after ${seconds.toFixed(0)} s`);
      await world.reconnect();
      return world;
    } catch (e) {
      await world.close(print);
      throw e;
    }
  }

  get master(): Master {
    if (this.connection === undefined) throw new Error("not connected to the master");
    return this.connection;
  }

  async reconnect(): Promise<void> {
    await this.connection?.close();
    this.connection = await this.session.connect();
  }

  /** A command on the master that may meet it while it is away; undefined when it was. */
  async attempt(command: string, input = "", limitMs = 30_000): Promise<string | undefined> {
    return this.master.run(command, input, limitMs).catch((e: unknown) => {
      if (e instanceof RemoteError) return undefined;
      throw e;
    });
  }

  /** The same, again and again until it is answered. */
  insist(what: string, command: string, limitMs = 240_000): Promise<string> {
    return until(what, limitMs, async () => (await this.attempt(command)) ?? (await pause(1_000), undefined));
  }

  async status(): Promise<GridStatus | undefined> {
    const text = await this.attempt(STATUS);
    if (text?.startsWith("{") !== true) return undefined;
    const status = JSON.parse(text) as GridStatus;
    return status.lastPassAt === undefined ? undefined : status;
  }

  /** Submits `count` like jobs; how many the queue took. Without a lease of their own they have the grid's (20 minutes). */
  async submit(count: number, seconds: number, leaseSeconds?: number): Promise<number> {
    const text = submitDescription({ name: "soak", count, script: `sleep ${seconds}; exit $INT(code)` });
    const lease = leaseSeconds === undefined ? "" : `job_lease_duration = ${leaseSeconds}\n`;
    return (await this.attempt("cd /tmp && runuser -u grid -- condor_submit -terse -", lease + text)) === undefined ? 0 : count;
  }

  /** A call of the cloud's own API, or of local-cloud itself where the path begins with `/`. */
  async api<T>(method: "GET" | "POST", path: string, body?: object): Promise<T> {
    const { endpoint, username, password } = this.session.cloud.access;
    const headers = {
      authorization: `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`, "content-type": "application/json",
    };
    const answer = await fetch(
      new URL(path, endpoint),
      { method, headers, body: body === undefined ? undefined : JSON.stringify(body), signal: AbortSignal.timeout(30_000) },
    );
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as T;
  }

  async servers(): Promise<readonly { readonly uuid: string; readonly name: string; readonly status: string }[]> {
    return (await this.api<{ objects: { uuid: string; name: string; status: string }[] }>("GET", "servers/detail/?limit=0")).objects;
  }

  /** What the controller has done so far; read now and then, because its journal has an end. */
  async actions(): Promise<readonly Action[]> {
    const text = (await this.attempt(`cat ${JOURNAL}.1 ${JOURNAL} 2>/dev/null || cat ${JOURNAL}`)) ?? "";
    for (const line of text.split("\n").filter((l) => l.endsWith("}"))) {
      const { seq, at, what, why, worker } = JSON.parse(line) as { seq: number; at: string; what: string; why: string; worker?: string };
      this.seenActions.set(seq, { atMs: Date.parse(at), what, why, ...(worker === undefined ? {} : { worker }) });
    }
    return [...this.seenActions.values()].sort((a, b) => a.atMs - b.atMs);
  }

  jobLog = (): Promise<string> => this.insist("the log of the jobs", `cat ${LOG} 2>/dev/null || true`);

  async jobRows(): Promise<JobRow[]> {
    const attributes = "ClusterId,ProcId,JobStatus,ExitCode,NumJobStarts";
    const mine = `-constraint 'JobBatchName == "soak"'`;
    const text = await this.insist(
      "queue and history",
      `condor_history -json -attributes ${attributes} ${mine}; echo; echo -----; condor_q -allusers -json -attributes ${attributes} ${mine}`,
    );
    return text.split("\n-----\n").flatMap((part) => (part.trim() === "" ? [] : (JSON.parse(part) as JobRow[])));
  }

  async close(print: (line: string) => void): Promise<readonly string[]> {
    try {
      await this.connection?.close();
      await this.session.stack.destroy();
      return (await this.session.cloud.leaks()).leaks.map(String);
    } finally {
      await this.session.cloud.stop();
      rmSync(this.dir, { recursive: true, force: true });
      print("the grid is destroyed, its cloud has stopped");
    }
  }
}
