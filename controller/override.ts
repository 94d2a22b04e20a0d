import { z } from "zod";
import type { WorkerLimits } from "../components/config/controller-config";
import type { Override } from "../components/policy/decision";
import { effectiveLimits } from "../components/policy/scaling";
import { readState, writeWhole } from "./files";

export type ScaleOrder =
  | { readonly auto: true }
  | { readonly size: number }
  | { readonly min?: number; readonly max?: number };

/** As the schema has it: more is a slip, not a grid. */
const MOST_WORKERS = 1_000;
const whole = z.number().int().min(0).max(MOST_WORKERS);
const id = z.string().min(1).max(200);

/** What the operator said, kept over restarts, together with the declared limits that it was said against. */
const stored = z.strictObject({
  declared: z.object({ min: whole, max: whole }),
  min: whole.optional(), max: whole.optional(), size: whole.optional(), paused: z.boolean().optional(),
  drains: z.array(z.strictObject({ worker: id, now: z.boolean() })),
  pins: z.array(id).optional(),
});
type Stored = z.infer<typeof stored>;
const isWhole = (n: unknown): n is number => typeof n === "number" && Number.isInteger(n) && n >= 0;

/** The operator's orders. The latest word counts: a changed declaration (`pulumi up`) replaces limits set by command before. */
export class OverrideStore {
  private state: Stored;

  /**
   * @param most addresses that the network has for workers
   * @param say writes to the journal
   */
  constructor(private readonly path: string, private readonly limits: WorkerLimits, private readonly say: (what: string, why: string) => void, private readonly most = MOST_WORKERS) {
    const declared = { min: limits.min, max: limits.max };
    this.state = { declared, drains: [] };
    const found = readState(path, (text) => stored.safeParse(JSON.parse(text)));
    if (found === undefined) return;
    const problem = "problem" in found ? found.problem : found.value.success ? undefined : found.value.error.issues.map((i) => `${i.path.join(".") || "the whole"}: ${i.message}`).join("; ");
    if (problem !== undefined || "problem" in found || !found.value.success) {
      say("operator", `the orders in ${path} cannot be read and are dropped (${problem}); the size is as declared, ${declared.min} to ${declared.max}: say again what is wanted`);
      return;
    }
    const was = found.value.data;
    this.state = { ...was, declared };
    if (was.declared.min !== declared.min || was.declared.max !== declared.max) this.redeclared();
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
      if (!isWhole(order.size)) return "the size must be a whole number, 0 or more";
      if (order.size > inForce.max) return `the size cannot be ${order.size}: the maximum is ${inForce.max}; raise it with \`elastigrid scale --max ${order.size}\` or by workers.max`;
      this.save({ ...rest, min, max, size: order.size });
      this.say("operator", `size ${order.size}`);
      return undefined;
    }
    const next = { min: order.min ?? inForce.min, max: order.max ?? inForce.max };
    if (!isWhole(next.min) || !isWhole(next.max)) return "min and max must be whole numbers, 0 or more";
    if (next.min > next.max) return `min ${next.min} is above max ${next.max}`;
    const top = Math.min(this.most, MOST_WORKERS);
    if (next.max > top) return `max cannot be ${next.max}: ${top === MOST_WORKERS ? `a group has ${MOST_WORKERS} workers at most` : `the private network has addresses for ${top} workers (network.cidr)`}`;
    const keeps = size !== undefined && size <= next.max;
    this.save({ ...rest, min: order.min ?? min, max: order.max ?? max, ...(keeps ? { size } : {}) });
    this.say("operator", `between ${next.min} and ${next.max} workers${next.max > this.limits.max ? ` (declared are ${this.limits.max} at most: what the rest costs, the declaration does not tell; the next changed declaration ends this)` : ""}`);
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

  pin(worker: string, pinned: boolean, name: string): void {
    this.save({ ...this.state, pins: [...(this.state.pins ?? []).filter((p) => p !== worker), ...(pinned ? [worker] : [])] });
    this.say("operator", pinned ? `pin ${name}: no scaling and no renewal takes it` : `unpin ${name}`);
  }

  /** The worker is gone: nothing said of it matters any more. */
  drainDone(worker: string): void {
    const { drains, pins } = this.state;
    const left = drains.filter((d) => d.worker !== worker), pinned = pins?.filter((p) => p !== worker);
    if (left.length < drains.length || (pinned?.length ?? 0) < (pins?.length ?? 0)) this.save({ ...this.state, drains: left, ...(pinned === undefined ? {} : { pins: pinned }) });
  }

  private save(state: Stored): void {
    this.state = state;
    try {
      writeWhole(this.path, `${JSON.stringify(state, undefined, 2)}\n`);
    } catch (e) {
      // In force all the same: a full disk must not refuse an operator.
      this.say("operator-failed", `the order is in force, but could not be written to ${this.path} and ends with this controller: ${e instanceof Error ? e.message : String(e)}`);
    }
  }
}
