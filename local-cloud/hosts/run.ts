import { spawn } from "node:child_process";

export interface RunOptions {
  readonly input?: string;
  readonly timeoutMs?: number;
  /** File descriptor for the command's standard input. */
  readonly stdinFd?: number;
}

/** Runs a short command; a failure names the command and what it wrote to standard error. */
export const run = (command: string, args: readonly string[], options: RunOptions = {}): Promise<string> =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: [options.stdinFd ?? "pipe", "pipe", "pipe"], timeout: options.timeoutMs ?? 60_000, killSignal: "SIGKILL" });
    const said = `${command} ${args.join(" ")}`;
    let stdout = "";
    let stderr = "";
    child.stdout?.on("data", (d: Buffer) => (stdout += d.toString()));
    child.stderr?.on("data", (d: Buffer) => (stderr += d.toString()));
    child.on("error", (e) => reject(new Error(`cannot run "${said}": ${e.message}`)));
    child.on("close", (code, signal) =>
      code === 0 ? resolve(stdout) : reject(new Error(`"${said}" ended with ${code ?? signal}: ${stderr.trim() || "no message"}`)),
    );
    child.stdin?.on("error", () => undefined); // the command's own exit says what went wrong
    child.stdin?.end(options.input ?? "");
  });

export const messageOf = (e: unknown): string => (e instanceof Error ? e.message : String(e));
