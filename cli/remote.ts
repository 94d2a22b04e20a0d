import { execFile, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
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
  if (file) return readFile(file);
  const engine = await findEngine(env);
  const args = ["stack", "output", "--json", "--show-secrets", "--non-interactive", ...(flags.stack ? ["--stack", flags.stack] : []), ...(flags.cwd ? ["--cwd", flags.cwd] : [])];
  const stdout = await new Promise<string>((resolve, reject) => {
    execFile(engine.program, args, { env: engine.env, timeout: 60_000, maxBuffer: 2 ** 24, encoding: "utf8" }, (error, out, err) => {
      if (error === null) return resolve(out);
      const said = err.trim().split("\n").slice(-3).join("\n").replace(/^error: /, "");
      reject(new Error(`which grid? The outputs of the stack cannot be read: ${said === "" ? error.message : said}\n${advice(env)}`));
    });
  });
  return JSON.parse(stdout);
}

function readFile(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch (e) {
    throw new Error(`ELASTIGRID_OUTPUTS names ${file}, which is not a file with \`pulumi stack output --json --show-secrets\`: ${e instanceof Error ? e.message : String(e)}`);
  }
}

function advice(env: NodeJS.ProcessEnv): string {
  const kept = keptOutputsFile(env);
  return existsSync(kept)
    ? `for the grid that \`npm start -- --keep\` left running: export ELASTIGRID_OUTPUTS=${kept}`
    : "name the stack with --stack and its project's folder with --cwd; the engine must be logged in to its state (`pulumi login`)";
}

/** Where \`npm start -- --keep\` leaves what these commands need. */
export const keptOutputsFile = (env: NodeJS.ProcessEnv): string => join(env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "elastigrid", "start", "outputs.json");

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
const QUIET_MS = 2_000;

/** ssh itself is silent until its time is up. */
function sayIfUnreached(o: MasterOutputs): void {
  const probe = connect({ host: o.address, port: o.port });
  const timer = setTimeout(() => {
    process.stderr.write(`elastigrid: the master at ${o.address}:${o.port} does not answer yet; trying for 15 s\n`);
    probe.destroy();
  }, 1_000);
  const end = (): void => (clearTimeout(timer), void probe.destroy());
  probe.on("data", end).on("error", end); // what is wrong, ssh will say
  timer.unref();
  probe.unref();
}

/** Pure: one line from what ssh said. */
export function whyUnreached(o: { readonly address: string; readonly port: number }, said: string, knownHosts: string): string {
  const where = `the master at ${o.address}:${o.port}`;
  if (/IDENTIFICATION HAS CHANGED|Host key verification failed/.test(said)) return `${where} shows another host key than before: if it was made anew, remove ${knownHosts}; if not, somebody else answers there`;
  if (/Permission denied/.test(said)) return `${where} refuses the stack's ssh key: is it the master of this stack?`;
  if (/closed by remote host|client_loop|Broken pipe|not responding/.test(said)) return `the connection to ${where} was lost: it may be gone, or boot again; nothing that was ordered before is lost`;
  const why = /^ssh: .*?: (?:port \d+: )?([^:\r\n]+)\r?$/m.exec(said)?.[1] ?? said.trim().split(/\r?\n/).at(-1);
  return `${where} cannot be reached by ssh${why === undefined || why === "" ? "" : ` (${why.trim()})`}: is it running, and may this computer connect (ssh.allowFrom)?`;
}

/** The master did not let us in; the message is one line. */
export class UnreachableError extends Error {}

/** Runs it on the master, with this terminal's input and output; answers its exit code. */
export async function runOnMaster(o: MasterOutputs, remote: readonly string[], terminal: boolean): Promise<number> {
  const cache = join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "elastigrid", "known-hosts");
  mkdirSync(cache, { recursive: true, mode: 0o700 });
  const dir = mkdtempSync(join(tmpdir(), "elastigrid-"));
  let said = "";
  try {
    const key = join(dir, "key");
    writeFileSync(key, o.privateKey.endsWith("\n") ? o.privateKey : `${o.privateKey}\n`, { mode: 0o600 });
    const knownHosts = join(cache, `${o.gridUid}-${o.masterId}`);
    const plan = planSsh(o, { key, knownHosts }, remote, terminal);
    const code = await new Promise<number>((resolve, reject) => {
      // ssh's own complaints become part of one message; with a terminal they cannot be told apart, so they stay.
      const child = spawn(plan.program, plan.args, { stdio: ["inherit", "inherit", terminal ? "inherit" : "pipe"] });
      const patience = setTimeout(() => void sayIfUnreached(o), QUIET_MS);
      child.stderr?.setEncoding("utf8").on("data", (text: string) => {
        clearTimeout(patience);
        said = (said + text).slice(-4_000);
        if (!/^(ssh: |@@@|Host key|Connection (timed out|closed|reset)|kex_|.*Permission denied \()/m.test(text)) process.stderr.write(text);
      });
      const pass = (signal: NodeJS.Signals): void => void child.kill(signal);
      process.on("SIGINT", pass).on("SIGTERM", pass);
      child.on("error", (e) => reject(new Error(`cannot run ssh: ${e.message}; install an ssh client (Debian: apt install openssh-client)`)));
      child.on("close", (code, signal) => {
        clearTimeout(patience);
        process.off("SIGINT", pass).off("SIGTERM", pass);
        resolve(code ?? (signal === "SIGINT" ? 130 : 1));
      });
    });
    if (code === SSH_FAILED) throw new UnreachableError(whyUnreached(o, said, knownHosts));
    return code;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
