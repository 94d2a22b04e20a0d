import type { Room } from "../../../components/policy/demand";
import type { Machine } from "../../../controller/ports";
import type { SimJob } from "./jobs";
import type { SimServer } from "./model-cloud";
import type { Timeline } from "./timeline";

/** A worker's daemon, as it is; `ad` is what the collector last heard of it. */
export interface SimStartd {
  readonly id: string;
  readonly name: string;
  readonly server: SimServer;
  readonly address: string;
  /** When the collector first heard from it, or heard from it again after it had given it up, by the world's own time. */
  backMs: number;
  /** By the world's own time. */
  readonly beganMs: number;
  /** When an ad of it came that had been on its way for long. */
  lateMs: number;
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

/** When it began, by the collector's clock and in whole seconds, as an ad tells it that comes now and was on its way for so long. */
export const toldStart = (d: SimStartd, time: Timeline, delayMs: number): number =>
  Math.floor((time.nowMs() - (time.ms - d.beganMs) + delayMs) / 1000) * 1000;
