import type { GridConfig } from "../config/grid-config";
import { masterHostname, poolDomain } from "../policy/names";

/** What the kinds of jobs need beyond an ordinary one. Run by test/grid/job-kinds.spec.ts. */

export const workerKindsConfig = (config: GridConfig): string[] => [
  "# Parallel universe: the master's queue may claim several slots as one gang. No RANK: it would let a gang preempt others.",
  `DedicatedScheduler = "DedicatedScheduler@${masterHostname}.${poolDomain(config.name)}"`,
  "# Inputs by URL. The stock list has three Python plugins for named providers, each asked at every start: 5 s instead of 0.1.",
  "FILETRANSFER_PLUGINS = $(LIBEXEC)/curl_plugin, $(LIBEXEC)/data_plugin",
];

export const masterKindsConfig = (): string[] => [
  "# A submission asks for no negotiation of its own: the next one is 2 s away at most. Two within a second of each other gave a gang's",
  "# slots away twice, because the collector hears of a claim only a second after it; the second answer ended the first, and every",
  "# second gang stood there with all its slots claimed (2 of 8; 0 of 24 since).",
  "SCHEDD_SEND_RESCHEDULE = False",
  "# Slots of a finished gang go back after this and the worker's next keepalive (at most 100 s), not after 10 minutes.",
  "UNUSED_CLAIM_TIMEOUT = 20",
];
