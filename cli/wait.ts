import type { GridStatus } from "../controller/status";
import { ControllerError } from "./ask";
import { describe, indented, workersTable } from "./tables";

export interface WaitParts {
  readonly workers: number;
  readonly timeoutSeconds: number;
  readonly status: () => Promise<GridStatus>;
  /** Has the controller create workers now where it holds back: what made it may have been mended. */
  readonly tryAgain: () => Promise<unknown>;
  readonly console: (worker: string) => Promise<{ text?: string; problem?: string }>;
  /** The last lines of the controller's own log, for when it does not answer. */
  readonly serviceLog: () => Promise<string>;
  readonly nowMs: () => number;
  readonly sleep: (ms: number) => Promise<void>;
  readonly print: (line: string) => void;
}

export interface WaitResult {
  readonly ok: boolean;
  readonly ready: number;
  readonly seconds: number;
  readonly problem?: string;
}

const inPool = (s: GridStatus): number => s.workers.filter((w) => w.phase === "idle" || w.phase === "busy" || w.phase === "draining").length;

/** Waits until so many workers are in the pool. When time is up it says what each of the others is doing. */
export async function waitForWorkers(p: WaitParts): Promise<WaitResult> {
  const from = p.nowMs();
  const seconds = (): number => Math.round((p.nowMs() - from) / 100) / 10;
  let last: GridStatus | undefined;
  let silent = "";
  let said = "";
  for (;;) {
    try {
      const first = last === undefined;
      last = await p.status();
      silent = "";
      if (first && last.createBlocked !== undefined) await p.tryAgain();
    } catch (e) {
      if (!(e instanceof ControllerError)) throw e;
      silent = e.message;
    }
    const ready = last === undefined || silent !== "" ? 0 : inPool(last);
    const line = progress(last, silent, ready, p.workers);
    if (line !== said) p.print(line);
    said = line;
    if (silent === "" && last !== undefined && last.passes > 0 && ready >= p.workers) return { ok: true, ready, seconds: seconds() };
    if (p.nowMs() - from >= p.timeoutSeconds * 1000) return { ok: false, ready, seconds: seconds(), problem: await explain(p, last, silent, ready) };
    await p.sleep(1_000);
  }
}

function progress(s: GridStatus | undefined, silent: string, ready: number, wanted: number): string {
  if (silent !== "") return "the controller does not answer yet";
  if (s === undefined || s.passes === 0) return "the controller has not looked at the grid yet";
  const counts = new Map<string, number>();
  for (const w of s.workers) counts.set(w.phase, (counts.get(w.phase) ?? 0) + 1);
  const kinds = [...counts].map(([phase, n]) => `${n} ${phase}`).join(", ");
  const trouble = !s.pool.known ? `; the cloud does not answer: ${s.pool.reason}` : !s.htcondor.known ? `; HTCondor does not answer: ${s.htcondor.reason}` : "";
  return `${ready} of ${wanted} workers in the pool${kinds === "" ? "" : ` (${kinds})`}${trouble}`;
}

async function explain(p: WaitParts, s: GridStatus | undefined, silent: string, ready: number): Promise<string> {
  const lines = [`${ready} of ${p.workers} workers joined within ${p.timeoutSeconds} s`];
  if (silent !== "") return [...lines, silent, await p.serviceLog()].join("\n");
  if (s === undefined) return lines.join("\n");
  if (!s.pool.known) lines.push(`the cloud does not answer: ${s.pool.reason}`);
  if (!s.htcondor.known) lines.push(`HTCondor does not answer: ${s.htcondor.reason}`);
  if (s.pool.closing !== undefined) lines.push(s.pool.closing);
  if (s.createBlocked !== undefined) lines.push(`no worker is created until ${s.createBlocked.until}: ${s.createBlocked.why}`);
  lines.push(workersTable(s.workers), "last decisions:", ...s.decisions.slice(-12).map((d) => `  ${indented(describe(d))}`));
  const missing = s.workers.filter((x) => x.phase === "booting" || x.phase === "joining").slice(0, 3);
  const consoles = await Promise.all(missing.map(async (w) => {
    const { text, problem } = await p.console(w.name).catch((e: unknown) => ({ text: undefined, problem: e instanceof Error ? e.message : String(e) }));
    return indented(text === undefined ? `console of ${w.name}: ${problem ?? "empty"}` : `console of ${w.name}, last lines:\n${text}`);
  }));
  return [...lines, ...consoles].join("\n");
}
