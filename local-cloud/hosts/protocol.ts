/** What local-cloud and its fabric say to each other: one JSON document per line, over the fabric's standard streams. */
export interface FabricNic {
  readonly mac: string;
  /** A VLAN's uuid; undefined: the public network. */
  readonly vlan?: string;
  /** Address that DHCP gives on the public network. */
  readonly address?: string;
}

export interface GuestSpec {
  readonly uuid: string;
  readonly hostName: string;
  readonly tree: string;
  /** Folder with `upper` and `work`. */
  readonly drive: string;
  /** Folder with `root` (mount point) and, where user data comes from a seed, `seed`. */
  readonly runDir: string;
  readonly consoleLog: string;
  readonly nics: readonly FabricNic[];
  readonly cgroups: readonly string[];
  /** Hierarchies of version 1 that the guest mounts too, as `folder=controllers`. */
  readonly cgroupMounts: readonly string[];
}

export interface Requests {
  boot: { args: GuestSpec; answer: null };
  power: { args: { uuid: string }; answer: null };
  unplug: { args: { uuid: string }; answer: null };
  /** Guests reach a port of local-cloud (the API, a console) at the gateway's `port`. */
  gateway: { args: { port: number }; answer: null };
  closeGateway: { args: { port: number }; answer: null };
  running: { args: Record<string, never>; answer: string[] };
}

export type Operation = keyof Requests;

export interface RequestLine {
  readonly id: number;
  readonly op: Operation;
  readonly args: unknown;
}

export type FabricLine =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: string }
  | { readonly event: "ready" }
  | { readonly event: "exit"; readonly uuid: string; readonly reason?: string }
  | { readonly event: "log"; readonly text: string };

export interface FabricConfig {
  readonly runDir: string;
  /** Tree whose `ip` and `perl` the fabric uses: the computer's own need not exist. */
  readonly toolTree: string;
}

/** Socket of the fabric that leads to guests, and sockets of local-cloud that lead to its API, both in `runDir`. */
export const RELAY_SOCKET = "relay.sock";
export const apiSocket = (port: number): string => `api-${port}.sock`;

/** Calls `each` for every whole line that a stream brings. */
export const onLines = (stream: NodeJS.ReadableStream, each: (line: string) => void): void => {
  let rest = "";
  stream.on("data", (d: Buffer) => {
    const parts = (rest + d.toString("utf8")).split("\n");
    rest = parts.pop() ?? "";
    for (const p of parts) if (p !== "") each(p);
  });
};
