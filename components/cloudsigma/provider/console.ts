import { connect, type Socket } from "node:net";

export interface Talk {
  readonly host: string;
  readonly port: number;
  /** Sent once connected. */
  readonly say?: string;
  /** Longest time in all. */
  readonly limitMs: number;
  /** Ends the reading early. */
  readonly enough?: (text: string) => boolean;
  readonly maxBytes?: number;
}

/** Connects, says something, and returns what it heard until it is enough, the other side closes, or time is up. */
export function listenTo(t: Talk): Promise<string> {
  return new Promise((resolve, reject) => {
    let heard = "";
    let connected = false;
    const socket: Socket = connect({ host: t.host, port: t.port });
    const timer = setTimeout(() => end(), t.limitMs);
    let ended = false;
    const end = (error?: Error): void => {
      if (ended) return;
      ended = true;
      clearTimeout(timer);
      socket.destroy();
      if (heard === "" && error) reject(error);
      else if (!connected) reject(error ?? new Error(`no connection to ${t.host}:${t.port} within ${t.limitMs} ms`));
      else resolve(heard);
    };
    socket.on("connect", () => {
      connected = true;
      if (t.say !== undefined) socket.write(t.say);
    });
    socket.on("data", (chunk: Buffer) => {
      heard = (heard + chunk.toString("utf8")).slice(-(t.maxBytes ?? 64 * 1024));
      if (t.enough?.(heard)) end();
    });
    socket.on("error", (e) => end(e));
    socket.on("close", () => end());
  });
}

/** Host and port of `csconsole://host:port`. */
export function parseConsoleUrl(url: string): { host: string; port: number } | undefined {
  const m = /^csconsole:\/\/(\[[0-9a-fA-F:]+\]|[^:/]+):(\d+)\/?$/.exec(url);
  return m?.[1] === undefined ? undefined : { host: m[1].replace(/^\[|\]$/g, ""), port: Number(m[2]) };
}

/** The last lines of a terminal's output as text: without colours and control characters, without what must stay secret. */
export function lastLines(text: string, count: number, secrets: readonly string[]): string[] {
  const clean = secrets.reduce((t, s) => (s.length < 4 ? t : t.split(s).join("[secret]")), text);
  return clean
    // eslint-disable-next-line no-control-regex
    .replace(/\u001b(\[[0-?]*[ -/]*[@-~]|\][^\u0007]*\u0007|[@-Z\\-_])/g, "")
    .split(/\r\n|\n|\r/)
    // eslint-disable-next-line no-control-regex
    .map((l) => l.replace(/[\u0000-\u0008\u000b-\u001f\u007f\ufffd]/g, "").trimEnd())
    .filter((l) => l !== "")
    .slice(-count)
    .map((l) => l.slice(0, 240));
}
