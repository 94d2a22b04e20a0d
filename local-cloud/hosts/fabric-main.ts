import type { Server } from "node:net";
import { SocketFolder, serveGateway, serveRelay } from "./relay";
import { GATEWAY } from "./addresses";
import { Guests } from "./guests";
import { FabricNetwork } from "./network";
import { apiSocket, onLines, type FabricConfig, type FabricLine, type GuestSpec, type RequestLine } from "./protocol";
import { messageOf } from "./run";

/**
 * The process inside the fabric's namespaces: holds bridges, relays and guests, and takes orders on standard input.
 * When that closes, the owner is gone: this process ends, and the kernel ends everything in the namespaces with it.
 */
const say = (line: FabricLine): void => void process.stdout.write(JSON.stringify(line) + "\n");
const log = (text: string): void => say({ event: "log", text });

async function main(config: FabricConfig): Promise<void> {
  process.stdin.on("end", () => process.exit(0));
  process.stdin.on("error", () => process.exit(0));
  process.stdout.on("error", () => process.exit(0));
  const folder = new SocketFolder(config.runDir);
  const network = new FabricNetwork(config.toolTree, log);
  await network.open();
  await serveRelay(folder);
  const guests = new Guests(network, config.toolTree, (uuid, reason) => say({ event: "exit", uuid, reason }));
  const gateways = new Map<number, Server>();
  const handle = async ({ op, args }: RequestLine): Promise<unknown> => {
    switch (op) {
      case "boot":
        await guests.boot(args as GuestSpec);
        return null;
      case "power":
        guests.power((args as { uuid: string }).uuid);
        return null;
      case "unplug":
        await guests.unplug((args as { uuid: string }).uuid);
        return null;
      case "gateway": {
        const { port } = args as { port: number };
        if (!gateways.has(port)) gateways.set(port, await serveGateway(folder, apiSocket(port), { host: GATEWAY, port }));
        return null;
      }
      case "closeGateway": {
        const { port } = args as { port: number };
        gateways.get(port)?.close();
        gateways.delete(port);
        return null;
      }
      case "running":
        return guests.running();
    }
  };
  onLines(process.stdin, (text) => {
    const line = JSON.parse(text) as RequestLine;
    handle(line).then(
      (result) => say({ id: line.id, result }),
      (e: unknown) => say({ id: line.id, error: messageOf(e) }),
    );
  });
  say({ event: "ready" });
}

process.on("unhandledRejection", (e) => {
  process.stderr.write(`fabric: ${messageOf(e)}\n`);
  process.exit(1);
});
void main(JSON.parse(process.argv[2] ?? "{}") as FabricConfig);
