import type { Master } from "./ssh";

export interface JobSpec {
  /** Also the name of the log in the submitter's home. */
  readonly name: string;
  readonly count: number;
  /** Shell text; `$INT(code)` is the number that the job must return as its exit code. */
  readonly script: string;
}

/** What the queue's history says of one finished job. */
export interface JobRecord {
  readonly ProcId: number;
  readonly ExitCode?: number;
  readonly NumJobStarts?: number;
  readonly JobStartDate?: number;
  readonly CompletionDate?: number;
  readonly QDate?: number;
  readonly LastRemoteHost?: string;
}

export interface JobOutcome {
  readonly jobs: number;
  /** Jobs with the one right exit code, each exactly once in the history. */
  readonly verified: number;
  /** Evictions in the job log (event 004) and starts beyond the first. */
  readonly evicted: number;
  readonly records: readonly JobRecord[];
}

/** The number that job `i` must return: differs from its neighbours', so a mixed-up or lost result shows. */
export const expectedCode = (process: number): number => (process * 7 + 3) % 251;

/** HTCondor's description of `count` jobs that return `expectedCode`; no file is transferred: only the exit code matters. */
export function submitDescription(spec: JobSpec): string {
  return [
    "universe = vanilla",
    "executable = /bin/sh",
    "transfer_executable = false",
    "should_transfer_files = NO",
    "initialdir = /tmp",
    "code = ($(Process) * 7 + 3) % 251",
    `arguments = "-c '${spec.script}'"`,
    `log = /home/grid/${spec.name}.log`,
    "output = /dev/null",
    "error = /dev/null",
    "request_cpus = 1",
    "request_memory = 32MB",
    "request_disk = 1MB",
    `batch_name = ${spec.name}`,
    `queue ${spec.count}`,
    "",
  ].join("\n");
}

export async function submit(master: Master, spec: JobSpec): Promise<number> {
  await master.run(`rm -f /home/grid/${spec.name}.log`);
  const said = await master.run("cd /tmp && runuser -u grid -- condor_submit -terse -", submitDescription(spec));
  const cluster = Number(/^(\d+)\.\d+/m.exec(said)?.[1]);
  if (!Number.isInteger(cluster)) throw new Error(`condor_submit gave no cluster number: ${said.trim()}`);
  return cluster;
}

/** Waits until every job of the log has left the queue; throws when that takes longer than the limit. */
export async function waitForJobs(master: Master, name: string, limitSeconds: number): Promise<void> {
  await master.run(`runuser -u grid -- condor_wait -wait ${limitSeconds} /home/grid/${name}.log`, "", (limitSeconds + 30) * 1000);
}

export async function outcome(master: Master, name: string, cluster: number, count: number): Promise<JobOutcome> {
  const attributes = "ProcId,ExitCode,NumJobStarts,JobStartDate,CompletionDate,QDate,LastRemoteHost";
  const text = await master.run(`condor_history -json -attributes ${attributes} -limit ${count + 10} ${cluster}`);
  const evictions = Number((await master.run(`grep -c '^004 ' /home/grid/${name}.log || true`)).trim());
  return judge(JSON.parse(text || "[]") as JobRecord[], evictions, count);
}

/** Compares history with what must have come out. */
export function judge(records: readonly JobRecord[], evictions: number, count: number): JobOutcome {
  const byProcess = new Map<number, JobRecord[]>();
  for (const r of records) byProcess.set(r.ProcId, [...(byProcess.get(r.ProcId) ?? []), r]);
  let verified = 0;
  for (let i = 0; i < count; i += 1) {
    const found = byProcess.get(i) ?? [];
    if (found.length === 1 && found[0]?.ExitCode === expectedCode(i)) verified += 1;
  }
  const restarts = records.reduce((sum, r) => sum + Math.max(0, (r.NumJobStarts ?? 1) - 1), 0);
  return { jobs: records.length, verified, evicted: Math.max(evictions, restarts), records };
}
