import { GridSimulator } from "../world/grid-simulator";

export const PHASES = ["busy", "idle", "on its way", "leaving", "lost"] as const;
export type ShownPhase = (typeof PHASES)[number];

export interface Sample {
  readonly minute: number;
  readonly workers: Readonly<Record<ShownPhase, number>>;
  readonly waiting: number;
  readonly running: number;
}

export const MARKS = ["ordered", "closed", "taken back", "gone", "replaced"] as const;
export type Mark = (typeof MARKS)[number];

/** Something that befalls the grid, or a stretch of time in which it lasts. */
export interface Incident {
  readonly minute: number;
  readonly minutes?: number;
  readonly says: string;
}

export interface Day {
  readonly samples: readonly Sample[];
  readonly marks: readonly { readonly minute: number; readonly mark: Mark; readonly count: number }[];
  readonly incidents: readonly Incident[];
  readonly max: number;
  readonly min: number;
  readonly jobs: number;
  readonly startedOnce: number;
  readonly created: number;
  readonly longestWaitMinutes: number;
}

const MINUTE_MS = 60_000;
/** Jobs that arrive in each hour of the day: a working day, a batch in the evening, a quiet night. */
const PER_HOUR = [2, 0, 0, 1, 0, 2, 8, 24, 46, 60, 52, 38, 30, 48, 64, 58, 40, 22, 10, 6, 90, 4, 2, 1];

const MARK_OF: Readonly<Record<string, Mark>> = {
  grow: "ordered",
  fence: "closed",
  drain: "closed",
  "cancel-drain": "taken back",
  gone: "gone",
  replace: "replaced",
};
const SHOWN: Readonly<Record<string, ShownPhase>> = {
  busy: "busy",
  idle: "idle",
  booting: "on its way",
  joining: "on its way",
  draining: "leaving",
  drained: "leaving",
  removing: "leaving",
  lost: "lost",
};

/** Plays one day of a small grid, always the same, with what can happen to it. */
export async function playDay(): Promise<Day> {
  const min = 1,
    max = 8;
  const sim = new GridSimulator({
    seed: 20,
    min,
    max,
    vcpus: 2,
    scaling: { intervalSeconds: 10, idleSeconds: 600, cooldownSeconds: 120, joinTimeoutSeconds: 180, growStep: 4, shrinkStep: 2 },
  });
  sim.populate(1);
  const incidents: Incident[] = [];
  const minute = (): number => sim.time.ms / MINUTE_MS;
  const at = (hour: number, what: () => void): void => void sim.time.after(hour * 60 * MINUTE_MS, what);
  const happens = (says: string, minutes?: number): void =>
    void incidents.push({ minute: minute(), says, ...(minutes === undefined ? {} : { minutes }) });
  PER_HOUR.forEach((n, hour) => {
    for (let i = 0; i < n; i += 1)
      at(hour + (n > 80 ? 0.2 : sim.dice.next()), () => void sim.submit(1, { runsMs: sim.dice.between(3, 25) * MINUTE_MS }));
  });
  at(8.4, () => {
    const busy = [...sim.queue.startds.values()].find((d) => d.jobs.size > 0);
    if (busy !== undefined) sim.cloud.lies.say(busy.id, "stopped", { forMs: 15 * MINUTE_MS });
    happens("the cloud says for 15 minutes that a busy worker is off: its daemon is heard, so it is left alone", 15);
  });
  at(11, () => {
    sim.queue.down = true;
    happens("HTCondor does not answer for 40 minutes: nothing is taken away, nothing is ordered", 40);
    sim.time.after(40 * MINUTE_MS, () => void (sim.queue.down = false));
  });
  at(14.2, () => {
    const victim = [...sim.queue.startds.values()].find((d) => d.jobs.size > 0);
    if (victim !== undefined) sim.cloud.crash(victim.id);
    happens("a worker's host dies: its jobs run again elsewhere, and it is replaced");
  });
  at(16.2, () => {
    sim.cloud.version = 2;
    happens("a new image: one new worker first, then the old ones are drained a few at a time");
  });
  at(21.6, () => {
    sim.cloud.reachable = false;
    happens("the cloud does not answer for 30 minutes: nothing is done until it does", 30);
    sim.time.after(30 * MINUTE_MS, () => void (sim.cloud.reachable = true));
  });
  const samples: Sample[] = [];
  let longestWaitMinutes = 0;
  sim.onPass = () => {
    const { latest } = sim.controller;
    if (latest === undefined || minute() < samples.length * 2) return;
    const workers: Record<ShownPhase, number> = { busy: 0, idle: 0, "on its way": 0, leaving: 0, lost: 0 };
    for (const w of latest.workers) workers[SHOWN[w.phase] ?? "lost"] += 1;
    const open = sim.queue.openJobs();
    const waiting = open.filter((j) => j.on === undefined);
    for (const j of waiting)
      if (j.starts === 0) longestWaitMinutes = Math.max(longestWaitMinutes, (sim.time.nowMs() - j.queuedAtMs) / MINUTE_MS);
    samples.push({ minute: minute(), workers, waiting: waiting.length, running: open.length - waiting.length });
  };
  await sim.run(86_400, 15_000);
  const marks = sim.journal.flatMap((e) => {
    const mark = MARK_OF[e.what];
    return mark === undefined
      ? []
      : [{ minute: sim.time.minutesOf(e.at), mark, count: mark === "ordered" ? Number(/^\+(\d+)/.exec(e.why)?.[1] ?? 1) : 1 }];
  });
  const { jobs } = sim.queue;
  return {
    samples,
    marks,
    incidents,
    min,
    max,
    jobs: jobs.length,
    startedOnce: jobs.filter((j) => j.starts === 1).length,
    created: sim.cloud.made,
    longestWaitMinutes,
  };
}
