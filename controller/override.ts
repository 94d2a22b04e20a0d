import type { WorkerLimits } from "../components/config/controller-config";
import { effectiveLimits, type Override } from "../components/policy/scaling";
import { readIfThere, writeWhole } from "./files";

/** What the operator said, kept over restarts, together with the declared limits that it was said against. */
interface Stored extends Override {
  readonly declared: { readonly min: number; readonly max: number };
}

export type ScaleOrder =
  | { readonly auto: true }
  | { readonly size: number }
  | { readonly min?: number; readonly max?: number };

const whole = (n: unknown): n is number => typeof n === "number" && Number.isInteger(n) && n >= 0;

/** The operator's orders. The latest word counts: a changed declaration (`pulumi up`) replaces limits set by command before. */
export class OverrideStore {
  private state: Stored;

  constructor(private readonly path: string, private readonly limits: WorkerLimits, private readonly say: (what: string, why: string) => void) {
    const declared = { min: limits.min, max: limits.max };
    this.state = { declared, drains: [] };
    const text = readIfThere(path)?.toString("utf8");
    if (text === undefined) return;
    let stored: Stored;
    try {
      stored = JSON.parse(text) as Stored;
      if (!Array.isArray(stored.drains) || !whole(stored.declared?.min) || !whole(stored.declared?.max)) throw new Error("not what this program wrote");
    } catch (e) {
      say("operator", `the orders in ${path} cannot be read and are dropped: ${e instanceof Error ? e.message : String(e)}`);
      return;
    }
    this.state = { ...stored, declared };
    if (stored.declared.min !== declared.min || stored.declared.max !== declared.max) this.redeclared();
  }

  private redeclared(): void {
    const { min, max, size, ...rest } = this.state;
    const { limits } = this;
    const keeps = size !== undefined && size >= limits.min && size <= limits.max;
    this.save({ ...rest, ...(keeps ? { size } : {}) });
    const dropped = [min === undefined ? "" : `min ${min}`, max === undefined ? "" : `max ${max}`, size === undefined || keeps ? "" : `size ${size}`].filter((t) => t !== "");
    this.say("operator", `the declaration now says ${limits.min} to ${limits.max} workers${dropped.length > 0 ? `; set by command before, and dropped: ${dropped.join(", ")}` : ""}`);
  }

  get(): Override {
    return this.state;
  }

  /** Answers what is wrong with the order, or undefined when it is in force now. */
  scale(order: ScaleOrder): string | undefined {
    const { min, max, size, ...rest } = this.state;
    if ("auto" in order) {
      this.save(rest);
      this.say("operator", `automatic again, ${this.limits.min} to ${this.limits.max} workers as declared`);
      return undefined;
    }
    const inForce = effectiveLimits(this.limits, this.state);
    if ("size" in order) {
      if (!whole(order.size)) return "the size must be a whole number, 0 or more";
      if (order.size > inForce.max) return `the size cannot be ${order.size}: the maximum is ${inForce.max}; raise it with \`elastigrid scale --max ${order.size}\` or by workers.max`;
      this.save({ ...rest, min, max, size: order.size });
      this.say("operator", `size ${order.size}`);
      return undefined;
    }
    const next = { min: order.min ?? inForce.min, max: order.max ?? inForce.max };
    if (!whole(next.min) || !whole(next.max)) return "min and max must be whole numbers, 0 or more";
    if (next.min > next.max) return `min ${next.min} is above max ${next.max}`;
    const keeps = size !== undefined && size <= next.max;
    this.save({ ...rest, min: order.min ?? min, max: order.max ?? max, ...(keeps ? { size } : {}) });
    this.say("operator", `between ${next.min} and ${next.max} workers`);
    return undefined;
  }

  pause(paused: boolean): void {
    this.save({ ...this.state, paused });
    this.say("operator", paused ? "paused: the size is left as it is" : "resumed");
  }

  drain(worker: string, now: boolean, name: string): void {
    this.save({ ...this.state, drains: [...this.state.drains.filter((d) => d.worker !== worker), { worker, now }] });
    this.say("operator", `drain ${name}${now ? " --now: its jobs end with it and run again elsewhere" : ""}`);
  }

  drainDone(worker: string): void {
    if (this.state.drains.some((d) => d.worker === worker)) this.save({ ...this.state, drains: this.state.drains.filter((d) => d.worker !== worker) });
  }

  private save(state: Stored): void {
    this.state = state;
    writeWhole(this.path, `${JSON.stringify(state, undefined, 2)}\n`);
  }
}
