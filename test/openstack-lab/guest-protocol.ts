import type { Card } from "./guest-network";

/** What nova's driver (python/hosts_driver.py) and the guests' keeper say to each other, as HTTP over a socket. */

/** POST /servers/UUID/boot; `plug` takes the cards only. */
export interface BootOrder {
  readonly hostName: string;
  /** Recipe that the image names; without one there is nothing to boot, and the server idles like one with an empty disk. */
  readonly recipe?: string;
  readonly vcpus: number;
  readonly memoryMiB: number;
  readonly cards: readonly Card[];
}

/** GET /servers */
export interface RunningServer {
  readonly uuid: string;
  /** CPU time since the computer's boot of this guest, in nanoseconds. */
  readonly cpuNs: number;
  readonly memoryBytes: number;
}

export interface GuestsConfig {
  readonly home: string;
  /** Tree whose `ip` and `perl` are used. */
  readonly toolTree: string;
  readonly recipe: string;
  readonly tree: string;
}
