import type { ChildProcess } from "node:child_process";
import { request } from "node:http";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { logTail, spawnInTree, spawnOutside } from "./in-tree";
import type { Places } from "./places";
import type { Service } from "./services";

export interface ServiceStatus {
  readonly name: string;
  readonly state: "starting" | "running" | "restarting" | "stopped";
  /** Inside the lab's process namespace. */
  readonly pid?: number;
  readonly restarts: number;
  readonly lastExit?: string;
}

const PROBE_MS = 250;
const PROBE_TIMEOUT_MS = 5000;
const STOP_MS = 15_000;
const MAX_PAUSE_MS = 30_000;

/** Keeps one service alive: before it first worked an end is an error, afterwards it is started again with growing pauses. */
export class Keeper {
  private child?: ChildProcess;
  private state: ServiceStatus["state"] = "starting";
  private restarts = 0;
  private lastExit?: string;
  private worked = false;
  private stopping = false;

  constructor(
    private readonly service: Service,
    private readonly places: Places,
    private readonly tree: string,
    private readonly failed: (e: Error) => void,
  ) {}

  get status(): ServiceStatus {
    return { name: this.service.name, state: this.state, pid: this.child?.pid, restarts: this.restarts, lastExit: this.lastExit };
  }

  /** To be ended after all others. */
  get last(): boolean {
    return this.service.stopLast === true;
  }

  start(): void {
    const { name, argv, env, outside } = this.service;
    const child = outside === true ? spawnOutside(this.places, name, argv, env) : spawnInTree(this.places, this.tree, name, argv, env);
    this.child = child;
    this.state = this.worked ? "running" : "starting";
    child.on("error", (e) => this.failed(new Error(`${name}: cannot run ${argv[0]}: ${e.message}`)));
    child.on("close", (code, signal) => {
      this.child = undefined;
      killGroup(child);
      this.lastExit = `${code ?? signal}`;
      if (this.stopping) this.state = "stopped";
      else if (!this.worked) {
        this.state = "stopped";
        this.failed(new Error(`${name} ended with ${this.lastExit} while starting; ${logTail(this.places, name)}`));
      } else {
        this.state = "restarting";
        const pauseMs = Math.min(1000 * 2 ** this.restarts++, MAX_PAUSE_MS);
        setTimeout(() => this.stopping || this.start(), pauseMs);
      }
    });
  }

  /** Waits until the service answers. */
  async ready(seconds: number): Promise<void> {
    const { name, ready } = this.service;
    let last = "no answer";
    for (const end = Date.now() + seconds * 1000; ready !== undefined; await sleep(PROBE_MS)) {
      if (this.state === "stopped") return; // `failed` has told why
      try {
        await ("http" in ready ? probeHttp(ready.http) : probeTcp(ready.host, ready.port));
        break;
      } catch (e) {
        last = (e as Error).message;
      }
      if (Date.now() > end) throw new Error(`${name} did not answer within ${seconds} s (${last}); ${logTail(this.places, name)}`);
    }
    this.confirm();
  }

  /** From now on an end is repaired instead of reported. */
  confirm(): void {
    this.worked = true;
    if (this.state === "starting") this.state = "running";
  }

  /** Asks it to end and waits; kills what does not. */
  async stop(): Promise<void> {
    this.stopping = true;
    const { child } = this;
    if (child === undefined) return;
    const gone = new Promise<void>((done) => child.once("close", () => done()));
    child.kill("SIGTERM");
    const killer = setTimeout(() => killGroup(child), STOP_MS);
    await gone;
    clearTimeout(killer);
  }
}

/** A service's own children that outlived it would keep its port. */
function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code !== "ESRCH") throw e;
  }
}

/** Any HTTP answer will do: 300 and 401 are how some of these say hello. */
const probeHttp = (url: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const q = request(url, { timeout: PROBE_TIMEOUT_MS, agent: false }, (r) => {
      r.resume();
      if ((r.statusCode ?? 500) < 500) resolve();
      else reject(new Error(`HTTP ${r.statusCode}`));
    });
    q.on("timeout", () => q.destroy(new Error(`no answer within ${PROBE_TIMEOUT_MS / 1000} s`)));
    q.on("error", reject);
    q.end();
  });

const probeTcp = (host: string, port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const c = connect({ host, port, timeout: PROBE_TIMEOUT_MS }, () => {
      c.destroy();
      resolve();
    });
    c.on("timeout", () => c.destroy(new Error("connection timed out")));
    c.on("error", reject);
  });
