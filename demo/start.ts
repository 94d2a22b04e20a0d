import { rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { keptOutputsFile } from "../cli/remote";
import { keptLog, type LocalCloudProcess } from "./cloud";
import { leakCheck, quietLine, runCourse, step, type Print } from "./course";
import { isInLab, startInLab } from "./lab";
import { lockFolder } from "./lock";
import { openLabSession, openSession, type Session } from "./session";

/** Of the API, as stacks/Pulumi.local.yaml has it. */
const DOCUMENTED_PORT = 9931;

const HELP = `npm start: an elastic grid on a cloud of this computer's own, from nothing to nothing

  npm start                        set up, deploy, run the five checks, destroy, look for leaks
  npm start -- --cloud openstack   the same on a real OpenStack, brought up for the run (stacks/Pulumi.openstack.yaml)
  npm start -- --keep              the same, but leave the last grid running and say how to look around
  npm start -- --down              destroy what --keep (or an interrupted run) left, and stop its cloud
  npm start -- --port N            local-cloud on another port than ${DOCUMENTED_PORT}

The last line of standard output is one JSON object; exit code 0 only if all five checks hold and nothing leaked.
State and logs: $XDG_CACHE_HOME/elastigrid/start (default ~/.cache/elastigrid/start), start-openstack for OpenStack.
`;

const packageDir = resolve(__dirname, "..", "..");

interface Flags {
  readonly cloud: "cloudsigma" | "openstack";
  readonly keep: boolean;
  readonly down: boolean;
  readonly port: number;
}

/** The flags; a text where they are wrong, undefined where only help was wanted. */
function readFlags(argv: readonly string[]): Flags | string | undefined {
  let values;
  try {
    const options = { cloud: { type: "string" }, keep: { type: "boolean" }, down: { type: "boolean" }, help: { type: "boolean", short: "h" }, port: { type: "string" } } as const;
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
  return { cloud, port, keep: values.keep === true, down: values.down === true };
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
    rmSync(keptOutputsFile(process.env), { force: true }); // of a grid that this run replaces or removes
    return flags.cloud === "openstack" ? await runOnLab(flags, stateDir, print, startedMs) : await runOnLocalCloud(flags, stateDir, print, startedMs);
  } catch (e) {
    process.stderr.write(`npm start failed: ${(e as Error).message}\nThe next \`npm start\` goes on from here; \`npm start -- --down\` removes what is there.\n`);
    process.stdout.write(`${JSON.stringify({ cloud: flags.cloud, ok: false, error: (e as Error).message.split("\n")[0] })}\n`);
    return 1;
  } finally {
    await lock?.release();
  }
}

async function runOnLocalCloud(flags: Flags, stateDir: string, print: Print, startedMs: number): Promise<number> {
  await endKeptCloud(stateDir, print);
  const session = await step(print, "starting local-cloud", () =>
    openSession({ packageDir, stateDir, stack: "local", configFile: join(packageDir, "stacks", "Pulumi.local.yaml"), port: flags.port, keep: flags.keep, print }));
  const interrupted = onInterrupt(session, print);
  let kept = false;
  try {
    if (flags.port !== DOCUMENTED_PORT) await session.stack.setConfig("cloudsigma:endpoint", session.cloud.access.endpoint);
    if (flags.down) return await destroyOnly(session, print);
    const code = await runCourse(session, print, startedMs, { keep: flags.keep });
    kept = flags.keep && code === 0;
    if (kept) tellKept(await writeOutputs(session), session.cloud, stateDir);
    return code;
  } finally {
    interrupted();
    if (!kept) await session.cloud.stop();
  }
}

/** Inside the lab's network namespace; the lab itself is brought up and taken down outside. */
async function runOnLab(flags: Flags, stateDir: string, print: Print, startedMs: number): Promise<number> {
  const session = await openLabSession({ packageDir, stateDir, stack: "openstack", configFile: join(packageDir, "stacks", "Pulumi.openstack.yaml"), print });
  const interrupted = onInterrupt(session, print);
  try {
    if (flags.down) return await destroyOnly(session, print);
    const noGuests = session.cloud.runsGuests ? undefined : "the lab's nova has the fake driver, under which no server boots (npm run -s lab:openstack -- down, then again)";
    if (noGuests !== undefined) await session.stack.setConfig("elastigrid:grid.bootstrap", "none");
    const code = await runCourse(session, print, startedMs, { keep: flags.keep, ...(noGuests === undefined ? {} : { noGuests }) });
    if (flags.keep && code === 0) tellKept(await writeOutputs(session));
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

function tellKept(outputsFile: string, localCloud?: LocalCloudProcess, stateDir = ""): void {
  // The lab's addresses answer inside its network namespace only.
  const run = localCloud === undefined ? "npm run -s lab:openstack -- exec -- npx elastigrid" : "npx elastigrid";
  const api = localCloud === undefined ? "The OpenStack lab: npm run -s lab:openstack -- status" : `The API: ${localCloud.access.endpoint} (credentials in ${join(stateDir, "cloud", "credentials.json")}, log in ${keptLog(join(stateDir, "cloud"))})`;
  process.stderr.write(`The grid is running. In this folder:
  export ELASTIGRID_OUTPUTS=${outputsFile}
  ${run} status            what it does and why
  ${run} scale 3           set the size by hand; scale --auto gives it back
  ${run} ssh               a shell on the master; there, \`su - grid\` and condor_submit
  ${run} --help            the rest
${api}
To end it: npm start -- ${localCloud === undefined ? "--cloud openstack " : ""}--down
`);
}

/** An earlier \`--keep\` left a cloud running: this run takes its state over, so that process must end first. */
async function endKeptCloud(stateDir: string, print: (line: string) => void): Promise<void> {
  const { keptCloud } = await import("./cloud.js");
  const kept = keptCloud(join(stateDir, "cloud"));
  if (kept === undefined) return;
  print(`a cloud kept by an earlier run (process ${kept.pid}) hands over`);
  process.kill(kept.pid, "SIGTERM");
  for (let i = 0; i < 300; i += 1) {
    await new Promise((r) => setTimeout(r, 200));
    if (keptCloud(join(stateDir, "cloud")) === undefined) return;
  }
  throw new Error(`the kept cloud (process ${kept.pid}) does not stop; end it by hand`);
}
