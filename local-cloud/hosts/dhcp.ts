import { GATEWAY, NETMASK } from "./addresses";

/** The cloud's own DHCP: a fixed address per card, nothing for cards it does not know. Pure: packet in, packet out. */
export interface DhcpReply {
  readonly packet: Buffer;
  /** Where to: the client's own address when it has one, else everybody. */
  readonly to: string;
}

const COOKIE = 0x63825363;
const LEASE_SECONDS = 86_400;
const DISCOVER = 1, OFFER = 2, REQUEST = 3, ACK = 5, NAK = 6, INFORM = 8;

export function answerDhcp(request: Buffer, addressOf: (mac: string) => string | undefined): DhcpReply | undefined {
  if (request.length < 241 || request[0] !== 1 || request.readUInt32BE(236) !== COOKIE) return undefined;
  const mac = [...request.subarray(28, 34)].map((b) => b.toString(16).padStart(2, "0")).join(":");
  const address = addressOf(mac);
  if (address === undefined) return undefined;
  const options = readOptions(request);
  const server = options.get(54);
  if (server !== undefined && ipText(server) !== GATEWAY) return undefined;
  const kind = options.get(53)?.[0];
  const client = ipText(request.subarray(12, 16));
  if (kind === DISCOVER) return reply(request, OFFER, address, client);
  if (kind === INFORM) return reply(request, ACK, "0.0.0.0", client);
  if (kind !== REQUEST) return undefined;
  const wanted = options.get(50) ? ipText(options.get(50) as Buffer) : client;
  return wanted === address ? reply(request, ACK, address, client) : reply(request, NAK, "0.0.0.0", "0.0.0.0");
}

function reply(request: Buffer, kind: number, address: string, client: string): DhcpReply {
  const head = Buffer.alloc(240);
  head.set([2, 1, 6, 0]);
  request.copy(head, 4, 4, 8); // transaction
  request.copy(head, 10, 10, 12); // flags
  if (kind !== NAK) request.copy(head, 12, 12, 16);
  head.set(ipBytes(address), 16);
  head.set(ipBytes(GATEWAY), 20);
  request.copy(head, 28, 28, 44); // hardware address
  head.writeUInt32BE(COOKIE, 236);
  const lease = Buffer.alloc(4);
  lease.writeUInt32BE(LEASE_SECONDS);
  const options: Array<[number, readonly number[]]> = [[53, [kind]], [54, ipBytes(GATEWAY)]];
  if (kind !== NAK) options.push([51, [...lease]], [1, ipBytes(NETMASK)], [3, ipBytes(GATEWAY)]);
  const tail = Buffer.from([...options.flatMap(([code, data]) => [code, data.length, ...data]), 255]);
  const packet = Buffer.alloc(Math.max(300, head.length + tail.length));
  head.copy(packet);
  tail.copy(packet, head.length);
  return { packet, to: client === "0.0.0.0" ? "255.255.255.255" : client };
}

function readOptions(packet: Buffer): Map<number, Buffer> {
  const found = new Map<number, Buffer>();
  for (let i = 240; i < packet.length; ) {
    const code = packet[i] as number;
    if (code === 255) break;
    if (code === 0) {
      i++;
      continue;
    }
    const length = packet[i + 1] ?? 0;
    found.set(code, packet.subarray(i + 2, i + 2 + length));
    i += 2 + length;
  }
  return found;
}

const ipText = (b: Buffer): string => [...b.subarray(0, 4)].join(".");
const ipBytes = (ip: string): number[] => ip.split(".").map(Number);
