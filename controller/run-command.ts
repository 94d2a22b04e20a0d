import { execFile } from "node:child_process";

export interface CommandResult {
  /** Exit code; -1 when it could not be started or was ended by a signal. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly timedOut: boolean;
}

/** Runs a program without a shell. Never rejects: how it failed is in the result. */
export type RunCommand = (program: string, args: readonly string[], options: { readonly timeoutMs: number; readonly input?: string }) => Promise<CommandResult>;

const MOST_OUTPUT_BYTES = 256 * 2 ** 20;

export const runCommand: RunCommand = (program, args, { timeoutMs, input }) =>
  new Promise((resolve) => {
    const child = execFile(program, [...args], { timeout: timeoutMs, killSignal: "SIGKILL", maxBuffer: MOST_OUTPUT_BYTES, encoding: "utf8" }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
      const timedOut = error !== null && error.killed === true;
      resolve({ code, stdout, stderr: stderr || (error !== null && code === -1 ? error.message : ""), timedOut });
    });
    child.stdin?.on("error", () => undefined); // it may end before it has read everything: its exit code says what matters
    child.stdin?.end(input ?? "");
  });

/** One line that says how a command failed. */
export function failureOf(program: string, r: CommandResult, timeoutMs: number): string | undefined {
  if (r.timedOut) return `${program}: no answer within ${timeoutMs / 1000} s`;
  if (r.code === 0) return undefined;
  const last = r.stderr.trim().split("\n").filter((l) => l.trim() !== "").slice(-2).join("; ");
  return `${program}: ${last === "" ? `exit code ${r.code}` : last}`;
}
