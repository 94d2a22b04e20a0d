#!/usr/bin/env node
import { mkdir } from "node:fs/promises";
import { parseArgs } from "node:util";
import { holdLock } from "../../images/file-lock";
import { messageOf } from "../../local-cloud/hosts/run";
import type { LabSettings } from "./config-control";
import { ask, type LabMemory, type LabStatus } from "./control";
import { down } from "./down";
import { execInLab, openstackClient, smoke } from "./enter";
import { labHome, placesOf, type Places } from "./places";
import { PUSH_EVERY_SECONDS, pushCpu } from "./push-cpu";
import { statusText } from "./status";
import { hasTree } from "./tree";
import { up, usageText } from "./up";

const OK = 0, FAILED = 1, USAGE = 2;
const COMMAND_LOCK_SECONDS = 1200;

const HELP = `npm run -s lab:openstack -- COMMAND

  up                   OpenStack (Zed, Debian 12's packages) in namespaces of its own; installs it into the cache the first time
     --guests                        servers really run: hosts on the appliance image (the same as --driver hosts; default --driver fake)
     --evaluation-seconds N          how often aodh looks at its alarms (default 10)
     --heat-reauthentication trusts  let heat carry out updates with its own trust (default: as packaged)
  status [--json]      what runs, since when, with how much memory; exit code 0 when the cloud is ready
  smoke                endpoints answer, a stack and a server come and go
  push-cpu STACK PERCENT SECONDS
                       says to gnocchi that the servers of a stack are so busy (for the fake driver: guests that run are measured)
     --every N                       a measure every 1, 5 (default) or 60 s; the alarm's granularity must be the same
  os ARGS...           the openstack client, as demo (OS_CLOUD=elastigrid-lab-admin: as admin)
  exec -- COMMAND...   a command of this computer in the lab's network namespace
  down                 ends it; nothing is left but the installed packages and the set-up databases in the cache
     --keep                          keeps the cloud's state for the next up
     --purge                         removes these too

Exit codes: 0 done, 1 failed, 2 wrong use; exec and os: those of the command.`;

const say = (line: string): void => void process.stderr.write(`${line}\n`);
const out = (text: string): void => void process.stdout.write(`${text}\n`);

async function main(argv: readonly string[]): Promise<number> {
  const [command, ...rest] = argv;
  if (command === undefined || command === "--help" || command === "help") {
    out(HELP);
    return command === undefined ? USAGE : OK;
  }
  const places = placesOf(labHome());
  switch (command) {
    case "up":
      return changing(places, (signal) => bringUp(places, rest, signal));
    case "down":
      return changing(places, () => takeDown(places, rest));
    case "status":
      return status(places, parse(rest, { json: { type: "boolean" } })["json"] === true);
    case "smoke":
      needRoot();
      return smoke(places);
    case "push-cpu":
      needRoot();
      return push(places, rest);
    case "os":
      needRoot();
      return openstackClient(places, rest);
    case "exec": {
      needRoot();
      const words = rest[0] === "--" ? rest.slice(1) : rest;
      if (words.length === 0) throw new UsageError("exec wants a command");
      return execInLab(places, words);
    }
    default:
      throw new UsageError(`no such command: ${command}`);
  }
}

class UsageError extends Error {}

type Options = NonNullable<NonNullable<Parameters<typeof parseArgs>[0]>["options"]>;

function parse(args: readonly string[], options: Options): Record<string, unknown> {
  try {
    return parseArgs({ args: [...args], options, strict: true }).values;
  } catch (e) {
    throw new UsageError(messageOf(e));
  }
}

function needRoot(): void {
  if (process.platform !== "linux") throw new Error("the OpenStack lab runs on Linux only");
  if (process.getuid?.() !== 0) throw new Error("the OpenStack lab needs root (it makes namespaces): run the same command as root");
}

/** Commands that change the lab run one after the other; Ctrl-C ends the waiting and the installing, not the lab. */
async function changing(places: Places, work: (signal: AbortSignal) => Promise<number>): Promise<number> {
  needRoot();
  const stop = new AbortController();
  for (const s of ["SIGINT", "SIGTERM"] as const) process.once(s, () => stop.abort());
  await mkdir(places.home, { recursive: true, mode: 0o700 });
  const waiting = setInterval(() => say("another lab command is running, waiting for it"), 10_000);
  const lock = await holdLock(places.commandLock, COMMAND_LOCK_SECONDS).finally(() => clearInterval(waiting));
  if (lock === undefined) throw new Error(`another lab command still runs after ${COMMAND_LOCK_SECONDS} s (lock ${places.commandLock})`);
  try {
    return await work(stop.signal);
  } finally {
    await lock.release();
  }
}

async function bringUp(places: Places, args: readonly string[], signal: AbortSignal): Promise<number> {
  const values = parse(args, { guests: { type: "boolean" }, driver: { type: "string" }, "evaluation-seconds": { type: "string" }, "heat-reauthentication": { type: "string" } });
  const seconds = values["evaluation-seconds"], reauthentication = values["heat-reauthentication"];
  const wanted: { -readonly [K in keyof LabSettings]?: LabSettings[K] } = {};
  const driver = values["driver"] ?? (values["guests"] === true ? "hosts" : undefined);
  if (driver !== undefined) {
    if ((driver !== "fake" && driver !== "hosts") || (values["guests"] === true && driver !== "hosts")) throw new UsageError('--driver is "fake" or "hosts" (and --guests means "hosts")');
    wanted.virt = driver;
  }
  if (seconds !== undefined) {
    wanted.evaluationSeconds = Number(seconds);
    if (!Number.isInteger(wanted.evaluationSeconds) || wanted.evaluationSeconds < 1) throw new UsageError("--evaluation-seconds wants a whole number, 1 or more");
  }
  if (reauthentication !== undefined) {
    if (reauthentication !== "trusts" && reauthentication !== "") throw new UsageError('--heat-reauthentication is "trusts" or ""');
    wanted.heatReauthentication = reauthentication;
  }
  out(usageText(places, await up(places, wanted, say, signal)));
  return OK;
}

async function push(places: Places, args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({ args: [...args], options: { every: { type: "string" } }, allowPositionals: true });
  const [group, percent, seconds] = positionals;
  const numbers = [percent, seconds, values.every ?? PUSH_EVERY_SECONDS].map(Number);
  if (group === undefined || positionals.length !== 3 || numbers.some((n) => !(n >= 0))) throw new UsageError("push-cpu wants STACK PERCENT SECONDS");
  const [p = 0, s = 0, every] = numbers;
  await pushCpu(places, group, p, s, every);
  return OK;
}

async function takeDown(places: Places, args: readonly string[]): Promise<number> {
  const values = parse(args, { keep: { type: "boolean" }, purge: { type: "boolean" } });
  if (values["keep"] === true && values["purge"] === true) throw new UsageError("--keep and --purge contradict each other");
  const started = Date.now();
  const visitors = await down(places, { keepState: values["keep"] === true, purge: values["purge"] === true });
  if (visitors.length > 0) say(`these commands keep the lab's network namespace alive until they end: ${visitors.join(", ")}`);
  out(`OpenStack is down (${((Date.now() - started) / 1000).toFixed(1)} s)`);
  return OK;
}

async function status(places: Places, json: boolean): Promise<number> {
  const lab = await ask<LabStatus>(places.socket, "GET", "/status");
  const memory = lab === undefined ? undefined : await ask<LabMemory>(places.socket, "GET", "/memory");
  out(json ? JSON.stringify({ up: lab?.phase === "ready", lab, memory }) : statusText(lab, memory, hasTree(places)));
  return lab?.phase === "ready" ? OK : FAILED;
}

main(process.argv.slice(2)).then(
  (code) => (process.exitCode = code),
  (e: unknown) => {
    say(e instanceof UsageError ? `lab:openstack: ${e.message}\n(lab:openstack help lists the commands)` : `lab:openstack: ${messageOf(e)}`);
    process.exitCode = e instanceof UsageError ? USAGE : FAILED;
  },
);
