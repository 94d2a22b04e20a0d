import { spawn, type ChildProcess } from "node:child_process";
import { findOnPath } from "./paths";

export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** What it says, line by line, from both streams. */
  readonly onLine?: (line: string) => void;
  readonly timeoutMs: number;
}

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  /** The last 4000 characters. */
  readonly stderr: string;
}

const running = new Set<ChildProcess>();
let watching = false;

/** Ends what still runs when this process is told to end; on Linux the kernel does the same if it is killed. */
function endChildrenOnExit(): void {
  if (watching) return;
  watching = true;
  process.on("exit", () => running.forEach((child) => child.kill("SIGKILL")));
}

/** Runs a program to its end. Only a program that cannot be started, or is too slow, is an error; a bad exit code is a result. */
export function runCommand(command: string, args: readonly string[], options: CommandOptions): Promise<CommandResult> {
  endChildrenOnExit();
  const argv = findOnPath("setpriv") === undefined ? [command, ...args] : ["setpriv", "--pdeathsig", "KILL", "--", command, ...args];
  return new Promise((resolve, reject) => {
    if (findOnPath(command, options.env?.["PATH"]) === undefined && !command.includes("/")) {
      reject(new Error(`${command} is not on PATH`));
      return;
    }
    const child = spawn(argv[0] ?? command, argv.slice(1), { cwd: options.cwd, env: options.env, stdio: ["ignore", "pipe", "pipe"] });
    running.add(child);
    let stdout = "", stderr = "", late = false;
    const limit = setTimeout(() => {
      late = true;
      child.kill("SIGKILL");
    }, options.timeoutMs);
    const lines = lineSplitter(options.onLine);
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
      lines(text);
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr = (stderr + text).slice(-4000);
      lines(text);
    });
    const ended = (): void => {
      clearTimeout(limit);
      running.delete(child);
    };
    child.on("error", (e) => {
      ended();
      reject(new Error(`cannot run ${command}: ${e.message}`));
    });
    child.on("close", (code) => {
      ended();
      if (late) reject(new Error(`${command} ${args[0] ?? ""} did not end within ${options.timeoutMs / 1000} s`));
      else resolve({ code: code ?? 1, stdout, stderr });
    });
  });
}

/** The same, for programs whose failure ends the step; the error quotes what they said last. */
export async function mustRun(command: string, args: readonly string[], options: CommandOptions): Promise<string> {
  const { code, stdout, stderr } = await runCommand(command, args, options);
  if (code !== 0) throw new Error(`${command} ${args.slice(0, 3).join(" ")} ended with ${code}:\n${(stderr.trim() || stdout.trim()).split("\n").slice(-12).join("\n")}`);
  return stdout;
}

function lineSplitter(onLine: ((line: string) => void) | undefined): (text: string) => void {
  let partial = "";
  return (text) => {
    if (onLine === undefined) return;
    const lines = (partial + text).split("\n");
    partial = lines.pop() ?? "";
    lines.forEach(onLine);
  };
}
