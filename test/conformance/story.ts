import { isEmptyChange, type ChangeSummary } from "../../demo/pulumi";
import type { Member, Pool } from "../../controller/ports";
import { openTestStack, type TestStack } from "../support/stack";
import type { CloudName, ConformanceCloud, GroupLimits, PoolFault, SeenServer, Thing } from "./cloud";

/** The same on every cloud: sizes, names and image are the cloud's own words nowhere. */
export const baseGrid = {
  name: "conform", bootstrap: "none",
  master: { vcpus: 1, memory: "512 MiB", disk: "5 GiB" },
  workers: { min: 1, max: 4, vcpus: 1, memory: "512 MiB", disk: "5 GiB" },
} as const;

export type GridText = Readonly<Record<string, unknown>>;

/** One thing that is promised of every cloud. */
export interface Behaviour {
  readonly says: string;
  /** Why it cannot hold on a cloud; shown as skipped. */
  readonly notOn?: Partial<Record<CloudName, string>>;
  readonly check: (story: Story) => Promise<unknown>;
}

/** A part of a grid's life: what happens, and what must be true then. */
export interface Chapter {
  readonly title: string;
  readonly happens?: (story: Story) => Promise<void>;
  readonly behaviours: readonly Behaviour[];
}

const MOVE_LIMIT_MS = 120_000;
const LOOK_MS = 300;

/** One grid on one cloud, walked through its life; each deployment serves many checks. */
export class Story {
  grid: GridText = baseGrid;
  /** What earlier steps have found, for the checks that follow them. */
  readonly noted = new Map<string, unknown>();
  /** What `up` printed so far. */
  readonly printed: string[] = [];
  private constructor(readonly cloud: ConformanceCloud, readonly test: TestStack) {}

  static async begin(cloud: ConformanceCloud): Promise<Story> {
    return new Story(cloud, await openTestStack(cloud.target, baseGrid, "conformance"));
  }

  async up(change: GridText = this.grid): Promise<ChangeSummary> {
    this.grid = change;
    this.noted.delete("pool"); // a change reaches the controller, which begins anew
    await this.test.configure(change);
    return (await this.test.stack.up((line) => this.printed.push(line))).changes;
  }

  async refresh(): Promise<void> {
    await this.command("refresh", "--yes", "--skip-preview");
  }

  private async command(name: string, ...args: readonly string[]): Promise<string> {
    return (await this.test.stack.run([name, ...args, "--non-interactive", "--color", "never", "--stack", "conformance", "--config-file", this.test.stack.workingConfig])).stdout;
  }

  /** All changes that a preview shows, as text; "" for none. */
  async previewed(): Promise<string> {
    const { changes } = await this.test.stack.preview();
    return isEmptyChange(changes) ? "" : JSON.stringify(changes);
  }

  async state(): Promise<readonly StateResource[]> {
    return (JSON.parse(await this.test.stack.exported()) as { deployment: { resources?: StateResource[] } }).deployment.resources ?? [];
  }

  /** Our components and what they are called, without what a cloud needs inside of them. */
  async components(): Promise<string[]> {
    return (await this.state()).filter((r) => r.type.startsWith("elastigrid:")).map((r) => `${r.type} ${r.urn.split("::").at(-1) ?? ""}`).sort();
  }

  /** What the controller is told of the group. */
  async controllerTarget(): Promise<Readonly<Record<string, unknown>>> {
    const group = (await this.state()).find((r) => r.type === "elastigrid:index:WorkerGroup");
    const target = group?.outputs?.["controllerTarget"];
    if (typeof target !== "object" || target === null) throw new Error("the worker group has no controllerTarget in the state");
    return target as Record<string, unknown>;
  }

  /** As long as nothing is deployed the same one, as the controller keeps its own. */
  async pool(): Promise<Pool> {
    return this.once("pool", () => this.newPool());
  }

  async newPool(fault?: PoolFault): Promise<Pool> {
    return this.cloud.pool(await this.controllerTarget(), this.limits(), fault);
  }

  async members(): Promise<readonly Member[]> {
    const seen = await (await this.pool()).observe();
    if (!seen.known) throw new Error(`the pool does not know: ${seen.reason}`);
    return seen.value.members;
  }

  /** One round of the controller's loop, without its decisions: it looks, and puts right what is out of order. */
  private async tended(): Promise<readonly Member[]> {
    const members = await this.members();
    await (await this.pool()).tend?.();
    return members;
  }

  /** The workers as the cloud shows them. */
  async workers(): Promise<readonly SeenServer[]> {
    const ids = new Set((await this.members()).map((m) => m.id));
    return (await this.cloud.servers()).filter((s) => ids.has(s.id));
  }

  async master(): Promise<SeenServer> {
    const found = (await this.cloud.servers()).filter((s) => s.name === `${String(this.grid["name"])}-master`);
    if (found.length !== 1 || found[0] === undefined) throw new Error(`there are ${found.length} masters`);
    return found[0];
  }

  outputs(): Promise<Record<string, unknown>> {
    return this.test.stack.outputs();
  }

  /** Asks for that many more, as the controller does: starts what the cloud left stopped, waits until all run. */
  async grow(count: number): Promise<readonly Member[]> {
    const wanted = (await this.members()).length + count;
    const pool = await this.pool();
    await this.until(`${wanted} workers are ordered`, async () => {
      const missing = wanted - (await this.members()).length;
      if (missing <= 0) return true;
      const names = Array.from({ length: missing }, (_, i) => `${String(this.grid["name"])}-worker-${Date.now().toString(36)}${i}`);
      const { created, accepted, failure, wait } = await pool.grow(names);
      if (failure !== undefined && wait) throw new Error(`it did not grow: ${failure}`);
      // A cloud that is busy takes no order yet: the next round asks again.
      return failure === undefined && (accepted ?? created.length) >= missing;
    });
    await this.until(`${wanted} workers run`, async () => {
      const members = await this.tended();
      for (const m of members) if (m.status === "stopped") await pool.start(m.id);
      return members.length === wanted && members.every((m) => m.status === "running");
    });
    return this.members();
  }

  /** Repeats the removal until it is verified, as the controller does. */
  async remove(id: string): Promise<void> {
    const pool = await this.pool();
    await this.until(`${id} is gone`, async () => {
      const gone = (await pool.remove(id)) === "gone";
      if (!gone) await this.tended();
      return gone;
    });
  }

  /** As the controller's loop: what it had to change for its work is put back. */
  async rest(): Promise<void> {
    await this.until("the controller is at rest", async () => {
      await this.tended();
      return this.cloud.atRest(this.limits());
    });
  }

  private limits(): GroupLimits {
    const { min, max } = this.grid["workers"] as GroupLimits;
    return { min, max };
  }

  async until(what: string, holds: () => Promise<boolean>, limitMs = MOVE_LIMIT_MS): Promise<void> {
    for (const end = Date.now() + limitMs; !(await holds()); await new Promise((r) => setTimeout(r, LOOK_MS)))
      if (Date.now() > end) throw new Error(`${what}: not within ${limitMs / 1000} s`);
  }

  /** Computed at first use, the same ever after. */
  async once<T>(key: string, make: () => Promise<T>): Promise<T> {
    if (!this.noted.has(key)) this.noted.set(key, await make());
    return this.noted.get(key) as T;
  }

  note = (key: string, value: unknown): void => void this.noted.set(key, value);
  recall<T>(key: string): T {
    if (!this.noted.has(key)) throw new Error(`nothing was noted as ${key}: an earlier step failed`);
    return this.noted.get(key) as T;
  }

  /** Always: what a failed test left must not stay, on the cloud or on this computer. */
  async end(): Promise<void> {
    await this.test.stack.interrupt();
    try {
      await this.test.stack.destroy();
    } finally {
      this.test.close();
    }
  }
}

export interface StateResource {
  readonly type: string;
  readonly urn: string;
  readonly outputs?: Readonly<Record<string, unknown>>;
}

export const labels = (things: readonly Thing[]): string[] => things.map((t) => `${t.kind} ${t.name} ${t.id}`).sort();
