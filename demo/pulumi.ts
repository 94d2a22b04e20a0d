import { spawn } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { findOnPath } from "../tools/paths";
import { endLeftovers, pendingCreates } from "./leftovers";

export interface StackPlace {
  /** Folder with Pulumi.yaml. */
  readonly projectDir: string;
  /** State, passphrase and the working copy of the stack's configuration live here, never in the repository. */
  readonly stateDir: string;
  readonly stack: string;
  /** The documented configuration that the working copy starts from. */
  readonly configFile: string;
  /** The `pulumi` program. */
  readonly pulumi: string;
  readonly env: NodeJS.ProcessEnv;
}

export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly seconds: number;
}

/** The engine's diagnostics where there are any, without the outputs that follow; else its last lines. Long ones keep both ends. */
function whatItSaid(finished: Finished): string {
  const diagnostics = /^Diagnostics:\n([^]*?)(?=^(?:Outputs|Resources|Duration|Policies):|$(?![^]))/m.exec(finished.stdout)?.[1];
  if (diagnostics === undefined) return `${finished.stdout}\n${finished.stderr}`.trim().split("\n").slice(-40).join("\n");
  const lines = [...diagnostics.trimEnd().split("\n"), ...finished.stderr.trim().split("\n")].filter((l) => l !== "");
  return (lines.length <= 80 ? lines : [...lines.slice(0, 60), `  ... (${lines.length - 75} lines)`, ...lines.slice(-15)]).join("\n");
}

/** An engine command failed; the message ends with what the engine said last. */
export class PulumiError extends Error {
  constructor(readonly command: string, readonly finished: Finished) {
    super(`pulumi ${command} ended with code ${finished.code}:\n${whatItSaid(finished)}`);
    this.name = "PulumiError";
  }
}

/** In the environment of an engine and its plugins, and of nothing else: by it a later run knows them. */
const ENGINE_OF = "ELASTIGRID_ENGINE_OF";

const configName = (stack: string): string => `Pulumi.${stack}.yaml`;

/** The working copy of a session's configuration (`session.ts` says where its stacks live). */
export const workingConfigOf = (sessionDir: string, stack: string): string => join(sessionDir, "pulumi", configName(stack));

/** What one engine operation changed, by kind: `{ create: 12, same: 3 }`. */
export type ChangeSummary = Readonly<Record<string, number>>;

/**
 * One stack of an ordinary Pulumi project, driven by the real engine with a file back end of its own. The committed
 * configuration is copied once, because `pulumi config set` writes to it.
 */
export class Stack {
  readonly workingConfig: string;
  private readonly env: NodeJS.ProcessEnv;
  private readonly running = new Set<import("node:child_process").ChildProcess>();

  constructor(private readonly place: StackPlace) {
    this.workingConfig = join(place.stateDir, configName(place.stack));
    const passphrase = join(place.stateDir, "passphrase");
    mkdirSync(join(place.stateDir, "state"), { recursive: true, mode: 0o700 });
    if (!existsSync(passphrase)) writeFileSync(passphrase, randomBytes(24).toString("hex"), { mode: 0o600 });
    this.env = { ...place.env, PULUMI_BACKEND_URL: `file://${join(place.stateDir, "state")}`, PULUMI_CONFIG_PASSPHRASE_FILE: passphrase, [ENGINE_OF]: place.stateDir };
    delete this.env["PULUMI_CONFIG_PASSPHRASE"];
  }

  /**
   * Makes or selects the stack. It begins with the documented configuration, and only the salt of the encryption stays; with
   * `keepConfig` the working copy of an earlier run stays as it is.
   */
  async open(keepConfig = false): Promise<void> {
    await endLeftovers(`${ENGINE_OF}=${this.place.stateDir}`);
    const listed = await this.run(["stack", "ls", "--json"]);
    const names = (JSON.parse(listed.stdout || "[]") as { name: string }[]).map((s) => s.name);
    let salt = saltOf(this.workingConfig);
    if (names.includes(this.place.stack)) {
      // A lock that a killed engine left would stop every later command; nobody else uses this folder (see lock.ts).
      rmSync(join(this.place.stateDir, "state", ".pulumi", "locks"), { recursive: true, force: true });
    } else {
      salt = await this.init();
    }
    if (keepConfig && names.includes(this.place.stack) && existsSync(this.workingConfig)) return;
    copyFileSync(this.place.configFile, this.workingConfig);
    if (salt !== undefined) writeFileSync(this.workingConfig, `${salt}\n${readFileSync(this.workingConfig, "utf8")}`);
  }

  /** `stack init` writes a salt beside Pulumi.yaml: a stand-in of the project takes it, so that no committed file changes. */
  private async init(): Promise<string | undefined> {
    const standIn = join(this.place.stateDir, "init");
    rmSync(standIn, { recursive: true, force: true });
    mkdirSync(standIn);
    const name = /^name: .*$/m.exec(readFileSync(join(this.place.projectDir, "Pulumi.yaml"), "utf8"))?.[0] ?? "name: elastigrid";
    writeFileSync(join(standIn, "Pulumi.yaml"), `${name}\nruntime: nodejs\n`);
    await this.run(["stack", "init", this.place.stack, "--no-select"], undefined, standIn);
    return saltOf(join(standIn, `Pulumi.${this.place.stack}.yaml`));
  }

  setConfig = (path: string, value: string): Promise<Finished> =>
    this.run(["config", "set", "--path", path, value, ...this.stackFlags()]);

  async up(onLine?: (line: string) => void): Promise<{ seconds: number; changes: ChangeSummary }> {
    const done = await this.run(["up", "--yes", "--skip-preview", "--non-interactive", "--color", "never", ...this.stackFlags()], onLine);
    await this.forgetPending();
    return { seconds: done.seconds, changes: parseSummary(done.stdout) };
  }

  async preview(): Promise<{ seconds: number; changes: ChangeSummary }> {
    const done = await this.run(["preview", "--json", "--non-interactive", ...this.stackFlags()]);
    const summary = (JSON.parse(done.stdout) as { changeSummary?: ChangeSummary }).changeSummary ?? {};
    return { seconds: done.seconds, changes: summary };
  }

  async destroy(onLine?: (line: string) => void): Promise<{ seconds: number }> {
    await this.takePendingIn(onLine);
    return this.run(["destroy", "--yes", "--skip-preview", "--non-interactive", "--color", "never", ...this.stackFlags()], onLine);
  }

  /**
   * What a killed engine was making may exist without being in its state, and then no destroy would find it. Creating it
   * again finds it by its marks, or makes it; either way the state knows it afterwards.
   */
  private async takePendingIn(onLine: (line: string) => void = () => undefined): Promise<void> {
    const targets = pendingCreates(this.place.stateDir, this.place.stack).filter((urn) => /dynamic\/cloudsigma:(?!MasterReady)/.test(urn));
    try {
      if (targets.length > 0) await this.run(["up", "--yes", "--skip-preview", "--non-interactive", "--color", "never", ...targets.flatMap((t) => ["--target", t]), ...this.stackFlags()], onLine);
    } catch (e) {
      if (!(e instanceof PulumiError)) throw e;
      onLine(`what a killed run was making could not be taken in; look at the leak check. ${e.message}`);
      return; // the rest can still be destroyed
    }
    await this.forgetPending();
  }

  /** After a successful run nothing is pending, but the engine keeps records of creations until somebody clears them. */
  private async forgetPending(): Promise<void> {
    if (pendingCreates(this.place.stateDir, this.place.stack).length === 0) return;
    const state = JSON.parse(await this.exported()) as { deployment: { pending_operations?: unknown } };
    delete state.deployment.pending_operations;
    const file = join(this.place.stateDir, "without-pending.json");
    writeFileSync(file, JSON.stringify(state), { mode: 0o600 });
    await this.run(["stack", "import", "--file", file, "--stack", this.place.stack]);
    rmSync(file);
  }

  async outputs(): Promise<Record<string, unknown>> {
    return JSON.parse((await this.run(["stack", "output", "--json", "--show-secrets", "--stack", this.place.stack])).stdout) as Record<string, unknown>;
  }

  /** The deployment as the back end stores it: what the secret scan reads. */
  async exported(): Promise<string> {
    return (await this.run(["stack", "export", "--stack", this.place.stack])).stdout;
  }

  async resourceCount(): Promise<number> {
    const state = JSON.parse(await this.exported()) as { deployment?: { resources?: { type: string }[] } };
    return (state.deployment?.resources ?? []).filter((r) => r.type !== "pulumi:pulumi:Stack" && !r.type.startsWith("pulumi:providers:")).length;
  }

  /** Ends engine commands that still run; the engine finishes the step at hand and writes its state. Resolves when they have ended. */
  async interrupt(limitMs = 30_000): Promise<void> {
    for (const child of this.running) child.kill("SIGINT");
    for (const end = Date.now() + limitMs; this.running.size > 0 && Date.now() < end; ) await new Promise((r) => setTimeout(r, 50));
  }

  /** Engine commands that run now. */
  get pids(): number[] {
    return [...this.running].flatMap((child) => child.pid ?? []);
  }

  run(args: readonly string[], onLine?: (line: string) => void, cwd = this.place.projectDir): Promise<Finished> {
    const started = Date.now();
    return new Promise((resolve, reject) => {
      // When we are killed, the engine ends in good order by itself instead of working on for nobody. It gets Ctrl-C from
      // us only (hence detached): a second one would make it drop the step at hand.
      const argv = [...(findOnPath("setpriv") === undefined ? [] : ["setpriv", "--pdeathsig", "INT", "--"]), this.place.pulumi, ...args];
      const child = spawn(argv[0] ?? "", argv.slice(1), { cwd, env: this.env, stdio: ["ignore", "pipe", "pipe"], detached: true });
      this.running.add(child);
      let stdout = "", stderr = "", partial = "";
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        stdout += text;
        if (!onLine) return;
        const lines = (partial + text).split("\n");
        partial = lines.pop() ?? "";
        lines.forEach(onLine);
      });
      child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
      child.on("error", (e) => reject(new Error(`cannot run ${this.place.pulumi}: ${e.message}`)));
      child.on("close", (code) => {
        this.running.delete(child);
        const finished = { code: code ?? 1, stdout, stderr, seconds: (Date.now() - started) / 1000 };
        if (finished.code === 0) resolve(finished);
        else reject(new PulumiError(args.slice(0, 2).join(" "), finished));
      });
    });
  }

  private stackFlags(): string[] {
    return ["--stack", this.place.stack, "--config-file", this.workingConfig];
  }
}

const saltOf = (file: string): string | undefined => (existsSync(file) ? /^encryptionsalt: .*$/m.exec(readFileSync(file, "utf8"))?.[0] : undefined);

/** Reads the `Resources:` block that the engine prints at the end of `up`: `    + 12 created`, `    3 unchanged`. */
export function parseSummary(stdout: string): ChangeSummary {
  const words: Record<string, string> = { created: "create", updated: "update", replaced: "replace", deleted: "delete", unchanged: "same" };
  const summary: Record<string, number> = {};
  for (const [, count, word] of stdout.matchAll(/^\s+[+~\-+\s]*?(\d+) (created|updated|replaced|deleted|unchanged)\b/gm)) {
    const kind = words[word ?? ""];
    if (kind !== undefined) summary[kind] = Number(count);
  }
  return summary;
}

/** Whether an operation changed anything at all. */
export const isEmptyChange = (changes: ChangeSummary): boolean =>
  Object.entries(changes).every(([kind, count]) => kind === "same" || count === 0);
