import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import type { ControllerConfig } from "../components/config/controller-config";
import { credentialStatus } from "./credential";
import { HtcondorQueue } from "./adapters/htcondor-queue";
import { Submissions } from "./adapters/submissions";
import { message } from "./act";
import { describeStatus } from "./describe";
import { Enrolment } from "./enrolment";
import { soleController } from "./sole";
import { AdmissionGate } from "./gate";
import { FileJournal } from "./journal";
import { Controller } from "./loop";
import { OverrideStore } from "./override";
import { Pace } from "./pace";
import { masterPaths, type MasterPaths } from "./paths";
import type { Clock, Pool, Queue } from "./ports";
import { openCloud } from "./open-cloud";
import { runCommand } from "./run-command";
import { setupProblems } from "./setup-problems";
import { serve, type ApiHandlers } from "./server";

const clock: Clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };
const SCRAMBLE = [0xde, 0xad, 0xbe, 0xef];
const SOON_MS = 1_000;
const LISTEN_AGAIN_MS = 5_000;
const MOST_JOBS_SHOWN = 100_000;

/** The pool key as text: the file is scrambled by an operation that undoes itself. */
const unscramble = (file: Buffer): string => Buffer.from(file.map((byte, i) => byte ^ SCRAMBLE[i % SCRAMBLE.length]!)).toString("utf8");

function readJson<T>(path: string, what: string): T {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as T;
  } catch (e) {
    throw new Error(`${what} (${path}) cannot be read: ${message(e)}; run \`pulumi up\`, which writes it`);
  }
}

/** Runs until it is told to stop. Everything it needs to know is in the files that `pulumi up` brought, in the cloud and in the queue. */
export async function runController(paths: MasterPaths = masterPaths()): Promise<void> {
  const pace = new Pace(SOON_MS);
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => pace.stop());
  const sole = await soleController(paths.lock, (line) => console.log(line), () => pace.stopped);
  if (sole === undefined) return;
  const config = readJson<ControllerConfig>(paths.config, "the controller's configuration");
  const credentials = readJson<Readonly<Record<string, string>>>(paths.credentials, "the cloud's credentials");
  const poolKey = unscramble(readFileSync(paths.poolKey));
  const problems = setupProblems({ controller: config, credentials, poolKey });
  if (problems.length > 0) throw new Error(`${paths.config} and what belongs to it cannot be used:\n  ${problems.join("\n  ")}\nrun \`pulumi up\`, which writes them; nothing was touched`);
  const { pool, alarms } = openCloud(config, credentials);
  const journal = new FileJournal(paths.journal, clock, (line) => console.log(line));
  const override = new OverrideStore(paths.override, config.workers, (what, why) => journal.write(what, why), config.addresses);
  const gate = new AdmissionGate();
  const queue = new HtcondorQueue({ run: runCommand });
  const controller = new Controller({ pool, queue, ...(alarms === undefined ? {} : { alarms }), gate, journal, clock, config, override, randomSuffix: () => randomBytes(3).toString("hex") });
  const handlers = makeHandlers(controller, config, credentials, override, journal, pool, queue, () => pace.hurry());
  const server = await serve(handlers, paths.socket);
  const enrolment = new Enrolment({ config: config.enrolment, poolDomain: config.poolDomain, poolKey, pool, gate, journal, clock, run: runCommand });
  journal.write("started", `watching ${config.gridName}: ${config.workers.min} to ${config.workers.max} workers, a look every ${config.scaling.intervalSeconds} s`);
  const { warning } = credentialStatus(credentials, clock.nowMs()) ?? {};
  if (warning !== undefined) journal.write("credential", warning);
  const listening = keepListening(enrolment, journal, pace);
  const submissions = new Submissions({ run: runCommand, submitted: () => pace.soon() });
  submissions.start();
  while (!pace.stopped) {
    const soon = await controller.pass();
    await pace.pause(soon ? Math.min(SOON_MS, config.scaling.intervalSeconds * 1000) : config.scaling.intervalSeconds * 1000);
  }
  submissions.stop();
  await listening;
  enrolment.close();
  server.closeAllConnections();
  server.close();
  sole.release();
}

/** The private address may appear after us. */
async function keepListening(enrolment: Enrolment, journal: FileJournal, pace: Pace): Promise<void> {
  for (let said = false; !pace.stopped; said = true) {
    try {
      return await enrolment.listen();
    } catch (e) {
      if (!said) journal.write("enrol-failed", `cannot listen for workers yet: ${message(e)}`);
      await new Promise((r) => setTimeout(r, LISTEN_AGAIN_MS).unref());
    }
  }
}

function makeHandlers(controller: Controller, config: ControllerConfig, credentials: Readonly<Record<string, string>>, override: OverrideStore, journal: FileJournal, pool: Pool, queue: Pick<Queue, "jobs">, hurry: () => void): ApiHandlers {
  const find = (name: string): { id: string; name: string } | string => {
    const all = controller.latest?.workers ?? [];
    const hits = all.filter((w) => w.name === name || w.id === name || w.member.name === name || w.machineName === name);
    if (hits.length === 1) return hits[0]!;
    return `no worker ${name}${all.length > 0 ? `; there are ${all.map((w) => w.name).join(", ")}` : "; there are none"}`;
  };
  const then = (problem: string | undefined): string | undefined => {
    if (problem === undefined) hurry();
    return problem;
  };
  return {
    status: () => describeStatus(controller, config, override.get(), journal, clock.nowMs(), credentialStatus(credentials, clock.nowMs())),
    jobs: async () => {
      const jobs = await queue.jobs(MOST_JOBS_SHOWN);
      return jobs.known ? { known: true, jobs: jobs.value, reasons: controller.latest?.demand.reasons ?? [] } : jobs;
    },
    journal: (count, after) => journal.tail(1_000).filter((e) => after === undefined || e.seq > after).slice(-count),
    console: async (name) => {
      const w = find(name);
      if (typeof w === "string") return { problem: w };
      if (pool.consoleTail === undefined) return { problem: "this cloud's API shows no console output" };
      return { text: (await pool.consoleTail(w.id)) ?? "(the cloud shows nothing)" };
    },
    scale: (order) => {
      const problem = override.scale(order);
      if (problem === undefined) controller.tryAgain();
      return then(problem);
    },
    drain: (name, now) => {
      const w = find(name);
      if (typeof w === "string") return w;
      override.drain(w.id, now, w.name);
      return then(undefined);
    },
    pin: (name, pinned) => {
      const w = find(name);
      if (typeof w === "string") return w;
      override.pin(w.id, pinned, w.name);
      return then(undefined);
    },
    pause: (paused) => {
      override.pause(paused);
      if (!paused) controller.tryAgain();
      hurry();
    },
    retry: () => {
      controller.tryAgain();
      hurry();
    },
  };
}
