import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { keptOutputsFile } from "../cli/remote";
import { endKeptCloud, keptCloud, keptLog, LocalCloudProcess } from "./cloud";
import { leakCheck, quietLine, runCourse, step, type Print } from "./course";
import { bringGrid, checkSettings, RefusedSettings } from "./grid-only";
import { isInLab, startInLab } from "./lab";
import { lockFolder } from "./lock";
import { workingConfigOf } from "./pulumi";
import { openLabSession, openSession, type Session } from "./session";
import { readSetting, type Setting } from "./settings";

/** Of the API, as stacks/Pulumi.local.yaml has it. */
const DOCUMENTED_PORT = 9931;

const HELP = `npm start: an elastic grid on a cloud of this computer's own, from nothing to nothing

  npm start                        set up, deploy, run the five checks, destroy, look for leaks
  npm start -- --cloud openstack   the same on a real OpenStack, brought up for the run (stacks/Pulumi.openstack.yaml)
  npm start -- --keep              the same, but leave the last grid running and say how to look around
  npm start -- --keep --grid-only  just the grid, without the checks, in under a minute; where one is kept, it is changed as it runs
           --set KEY=VALUE         with it: a key of elastigrid:grid, such as workers.max=5 (JSON where it parses, else text); may be
                                   repeated; what was set stays set for as long as the grid is kept
  npm start -- --down              destroy what --keep (or an interrupted run) left, and stop its cloud
  npm start -- --port N            local-cloud on another port than ${DOCUMENTED_PORT}

The last line of standard output is one JSON object; exit code 0 only if all five checks hold and nothing leaked, with --grid-only
if the grid is as it was ordered.
State and logs: $XDG_CACHE_HOME/elastigrid/start (default ~/.cache/elastigrid/start), start-openstack for OpenStack.
`;

const packageDir = resolve(__dirname, "..", "..");

interface Flags {
  readonly cloud: "cloudsigma" | "openstack";
  readonly keep: boolean;
  readonly down: boolean;
  readonly port: number;
  /** Only the grid, with these settings. */
  readonly gridOnly?: readonly Setting[];
}

/** The flags; a text where they are wrong, undefined where only help was wanted. */
function readFlags(argv: readonly string[]): Flags | string | undefined {
  let values;
  try {
    const options = {
      cloud: { type: "string" }, keep: { type: "boolean" }, down: { type: "boolean" }, help: { type: "boolean", short: "h" }, port: { type: "string" },
      "grid-only": { type: "boolean" }, set: { type: "string", multiple: true },
    } as const;
    values = parseArgs({ args: [...argv], options }).values;
  } catch (e) {
    return `${(e as Error).message}; see npm start -- --help`;
  }
  if (values.help === true) return undefined;
  const cloud = values.cloud ?? "cloudsigma";
  if (cloud !== "cloudsigma" && cloud !== "openstack") return `--cloud ${cloud}: the clouds are cloudsigma and openstack`;
  if (cloud === "openstack" && values.port !== undefined) return "--port is local-cloud's: the OpenStack lab has a network of its own";
  const port = Number(values.port ?? DOCUMENTED_PORT);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) return `--port ${values.port}: a port is a whole number from 1 to 65535`;
  const settings: Setting[] = [];
  for (const text of values.set ?? []) {
    const setting = readSetting(text);
    if (typeof setting === "string") return setting;
    settings.push(setting);
  }
  const gridOnly = values["grid-only"] === true;
  if (settings.length > 0 && !gridOnly) return "--set goes with --grid-only: the checks need the grid as it is documented";
  if (gridOnly && (values.keep !== true || values.down === true)) {
    return "--grid-only goes with --keep: a grid that is neither checked nor kept would be for nothing";
  }
  return { cloud, port, keep: values.keep === true, down: values.down === true, ...(gridOnly ? { gridOnly: settings } : {}) };
}

export async function main(argv: readonly string[]): Promise<number> {
  const flags = readFlags(argv);
  if (flags === undefined) return (process.stdout.write(HELP), 0);
  if (typeof flags === "string") return (process.stderr.write(`npm start: ${flags}\n`), 2);
  const startedMs = Date.now();
  const print: Print = (line) => void process.stderr.write(`[${((Date.now() - startedMs) / 1000).toFixed(0).padStart(4)} s] ${line}\n`);
  const cacheDir = join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "elastigrid");
  const stateDir = join(cacheDir, flags.cloud === "cloudsigma" ? "start" : "start-openstack");
  const outside = flags.cloud === "openstack" && !isInLab(process.env);
  let lock;
  try {
    lock = isInLab(process.env) ? undefined : await lockFolder(stateDir, "npm start");
  } catch (e) {
    return (process.stderr.write(`${(e as Error).message}\n`), 1);
  }
  try {
    if (outside) return await startInLab(argv, flags, { stateDir, print });
    if (flags.gridOnly === undefined) rmSync(keptOutputsFile(process.env), { force: true }); // of a grid that this run replaces or removes
    return flags.cloud === "openstack" ? await runOnLab(flags, stateDir, print, startedMs) : await runOnLocalCloud(flags, stateDir, print, startedMs);
  } catch (e) {
    if (e instanceof RefusedSettings) return (process.stderr.write(`npm start: refused, and nothing was changed:\n${e.message}\n`), 2);
    process.stderr.write(`npm start failed: ${(e as Error).message}\nThe next \`npm start\` goes on from here; \`npm start -- --down\` removes what is there.\n`);
    process.stdout.write(`${JSON.stringify({ cloud: flags.cloud, ok: false, error: (e as Error).message.split("\n")[0] })}\n`);
    return 1;
  } finally {
    await lock?.release();
  }
}

async function runOnLocalCloud(flags: Flags, stateDir: string, print: Print, startedMs: number): Promise<number> {
  const cloudDir = join(stateDir, "cloud"), configFile = join(packageDir, "stacks", "Pulumi.local.yaml");
  // A whole course begins with a cloud that ends with it: the kept one hands its state over.
  const running = flags.gridOnly !== undefined || flags.down ? LocalCloudProcess.attach(cloudDir) : undefined;
  const asItIs = running === undefined ? configFile : workingConfigOf(stateDir, "local");
  if (flags.gridOnly !== undefined) checkSettings(asItIs, flags.gridOnly);
  if (running === undefined) {
    const kept = keptCloud(cloudDir);
    if (kept !== undefined) print(`a cloud kept by an earlier run (process ${kept.pid}) hands over`);
    await endKeptCloud(cloudDir);
  }
  const place = { packageDir, stateDir, stack: "local", configFile, port: flags.port, keep: flags.keep, print, keepConfig: running !== undefined };
  const what = running === undefined ? "starting local-cloud" : `the cloud that is kept (process ${running.access.pid})`;
  const session = await step(print, what, () => openSession(place, running));
  const interrupted = onInterrupt(session, print);
  let kept = running !== undefined && flags.gridOnly !== undefined;
  try {
    const { endpoint } = session.cloud.access;
    if (!readFileSync(session.stack.workingConfig, "utf8").includes(endpoint)) await session.stack.setConfig("cloudsigma:endpoint", endpoint);
    if (flags.down) return await destroyOnly(session, print);
    const code = flags.gridOnly === undefined
      ? await runCourse(session, print, startedMs, { keep: flags.keep })
      : await bringGrid(session, configFile, flags.gridOnly, print);
    kept ||= flags.keep && code === 0;
    if (kept) tellKept(await writeOutputs(session), flags, session.cloud, stateDir);
    return code;
  } finally {
    interrupted();
    if (!kept) await (running === undefined ? session.cloud.stop() : endKeptCloud(cloudDir));
  }
}

/** Inside the lab's network namespace; the lab itself is brought up and taken down outside. */
async function runOnLab(flags: Flags, stateDir: string, print: Print, startedMs: number): Promise<number> {
  const configFile = join(packageDir, "stacks", "Pulumi.openstack.yaml");
  const session = await openLabSession({ packageDir, stateDir, stack: "openstack", configFile, print, keepConfig: flags.gridOnly !== undefined });
  // What was set belongs to a grid that is no more.
  if (flags.gridOnly !== undefined && (await session.stack.resourceCount()) === 0) await session.stack.open();
  const interrupted = onInterrupt(session, print);
  try {
    if (flags.down) return await destroyOnly(session, print);
    const noGuests = session.cloud.runsGuests ? undefined : "the lab's nova has the fake driver, under which no server boots (npm run -s lab:openstack -- down, then again)";
    if (noGuests !== undefined) await session.stack.setConfig("elastigrid:grid.bootstrap", "none");
    const code = flags.gridOnly === undefined
      ? await runCourse(session, print, startedMs, { keep: flags.keep, ...(noGuests === undefined ? {} : { noGuests }) })
      : await bringGrid(session, configFile, flags.gridOnly, print);
    if (flags.keep && code === 0) tellKept(await writeOutputs(session), flags);
    return code;
  } finally {
    interrupted();
    await session.cloud.stop();
  }
}

async function destroyOnly(session: Session, print: Print): Promise<number> {
  await step(print, "pulumi destroy", () => session.stack.destroy(quietLine(print)));
  return (await leakCheck(session, print)).leaks.length === 0 ? 0 : 1;
}

/** Ctrl-C ends the engine in good order first; a second one ends at once. */
function onInterrupt(session: Session, print: (line: string) => void): () => void {
  let count = 0;
  const handler = (): void => {
    count += 1;
    if (count > 1) process.exit(130);
    print("interrupted: ending; the next `npm start` goes on from here, `npm start -- --down` removes everything");
    // the engine still needs the cloud for the step at hand
    void session.stack.interrupt().then(() => session.cloud.stop()).finally(() => process.exit(130));
  };
  process.on("SIGINT", handler).on("SIGTERM", handler);
  return () => void process.off("SIGINT", handler).off("SIGTERM", handler);
}

/** What the command line program needs to find the master, its key included: for this user only. */
async function writeOutputs(session: Session): Promise<string> {
  const file = keptOutputsFile(process.env);
  writeFileSync(file, JSON.stringify(await session.stack.outputs()), { mode: 0o600 });
  return file;
}

function tellKept(outputsFile: string, flags: Flags, localCloud?: LocalCloudProcess, stateDir = ""): void {
  // The lab's addresses answer inside its network namespace only.
  const run = localCloud === undefined ? "npm run -s lab:openstack -- exec -- npx elastigrid" : "npx elastigrid";
  const api = localCloud === undefined ? "The OpenStack lab: npm run -s lab:openstack -- status" : `The API: ${localCloud.access.endpoint} (credentials in ${join(stateDir, "cloud", "credentials.json")}, log in ${keptLog(join(stateDir, "cloud"))})`;
  const cloud = flags.cloud === "openstack" ? "--cloud openstack " : "";
  process.stderr.write(`The grid is running. In this folder:
  export ELASTIGRID_OUTPUTS=${outputsFile}
  ${run} status            what it does and why
  ${run} scale 3           set the size by hand; scale --auto gives it back
  ${run} ssh               a shell on the master; there, \`su - grid\` and condor_submit
  ${run} --help            the rest
${api}
To change it as it runs: npm start -- ${cloud}--keep --grid-only --set workers.max=5   (docs/configuration.md has the keys)
To end it: npm start -- ${cloud}--down
`);
}
