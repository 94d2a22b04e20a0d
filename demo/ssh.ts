import { spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface SshTarget {
  readonly address: string;
  readonly port: number;
  readonly user: string;
  readonly privateKey: string;
}

/** A command on the master failed; says what the master said. */
export class RemoteError extends Error {
  constructor(command: string, readonly code: number | null, stderr: string) {
    super(`on the master, ${command.slice(0, 120)} ended with code ${code}: ${stderr.trim().split("\n").slice(-5).join("\n")}`);
    this.name = "RemoteError";
  }
}

/** One shared ssh connection to the master; the key lives in a folder that only this user reads, until `close`. */
export class Master {
  private readonly dir: string;
  private readonly options: readonly string[];
  private readonly streams = new Set<ChildProcess>();

  constructor(private readonly target: SshTarget, parentDir: string) {
    mkdirSync(parentDir, { recursive: true, mode: 0o700 });
    this.dir = mkdtempSync(join(parentDir, "ssh-"));
    writeFileSync(join(this.dir, "key"), target.privateKey.endsWith("\n") ? target.privateKey : `${target.privateKey}\n`, { mode: 0o600 });
    this.options = [
      "-F", "none", "-i", join(this.dir, "key"), "-p", String(target.port), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
      "-o", "StrictHostKeyChecking=accept-new", "-o", `UserKnownHostsFile=${join(this.dir, "known_hosts")}`, "-o", "LogLevel=ERROR",
      "-o", "ControlMaster=auto", "-o", `ControlPath=${join(this.dir, "c")}`, "-o", "ControlPersist=30", "-o", "ConnectTimeout=10",
      "-o", "ServerAliveInterval=10",
    ];
  }

  /** Runs a shell command there; `input` goes to its standard input. */
  run(command: string, input = "", limitMs = 120_000): Promise<string> {
    return new Promise((resolve, reject) => {
      const child = this.start(command);
      const timer = setTimeout(() => child.kill("SIGKILL"), limitMs);
      let stdout = "", stderr = "";
      child.stdout?.setEncoding("utf8").on("data", (t: string) => (stdout += t));
      child.stderr?.setEncoding("utf8").on("data", (t: string) => (stderr += t));
      child.on("error", (e) => reject(new Error(`cannot run ssh: ${e.message}`)));
      child.on("close", (code) => {
        clearTimeout(timer);
        if (code === 0) resolve(stdout);
        else reject(new RemoteError(command, code, stderr || stdout || "no answer in time"));
      });
      child.stdin?.on("error", () => undefined); // the command may end before it has read everything; its exit code tells
      child.stdin?.end(input);
    });
  }

  /** Follows a command's output line by line until the returned function is called. */
  follow(command: string, onLine: (line: string) => void): () => void {
    const child = this.start(command);
    child.stdin?.end();
    this.streams.add(child);
    let partial = "";
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      const lines = (partial + text).split("\n");
      partial = lines.pop() ?? "";
      lines.forEach(onLine);
    });
    child.on("close", () => this.streams.delete(child));
    child.on("error", () => this.streams.delete(child));
    return () => child.kill("SIGTERM");
  }

  async close(): Promise<void> {
    for (const child of this.streams) child.kill("SIGKILL");
    await new Promise<void>((done) => {
      const child = spawn("ssh", [...this.options, "-O", "exit", `${this.target.user}@${this.target.address}`], { stdio: "ignore" });
      child.on("close", () => done());
      child.on("error", () => done());
    });
    rmSync(this.dir, { recursive: true, force: true });
  }

  private start(command: string): ChildProcess {
    return spawn("ssh", [...this.options, `${this.target.user}@${this.target.address}`, "--", command], { stdio: ["pipe", "pipe", "pipe"] });
  }
}
