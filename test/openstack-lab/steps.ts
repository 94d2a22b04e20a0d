import { messageOf } from "../../local-cloud/hosts/run";

export interface StepStatus {
  readonly name: string;
  /** Since the lab's start. */
  readonly startedAtSeconds: number;
  seconds?: number;
  state: "running" | "done" | "failed";
}

/** What the lab did so far, with the time each step took; steps may overlap. */
export class Steps {
  readonly list: StepStatus[] = [];
  private readonly startedMs = Date.now();

  get elapsedSeconds(): number {
    return tenths(Date.now() - this.startedMs);
  }

  async run<T>(name: string, work: () => Promise<T>): Promise<T> {
    const from = Date.now();
    const step: StepStatus = { name, startedAtSeconds: this.elapsedSeconds, state: "running" };
    this.list.push(step);
    try {
      const result = await work();
      step.state = "done";
      return result;
    } catch (e) {
      step.state = "failed";
      const message = messageOf(e);
      throw message.startsWith(name) ? e : new Error(`${name}: ${message}`, { cause: e });
    } finally {
      step.seconds = tenths(Date.now() - from);
    }
  }
}

const tenths = (ms: number): number => Math.round(ms / 100) / 10;
