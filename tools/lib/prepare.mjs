// Steps 1 and 2 of set-up: Node packages, and this checkout compiled. Each is skipped when nothing changed.
import { spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildInputsHash, packagesDiffer, prune, readStamp, writeStamp } from "./fresh.mjs";
import { bundle } from "./bundle.mjs";

class SetupError extends Error {
  constructor(message, advice) {
    super(message);
    this.advice = advice;
  }
}

/** Brings node_modules and dist. A second one at once waits for the first, and then finds nothing to do. */
export async function prepare(root, { force = false } = {}) {
  if (!force && isPrepared(root)) return;
  const lock = join(root, "dist", ".set-up.lock");
  if (process.env.ELASTIGRID_PREPARING !== lock) return await locked(lock, root, force);
  if (packagesDiffer(root) !== undefined) await step(1, "Node packages", () => installPackages(root));
  const inputs = buildInputsHash(root); // before the compiler reads: a change meanwhile makes the next run build again
  if (force || readStamp(root) !== inputs) await step(2, "compile and bundle", () => build(root, inputs, force));
}

const isPrepared = (root) => packagesDiffer(root) === undefined && readStamp(root) === buildInputsHash(root);

/** Runs the work in a child under flock(1): the kernel frees the lock however it ends, so none is ever stale. */
async function locked(lock, root, force) {
  mkdirSync(dirname(lock), { recursive: true });
  const self = [process.execPath, fileURLToPath(new URL("prepare-child.mjs", import.meta.url)), root, ...(force ? ["--force"] : [])];
  const env = { ...process.env, ELASTIGRID_PREPARING: lock };
  const BUSY = 75;
  let code = await run("flock", ["-F", "-n", "-E", String(BUSY), lock, ...self], { env });
  if (code === BUSY) {
    console.error("[set-up] another set-up of this checkout is at work; waiting for it (20 minutes at most)");
    code = await run("flock", ["-F", "-w", "1200", "-E", String(BUSY), lock, ...self], { env });
    if (code === BUSY) throw new SetupError("another set-up of this checkout still runs after 20 minutes", `end it, then run again (fuser ${lock} names it)`);
  }
  if (code === undefined) code = await run(self[0], self.slice(1), { env }); // no flock here: not Linux, nothing to guard with
  if (code !== 0) throw new SetupError("the steps above did not succeed", "Mend what they name, then run the same command again: it goes on from there.");
}

async function installPackages(root) {
  const why = packagesDiffer(root);
  console.error(`[set-up 1/5]   ${why}: npm ci`);
  // Development packages are needed here whatever NODE_ENV says. npm's own environment for scripts would mislead the inner npm.
  const env = Object.fromEntries(Object.entries(process.env).filter(([k]) => !/^npm_(?!config_(registry|cache|proxy|https_proxy|noproxy|userconfig|cafile))/i.test(k)));
  const code = await run("npm", ["ci", "--include=dev", "--no-audit", "--no-fund"], { cwd: root, env, stdio: ["ignore", 2, 2] });
  if (code === undefined) throw new SetupError("npm is missing", "It comes with Node: install it (Debian, Ubuntu: apt-get install -y npm) and run again.");
  if (code !== 0) throw new SetupError(`npm ci ended with ${code}`, "See its lines above; `npm ping` says whether the registry can be reached.");
}

async function build(root, inputs, force) {
  if (force) rmSync(join(root, "dist", ".tsbuildinfo"), { force: true });
  const code = await run(process.execPath, [join(root, "node_modules", "typescript", "bin", "tsc"), "-p", root, "--pretty", "false"], { cwd: root, stdio: ["ignore", 2, 2] });
  if (code !== 0) throw new SetupError(`the compiler ended with ${code}`, "Mend the errors above.");
  prune(root);
  if (existsSync(join(root, "cli", "main.ts"))) {
    await bundle(root);
    chmodSync(join(root, "dist", "cli", "main.js"), 0o755);
  }
  writeStamp(root, inputs);
}

/** One line when it begins, one with the time when it has ended, one every ten seconds between. */
async function step(number, title, work) {
  const started = Date.now();
  const seconds = () => ((Date.now() - started) / 1000).toFixed(1);
  console.error(`[set-up ${number}/5] ${title} ...`);
  const tick = setInterval(() => console.error(`[set-up ${number}/5] ${title}: still at it after ${seconds()} s`), 10_000);
  try {
    await work();
  } finally {
    clearInterval(tick);
  }
  console.error(`[set-up ${number}/5] ${title}: ${seconds()} s`);
}

/** The exit code; undefined when there is no such program. */
const run = (command, args, options) =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["ignore", 2, 2], ...options });
    const pass = (signal) => child.kill(signal);
    const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
    for (const s of signals) process.on(s, pass);
    const done = () => signals.forEach((s) => process.off(s, pass));
    child.on("error", (e) => (done(), e.code === "ENOENT" ? resolve(undefined) : reject(e)));
    child.on("close", (code, signal) => {
      done();
      if (signal !== null) reject(new SetupError(`${command} was ended by ${signal}`, "Run the same command again: it goes on from there."));
      else resolve(code);
    });
  });
