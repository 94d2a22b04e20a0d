import { pause, until } from "../support/chaos";
import type { Strike, StrikeKind } from "./judge";
import type { SoakWorld } from "./world";

export interface Durations {
  readonly scheddStoppedSeconds: number;
  readonly networkCutSeconds: number;
}

const BACK_MS = 180_000;

/** Carries out one strike and waits until what it did is over. Undefined where there was nobody to strike. */
export async function strike(kind: StrikeKind, world: SoakWorld, random: () => number, how: Durations): Promise<Strike | undefined> {
  const atMs = Date.now();
  const done = (what: string, worker?: string): Strike =>
    ({ kind, atMs, untilMs: Date.now(), what, ...(worker === undefined ? {} : { worker }) });
  const one = <T>(of: readonly T[]): T | undefined => of[Math.floor(random() * of.length)];
  const workers = async (): Promise<string[]> => (await world.status())?.workers.filter((w) => w.phase === "busy").map((w) => w.name) ?? [];
  const server = async (name: (n: string) => boolean) => (await world.servers()).find((s) => name(s.name));
  switch (kind) {
    case "controller": {
      const pid = await world.attempt(
        "pid=$(systemctl show -p MainPID --value elastigrid-controller.service); test $pid -gt 1 && kill -9 $pid && echo $pid",
      );
      if (pid === undefined) return undefined;
      await until("a controller again", BACK_MS, async () => (await world.status()) !== undefined);
      return done("killed the controller");
    }
    case "condor": {
      if (world.guests.signal("master", "condor_master", "SIGKILL") === 0) return undefined;
      await answering(world);
      return done("killed condor_master on the master");
    }
    case "schedd": {
      if (world.guests.signal("master", "condor_schedd", "SIGSTOP") === 0) return undefined;
      await pause(how.scheddStoppedSeconds * 1_000);
      world.guests.signal("master", "condor_schedd", "SIGCONT");
      await answering(world);
      return done(`stopped the schedd for ${how.scheddStoppedSeconds} s`);
    }
    case "master": {
      const master = await server((n) => /master/.test(n));
      if (master === undefined) return undefined;
      await world.api("POST", `servers/${master.uuid}/action/?do=stop`, {});
      await until("the master off", BACK_MS, async () => (await server((n) => n === master.name))?.status === "stopped");
      await pause(2_000);
      await world.api("POST", `servers/${master.uuid}/action/?do=start`, {});
      await world.reconnect();
      await answering(world);
      return done("switched the master's server off and on");
    }
    case "worker": case "startd": case "network": case "false-status": {
      const name = one(await workers());
      const uuid = name === undefined ? undefined : (await world.servers()).find((s) => s.uuid.startsWith(name.slice(2)))?.uuid;
      if (name === undefined || uuid === undefined) return undefined;
      const what = await onWorker(kind, name, uuid, world, random, how);
      return what === undefined ? undefined : done(what, name);
    }
  }
}

async function onWorker(
  kind: "worker" | "startd" | "network" | "false-status", name: string, uuid: string, world: SoakWorld, random: () => number,
  how: Durations,
): Promise<string | undefined> {
  switch (kind) {
    case "worker":
      await world.api("POST", `servers/${uuid}/action/?do=stop`, {});
      return "switched the worker's server off";
    case "startd":
      return world.guests.signal(name, "condor_startd", "SIGKILL") === 0 ? undefined : "killed its startd";
    case "network": {
      const seconds = Math.round(how.networkCutSeconds * (0.5 + random()));
      if (!(await world.guests.cut(name))) return undefined;
      await pause(seconds * 1_000);
      // Whoever was removed meanwhile has no network to heal; the judge sees what became of its jobs.
      const healed = await world.guests.heal(name).then(() => true, () => false);
      return `cut its network for ${seconds} s${healed ? "" : ", after which it was gone"}`;
    }
    case "false-status": {
      const reads = 1 + Math.floor(random() * 3), status = random() < 0.7 ? "stopped" : "unavailable";
      await world.api(
        "POST", "/_local/faults",
        { match: { method: "GET", path: "/servers/detail" }, at: 1, do: { wrongStatus: { uuid, status, reads } } },
      );
      await pause(10_000);
      return `let the cloud call it ${status} in ${reads === 1 ? "one answer" : `${reads} answers`}`;
    }
  }
}

/** The schedd answers and the controller has looked again. */
async function answering(world: SoakWorld): Promise<void> {
  await until("an answering schedd", BACK_MS, async () => (await world.attempt("condor_q -allusers -limit 1 >/dev/null")) !== undefined);
  await until("a controller that has looked", BACK_MS, async () => (await world.status())?.htcondor.known === true);
}
