import { rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { join } from "node:path";
import { messageOf } from "../../local-cloud/hosts/run";
import { GuestKeeper, warn } from "./guest-keeper";
import type { Card } from "./guest-network";
import type { BootOrder, GuestsConfig } from "./guest-protocol";
import { placesOf } from "./places";

/** The process that holds the lab's guests; nova's driver gives it orders through its socket. */
async function main(config: GuestsConfig): Promise<void> {
  const keeper = new GuestKeeper(config);
  await keeper.open();
  const socket = join(placesOf(config.home).run, "guests.sock");
  await rm(socket, { force: true });
  const server = createServer((q, r) => {
    handle(keeper, q).then(
      (body) => answer(r, 200, body),
      (e: unknown) => {
        warn(`${q.method} ${q.url}: ${messageOf(e)}`);
        answer(r, e instanceof NoSuchRequest ? 404 : 500, { error: messageOf(e) });
      },
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.on("error", reject);
    server.listen(socket, resolve);
  });
}

class NoSuchRequest extends Error {}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

async function handle(keeper: GuestKeeper, q: IncomingMessage): Promise<unknown> {
  const url = new URL(q.url ?? "/", "http://lab");
  const [, kind, uuid = "", verb = "", device = ""] = url.pathname.split("/");
  const number = (name: string): number => Number(url.searchParams.get(name) ?? "0");
  const route = `${q.method} ${kind} ${verb}`.trim();
  if (kind === "servers" && uuid === "") return keeper.servers();
  if (kind !== "servers" || !UUID.test(uuid)) throw new NoSuchRequest(`no such request: ${q.method} ${q.url}`);
  switch (route) {
    case "POST servers plug":
      return keeper.prepare(uuid, (await body<{ cards: Card[] }>(q)).cards);
    case "POST servers boot":
      return keeper.boot(uuid, await body<BootOrder>(q));
    case "POST servers power":
      return keeper.press(uuid);
    case "POST servers unplug":
      return keeper.unplug(uuid);
    case "DELETE servers":
      return keeper.destroy(uuid);
    case "DELETE servers cards":
      return keeper.detach(uuid, device);
    case "GET servers console":
      return { text: (await keeper.console(uuid, number("bytes"))).toString("utf8") };
    default:
      throw new NoSuchRequest(`no such request: ${q.method} ${q.url}`);
  }
}

async function body<T>(q: IncomingMessage): Promise<T> {
  const parts: Buffer[] = [];
  for await (const part of q) parts.push(part as Buffer);
  return JSON.parse(Buffer.concat(parts).toString("utf8")) as T;
}

function answer(r: ServerResponse, status: number, result: unknown): void {
  const text = JSON.stringify(result ?? {});
  r.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(text), connection: "close" });
  r.end(text);
}

process.on("unhandledRejection", (e) => {
  warn(`guests: ${messageOf(e)}`);
  process.exit(1);
});
void main(JSON.parse(process.argv[2] ?? "{}") as GuestsConfig);
