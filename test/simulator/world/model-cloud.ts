import { CloudError } from "../../../components/errors";
import type { FailureClass } from "../../../components/policy/breaker";
import {
  known,
  unknown,
  type GrowResult,
  type Member,
  type MemberStatus,
  type Observed,
  type Pool,
  type RemovalStep,
} from "../../../controller/ports";
import { Lies } from "./lies";
import type { Dice } from "./random";
import type { Timeline } from "./timeline";

/** What becomes of a server when it is started. */
export type Boot = "joins" | "fails" | "never-joins" | "ends-no-job";

export interface SimServer {
  readonly id: string;
  readonly name: string;
  readonly type: string | undefined;
  /** Definition of the group that it was made from. */
  readonly version: number;
  readonly boot: Boot;
  /** As it is, whatever the cloud says. */
  status: MemberStatus;
  copying: boolean;
  listedFromMs: number;
  deleting: boolean;
  activeSinceMs?: number;
  hasToken: boolean;
  /** Ends what was going to happen to it next. */
  cancel?: () => void;
}

/** Who hears what happens to servers. */
export interface CloudWitness {
  made(s: SimServer): void;
  /** It runs: its worker may ask for its token. */
  up(s: SimServer): void;
  /** Its power goes: by the controller's order, or by itself. */
  down(s: SimServer, by: "order" | "itself"): void;
}

/** Passes time before and after the effect, and may end the controller on either side. */
export type Call = <T>(label: string, effect: () => T) => Promise<T>;

export interface Refusal {
  readonly why: string;
  readonly failureClass: FailureClass;
}

/** A cloud that makes, runs and deletes servers in its own time, and fails in its own ways. */
export class ModelCloud {
  readonly servers = new Map<string, SimServer>();
  readonly lies: Lies;
  deleted = 0;
  /** Create calls, those that reached it, and servers that came of them. */
  asked = 0;
  creates = 0;
  made = 0;
  mostServers = 0;
  reachable = true;
  /** Every create is refused so. */
  refusal: Refusal | undefined;
  /** No more servers than this. */
  quota = Number.POSITIVE_INFINITY;
  boot: (s: { readonly name: string; readonly version: number; readonly nth: number }) => Boot = () => "joins";
  /** Chance that a create or a removal gets no clear answer, before or after its effect. */
  ambiguousChance = 0;
  /** Chance that a removal is accepted and not begun, as while the group is busy with something else. */
  idleChance = 0;
  /** Longest time until a new server is listed. */
  listLagMs = 3_000;
  copyMs: readonly [number, number] = [0, 3_000];
  /** Definition of the group; servers of former ones are to be renewed. */
  version = 1;
  private nextId = 1;

  constructor(
    private readonly time: Timeline,
    private readonly dice: Dice,
    private readonly witness: CloudWitness,
  ) {
    this.lies = new Lies(time, dice);
  }

  make(name: string, type?: string, how: Partial<SimServer> = {}): SimServer {
    // The first eight digits make the worker's host name.
    const id = `${(this.nextId++).toString(16).padStart(8, "0")}-sim`;
    const s: SimServer = {
      id,
      name,
      type,
      version: this.version,
      boot: this.boot({ name, version: this.version, nth: this.made }),
      status: "stopped",
      copying: true,
      listedFromMs: this.time.ms + this.dice.next() * this.listLagMs,
      deleting: false,
      hasToken: false,
      ...how,
    };
    this.servers.set(id, s);
    this.made += 1;
    this.mostServers = Math.max(this.mostServers, this.servers.size);
    if (s.copying) {
      const startsItself = this.dice.chance(0.5);
      this.later(s, this.dice.between(...this.copyMs), () => {
        s.copying = false;
        if (startsItself) this.powerOn(s);
      });
    }
    this.witness.made(s);
    return s;
  }

  powerOn(s: SimServer): void {
    s.status = "starting";
    this.later(s, this.dice.between(1_000, 5_000), () => {
      s.status = s.boot === "fails" ? "failed" : "running";
      if (s.status !== "running") return;
      s.activeSinceMs = this.time.nowMs();
      this.witness.up(s);
    });
  }

  /** It stops by itself, as when its host crashes or somebody shuts it down from inside. */
  crash(id: string, status: MemberStatus = "stopped"): void {
    const s = this.servers.get(id);
    if (s === undefined) return;
    this.witness.down(s, "itself");
    s.cancel?.();
    s.status = status;
  }

  /** Without leave and without a trace: somebody deletes it. */
  vanish(id: string, by: "order" | "itself"): void {
    const s = this.servers.get(id);
    if (s === undefined) return;
    if (s.status !== "stopped") this.witness.down(s, by);
    s.cancel?.();
    this.servers.delete(id);
    this.deleted += 1;
  }

  private later(s: SimServer, ms: number, run: () => void): void {
    s.cancel?.();
    s.cancel = this.time.after(ms, run);
  }

  private truth(): Member[] {
    const out: Member[] = [];
    for (const s of this.servers.values()) {
      if (s.listedFromMs > this.time.ms) continue;
      out.push({
        id: s.id,
        name: s.name,
        status: s.status,
        copying: s.copying,
        macs: [],
        ...(s.type === undefined ? {} : { type: s.type }),
        ...(s.activeSinceMs === undefined ? {} : { activeSinceMs: s.activeSinceMs }),
        ...(s.status === "failed" ? { detail: "no valid host was found" } : {}),
        ...(s.version === this.version ? {} : { retiring: "made from a former definition of the group" }),
      });
    }
    return out;
  }

  /** The cloud as the controller reaches it. */
  pool(call: Call): Pool {
    return {
      observe: () =>
        call("list", () => {
          if (!this.reachable) return unknown("cloud down");
          const listed = this.lies.list(this.truth());
          return listed.known ? known({ members: listed.value }, listed.partial) : listed;
        }),
      statusNow: (id) =>
        call("get", (): Observed<MemberStatus> =>
          this.reachable ? this.lies.single(id, this.servers.get(id)?.status ?? "gone") : unknown("cloud down"),
        ),
      grow: (names, type) => call("create", () => this.grow(names, type)),
      start: (id) =>
        call("start", () => {
          this.answer();
          const s = this.servers.get(id);
          if (s?.status !== "stopped" || s.deleting || s.copying) return false;
          this.powerOn(s);
          return true;
        }),
      remove: (id, how) => call("remove", () => this.unclear(() => this.remove(id, how?.onlyIfOff ?? false))),
      consoleTail: () => call("console", () => (this.reachable ? "Kernel panic - not syncing: no init found" : undefined)),
    };
  }

  private answer(): void {
    if (!this.reachable) throw new CloudError("transient", "no answer", { ambiguous: true });
  }

  private unclear<T>(effect: () => T): T {
    this.answer();
    const dice = this.ambiguousChance > 0 ? this.dice.next() : 1;
    if (dice < this.ambiguousChance / 2) throw new CloudError("transient", "no answer", { ambiguous: true });
    const result = effect();
    if (dice < this.ambiguousChance) throw new CloudError("transient", "no answer", { ambiguous: true });
    return result;
  }

  private grow(names: readonly string[], type: string | undefined): GrowResult {
    const created: { id: string; name: string }[] = [];
    const lost = { failure: "no answer", ambiguous: true, wait: false };
    this.asked += 1;
    if (!this.reachable) return { created, ...lost };
    for (const name of names) {
      this.creates += 1;
      const { refusal } = this;
      if (refusal !== undefined) return { created, failure: refusal.why, failureClass: refusal.failureClass, ambiguous: false, wait: true };
      if (this.servers.size >= this.quota)
        return { created, failure: `the quota of ${this.quota} servers is used up`, failureClass: "quota", ambiguous: false, wait: true };
      const dice = this.ambiguousChance > 0 ? this.dice.next() : 1;
      if (dice < this.ambiguousChance / 2) return { created, ...lost };
      const { id } = this.make(name, type);
      if (dice < this.ambiguousChance) return { created, ...lost };
      created.push({ id, name });
    }
    return { created, ambiguous: false, wait: false };
  }

  private remove(id: string, onlyIfOff: boolean): RemovalStep {
    const s = this.servers.get(id);
    if (s === undefined) return "gone";
    if (s.status === "stopping") return "stopping";
    if (s.status === "running" || s.status === "starting") {
      if (onlyIfOff) return "runs";
      if (this.dice.chance(this.idleChance)) return "stopping";
      this.witness.down(s, "order");
      s.status = "stopping";
      this.later(s, this.dice.between(1_000, 3_000), () => {
        s.status = "stopped";
      });
      return "stopping";
    }
    if (!s.deleting) {
      s.deleting = true;
      this.later(s, this.dice.between(0, 2_000), () => {
        this.servers.delete(id);
        this.deleted += 1;
      });
    }
    return "deleting";
  }
}
