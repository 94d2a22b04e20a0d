import { CloudError } from "../../errors";
import type { Clock } from "../retry";
import { listenTo } from "./console";

export interface Greeted {
  readonly address: string;
  readonly port: number;
  readonly timeoutSeconds: number;
}

export interface GreetingParts {
  readonly clock: Clock;
  /** Looks at the server now and then; throws when it will never answer. */
  watch(): Promise<void>;
  /** The last lines of its console, or why they could not be had: part of an error, so it must not throw. */
  tail(): Promise<string>;
}

/** Waits until ssh greets, and resolves to its greeting; the error of a timeout shows the server's console. */
export async function awaitGreeting(i: Greeted, parts: GreetingParts): Promise<string> {
  const { clock } = parts;
  const start = clock.now();
  let last = "nothing tried yet";
  for (let round = 0; ; round++) {
    try {
      const heard = await listenTo({ host: i.address, port: i.port, limitMs: 4_000, enough: (t) => t.includes("\n"), maxBytes: 1_024 });
      const line = heard.split(/\r?\n/).find((l) => l.startsWith("SSH-"));
      if (line !== undefined) return line;
      last = heard === "" ? "a connection without a greeting" : "a greeting that is not ssh's";
    } catch (e) {
      last = e instanceof Error ? e.message : String(e);
    }
    if (round % 4 === 0) await parts.watch();
    const spent = clock.now() - start;
    if (spent >= i.timeoutSeconds * 1_000) {
      const tail = await parts.tail();
      throw new CloudError("timeout", `ssh at ${i.address}:${i.port} did not answer within ${i.timeoutSeconds} s (last: ${last}); last lines of the server's console:\n${tail}`);
    }
    await clock.sleep(Math.min(1_000, i.timeoutSeconds * 1_000 - spent));
  }
}
