import { execFile, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";

/** What the stack says about its master. */
export interface MasterOutputs {
  readonly gridUid: string;
  /** Changes with the master itself, and so with its host key; the stack may not tell. */
  readonly masterId: string;
  readonly address: string;
  readonly port: number;
  readonly user: string;
  readonly privateKey: string;
}

/** Reads the stack's outputs; the problem says which is missing. */
export function readOutputs(raw: unknown): MasterOutputs | string {
  const o = (typeof raw === "object" && raw !== null ? raw : {}) as Record<string, unknown>;
  const missing = ["masterAddress", "sshPort", "sshUser", "sshPrivateKey"].filter((k) => o[k] === undefined || o[k] === "");
  if (missing.length > 0) return `the stack has no ${missing.join(", ")} among its outputs: run \`pulumi up\` first`;
  const port = Number(o["sshPort"]);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) return `the stack's sshPort is ${String(o["sshPort"])}, not a port`;
  const address = String(o["masterAddress"]), user = String(o["sshUser"]);
  if (!/^[A-Za-z0-9][A-Za-z0-9.:-]*$/.test(address) || !/^[A-Za-z_][A-Za-z0-9_-]*$/.test(user)) return "the stack's masterAddress or sshUser is not one";
  const fileName = (value: unknown): string => String(value).replace(/[^A-Za-z0-9.-]/g, "_");
  return { gridUid: fileName(o["gridUid"] ?? address), masterId: fileName(o["masterId"] ?? "master"), address, port, user, privateKey: String(o["sshPrivateKey"]) };
}

/** One word for a POSIX shell. */
export const quote = (word: string): string => (/^[A-Za-z0-9_./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`);

export interface SshPlan {
  readonly program: "ssh";
  readonly args: readonly string[];
}

/**
 * The ssh call that runs `remote` on the master. No secret in it: the key is a file. A host key that was never seen is
 * accepted and kept, because the master makes its own at first boot; one that has changed is refused.
 */
export function planSsh(o: MasterOutputs, files: { key: string; knownHosts: string }, remote: readonly string[], terminal: boolean): SshPlan {
  const options = [
    "IdentitiesOnly=yes", "BatchMode=yes", "StrictHostKeyChecking=accept-new", `UserKnownHostsFile=${files.knownHosts}`, "LogLevel=ERROR", "ConnectTimeout=15", "ServerAliveInterval=15",
  ];
  return {
    program: "ssh",
    args: ["-F", "none", ...(terminal ? ["-t"] : ["-T"]), "-i", files.key, "-p", String(o.port), ...options.flatMap((x) => ["-o", x]), `${o.user}@${o.address}`, ...(remote.length > 0 ? ["--", remote.join(" ")] : [])],
  };
}

/** The same command for the master's own `elastigrid`, without what only finds the master. */
export function remoteCommand(argv: readonly string[]): readonly string[] {
  const out: string[] = [];
  for (let i = 0; i < argv.length; i += 1) {
    const a = argv[i]!;
    if (a === "--stack" || a === "--cwd") i += 1;
    else if (!a.startsWith("--stack=") && !a.startsWith("--cwd=")) out.push(a);
  }
  return ["elastigrid", ...out].map(quote);
}

/** Where the stack's outputs are, in the order they are looked for. */
export async function findOutputs(flags: { stack?: string; cwd?: string }, env: NodeJS.ProcessEnv): Promise<unknown> {
  const file = env["ELASTIGRID_OUTPUTS"];
  if (file) return JSON.parse(readFileSync(file, "utf8"));
  const engine = await findEngine(env);
  const args = ["stack", "output", "--json", "--show-secrets", "--non-interactive", ...(flags.stack ? ["--stack", flags.stack] : []), ...(flags.cwd ? ["--cwd", flags.cwd] : [])];
  const stdout = await new Promise<string>((resolve, reject) => {
    execFile(engine.program, args, { env: engine.env, timeout: 60_000, maxBuffer: 2 ** 24, encoding: "utf8" }, (error, out, err) => {
      if (error === null) return resolve(out);
      const said = err.trim().split("\n").slice(-3).join("\n");
      reject(new Error(`the stack's outputs cannot be read with \`pulumi stack output\`: ${said === "" ? error.message : said}\n(not on the master: name the stack with --stack and its project's folder with --cwd, or set ELASTIGRID_OUTPUTS)`));
    });
  });
  return JSON.parse(stdout);
}

/** The project's own engine where it was set up, else the one on PATH. */
async function findEngine(env: NodeJS.ProcessEnv): Promise<{ program: string; env: NodeJS.ProcessEnv }> {
  const module = join(__dirname, "..", "tools", "engine-env.js");
  try {
    const { engineEnvironment } = (await import(module)) as { engineEnvironment(): { available: boolean; pulumi?: string; env?: NodeJS.ProcessEnv } };
    const engine = engineEnvironment();
    if (engine.available && engine.pulumi !== undefined) return { program: engine.pulumi, env: { ...env, ...engine.env } };
  } catch (e) {
    if (!/ERR_MODULE_NOT_FOUND|MODULE_NOT_FOUND/.test((e as NodeJS.ErrnoException).code ?? "")) throw e;
  }
  return { program: "pulumi", env };
}

const SSH_FAILED = 255;

/** Runs it on the master, with this terminal's input and output; answers its exit code. */
export async function runOnMaster(o: MasterOutputs, remote: readonly string[], terminal: boolean): Promise<number> {
  const cache = join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "elastigrid", "known-hosts");
  mkdirSync(cache, { recursive: true, mode: 0o700 });
  const dir = mkdtempSync(join(tmpdir(), "elastigrid-"));
  try {
    const key = join(dir, "key");
    writeFileSync(key, o.privateKey.endsWith("\n") ? o.privateKey : `${o.privateKey}\n`, { mode: 0o600 });
    const knownHosts = join(cache, `${o.gridUid}-${o.masterId}`);
    const plan = planSsh(o, { key, knownHosts }, remote, terminal);
    const code = await new Promise<number>((resolve, reject) => {
      const child = spawn(plan.program, plan.args, { stdio: "inherit" });
      const pass = (signal: NodeJS.Signals): void => void child.kill(signal);
      process.on("SIGINT", pass).on("SIGTERM", pass);
      child.on("error", (e) => reject(new Error(`cannot run ssh: ${e.message}; install an ssh client (Debian: apt install openssh-client)`)));
      child.on("close", (code, signal) => {
        process.off("SIGINT", pass).off("SIGTERM", pass);
        resolve(code ?? (signal === "SIGINT" ? 130 : 1));
      });
    });
    if (code === SSH_FAILED) process.stderr.write(`elastigrid: the master at ${o.address}:${o.port} cannot be reached by ssh; if it was made anew and its host key is said to have changed, remove ${knownHosts}\n`);
    return code === SSH_FAILED ? 1 : code;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
