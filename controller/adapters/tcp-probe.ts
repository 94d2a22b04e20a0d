import { connect } from "node:net";
import type { ProbeResult } from "../ports";

/** One try to connect: undefined when it was accepted, else the system's code of the error, or `TIMEOUT`. Never rejects. */
export type Connect = (host: string, port: number, timeoutMs: number) => Promise<string | undefined>;

const TRIES = 3;
/** Three of them stay under 5 s; a live host of the same network answers within milliseconds, and a lost first packet is sent again after 1 s. */
const TRY_MS = 1_500;
/** Also what the kernel says after it asked for the neighbour's hardware address in vain. */
const SILENCE = new Set(["TIMEOUT", "ETIMEDOUT", "EHOSTUNREACH", "EHOSTDOWN"]);

export const tcpConnect: Connect = (host, port, timeoutMs) =>
  new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (code?: string): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(code);
    };
    const timer = setTimeout(() => end("TIMEOUT"), timeoutMs);
    socket.once("connect", () => end());
    socket.once("error", (e: NodeJS.ErrnoException) => end(e.code ?? "EUNKNOWN"));
  });

/** Host and port of a daemon's address as its ad has it, such as `<10.77.0.5:9618?addrs=...>`. */
export function parseAddress(address: string): { readonly host: string; readonly port: number } | undefined {
  const [, host, digits] = /^<?(\d{1,3}(?:\.\d{1,3}){3}):(\d{1,5})(?:[?>].*)?$/.exec(address) ?? [];
  const port = Number(digits);
  return host === undefined || host.split(".").some((o) => Number(o) > 255) || port < 1 || port > 65_535 ? undefined : { host, port };
}

/**
 * A witness that needs neither cloud nor collector: whether the host still answers at its private address. An error that says
 * nothing of the host (no route of our own, no free descriptor) makes it unknown, as does silence that is not complete.
 */
export async function probe(address: string, tryConnect: Connect = tcpConnect): Promise<ProbeResult> {
  const at = parseAddress(address);
  if (at === undefined) return { answer: "unknown", detail: `not an address: ${address.slice(0, 80)}` };
  const errors: string[] = [];
  for (let n = 0; n < TRIES; n += 1) {
    const code = await tryConnect(at.host, at.port, TRY_MS);
    if (code === undefined) return { answer: "answers", detail: `${at.host}:${at.port} accepts connections` };
    if (code === "ECONNREFUSED" || code === "ECONNRESET") return { answer: "answers", detail: `${at.host} refuses port ${at.port}: the host lives` };
    errors.push(code);
  }
  return { answer: errors.every((e) => SILENCE.has(e)) ? "silent" : "unknown", detail: `${at.host}:${at.port}: ${errors.join(", ")}` };
}
