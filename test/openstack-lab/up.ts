import { existsSync } from "node:fs";
import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { buildApplianceTree } from "../../images/build";
import { cacheFolder } from "../../local-cloud/cache";
import { applianceImage, manifestText } from "./appliance-image";
import { CLOUDS, writeClientFiles } from "./clients";
import type { LabSettings } from "./config-control";
import { ask, type LabStatus } from "./control";
import { stopLab } from "./down";
import { LOCKED, startNamespaces } from "./namespaces";
import type { Places } from "./places";
import { ensureTree, treePath } from "./tree";

export const DEFAULT_SETTINGS: LabSettings = { virt: "fake", evaluationSeconds: 10, heatReauthentication: "" };

const READY_SECONDS = 600;
const SOCKET_SECONDS = 20;
const LOOK_MS = 300;

/** Brings the lab up, or says that it is up; answers its status. The caller holds the command lock. */
export async function up(places: Places, wanted: Partial<LabSettings>, say: (line: string) => void, signal: AbortSignal): Promise<LabStatus> {
  const before = await ask<LabStatus>(places.socket, "GET", "/status");
  if (before?.phase === "failed" || before?.phase === "stopping") {
    say(`an earlier lab is ${before.phase}: ending it first`);
    await stopLab(places, true);
  } else if (before !== undefined) {
    refuseOtherSettings(before.settings, wanted);
    const status = await follow(places, before.phase === "ready" ? () => undefined : say, signal);
    await writeClientFiles(places);
    return status;
  }
  await mkdir(places.home, { recursive: true, mode: 0o700 });
  await ensureTree(places, say, signal);
  await rm(places.run, { recursive: true, force: true });
  await rm(places.logs, { recursive: true, force: true });
  await mkdir(places.state, { recursive: true, mode: 0o700 });
  await cp(pythonFolder(), join(places.run, "python"), { recursive: true });
  const settings = await rememberSettings(places, wanted);
  const appliance = applianceImage();
  await writeFile(places.imageFile, manifestText(appliance));
  if (settings.virt === "hosts") await buildApplianceTree({ cacheDir: cacheFolder(), progress: say, signal });
  const lab = await startNamespaces(places, { home: places.home, tree: treePath(places), settings, appliance });
  try {
    let code: number | undefined;
    lab.ended.then(
      (c) => (code = c),
      () => (code = -1),
    );
    for (const end = Date.now() + SOCKET_SECONDS * 1000; (await ask(places.socket, "GET", "/status")) === undefined; await sleep(LOOK_MS)) {
      if (code === LOCKED) throw new Error(`another lab, or what is left of one, uses ${places.home}: run "lab:openstack down" first`);
      if (code !== undefined) throw new Error(`the lab ended with ${code} before it answered: ${await tail(places.supervisorLog)}`);
      if (Date.now() > end) throw new Error(`the lab's supervisor did not answer within ${SOCKET_SECONDS} s: ${await tail(places.supervisorLog)}`);
    }
    const status = await follow(places, say, signal);
    await writeClientFiles(places);
    return status;
  } finally {
    lab.detach();
  }
}

/** Reports steps until the lab is ready; a failure ends what there is of it, and tells which service failed and what it said. */
async function follow(places: Places, say: (line: string) => void, signal: AbortSignal): Promise<LabStatus> {
  const told = new Set<number>();
  for (const end = Date.now() + READY_SECONDS * 1000; ; await sleep(LOOK_MS)) {
    if (signal.aborted) throw new Error('interrupted; the lab goes on starting: "lab:openstack status" looks, "down" ends it');
    const status = await ask<LabStatus>(places.socket, "GET", "/status");
    if (status === undefined) throw new Error(`the lab ended while starting: ${await tail(places.supervisorLog)}`);
    status.steps.forEach((step, i) => {
      if (step.state === "running" || told.has(i)) return;
      told.add(i);
      say(`[${((step.startedAtSeconds + (step.seconds ?? 0))).toFixed(1).padStart(5)} s] ${step.name}${step.state === "failed" ? ": FAILED" : ""} (${step.seconds} s)`);
    });
    if (status.phase === "ready") return status;
    if (status.phase === "failed" || Date.now() > end) {
      const why = status.error ?? `not ready after ${READY_SECONDS} s; still running: ${status.steps.filter((s) => s.state === "running").map((s) => s.name).join(", ")}`;
      await stopLab(places, true);
      throw new Error(why);
    }
  }
}

export function usageText(places: Places, status: LabStatus): string {
  return [
    `OpenStack is up (ready after ${status.readyAfterSeconds} s, nova's driver: ${status.settings.virt}).`,
    `  credentials   ${places.openrc}   ${places.openrcAdmin}`,
    `                ${places.cloudsYaml}   (clouds ${CLOUDS.join(", ")})`,
    "  The APIs live in a network namespace of the lab. Whatever talks to them runs inside it:",
    "    npm run -s lab:openstack -- exec -- COMMAND...     any command, with OS_CLIENT_CONFIG_FILE and OS_CLOUD set",
    "    npm run -s lab:openstack -- os server list         the lab's own openstack client (OS_CLOUD=elastigrid-lab-admin: as admin)",
    "    npm run -s lab:openstack -- smoke                  makes and deletes a stack and a server",
    "    npm run -s lab:openstack -- down                   ends it and forgets its state (--keep: keeps it)",
  ].join("\n");
}

/** Next to the sources: compiled code is not what Python runs. */
const pythonFolder = (): string => join(__dirname, "..", "..", "..", "test", "openstack-lab", "python");

async function rememberSettings(places: Places, wanted: Partial<LabSettings>): Promise<LabSettings> {
  const file = join(places.state, "settings.json");
  const earlier = existsSync(file) ? (JSON.parse(await readFile(file, "utf8")) as Partial<LabSettings>) : {};
  const settings = { ...DEFAULT_SETTINGS, ...earlier, ...wanted };
  await writeFile(file, JSON.stringify(settings) + "\n");
  return settings;
}

function refuseOtherSettings(running: LabSettings, wanted: Partial<LabSettings>): void {
  for (const key of Object.keys(wanted) as (keyof LabSettings)[]) {
    if (wanted[key] !== undefined && wanted[key] !== running[key]) {
      throw new Error(`the lab runs with ${key} "${running[key]}", not "${wanted[key]}": run "lab:openstack down --keep" first, then up again`);
    }
  }
}

const tail = async (file: string): Promise<string> => (existsSync(file) ? (await readFile(file, "utf8")).trim().split("\n").slice(-8).join("\n") || "no message" : "no log");
