import type { Room } from "../../../components/policy/demand";
import type { Machine } from "../../../controller/ports";
import type { SimJob } from "./jobs";
import type { SimServer } from "./model-cloud";

/** A worker's daemon, as it is; `ad` is what the collector last heard of it. */
export interface SimStartd {
  readonly id: string;
  readonly name: string;
  readonly server: SimServer;
  readonly address: string;
  /** When the collector first heard from it, or heard from it again after it had given it up, by the world's own time. */
  backMs: number;
  readonly cpus: number;
  readonly memoryMiB: number;
  /** Its host runs. */
  alive: boolean;
  /** The network between it and the master is cut. */
  cut: boolean;
  draining?: string;
  /** Claimed slots: activating and running jobs. */
  readonly jobs: Set<SimJob>;
  ad: Machine | undefined;
  readonly total: Room;
  /** The whole machine as expressions: the ad of its partitionable slot without a job. */
  readonly whole: Readonly<Record<string, string>>;
  /** When the collector last heard from it, by the world's own time. */
  heardMs: number;
}
