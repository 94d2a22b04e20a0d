import type { RunningJob, WaitingGroup } from "../../../components/policy/demand";
import {
  known,
  unknown,
  type FenceResult,
  type Observed,
  type Occupancy,
  type ProbeResult,
  type Queue,
  type QueueView,
} from "../../../controller/ports";
import type { JobKind, SimJob } from "./jobs";
import type { Call } from "./model-cloud";
import type { ModelQueue } from "./model-queue";
import type { Dice } from "./random";
import type { SimStartd } from "./startd";
import { giveUpClaim } from "./startd-deaths";
import type { Timeline } from "./timeline";

/** A drain in this time after a start, or just before the end, finds a job that would be hurt. */
const TENDER_MS = 1_000;

const occupies = (j: SimJob): boolean => (j.state === "running" || j.state === "stranded") && j.on !== undefined;

/** HTCondor as a controller reaches it: what it is told, and what its orders do. */
export class QueuePort {
  constructor(
    private readonly q: ModelQueue,
    private readonly time: Timeline,
    private readonly dice: Dice,
  ) {}

  through(call: Call): Queue {
    return {
      observe: () => call("look", () => this.ifReached(() => this.view())),
      occupancy: (machines) => call("occupancy", () => this.occupancy(machines)),
      probe: (address) => call("probe", () => ({ answer: this.probe(address), detail: address })),
      jobs: (limit) =>
        call("jobs", () =>
          this.ifReached(() =>
            this.q
              .openJobs()
              .slice(0, limit)
              .map((j) => ({
                id: `${j.id}.0`,
                state: j.state === "running" ? ("running" as const) : ("waiting" as const),
                owner: "u",
                queuedAtMs: j.queuedAtMs,
                ...j.kind.request,
              })),
          ),
        ),
      fence: (machine, kind, reason) => call("fence", () => this.drain(machine, kind, reason)),
      cancelDrain: (machine) => call("cancel", () => this.cancel(machine)),
      evict: (machine) => call("evict", () => this.evict(machine)),
      gone: (machine) =>
        call("gone", () => {
          if (!this.q.down) this.q.forget(machine);
          return known(0);
        }),
      releaseLostClaims: (machine, jobs) =>
        call("release", () => {
          const why = this.q.unreachable;
          if (why !== undefined || this.dice.chance(this.q.silentChance)) return unknown(why ?? "condor_q timed out");
          return known(jobs.filter((j) => giveUpClaim(this.q, this.time, { ...j, machine })).length);
        }),
    };
  }

  private ifReached<T>(answer: () => T): Observed<T> {
    const why = this.q.unreachable;
    return why === undefined ? known(answer()) : unknown(why);
  }

  private view(): QueueView {
    const { q } = this;
    const running: RunningJob[] = [];
    let waiting = 0;
    const perKind = new Map<JobKind, { count: number; example: SimJob }>();
    for (const j of q.open) {
      if (occupies(j)) {
        const { startedAtMs } = j;
        running.push({
          id: `${j.id}.0`,
          owner: "u",
          machine: j.on!.name,
          state: "running",
          ...(startedAtMs === undefined ? {} : { startedAtMs }),
        });
        continue;
      }
      // To the schedd a job waits until its shadow runs.
      waiting += 1;
      const g = perKind.get(j.kind);
      if (g === undefined) perKind.set(j.kind, { count: 1, example: j });
      else {
        g.count += 1;
        if (j.queuedAtMs < g.example.queuedAtMs) g.example = j;
      }
    }
    const groups = [...perKind].map(([{ key, request, ad, needsNoWorker, limits }, { count, example }]): WaitingGroup => ({
      key: `vanilla/${key}`,
      count,
      exampleId: `${example.id}.0`,
      owner: "u",
      queuedAtMs: example.queuedAtMs,
      request,
      ad,
      ...(needsNoWorker === undefined ? {} : { needsNoWorker }),
      ...(limits === undefined ? {} : { limits }),
    }));
    const hidden = q.hideAds > 0 ? q.hideAds-- : 0;
    return {
      machines: hidden > 0 ? [] : q.machines(),
      groups,
      running,
      counts: { waiting, running: running.length, held: 0, done: q.done },
      ...(q.returned.length === 0 ? {} : { returned: [...q.returned] }),
      ...(Object.keys(q.limits).length === 0 ? {} : { limitsLeft: q.limitsLeft() }),
    };
  }

  private occupancy(machines: readonly string[]): Observed<ReadonlyMap<string, Occupancy>> {
    const why = this.q.unreachable;
    if (why !== undefined || this.dice.chance(this.q.silentChance)) return unknown(why ?? "condor_q timed out");
    const out = new Map<string, Occupancy>();
    for (const name of machines) {
      if (this.dice.chance(this.q.silentChance)) continue;
      const ad = this.q.listed(name)?.ad;
      let jobs = 0;
      for (const j of this.q.open) if (occupies(j) && j.on?.name === name) jobs += 1;
      out.set(name, { jobs, claims: ad?.claims ?? 0, hasAd: ad !== undefined });
    }
    return known(out);
  }

  private probe(address: string): ProbeResult["answer"] {
    if (this.dice.chance(this.q.silentChance)) return "unknown";
    for (const d of this.q.startds.values()) if (d.address === address) return d.cut ? "silent" : "answers";
    return "silent";
  }

  private drain(machine: string, kind: "ifIdle" | "drain" | "now", reason: string): FenceResult {
    const d = this.reached(machine);
    if ("answer" in d) return d;
    if (d.draining !== undefined && this.dice.chance(this.q.putBackChance)) {
      this.q.putBack(d.id);
      this.q.negotiate();
    }
    if (d.draining !== undefined) return { answer: "alreadyDraining", detail: "" };
    if (kind === "ifIdle" && d.jobs.size > 0) return { answer: "refusedBusy", detail: "" };
    if (kind === "drain" && [...d.jobs].some((j) => this.isTender(j)))
      return { answer: "notNow", detail: "a job is just starting or ending there" };
    d.draining = reason;
    this.q.changed(d);
    return { answer: "accepted", detail: "" };
  }

  /** The daemon of whom the collector gives an address, if it answers there. */
  private reached(machine: string): SimStartd | FenceResult {
    if (this.q.down) return { answer: "unknown", detail: "queue down" };
    const d = this.q.listed(machine);
    if (d === undefined) return { answer: "notThere", detail: "the collector does not know it" };
    return d.alive && !d.cut ? d : { answer: "unknown", detail: "it does not answer" };
  }

  private isTender(j: SimJob): boolean {
    if (j.state === "activating" || j.begunMs === undefined) return true;
    const ran = this.time.ms - j.begunMs;
    return ran < TENDER_MS || j.runsMs - ran < TENDER_MS / 2;
  }

  private cancel(machine: string): FenceResult {
    const d = this.reached(machine);
    if ("answer" in d) return { answer: "unknown", detail: d.detail };
    d.draining = undefined;
    this.q.changed(d);
    return { answer: "accepted", detail: "" };
  }

  private evict(machine: string): FenceResult {
    const answer = this.drain(machine, "now", "elastigrid:now");
    if (answer.answer !== "accepted" && answer.answer !== "alreadyDraining") return answer;
    for (const j of [...(this.q.listed(machine)?.jobs ?? [])]) this.q.lose(j, "evicted");
    return { answer: "accepted", detail: "" };
  }
}
