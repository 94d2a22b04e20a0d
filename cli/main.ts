#!/usr/bin/env node
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { DemandReason, QueueJob } from "../components/policy/demand";
import { runController } from "../controller/main";
import { masterPaths } from "../controller/paths";
import type { JournalEntry } from "../controller/ports";
import { runCommand } from "../controller/run-command";
import type { GridStatus, WorkerStatus } from "../controller/status";
import { parseCommandLine, wholeNumber, type Invocation } from "./args";
import { ask, askPatiently, ControllerError } from "./ask";
import { log, masterApply } from "./master-apply";
import { findOutputs, quote, readOutputs, remoteCommand, runOnMaster } from "./remote";
import { jobsTable, journalLine, statusScreen, warnings, workersTable } from "./tables";
import { waitForWorkers } from "./wait";

const OK = 0, FAILED = 1, USAGE = 2;
const paths = masterPaths();
const out = (text: string): void => void process.stdout.write(text.endsWith("\n") ? text : `${text}\n`);
const err = (text: string): void => void process.stderr.write(text.endsWith("\n") ? text : `${text}\n`);
const sleep = (ms: number): Promise<void> => new Promise((r) => setTimeout(r, ms));
const usage = (problem: string): number => {
  err(`elastigrid: ${problem}\n(elastigrid --help lists the commands)`);
  return USAGE;
};
const look = <T>(path: string): Promise<T> => ask<T>(paths.socket, "GET", path);
const get = <T>(path: string): Promise<T> => askPatiently<T>(paths.socket, "GET", path);
const post = (path: string, body: unknown): Promise<unknown> => askPatiently(paths.socket, "POST", path, body);

/** Runs one command line; answers the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  const parsed = parseCommandLine(argv);
  if (!parsed.ok) {
    if (parsed.help === undefined) return usage(parsed.problem ?? "?");
    out(parsed.help);
    return OK;
  }
  const { value } = parsed;
  try {
    if (value.command === "local-cloud") return await localCloud(value.positionals);
    if (value.command === "controller") {
      await runController(paths);
      return OK;
    }
    if (value.command === "master-apply") return await apply();
    if (value.flags["stack"] === undefined && existsSync(paths.config)) return await onMaster(value);
    return await elsewhere(value, argv);
  } catch (e) {
    const message = e instanceof Error ? e.message : String(e);
    if (value.flags["json"] === true) out(JSON.stringify({ ok: false, error: message }));
    err(`elastigrid: ${message}`);
    return FAILED;
  }
}

async function elsewhere(v: Invocation, argv: readonly string[]): Promise<number> {
  const problem = checkUse(v);
  if (problem !== undefined) return usage(problem);
  const text = (key: string): string | undefined => (typeof v.flags[key] === "string" ? (v.flags[key] as string) : undefined);
  const outputs = readOutputs(await findOutputs({ stack: text("stack"), cwd: text("cwd") }, process.env));
  if (typeof outputs === "string") throw new Error(outputs);
  if (v.command === "ssh") return runOnMaster(outputs, v.positionals.length > 1 ? v.positionals.map(quote) : v.positionals, v.positionals.length === 0 && process.stdin.isTTY === true);
  return runOnMaster(outputs, remoteCommand(argv), false);
}

/** Wrong use that can be known without the master. */
function checkUse(v: Invocation): string | undefined {
  if (v.command === "scale") {
    const body = scaleBody(v);
    return typeof body === "string" ? body : undefined;
  }
  if (v.command === "wait") {
    const n = wholeNumber(v.flags["workers"], "--workers");
    const t = wholeNumber(v.flags["timeout"] ?? "300", "--timeout", 1);
    return typeof n === "string" ? n : typeof t === "string" ? t : undefined;
  }
  if (v.command === "journal" && v.flags["n"] !== undefined) {
    const n = wholeNumber(v.flags["n"], "-n", 1);
    return typeof n === "string" ? n : undefined;
  }
  return undefined;
}

async function onMaster(v: Invocation): Promise<number> {
  const json = v.flags["json"] === true;
  const show = (value: unknown, text: () => string): number => {
    out(json ? JSON.stringify(value, undefined, 2) : text());
    return OK;
  };
  const problem = checkUse(v);
  if (problem !== undefined) return usage(problem);
  switch (v.command) {
    case "status": {
      const s = await get<GridStatus>("/status");
      return show(s, () => statusScreen(s, Date.now()));
    }
    case "workers": {
      const s = await get<GridStatus>("/status");
      return show(s.workers satisfies readonly WorkerStatus[], () => [...warnings(s, Date.now()).map((w) => `! ${w}`), workersTable(s.workers)].join("\n"));
    }
    case "jobs": {
      const q = await get<{ known: boolean; reason?: string; jobs?: QueueJob[]; reasons?: DemandReason[] }>("/jobs");
      if (!q.known) throw new Error(`HTCONDOR DOES NOT ANSWER (${q.reason ?? "?"})`);
      return show(q.jobs ?? [], () => jobsTable(q.jobs ?? [], q.reasons ?? [], Date.now(), v.flags["all"] === true));
    }
    case "journal": return journal(v, json);
    case "scale": {
      await post("/scale", scaleBody(v));
      return show({ ok: true }, () => "ordered; `elastigrid status` shows how far it is");
    }
    case "drain": {
      await post("/drain", { worker: v.positionals[0], now: v.flags["now"] === true });
      return show({ ok: true }, () => `ordered; ${v.flags["now"] === true ? "its jobs run again elsewhere" : "its jobs run to their end"}`);
    }
    case "pin":
    case "unpin": {
      await post("/pin", { worker: v.positionals[0], pinned: v.command === "pin" });
      return show({ ok: true }, () => (v.command === "pin" ? "pinned: no scaling and no renewal takes it until `elastigrid unpin`" : "unpinned"));
    }
    case "pause":
    case "resume": {
      await post(`/${v.command}`, {});
      return show({ ok: true }, () => (v.command === "pause" ? "paused: the size stays as it is until `elastigrid resume`" : "resumed"));
    }
    case "wait": return wait(v, json);
    case "ssh": return usage("this is the master already");
    default: throw new Error(`${v.command} is not for here`);
  }
}

function scaleBody(v: Invocation): object | string {
  const { min, max, auto } = v.flags;
  const [size] = v.positionals;
  if (auto === true) return size === undefined && min === undefined && max === undefined ? { auto: true } : "--auto goes alone";
  if (size !== undefined) {
    const n = wholeNumber(size, "the size");
    if (typeof n === "string") return n;
    return min === undefined && max === undefined ? { size: n } : "a size goes alone, without --min and --max";
  }
  if (min === undefined && max === undefined) return "usage: elastigrid scale N | scale --min A --max B | scale --auto";
  const body: { min?: number; max?: number } = {};
  for (const [key, value] of [["min", min], ["max", max]] as const) {
    if (value === undefined) continue;
    const n = wholeNumber(value, `--${key}`);
    if (typeof n === "string") return n;
    body[key] = n;
  }
  if (body.min !== undefined && body.max !== undefined && body.min > body.max) return `--min ${body.min} is above --max ${body.max}`;
  return body;
}

async function journal(v: Invocation, json: boolean): Promise<number> {
  const print = (entries: readonly JournalEntry[]): void => entries.forEach((e) => out(json ? JSON.stringify(e) : journalLine(e)));
  let entries = await get<JournalEntry[]>(`/journal?n=${String(v.flags["n"] ?? 50)}`);
  print(entries);
  let last = entries.at(-1)?.seq ?? 0;
  while (v.flags["follow"] === true) {
    await sleep(1_000);
    try {
      entries = await get<JournalEntry[]>(`/journal?n=1000&after=${last}`);
    } catch (e) {
      if (!(e instanceof ControllerError)) throw e;
      continue; // restarted by an update: its journal goes on
    }
    print(entries);
    last = entries.at(-1)?.seq ?? last;
  }
  return OK;
}

async function wait(v: Invocation, json: boolean): Promise<number> {
  const result = await waitForWorkers({
    workers: Number(v.flags["workers"]), timeoutSeconds: Number(v.flags["timeout"] ?? 300), nowMs: () => Date.now(), sleep, print: json ? err : out,
    status: () => look<GridStatus>("/status"), tryAgain: () => post("/retry", {}), console: (worker) => get(`/console?worker=${encodeURIComponent(worker)}`), serviceLog: () => log(runCommand, "elastigrid-controller.service"),
  });
  if (json) out(JSON.stringify(result));
  else if (result.ok) out(`${result.ready} workers in the pool after ${result.seconds} s`);
  if (!result.ok) err(`elastigrid: ${result.problem ?? "not enough workers"}`);
  return result.ok ? OK : FAILED;
}

async function apply(): Promise<number> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) chunks.push(chunk);
  await masterApply(Buffer.concat(chunks).toString("utf8"), {
    paths, run: runCommand, print: out, sleep, nowMs: () => Date.now(),
    controllerAnswers: () => look("/status").then(() => true, (e: unknown) => {
      if (e instanceof ControllerError) return false;
      throw e;
    }),
  });
  return OK;
}

/** Loaded by its path, not bundled: the master's program leaves it out. */
async function localCloud(args: readonly string[]): Promise<number> {
  const module = join(__dirname, "..", "local-cloud", "cli.js");
  if (!existsSync(module)) throw new Error("local-cloud is not part of the master's program: run it where the package is installed");
  const { localCloudCommand } = (await import(module)) as { localCloudCommand(args: readonly string[]): Promise<number | void> };
  return (await localCloudCommand(args)) ?? OK;
}

if (require.main === module) {
  main(process.argv.slice(2)).then(
    (code) => { process.exitCode = code; },
    (e: unknown) => {
      err(`elastigrid: ${e instanceof Error ? (e.stack ?? e.message) : String(e)}`);
      process.exitCode = FAILED;
    },
  );
}
