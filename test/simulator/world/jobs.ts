import type { Room } from "../../../components/policy/demand";
import type { SimStartd } from "./startd";

/** Jobs that are alike to HTCondor: an autocluster. */
export interface JobKind {
  readonly key: string;
  readonly request: Room;
  /** What decides about a match, as HTCondor would tell it. */
  readonly ad: Readonly<Record<string, string>>;
  /** Whether the machine meets its Requirements, room aside. @default it does */
  readonly matches?: (d: SimStartd) => boolean;
  readonly needsNoWorker?: boolean;
  readonly limits?: Readonly<Record<string, number>>;
}

/** Why a job left its machine without having ended. */
export type Loss = "removed-server" | "evicted" | "told-gone" | "crash" | "startd" | "lease" | "machine-is-bad";

export interface SimJob {
  readonly id: number;
  readonly kind: JobKind;
  readonly runsMs: number;
  /** Wall clock. */
  readonly queuedAtMs: number;
  /** `activating`: matched and claimed, but its shadow does not run yet. `stranded`: its machine is dead, and the queue does not know. */
  state: "waiting" | "activating" | "running" | "stranded" | "done" | "removed";
  on?: SimStartd;
  /** Wall clock. */
  startedAtMs?: number;
  /** The same by the world's own time. */
  begunMs?: number;
  starts: number;
  /** Counts what has happened to it: an event that was planned for a former state is void. */
  epoch: number;
}

const request = (cpus: number, memoryMiB: number): Room => ({ cpus, memoryMiB, diskMiB: 1 });
const requirements = (more: string): string =>
  `(TARGET.Arch == "X86_64") && (TARGET.OpSys == "LINUX") && (TARGET.Cpus >= RequestCpus) && (TARGET.Memory >= RequestMemory)${more}`;

export function jobKind(
  key: string,
  o: { readonly cpus?: number; readonly memoryMiB?: number; readonly requirements?: string } & Partial<JobKind> = {},
): JobKind {
  const { cpus = 1, memoryMiB = 100, requirements: more, ...rest } = o;
  return {
    key,
    request: request(cpus, memoryMiB),
    ...rest,
    ad: {
      RequestCpus: `${cpus}`,
      RequestMemory: `${memoryMiB}`,
      RequestDisk: "1024",
      Requirements: requirements(more === undefined ? "" : ` && (${more})`),
      ...rest.ad,
    },
  };
}

export const ORDINARY = jobKind("ordinary");
/** No worker has a GPU. */
export const GPU: JobKind = {
  ...jobKind("gpu", { requirements: "TARGET.GPUs >= RequestGPUs", matches: () => false }),
  request: { ...request(1, 100), resources: { gpus: 1 } },
};
/** Asks for an attribute that no worker publishes: only a worker can show that. */
export const UNHEARD_OF = jobKind("unheard-of", { requirements: "TARGET.HasUnobtainium =?= True", matches: () => false });
export const TOO_LARGE = jobKind("too-large", { memoryMiB: 900_000 });
