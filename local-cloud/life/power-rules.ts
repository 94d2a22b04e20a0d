import type { ServerStatus } from "../model/rows";

export type PowerAction = "start" | "stop" | "shutdown" | "delete" | "open_vnc" | "open_console" | "close_vnc" | "close_console" | "clone" | "bulk_clone_start";

/** In which states an action is accepted (cloudsigma-api.md, sections 7.3 to 7.7 and 23). */
export const ALLOWED: Readonly<Record<PowerAction, readonly ServerStatus[]>> = {
  start: ["stopped"],
  stop: ["starting", "running", "paused", "unavailable"],
  shutdown: ["running"],
  delete: ["stopped"],
  open_vnc: ["running", "starting"],
  open_console: ["running", "starting"],
  close_vnc: ["stopped", "starting", "running", "stopping", "paused", "unavailable", "cloning"],
  close_console: ["stopped", "starting", "running", "stopping", "paused", "unavailable", "cloning"],
  clone: ["stopped", "starting", "running", "stopping", "paused"],
  bulk_clone_start: ["stopped", "starting", "running", "stopping", "paused"],
};

/** The service's own names of states, which its messages show instead of those of the API. */
export const internalState = (status: ServerStatus): string => (status === "running" ? "started" : status);

const WANTED: Partial<Record<PowerAction, string>> = { start: "stopped", stop: "started, running_legacy", shutdown: "started, running_legacy", delete: "stopped" };

/** The message of the refusal, or undefined when the action is allowed. */
export function refusal(action: PowerAction, status: ServerStatus, uuid: string): string | undefined {
  if (ALLOWED[action].includes(status)) return undefined;
  return `Cannot ${action} guest ${uuid} in state '${internalState(status)}'; it should be in state(s): ${WANTED[action] ?? ALLOWED[action].map(internalState).join(", ")}`;
}

/** What a server that was on its way at a crash does at the next start of the cloud. */
export function afterRestart(status: ServerStatus): "boot" | "stopped" | "settle clone" | "nothing" {
  if (status === "running" || status === "starting" || status === "unavailable" || status === "paused") return "boot";
  if (status === "stopping") return "stopped";
  return status === "cloning" ? "settle clone" : "nothing";
}
