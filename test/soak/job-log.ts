/** One event of HTCondor's user log (`condor_submit`'s `log`), as far as starts and ends of jobs are concerned. */
export interface JobEvent {
  /**
   * HTCondor's number: 000 submitted, 001 executing, 004 evicted, 005 terminated, 007 shadow exception, 009 aborted, 012 held, 022 to 024
   * reconnection.
   */
  readonly code: number;
  /** Cluster and process, such as `17.0`. */
  readonly job: string;
  readonly atMs: number;
  /** Short name of the worker, where the event says it. */
  readonly worker?: string;
  /** Of a job that ended by itself. */
  readonly exitCode?: number;
  readonly text: string;
}

const HEADER = /^(\d{3}) \((\d+)\.(\d+)\.\d+\) (\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d) (.*)$/;

/** Reads a whole log; an event whose end has not been written yet is left out. The guests' clocks are in UTC. */
export function parseJobLog(text: string): JobEvent[] {
  return text.split(/^\.\.\.$/m).slice(0, -1).flatMap((block): JobEvent[] => {
    const [first = "", ...rest] = block.replace(/^\n+/, "").split("\n");
    const header = HEADER.exec(first);
    if (header === null) throw new Error(`not an event of a job log: ${first.slice(0, 100)}`);
    const [, code, cluster, process, day, time, head = ""] = header;
    const body = [head, ...rest].join("\n");
    const worker = /\b(w-[0-9a-f]{8})\b/.exec(body)?.[1];
    const exitCode = /Normal termination \(return value (\d+)\)/.exec(body)?.[1];
    return [{
      code: Number(code), job: `${Number(cluster)}.${Number(process)}`, atMs: Date.parse(`${day}T${time}Z`), text: body.trim(),
      ...(worker === undefined ? {} : { worker }), ...(exitCode === undefined ? {} : { exitCode: Number(exitCode) }),
    }];
  });
}
