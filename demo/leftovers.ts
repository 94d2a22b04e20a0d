import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const pause = (ms: number): Promise<void> => new Promise((r) => setTimeout(r, ms));

/** Processes (of this user) whose environment has this line: the engine and its plugins inherit their state's address. */
function withEnvironment(line: string): number[] {
  if (!existsSync("/proc/self/environ")) return []; // no Linux: the engine's own lock still protects the state
  return readdirSync("/proc").filter((entry) => {
    try {
      return /^\d+$/.test(entry) && Number(entry) !== process.pid && readFileSync(`/proc/${entry}/environ`, "utf8").split("\0").includes(line);
    } catch {
      return false; // it has ended, or is another user's
    }
  }).map(Number);
}

function signal(pids: readonly number[], name: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, name);
    } catch (e) {
      if ((e as NodeJS.ErrnoException).code !== "ESRCH") throw e;
    }
  }
}

/**
 * Ends what a killed run left at work on this state: an engine would write the state under our hands, and a plugin whose
 * engine was killed would wait for ever. First in good order, so that the engine records what it has made.
 */
export async function endLeftovers(environmentLine: string, graceMs = 30_000): Promise<number> {
  const found = withEnvironment(environmentLine);
  const engines = found.filter((pid) => /(^|\/)pulumi\0/.test(commandOf(pid)));
  const wait = async (): Promise<void> => {
    for (const end = Date.now() + graceMs / 2; Date.now() < end && engines.some((pid) => commandOf(pid) !== ""); ) await pause(100);
  };
  await wait(); // the end of their parent has told them already, and a second time would make them drop the step at hand
  signal(engines, "SIGINT");
  await wait();
  signal(withEnvironment(environmentLine), "SIGKILL");
  for (let i = 0; i < 50 && withEnvironment(environmentLine).length > 0; i += 1) await pause(100);
  return found.length;
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}

/** Resources that an engine was making when it was killed: they may exist without being in its state. */
export function pendingCreates(stateDir: string, stack: string): string[] {
  const stacks = join(stateDir, "state", ".pulumi", "stacks");
  if (!existsSync(stacks)) return [];
  return readdirSync(stacks).flatMap((project) => {
    const file = join(stacks, project, `${stack}.json`);
    if (!existsSync(file)) return [];
    type State = { checkpoint?: { latest?: { pending_operations?: { type: string; resource: { urn: string } }[] } } };
    const pending = (JSON.parse(readFileSync(file, "utf8")) as State).checkpoint?.latest?.pending_operations ?? [];
    return [...new Set(pending.filter((p) => p.type === "creating").map((p) => p.resource.urn))];
  });
}
