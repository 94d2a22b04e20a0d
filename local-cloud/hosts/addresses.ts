import { createHash } from "node:crypto";
import { createServer, type Server } from "node:net";

/** The network of the public cards inside the fabric, and the one loopback network per instance that stands for it outside. */
export const GATEWAY = "198.51.100.1";
export const PREFIX_LENGTH = 24;
export const NETMASK = "255.255.255.0";

/** Bound by every running instance on its own network, so that two never share one. */
const CLAIM_PORT = 6699;
const FIRST = 2;
const LAST = 250;

/** Public addresses of instance network `octet`, as the API shows them. */
export const addressesOf = (octet: number): string[] =>
  Array.from({ length: LAST - FIRST + 1 }, (_, i) => `127.66.${octet}.${FIRST + i}`);

/** What the guest's card gets for an address that the API shows. */
export const guestAddress = (publicAddress: string): string => {
  const m = /^127\.66\.\d{1,3}\.(\d{1,3})$/.exec(publicAddress);
  const last = Number(m?.[1] ?? NaN);
  if (!(last >= FIRST && last <= LAST)) throw new Error(`${publicAddress} is not a public address of this cloud (127.66.N.${FIRST} to .${LAST})`);
  return `198.51.100.${last}`;
};

export interface NetworkClaim {
  readonly octet: number;
  release(): Promise<void>;
}

/** Finds a loopback network no other instance uses, beginning with the one of the last run, and holds it. */
export async function claimNetwork(instance: string, preferred?: number): Promise<NetworkClaim> {
  const start = createHash("sha256").update(instance).digest().readUInt16BE(0);
  const candidates = [...(preferred === undefined ? [] : [preferred]), ...Array.from({ length: 254 }, (_, i) => ((start + i) % 254) + 1)];
  for (const octet of candidates) {
    const server = await tryListen(`127.66.${octet}.1`, CLAIM_PORT);
    if (server !== undefined) return { octet, release: () => new Promise((done) => server.close(() => done())) };
  }
  throw new Error(`no free loopback network: port ${CLAIM_PORT} is taken on all of 127.66.1.1 to 127.66.254.1`);
}

const tryListen = (host: string, port: number): Promise<Server | undefined> =>
  new Promise((resolve, reject) => {
    const server = createServer((s) => s.destroy());
    server.once("error", (e: NodeJS.ErrnoException) => (e.code === "EADDRINUSE" ? resolve(undefined) : reject(e)));
    server.listen({ host, port }, () => {
      server.unref();
      resolve(server);
    });
  });
