import type { CheckResult } from "../../cloudsigma/provider/check";
import { lastLines } from "../../cloudsigma/provider/console";
import { awaitGreeting } from "../../cloudsigma/provider/greeting";
import { systemClock } from "../../cloudsigma/retry";
import { CloudError, isCloudError } from "../../errors";
import type { Openstack } from "../api";
import { serverNow } from "../nova";
import { configure, currentApi, forPeople, permittedLoss } from "./shared";

export interface MasterReadyInputs {
  readonly address: string;
  readonly port: number;
  readonly timeoutSeconds: number;
  readonly serverId: string;
  /** Id of the server that may be replaced. */
  readonly replace?: string;
}
export interface MasterReadyOutputs extends MasterReadyInputs {
  /** What ssh said. */
  readonly banner: string;
}

interface Server {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly fault?: { readonly message?: string; readonly details?: string };
}

const keys = ["address", "port", "timeoutSeconds", "serverId"] as const;
const LINES = 20;
/** On the way, or where it shall be; anything else means that it will never answer. */
const ALIVE = ["ACTIVE", "BUILD", "REBOOT", "HARD_REBOOT", "RESIZE", "VERIFY_RESIZE", "REBUILD"];

export async function waitForSsh(api: Openstack, i: MasterReadyInputs): Promise<string> {
  return awaitGreeting(i, {
    clock: systemClock,
    async watch() {
      const server = (await api.find<{ server: Server }>("compute", `/servers/${i.serverId}`))?.server;
      if (server === undefined) throw new CloudError("not-found", `server ${i.serverId} is gone while its ssh was awaited`);
      if (!ALIVE.includes(server.status)) throw new CloudError("wrong-state", `server ${server.name} (${server.id}) is ${server.status} while its ssh was awaited${server.fault?.message === undefined ? "" : `: ${server.fault.message}`}`);
    },
    tail: () => consoleTail(api, i.serverId),
  });
}

/** The console's last lines, or why they could not be had: it is part of an error, so it must not be one. */
async function consoleTail(api: Openstack, id: string): Promise<string> {
  try {
    const { output } = await api.post<{ output: string }>("compute", `/servers/${id}/action`, { "os-getConsoleOutput": { length: LINES * 2 } });
    const lines = lastLines(output, LINES, []);
    return lines.length === 0 ? "(the console is silent)" : lines.map((l) => `    ${l}`).join("\n");
  } catch (e) {
    return `(the console could not be read: ${e instanceof Error ? e.message.split("\n")[0] : String(e)})`;
  }
}

const made = (api: Openstack, i: MasterReadyInputs): Promise<MasterReadyOutputs> => waitForSsh(api, i).then((banner) => ({ ...i, banner }));

export { configure };
export const check = (_olds: unknown, news: MasterReadyInputs): Promise<CheckResult<MasterReadyInputs>> => Promise.resolve({ inputs: news, failures: [] });

/**
 * Before the engine deletes a server to replace it, it asks what depends on it: so a replacement that nobody permitted is refused here, also
 * one that the engine is ordered to make (`--replace`, a taint), of the server or of what it hangs on.
 */
export const diff = (_id: string, olds: MasterReadyInputs, news: MasterReadyInputs): Promise<{ changes: boolean }> =>
  forPeople(async () => {
    if (olds.serverId !== news.serverId && ![news.replace, permittedLoss()].includes(olds.serverId)) {
      const server = await serverNow(currentApi(), olds.serverId);
      if (server !== undefined)
        throw new CloudError("invalid", `the master's server ${server.name} (${server.id}) would be replaced, and with it goes the queue: all jobs, their history and users' files; nothing was done: go back to what was declared (or leave out --replace; pulumi state untaint takes a taint away), or, to lose all that once, set grid.master.replace to ${server.id}`);
    }
    return { changes: keys.some((k) => olds[k] !== news[k]) };
  });
export const create = (i: MasterReadyInputs): Promise<{ id: string; outs: MasterReadyOutputs }> => forPeople(async () => ({ id: `${i.serverId}@${i.address}:${i.port}`, outs: await made(currentApi(), i) }));
export const update = (_id: string, _olds: unknown, i: MasterReadyInputs): Promise<{ outs: MasterReadyOutputs }> => forPeople(async () => ({ outs: await made(currentApi(), i) }));
/** Nothing exists in the cloud: only a server that is gone takes it along. */
export const read = (id: string, props: MasterReadyOutputs): Promise<{ id: string; props: MasterReadyOutputs | Record<string, never> }> =>
  forPeople(async () => {
    try {
      await currentApi().get("compute", `/servers/${props.serverId}`);
      return { id, props };
    } catch (e) {
      if (isCloudError(e, "not-found")) return { id: "", props: {} };
      throw e;
    }
  });
const remove = (): Promise<void> => Promise.resolve();
export { remove as delete };
