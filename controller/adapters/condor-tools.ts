import { known, unknown, type Observed } from "../ports";
import { failureOf, type CommandResult, type RunCommand } from "../run-command";

/** HTCondor's own tools, on the master: each call ends within the time-out, and says how it failed. */
export class CondorTools {
  constructor(private readonly run: RunCommand, readonly timeoutMs: number) {}

  call(program: string, args: readonly string[], input?: string): Promise<CommandResult> {
    return this.run(program, args, { timeoutMs: this.timeoutMs, input });
  }

  /** What a tool says, read; a failure and an unreadable answer are unknown. */
  async ask<T>(program: string, args: readonly string[], read: (text: string) => T): Promise<Observed<T>> {
    const r = await this.call(program, args);
    const failure = this.failure(program, r);
    if (failure !== undefined) return unknown(failure);
    return this.read(program, () => read(r.stdout));
  }

  /** An answer that cannot be read is no answer. */
  read<T>(program: string, read: () => T): Observed<T> {
    try {
      return known(read());
    } catch (e) {
      return unknown(`${program}: unreadable answer (${e instanceof Error ? e.message : String(e)})`);
    }
  }

  failure(program: string, r: CommandResult): string | undefined {
    return failureOf(program, r, this.timeoutMs);
  }
}
