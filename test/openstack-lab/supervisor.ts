import { readdirSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { createServer, type ServerResponse } from "node:http";
import { messageOf } from "../../local-cloud/hosts/run";
import { BringUp } from "./bring-up";
import type { LabMemory, LabStatus } from "./control";
import type { SupervisorConfig } from "./namespaces";
import { placesOf } from "./places";
import { Steps } from "./steps";

/**
 * The process that brings the lab up and keeps it up, inside the lab's namespaces. When it ends, however it ends, the
 * kernel ends everything in the namespaces with it.
 */
async function main(config: SupervisorConfig): Promise<void> {
  const places = placesOf(config.home);
  const steps = new Steps();
  const bringUp = new BringUp(places, config.tree, config.settings, config.appliance, steps);
  let phase: LabStatus["phase"] = "starting";
  let error: string | undefined;
  let readyAfterSeconds: number | undefined;

  const status = (): LabStatus => ({
    phase, error, readyAfterSeconds, elapsedSeconds: steps.elapsedSeconds, settings: config.settings, steps: steps.list,
    services: bringUp.keepers.map((k) => k.status),
  });
  const stop = async (keep: boolean): Promise<void> => {
    phase = "stopping";
    note(`asked to end, the state is to be ${keep ? "kept" : "forgotten"}`);
    // Data that shall be kept wants its services ended in order, the database last; the rest is the kernel's.
    if (keep) {
      await Promise.all(bringUp.keepers.filter((k) => !k.last).map((k) => k.stop()));
      for (const k of bringUp.keepers) if (k.last) await k.stop();
    }
  };

  await rm(places.socket, { force: true });
  const server = createServer((q, r) => {
    const route = `${q.method} ${q.url}`;
    if (route === "GET /status") answer(r, 200, status());
    else if (route === "GET /memory") answer(r, 200, memory());
    else if (route === "POST /stop?keep=yes" || route === "POST /stop?keep=no") {
      stop(route.endsWith("yes")).then(
        () => answer(r, 200, { stopped: true }, () => process.exit(0)),
        (e: unknown) => answer(r, 500, { error: messageOf(e) }),
      );
    } else answer(r, 404, { error: `no such request: ${route}` });
  });
  await new Promise<void>((resolve, reject) => {
    server.on("error", reject);
    server.listen(places.socket, resolve);
  });
  try {
    await bringUp.run();
    readyAfterSeconds = steps.elapsedSeconds;
    phase = "ready";
  } catch (e) {
    error = messageOf(e);
    phase = "failed";
    process.stderr.write(`${error}\n`);
  }
}

function answer(r: ServerResponse, status: number, body: unknown, then: () => void = () => undefined): void {
  r.writeHead(status, { "content-type": "application/json", connection: "close" });
  r.end(JSON.stringify(body), then);
}

/** Of all processes in the lab: this process namespace has no others. */
function memory(): LabMemory {
  const byName = new Map<string, number>();
  let processes = 0, rssKiB = 0, pssKiB = 0;
  for (const pid of readdirSync("/proc").filter((n) => /^\d+$/.test(n))) {
    try {
      const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
      const kib = (key: string): number => Number(new RegExp(`^${key}:\\s+(\\d+)`, "m").exec(rollup)?.[1] ?? 0);
      const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").join(" ").trim().split(" ");
      const name = (words.find((w, i) => i > 0 && w.startsWith("/") && !w.startsWith("--")) ?? words[0] ?? "?").split("/").pop() ?? "?";
      processes++;
      rssKiB += kib("Rss");
      pssKiB += kib("Pss");
      byName.set(name, (byName.get(name) ?? 0) + kib("Pss"));
    } catch (e) {
      const { code } = e as NodeJS.ErrnoException;
      if (code !== "ENOENT" && code !== "ESRCH") throw e; // ended meanwhile
    }
  }
  const mib = (kib: number): number => Math.round(kib / 1024);
  const largest = [...byName].sort((a, b) => b[1] - a[1]).slice(0, 8).map(([name, kib]) => ({ name, pssMiB: mib(kib) }));
  return { processes, rssMiB: mib(rssKiB), pssMiB: mib(pssKiB), largest };
}

/** A lab that is gone should have said why. */
const note = (text: string): void => void process.stderr.write(`${new Date().toISOString()} ${text}\n`);

for (const s of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(s, () => {
    note(`ended by ${s}`);
    process.exit(1);
  });
}
process.on("unhandledRejection", (e) => {
  process.stderr.write(`supervisor: ${messageOf(e)}\n`);
  process.exit(1);
});
void main(JSON.parse(process.argv[2] ?? "{}") as SupervisorConfig);
