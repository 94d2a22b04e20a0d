import { parseArgs } from "node:util";
import { ApiError } from "./api-error";
import { defaultStateDir } from "./cache";
import { faultProblem, LockedError, startLocalCloud, type FaultSpec, type LocalCloud } from "./index";

const HELP = `elastigrid local-cloud: a CloudSigma-compatible cloud on this computer, on loopback only

  --port N              port of the API (default 9931; 0: any free one)
  --backend hosts|none  what a server is: a real isolated Linux host (root, Linux), or only its states
                        (default: hosts where that can be, else none)
  --state DIR           folder of state and credentials (default ${defaultStateDir()})
  --reset               forget what the folder holds, credentials included
  --fault JSON          plant a fault, such as '{"match":{"method":"POST"},"at":3,"do":{"status":503}}'; may be repeated
  --publish PORTS       ports of public addresses that this computer reaches (default 22,2222,80,443)
  --exit-with-parent    end when standard input closes
  --json                one line of JSON on standard output when ready: endpoint, credentialsFile, pid
  --help                this text

The password is in credentials.json in the state folder. Ctrl-C stops it; servers that run then boot again at the next start.
`;

export interface CliOptions {
  readonly port: number;
  readonly backend: "hosts" | "none" | undefined;
  readonly stateDir: string;
  readonly reset: boolean;
  readonly faults: readonly FaultSpec[];
  readonly publishPorts: readonly number[] | undefined;
  readonly exitWithParent: boolean;
  readonly json: boolean;
}

/** A mistake of whoever called: one line and exit code 2. */
class UsageError extends Error {}

const portOf = (text: string, least: number): number => {
  const n = Number(text);
  if (!/^\d+$/.test(text) || n < least || n > 65_535) throw new UsageError(`${text} is not a port (${least} to 65535)`);
  return n;
};

export function readArguments(argv: readonly string[]): CliOptions | "help" {
  let values;
  try {
    ({ values } = parseArgs({
      args: [...argv],
      options: {
        port: { type: "string" }, backend: { type: "string" }, state: { type: "string" }, reset: { type: "boolean" }, fault: { type: "string", multiple: true }, publish: { type: "string" },
        "exit-with-parent": { type: "boolean" }, json: { type: "boolean" }, help: { type: "boolean", short: "h" },
      },
    }));
  } catch (e) {
    throw new UsageError((e instanceof Error ? e.message : String(e)).split("\n")[0]);
  }
  if (values.help) return "help";
  const { backend } = values;
  if (backend !== undefined && backend !== "hosts" && backend !== "none") throw new UsageError(`--backend is hosts or none, not ${backend}`);
  return {
    port: portOf(values.port ?? "9931", 0), backend, stateDir: values.state ?? defaultStateDir(), reset: values.reset ?? false, faults: (values.fault ?? []).map(readFault),
    publishPorts: values.publish?.split(",").map((p) => portOf(p.trim(), 1)), exitWithParent: values["exit-with-parent"] ?? false, json: values.json ?? false,
  };
}

function readFault(text: string): FaultSpec {
  let spec: unknown;
  try {
    spec = JSON.parse(text);
  } catch {
    throw new UsageError(`--fault needs JSON, not ${text}`);
  }
  const problem = faultProblem(spec);
  if (problem !== undefined) throw new UsageError(`--fault: ${problem}`);
  return spec as FaultSpec;
}

/** The back end that was asked for or that this computer can run, said aloud. */
async function chooseBackend(wanted: CliOptions["backend"], say: (text: string) => void): Promise<"hosts" | "none"> {
  if (wanted === "none") return "none";
  const { hostsProblem } = await import("./hosts/index.js");
  const problem = await hostsProblem();
  if (problem === undefined) {
    if (wanted === undefined) say("back end hosts: every server is a real Linux host on this computer");
    return "hosts";
  }
  if (wanted === "hosts") throw new UsageError(problem);
  say(`back end none, servers are only played: ${problem}`);
  return "none";
}

const say = (text: string): void => void process.stderr.write(`${text}\n`);

/** Runs until a signal (or the end of standard input, when told so). Resolves with the exit code. */
export async function localCloudCommand(argv: readonly string[]): Promise<number> {
  try {
    const options = readArguments(argv);
    if (options === "help") {
      process.stdout.write(HELP);
      return 0;
    }
    return await run(options);
  } catch (e) {
    const message = e instanceof Error ? e.message : String(e);
    const code = (e as NodeJS.ErrnoException).code;
    if (code === "EADDRINUSE") say(`local-cloud: port ${(e as { port?: number }).port ?? ""} is in use; choose another with --port, or stop what uses it`);
    else say(`local-cloud: ${message}`);
    if (!(e instanceof UsageError || e instanceof LockedError || e instanceof ApiError || code !== undefined)) say(e instanceof Error ? (e.stack ?? "") : "");
    return e instanceof UsageError ? 2 : 1;
  }
}

async function run(options: CliOptions): Promise<number> {
  // whoever read what we say may be gone: the cloud goes on
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);
  // listening for the end begins before the start: a signal during a long start is not lost
  const end = endOf(options.exitWithParent);
  const backend = await chooseBackend(options.backend, say);
  const starting = startLocalCloud({
    port: options.port, backend, stateDir: options.stateDir, reset: options.reset, faults: options.faults, log: say,
    ...(options.publishPorts === undefined ? {} : { publishPorts: options.publishPorts }),
  });
  let cloud: LocalCloud;
  try {
    cloud = await starting;
  } catch (e) {
    end.forget();
    throw e;
  }
  if (options.json) process.stdout.write(`${JSON.stringify({ endpoint: cloud.endpoint, credentialsFile: cloud.credentialsFile, pid: process.pid })}\n`);
  else process.stdout.write(`endpoint     ${cloud.endpoint}\ncredentials  ${cloud.credentialsFile}\n`);
  say("ready; Ctrl-C stops it");
  const why = await end.wait;
  say(`stopping (${why})`);
  await cloud.stop();
  end.forget();
  say("stopped");
  return 0;
}

function endOf(withParent: boolean): { wait: Promise<string>; forget: () => void } {
  const undo: (() => void)[] = [];
  const wait = new Promise<string>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      let before = 0;
      const on = (): void => {
        resolve(signal);
        if (before++ > 0) process.exit(1); // asked twice: what was made ends with this process
      };
      process.on(signal, on);
      undo.push(() => process.off(signal, on));
    }
    if (!withParent) return;
    const ended = (): void => resolve("standard input closed");
    process.stdin.on("end", ended).on("close", ended).on("error", ended);
    process.stdin.resume();
    undo.push(() => process.stdin.destroy());
  });
  return { wait, forget: () => undo.forEach((u) => u()) };
}
