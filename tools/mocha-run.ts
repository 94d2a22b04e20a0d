import { spawn } from "node:child_process";
import { setPriority } from "node:os";
import { findOnPath, packageRoot } from "./paths";

/** How long tests may go on after the last one; more means that one left something running. */
export const LINGER_SECONDS = 30;

export interface CommandLine {
  readonly argv: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

export interface HowItEnded {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stopped: "limit" | "lingering" | "interrupted" | undefined;
}

export interface MochaRun {
  readonly limitSeconds: number;
  readonly testsEnded: () => boolean;
  /** All that it says comes here in one piece when it has ended, so that several can run side by side. */
  readonly print?: (text: string) => void;
  /** It leaves the processor to others that want it at the same time. */
  readonly yields: boolean;
}

/** Of the kernel's nice levels: with 10 it still gets a tenth of a core that another wants whole. */
const YIELDING = 10;

/** Runs mocha within limits. */
export function runMocha(command: CommandLine, { limitSeconds, testsEnded, print, yields }: MochaRun): Promise<HowItEnded> {
  const { env } = command;
  const argv = [...command.argv];
  if (findOnPath("setpriv") !== undefined) argv.unshift("setpriv", "--pdeathsig", "KILL", "--"); // ends with us, also when we are killed
  return new Promise((resolve, reject) => {
    const stream = print === undefined ? "inherit" : "pipe";
    const child = spawn(argv[0] ?? process.execPath, argv.slice(1), { cwd: packageRoot, env, stdio: ["ignore", stream, stream] });
    // What it starts inherits it. Only beside others: by itself it has nobody to yield to.
    if (yields && print !== undefined && child.pid !== undefined) setPriority(child.pid, YIELDING);
    let said = "";
    for (const stream of [child.stdout, child.stderr]) stream?.setEncoding("utf8").on("data", (text: string) => (said += text));
    let stopped: HowItEnded["stopped"], ticksSinceEnd = 0;
    const stop = (why: HowItEnded["stopped"]): void => {
      stopped ??= why;
      child.kill("SIGTERM");
      setTimeout(() => child.kill("SIGKILL"), 10_000).unref();
    };
    const limit = setTimeout(() => stop("limit"), limitSeconds * 1_000);
    const linger = setInterval(() => {
      if (testsEnded() && (ticksSinceEnd += 1) > LINGER_SECONDS) stop("lingering");
    }, 1_000);
    const pass = (signal: NodeJS.Signals): void => {
      stopped = "interrupted";
      // SIGINT lets mocha run the hooks that clean up. A terminal has sent it to the tests itself; a second one would cut them short.
      if (signal !== "SIGINT" || process.stdin.isTTY !== true) child.kill("SIGINT");
      setTimeout(() => child.kill("SIGKILL"), LINGER_SECONDS * 1_000).unref();
    };
    const signals: NodeJS.Signals[] = ["SIGINT", "SIGTERM"];
    signals.forEach((s) => process.on(s, pass));
    const done = (): void => {
      print?.(said);
      clearTimeout(limit);
      clearInterval(linger);
      signals.forEach((s) => process.off(s, pass));
    };
    child.on("error", (e) => (done(), reject(e)));
    child.on("close", (code, signal) => (done(), resolve({ code, signal, stopped })));
  });
}
