import { spawn, type ChildProcess } from "node:child_process";
import { EventEmitter } from "node:events";
import { join } from "node:path";
import { onLines, type FabricConfig, type FabricLine, type Operation, type Requests } from "./protocol";

export interface FabricEvents {
  exit: [uuid: string, reason?: string];
  log: [text: string];
  /** The fabric ended without being asked to; every guest ended with it. */
  lost: [why: string];
}

const READY_TIMEOUT_MS = 20_000;
const CLOSE_TIMEOUT_MS = 20_000;
const LOCKED = 75;

/**
 * First process of the fabric: takes the lock, which every survivor would hold on to, then ends with us (twice over: parent-death
 * signal here, end of standard input inside).
 */
const OUTER = `
exec 9>>"$1"
flock -w 2 9 || exit ${LOCKED}
shift
exec setpriv --pdeathsig KILL unshare --mount --net --pid --fork --kill-child --mount-proc -- sh -c "$INNER" fabric "$@"
`;

/** Pid 1 of the fabric: buries whatever loses its parent, and ends (with everything) as soon as the main process does. */
const INNER = `
set -e
mount -t devpts -o newinstance,ptmxmode=0600,mode=0600 devpts /dev/pts
mount -t proc proc "$TOOL_TREE/proc"
exec 3<&0
"$@" <&3 3<&- &
exec 3<&- </dev/null
set +e
wait $!
exit $?
`;

/** local-cloud's handle on its fabric: requests, answers, events. */
export class Fabric {
  readonly events = new EventEmitter<FabricEvents>();
  private child?: ChildProcess;
  private closing = false;
  private ended: Promise<void> = Promise.resolve();
  private counter = 0;
  private readonly waiting = new Map<number, { resolve(v: unknown): void; reject(e: Error): void }>();

  get alive(): boolean {
    return this.child !== undefined;
  }

  async open(config: FabricConfig, lockFile: string): Promise<void> {
    const main = join(__dirname, "fabric-main.js");
    const child = spawn("sh", ["-c", OUTER, "fabric", lockFile, process.execPath, "--max-old-space-size=128", main, JSON.stringify(config)], {
      stdio: ["pipe", "pipe", "pipe"],
      env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", INNER, TOOL_TREE: config.toolTree },
      cwd: "/",
      // A session of its own: Ctrl-C in a terminal is for local-cloud, which then ends the fabric in order.
      detached: true,
    });
    this.child = child;
    let stderr = "";
    child.stderr?.on("data", (d: Buffer) => (stderr = (stderr + d.toString()).slice(-4000)));
    child.stdin?.on("error", () => undefined); // its exit says why
    let ready = (): void => undefined;
    const isReady = new Promise<void>((r) => (ready = r));
    onLines(child.stdout as NodeJS.ReadableStream, (text) => this.receive(JSON.parse(text) as FabricLine, ready));
    const startFailed = new Promise<never>((_, reject) => {
      child.on("error", (e) => reject(new Error(`cannot start the fabric: ${e.message}`)));
      this.ended = new Promise((done) =>
        child.on("close", (code, signal) => {
          this.child = undefined;
          const why = code === LOCKED ? "another local-cloud uses this state folder" : `the fabric ended with ${code ?? signal}: ${stderr.trim() || "no message"}`;
          reject(new Error(why));
          for (const w of this.waiting.values()) w.reject(new Error(why));
          this.waiting.clear();
          done();
          if (!this.closing) this.events.emit("lost", why);
        }),
      );
    });
    startFailed.catch(() => undefined); // after the start it is `lost` that tells
    const timer = new Promise<never>((_, reject) =>
      setTimeout(() => reject(new Error(`the fabric was not ready within ${READY_TIMEOUT_MS / 1000} s: ${stderr.trim()}`)), READY_TIMEOUT_MS).unref(),
    );
    try {
      this.closing = true; // until it is ready, a failure is reported here only
      await Promise.race([isReady, startFailed, timer]);
      this.closing = false;
    } catch (e) {
      child.kill("SIGKILL");
      await this.ended;
      throw e;
    }
  }

  request<O extends Operation>(op: O, args: Requests[O]["args"]): Promise<Requests[O]["answer"]> {
    const { child } = this;
    if (child === undefined) return Promise.reject(new Error("the fabric does not run"));
    const id = ++this.counter;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve: resolve as (v: unknown) => void, reject });
      child.stdin?.write(JSON.stringify({ id, op, args }) + "\n");
    });
  }

  /** Ends the fabric and, with it, everything inside; resolves when all is gone. */
  async close(): Promise<void> {
    const { child } = this;
    if (child === undefined) return;
    this.closing = true;
    child.stdin?.end();
    const killer = setTimeout(() => child.kill("SIGKILL"), CLOSE_TIMEOUT_MS);
    await this.ended;
    clearTimeout(killer);
  }

  private receive(line: FabricLine, ready: () => void): void {
    if ("id" in line) {
      const w = this.waiting.get(line.id);
      this.waiting.delete(line.id);
      if ("error" in line) w?.reject(new Error(line.error));
      else w?.resolve(line.result);
    } else if (line.event === "ready") ready();
    else if (line.event === "exit") this.events.emit("exit", line.uuid, line.reason);
    else this.events.emit("log", line.text);
  }
}
