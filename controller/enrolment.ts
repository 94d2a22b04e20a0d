import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { setTimeout as sleepReal } from "node:timers/promises";
import { workerHostname } from "../components/policy/names";
import { mintIdToken, workerIdentity, workerScopes } from "../components/policy/tokens";
import type { EnrolmentConfig } from "../components/config/controller-config";
import type { AdmissionGate } from "./gate";
import type { Clock, Journal, Pool } from "./ports";
import type { RunCommand } from "./run-command";

export interface EnrolmentParts {
  readonly config: EnrolmentConfig;
  readonly poolDomain: string;
  readonly poolKey: string;
  readonly pool: Pool;
  readonly gate: AdmissionGate;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly run: RunCommand;
  /** @default really */
  readonly sleep?: (ms: number) => Promise<unknown>;
  /** @default reads the lease file */
  readonly readLeases?: () => Promise<string>;
}

export type Verdict = { readonly admit: true; readonly id: string } | { readonly admit: false; readonly why: string };

/** The MAC that dnsmasq gave this address to; the newest line counts. */
export function macOfLease(leases: string, address: string): string | undefined {
  const rows = leases.split("\n").map((l) => l.trim().split(/\s+/)).filter((f) => f.length >= 3 && f[2] === address);
  return rows.at(-1)?.[1]?.toLowerCase();
}

/** The MAC in a line of `ip neigh`, unless the neighbour is not answering. */
export function macOfNeighbour(text: string): string | undefined {
  const line = text.split("\n").find((l) => /lladdr/.test(l) && !/FAILED|INCOMPLETE/.test(l));
  return line?.match(/lladdr ([0-9a-f:]{17})/i)?.[1]?.toLowerCase();
}

/** Whoever is known is known for so long without another look at the cloud. */
const CACHE_MS = 3_000;
/** Whoever is not known yet is looked for anew, all who ask meanwhile together, but no more often than this: a stranger must not use the API up. */
const LOOK_APART_MS = 500;
const SAY_AGAIN_MS = 60_000;

/**
 * Gives workers the token that lets them show themselves to the pool. Who asks is known by the cloud, not by what it says:
 * its address belongs to a MAC by DHCP, and the MAC to a server of the group by the cloud's API. All others get 403.
 */
export class Enrolment {
  private macs = new Map<string, string>();
  private lookedAtMs = Number.NEGATIVE_INFINITY;
  private look: Promise<void> | undefined;
  private readonly refusedAtMs = new Map<string, number>();
  private server: Server | undefined;

  constructor(private readonly parts: EnrolmentParts) {}

  async judge(address: string): Promise<Verdict> {
    const mac = await this.macOf(address);
    if (mac === undefined) return { admit: false, why: "no lease and no neighbour with this address" };
    const id = await this.memberByMac(mac);
    if (id === undefined) return { admit: false, why: `${mac} is no server of the group` };
    if (!this.parts.gate.admit(id)) return { admit: false, why: "this server is about to be removed" };
    return { admit: true, id };
  }

  async listen(): Promise<void> {
    const { config, journal, clock } = this.parts;
    const server = createServer((req, res) => {
      const address = (req.socket.remoteAddress ?? "").replace(/^::ffff:/, "");
      const answer = (status: number, text: string): void => void res.writeHead(status, { "content-type": "text/plain", connection: "close" }).end(text);
      if (req.method !== "GET" || req.url !== "/v1/enrol") return answer(404, "not found\n");
      this.judge(address).then(
        (v) => {
          if (v.admit) {
            journal.write("enrol", `token given to ${address}`, workerHostname(v.id));
            return answer(200, this.token());
          }
          const last = this.refusedAtMs.get(address);
          if (last === undefined || clock.monotonicMs() - last >= SAY_AGAIN_MS) {
            if (this.refusedAtMs.size > 1_000) this.refusedAtMs.clear();
            this.refusedAtMs.set(address, clock.monotonicMs());
            journal.write("enrol-refused", `${address}: ${v.why}`);
          }
          answer(403, "not a worker of this grid\n");
        },
        (e: unknown) => {
          journal.write("enrol-failed", `${address}: ${e instanceof Error ? e.message : String(e)}`);
          answer(503, "try again\n");
        },
      );
    });
    server.requestTimeout = 10_000;
    server.headersTimeout = 10_000;
    server.maxConnections = 200;
    this.server = server;
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(config.port, config.address, () => { server.off("error", reject); resolve(); });
    });
  }

  close(): void {
    this.server?.closeAllConnections();
    this.server?.close();
  }

  private token(): string {
    const { poolKey, poolDomain, clock } = this.parts;
    return `${mintIdToken({ poolKey, issuer: poolDomain, subject: workerIdentity(poolDomain), scopes: workerScopes, nowSeconds: Math.floor(clock.nowMs() / 1000), jti: randomUUID() })}\n`;
  }

  private async macOf(address: string): Promise<string | undefined> {
    if (!/^\d+\.\d+\.\d+\.\d+$/.test(address)) return undefined;
    const { leasesFile } = this.parts.config;
    const read = this.parts.readLeases ?? (leasesFile === undefined ? () => Promise.resolve("") : () => readFile(leasesFile, "utf8"));
    let leases = "";
    try {
      leases = await read();
    } catch (e) {
      if ((e as NodeJS.ErrnoException).code !== "ENOENT") throw e;
    }
    const leased = macOfLease(leases, address);
    if (leased !== undefined) return leased;
    const r = await this.parts.run("ip", ["neigh", "show", address], { timeoutMs: 5_000 });
    return r.code === 0 ? macOfNeighbour(r.stdout) : undefined;
  }

  private async memberByMac(mac: string): Promise<string | undefined> {
    const { clock } = this.parts;
    const ageMs = (): number => clock.monotonicMs() - this.lookedAtMs;
    if (this.macs.has(mac) && ageMs() < CACHE_MS) return this.macs.get(mac);
    // A worker that has just been made is not in a list that somebody else asked for a moment ago.
    if (this.look === undefined && ageMs() < LOOK_APART_MS) await (this.parts.sleep ?? sleepReal)(LOOK_APART_MS - ageMs());
    this.look ??= this.lookAtCloud().finally(() => (this.look = undefined));
    await this.look;
    return this.macs.get(mac);
  }

  private async lookAtCloud(): Promise<void> {
    const { pool, clock } = this.parts;
    const fromMs = clock.monotonicMs();
    const seen = await pool.observe();
    if (!seen.known) throw new Error(`the cloud does not answer: ${seen.reason}`);
    this.lookedAtMs = fromMs;
    this.macs = new Map(seen.value.members.flatMap((m) => m.macs.map((x) => [x.toLowerCase(), m.id] as const)));
  }
}
