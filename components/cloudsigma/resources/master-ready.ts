import { z } from "zod";
import { CloudError, isCloudError } from "../../errors";
import { seconds, uuid, whole } from "../provider/check";
import { lastLines, listenTo, parseConsoleUrl } from "../provider/console";
import { awaitGreeting } from "../provider/greeting";
import type { Context } from "../provider/context";
import { same, verbs } from "../provider/verbs";
import type { ActionResult } from "../wire";

export interface MasterReadyInputs {
  readonly address: string;
  readonly port: number;
  readonly timeoutSeconds: number;
  readonly serverUuid: string;
  readonly triggers?: readonly string[];
}
export interface MasterReadyOutputs extends MasterReadyInputs {
  readonly banner: string;
}

/** On the way, or where it shall be; anything else means that it will never answer. */
const ALIVE = ["starting", "running", "unavailable"];
const LINES = 20;

/** The console's last lines, or why they could not be had: it is part of an error, so it must not be one. */
export async function consoleTail(ctx: Context, serverUuid: string): Promise<string> {
  try {
    const server = await ctx.client.get("servers", serverUuid);
    const opened = await ctx.client.action<ActionResult>("servers", serverUuid, "open_console");
    const at = parseConsoleUrl(opened.console_url ?? "");
    if (at === undefined) return `(the cloud gave no address of the serial console)`;
    const secret = server.vnc_password ?? "";
    try {
      const lines = lastLines(await listenTo({ ...at, say: `${secret}\n`, limitMs: 3_000 }), LINES, [secret]);
      return lines.length === 0 ? "(the serial console is silent)" : lines.map((l) => `    ${l}`).join("\n");
    } finally {
      await ctx.client.action("servers", serverUuid, "close_console");
    }
  } catch (e) {
    return `(the serial console could not be read: ${e instanceof Error ? e.message.split("\n")[0] : String(e)})`;
  }
}

/** Resolves to what ssh greets with. */
export const waitForSsh = (ctx: Context, i: MasterReadyInputs): Promise<string> =>
  awaitGreeting(i, {
    clock: ctx.client.clock,
    async watch() {
      const server = await ctx.client.find("servers", i.serverUuid);
      if (server === undefined) throw new CloudError("not-found", `server ${i.serverUuid} is gone while its ssh was awaited`);
      if (!ALIVE.includes(server.status)) throw new CloudError("wrong-state", `server ${server.name} (${server.uuid}) is ${server.status} while its ssh was awaited: it was switched off, or its boot failed`);
    },
    tail: () => consoleTail(ctx, i.serverUuid),
  });

const idOf = (i: MasterReadyInputs): string => `${i.serverUuid}@${i.address}:${i.port}`;

const v = verbs<MasterReadyInputs, MasterReadyOutputs>({
  schema: z.strictObject({
    address: z.string("must be text; give an address").min(1, "must not be empty; give an address"),
    port: whole(1, "(TCP port)").refine((p) => p <= 65_535, "is no TCP port; give 1 to 65535"),
    timeoutSeconds: seconds,
    serverUuid: uuid,
    triggers: z.array(z.string()).optional(),
  }),
  defaults: { port: 22, timeoutSeconds: 300 },
  secrets: [],
  replacing: [],
  deleteBeforeReplace: false,
  differences: (olds, news) => ({
    changed: (["address", "port", "serverUuid", "timeoutSeconds", "triggers"] as const).filter((k) => !same(olds[k], news[k])),
    replaces: [],
  }),
  create: async (ctx, i) => ({ id: idOf(i), outs: { ...i, banner: await waitForSsh(ctx, i) } }),
  // Nothing exists in the cloud: only a server that is gone takes it along.
  async read(ctx, id, props) {
    if (props.serverUuid === undefined) return undefined;
    try {
      await ctx.client.get("servers", props.serverUuid);
    } catch (e) {
      if (isCloudError(e, "not-found")) return undefined;
      throw e;
    }
    return { id, props: props as MasterReadyOutputs };
  },
  update: async (ctx, _id, _olds, i) => ({ ...i, banner: await waitForSsh(ctx, i) }),
  remove: () => Promise.resolve(),
});
export const { configure, check, diff, create, read, update } = v;
const { remove } = v;
export { remove as delete };
