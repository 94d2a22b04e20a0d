import { request } from "node:http";

/** The controller did not answer, or refused; the message is for people. */
export class ControllerError extends Error {
  constructor(message: string, readonly unreachable: boolean) {
    super(message);
    this.name = "ControllerError";
  }
}

/** One call to the controller's socket. */
export function ask<T>(socket: string, method: "GET" | "POST", path: string, body?: unknown, timeoutMs = 15_000): Promise<T> {
  return new Promise((resolve, reject) => {
    const data = body === undefined ? undefined : JSON.stringify(body);
    const req = request({ socketPath: socket, method, path, timeout: timeoutMs, headers: data === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(data) } }, (res) => {
      const chunks: Buffer[] = [];
      res.on("data", (c: Buffer) => chunks.push(c));
      res.on("error", (e) => reject(lost(e)));
      res.on("end", () => {
        try {
          const answer: unknown = JSON.parse(Buffer.concat(chunks).toString("utf8"));
          if (res.statusCode === 200) resolve(answer as T);
          else reject(new ControllerError((answer as { error?: string }).error ?? `the controller answered ${res.statusCode}`, false));
        } catch (e) {
          reject(lost(e as Error));
        }
      });
    });
    req.on("timeout", () => req.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)));
    req.on("error", (e) => reject(lost(e)));
    req.end(data);
  });
}

/**
 * The same, and again for a while when nobody listens: the controller is away for two seconds whenever `pulumi up` has brought
 * it something new. Every call may be repeated: it says what shall be, not what to add.
 */
export async function askPatiently<T>(socket: string, method: "GET" | "POST", path: string, body?: unknown, patienceMs = 8_000): Promise<T> {
  for (const until = Date.now() + patienceMs; ; ) {
    try {
      return await ask<T>(socket, method, path, body);
    } catch (e) {
      if (!(e instanceof ControllerError) || !e.unreachable || Date.now() >= until) throw e;
      await new Promise((r) => setTimeout(r, 500));
    }
  }
}

const lost = (e: Error): ControllerError =>
  new ControllerError(`THE CONTROLLER DOES NOT ANSWER (${e.message}): the group keeps its size and its jobs go on; see \`systemctl status elastigrid-controller\` on the master`, true);
