import { request } from "node:http";
import type { ServiceStatus } from "./keeper";
import type { LabSettings } from "./config-control";
import type { StepStatus } from "./steps";

/** What the lab's supervisor answers on its socket: GET /status, GET /memory, POST /stop?keep=. */
export interface LabStatus {
  readonly phase: "starting" | "ready" | "failed" | "stopping";
  readonly error?: string;
  readonly elapsedSeconds: number;
  readonly readyAfterSeconds?: number;
  readonly settings: LabSettings;
  readonly steps: readonly StepStatus[];
  readonly services: readonly ServiceStatus[];
}

export interface LabMemory {
  readonly processes: number;
  readonly rssMiB: number;
  /** Shared pages counted once. */
  readonly pssMiB: number;
  readonly largest: readonly { readonly name: string; readonly pssMiB: number }[];
}

const ANSWER_MS = 15_000;

/** Asks the supervisor; undefined when nobody listens. */
export const ask = <T>(socketPath: string, method: "GET" | "POST", path: string): Promise<T | undefined> =>
  new Promise((resolve, reject) => {
    const q = request({ socketPath, method, path, timeout: ANSWER_MS }, (r) => {
      let text = "";
      r.on("data", (d: Buffer) => (text += d.toString()));
      r.on("error", reject);
      r.on("end", () => (r.statusCode === 200 ? resolve(JSON.parse(text) as T) : reject(new Error(`the lab's supervisor answered ${r.statusCode}: ${text}`))));
    });
    q.on("timeout", () => q.destroy(new Error(`the lab's supervisor did not answer within ${ANSWER_MS / 1000} s`)));
    q.on("error", (e: NodeJS.ErrnoException) => (e.code === "ENOENT" || e.code === "ECONNREFUSED" || e.code === "ECONNRESET" ? resolve(undefined) : reject(e)));
    q.end();
  });
