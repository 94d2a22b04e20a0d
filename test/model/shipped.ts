import { type Override } from "../../components/policy/decision";
import { workerHostname } from "../../components/policy/names";
import type { JournalEntry } from "../../controller/ports";
import type { Model, Step } from "./explorer";
import { admit, configOf, eventsKey, newBrain, NOW_MS, older, PASS_MS, runPass, type Event, type Outcome } from "./shipped-brain";
import { answersTo, BLANK_EXTRA, idOf, indexOf, type Extra, type Scene } from "./shipped-calls";
import { adOf, blankWorker, isAlive, isReached, NO_FAULTS, showWorld, spend, withWorker, worldKey, type Budget, type Worker, type World } from "./world";
import { worldSteps } from "./world-steps";

/*
 * The shipped controller in the world of the protocol: `controller/loop.ts` with all that it uses, call by call. Here time is counted in
 * passes: 20 s lie between two of them, in which ads come in, or expire after three.
 */

export interface ShippedScenario {
  readonly about: string;
  readonly cloud: "cloudsigma" | "openstack";
  readonly min: number;
  readonly max: number;
  readonly lag: number;
  readonly places: number;
  readonly serving: number;
  readonly waiting: number;
  readonly size?: number;
  readonly budget: Partial<Budget>;
}

/** What the journal keeps beyond the controller's life. */
interface Kept {
  /** Passes since the last order, 2: long ago. */
  readonly sinceGrow: number;
  readonly created: readonly string[];
  readonly proven: boolean;
}

type Controller =
  | { readonly at: "down" }
  | { readonly at: "rest"; readonly brain: string }
  | { readonly at: "pass"; readonly brain: string; readonly override: Override; readonly events: readonly Event[]; readonly id: number };

export interface State extends Scene {
  readonly controller: Controller;
  readonly kept: Kept;
}

const AD_LIVES_PASSES = 3;
const LONG_AGO = 2;

export class Shipped implements Model<State> {
  readonly initial: State;
  /** Every situation of the controller has been played once: so many were there. */
  readonly outcomes = new Map<string, Outcome>();
  private readonly ids = new Map<string, number>();
  private readonly config;

  constructor(private readonly sc: ShippedScenario) {
    this.config = configOf(sc.min, sc.max);
    const serving: Worker = { ...blankWorker(0), server: "running", token: true, startd: "unclaimed", ad: "unclaimed" };
    const world: World = {
      workers: Array.from({ length: sc.places }, (_, i) => (i < sc.serving ? serving : blankWorker(0))), controllers: [], lock: -1, waiting: sc.waiting, size: sc.size ?? -1,
      left: { ...NO_FAULTS, ...sc.budget }, broken: "",
    };
    const extras = world.workers.map((w): Extra => (w.server === "running" ? { ...BLANK_EXTRA, fresh: true } : BLANK_EXTRA));
    this.initial = { world, extras, controller: { at: "rest", brain: newBrain(this.config, []) }, kept: { sinceGrow: LONG_AGO, created: [], proven: sc.serving > 0 } };
  }

  key(s: State): string {
    const c = s.controller;
    const controller = c.at === "down" ? "-" : c.at === "rest" ? `r${this.number(c.brain)}` : `p${c.id}`;
    const extras = s.extras.map((e) => `${e.fresh ? 1 : 0}${e.adAge}${e.reason.slice(-2)}`).join();
    // Unlike the model's own controllers this one knows workers by name, so their order counts.
    const workers = s.world.workers.map((w) => worldKey({ ...s.world, workers: [w] })).join("|");
    return `${workers}${extras};${controller};${s.kept.sinceGrow}${s.kept.proven ? 1 : 0}${s.kept.created.map((id) => id[0]).join("")}`;
  }

  broken(s: State): string | undefined {
    return s.world.broken === "" ? undefined : s.world.broken;
  }

  isGood(s: State): boolean {
    const { workers, size, waiting } = s.world;
    const there = workers.filter((w) => w.server !== "absent");
    const wanted = size >= 0 ? size : this.sc.min;
    if (s.controller.at !== "rest" || there.length !== wanted || (waiting > 0 && wanted > 0)) return false;
    return there.every((w) => w.server === "running" && w.startd === "unclaimed" && w.ad === "unclaimed" && w.order === "none") && workers.every((w) => !w.matched && !w.recorded);
  }

  show(s: State): string {
    return showWorld(s.world);
  }

  async steps(s: State): Promise<readonly Step<State>[]> {
    const out: Step<State>[] = [];
    const c = s.controller;
    const outcome = c.at === "pass" ? this.outcomes.get(this.passKey(c))! : undefined;
    this.worldGoesOn(s, outcome, out);
    if (c.at === "down") {
      const controller = { at: "rest", brain: newBrain(this.config, this.journal(s.kept)) } as const;
      out.push({ label: "a controller starts", kind: "fair", next: { ...s, controller } });
    }
    if (c.at !== "down" && s.world.left.crashes > 0) out.push({ label: "the controller crashes", kind: "fault", next: { ...s, world: spend(s.world, "crashes"), controller: { at: "down" } } });
    if (c.at === "rest" && isCalm(s.world, (i) => admit(this.config, c.brain, idOf(i)) === undefined)) out.push({ label: "20 s pass; the controller looks again", kind: "fair", next: await this.nextPass(s, c.brain) });
    if (c.at === "pass") await this.goOn(s, c, outcome!, out);
    await this.enrolments(s, out);
    return out;
  }

  private worldGoesOn(s: State, outcome: Outcome | undefined, out: Step<State>[]): void {
    const steps: Step<World>[] = [];
    const isOpen = (i: number, whats: readonly string[]): boolean => outcome?.open.some((c) => whats.includes(c.what) && indexOf(c.of) === i) ?? false;
    worldSteps(s.world, {
      max: this.sc.max, ads: false, isBetweenPasses: s.controller.at !== "pass",
      isAboutToEnd: (_, i) => isOpen(i, ["remove"]), isJudged: (_, i) => isOpen(i, ["remove", "statusNow", "occupancy", "probe"]),
    }, steps);
    for (const { label, kind, next } of steps) {
      const isReopened = (w: Worker, i: number): boolean => w.startd === "unclaimed" && s.world.workers[i]!.startd === "drained";
      const extras = next.workers.map((w, i) => (isReopened(w, i) ? { ...s.extras[i]!, reason: "" } : s.extras[i]!));
      out.push({ label, kind, next: { ...s, world: next, extras } });
    }
    s.world.workers.forEach((w, i) => {
      if (w.broken && w.server === "running") out.push({ label: `w${i} comes up after all`, kind: "fault", next: { ...s, world: withWorker(s.world, i, { broken: false }) } });
      if (isReached(w) && w.ad !== adOf(w)) out.push({ label: `collector hears from w${i}: ${adOf(w)}`, kind: "fair", next: hear(s, i) });
    });
  }

  /** Time passes for all. */
  private async nextPass(s: State, brain: string): Promise<State> {
    let next: State = { ...s, kept: { ...s.kept, sinceGrow: Math.min(LONG_AGO, s.kept.sinceGrow + 1) } };
    s.world.workers.forEach((w, i) => {
      if (isReached(w)) next = hear(next, i);
      else if (w.ad !== "none") {
        const adAge = s.extras[i]!.adAge + 1;
        next = withExtras(next, i, { adAge });
        if (adAge >= AD_LIVES_PASSES) next = { ...withExtras(next, i, { adAge: 0, fresh: false }), world: withWorker(next.world, i, { ad: "none" }) };
      }
      // A claim that cannot be carried out does not last so long.
      if (w.startd === "claimed") next = { ...next, world: withWorker({ ...next.world, waiting: next.world.waiting + 1 }, i, { startd: "unclaimed" }) };
    });
    const override: Override = {
      drains: next.world.workers.flatMap((w, i) => (w.order === "none" ? [] : [{ worker: idOf(i), now: w.order === "now" }])), ...(next.world.size < 0 ? {} : { size: next.world.size }),
    };
    return this.inPass(next, older(brain), override, [], undefined);
  }

  /** The controller after one more event; what it wrote and told since `before` has happened. */
  private async inPass(s: State, brain: string, override: Override, events: readonly Event[], before: Outcome | undefined): Promise<State> {
    const id = this.number(`${brain}${JSON.stringify(override)}${eventsKey(events)}`);
    const controller = { at: "pass", brain, override, events, id } as const;
    const key = this.passKey(controller);
    let outcome = this.outcomes.get(key);
    if (outcome === undefined) this.outcomes.set(key, (outcome = await runPass(this.config, brain, override, events)));
    let world = s.world;
    for (const done of outcome.drainsDone.slice(before?.drainsDone.length ?? 0)) {
      const i = world.workers.findIndex((_, x) => idOf(x) === done);
      world = withWorker(world, i, { order: "none" });
    }
    const kept = outcome.journal.slice(before?.journal.length ?? 0).reduce(keep, s.kept);
    return { ...s, world, kept, controller: outcome.brain === undefined ? controller : { at: "rest", brain: outcome.brain } };
  }

  private async goOn(s: State, c: Extract<Controller, { at: "pass" }>, outcome: Outcome, out: Step<State>[]): Promise<void> {
    for (const call of outcome.open) {
      const seen = c.events.find((e): e is Extract<Event, { seen: unknown }> => "seen" in e && e.call === call.name)?.seen;
      for (const a of answersTo(s, call, outcome, seen, this.sc)) {
        const event: Event = a.seen === true ? { call: call.name, seen: a.value } : { call: call.name, value: a.value };
        // What was seen on the way to an answer is in the answer.
        const events = [...c.events.filter((e) => !("seen" in e && e.call === call.name)), event];
        out.push({ label: `the controller ${a.label}`, kind: a.kind, next: await this.inPass({ ...s, ...a.scene }, c.brain, c.override, events, outcome) });
      }
    }
  }

  /** Whoever runs and has no token asks for one, of the controller that is there. */
  private async enrolments(s: State, out: Step<State>[]): Promise<void> {
    const c = s.controller;
    if (c.at === "down") return;
    for (const [i, w] of s.world.workers.entries()) {
      if (w.server !== "running" || isAlive(w) || w.token || w.broken) continue;
      const next: State = { ...s, world: withWorker(s.world, i, { token: true }) };
      const label = `w${i} asks for its token and gets it`;
      if (c.at === "rest") {
        const brain = admit(this.config, c.brain, idOf(i));
        if (brain !== undefined) out.push({ label, kind: "fair", next: { ...next, controller: { at: "rest", brain } } });
      } else {
        const outcome = this.outcomes.get(this.passKey(c))!;
        if (!outcome.gateClosed.includes(idOf(i))) out.push({ label, kind: "fair", next: await this.inPass(next, c.brain, c.override, [...c.events, { admitted: idOf(i) }], outcome) });
      }
    }
  }

  private journal(kept: Kept): JournalEntry[] {
    const at = (ageMs: number): string => new Date(NOW_MS - ageMs).toISOString();
    const entries: Omit<JournalEntry, "seq">[] = [
      ...(kept.sinceGrow >= LONG_AGO ? [] : [{ at: at(kept.sinceGrow * PASS_MS), what: "grow", why: "" }]),
      ...(kept.proven ? [{ at: at(0), what: "proven", why: "worker" }] : []),
      ...kept.created.map((id) => ({ at: at(60_000), what: "created", why: `server ${id}`, worker: workerHostname(id) })),
    ];
    return entries.map((e, seq) => ({ ...e, seq }));
  }

  private passKey(c: Extract<Controller, { at: "pass" }>): string {
    return String(c.id);
  }

  private number(text: string): number {
    let n = this.ids.get(text);
    if (n === undefined) this.ids.set(text, (n = this.ids.size));
    return n;
  }
}

/**
 * 20 s do not pass while a job is on its way to a worker that can take it, nor while a server starts: that takes seconds, and the shortened
 * joining limit of this world stands for minutes.
 */
const isCalm = (w: World, isShut: (i: number) => boolean): boolean => w.workers.every((x, i) =>
  !x.matched && !(x.startd === "claimed" && isReached(x)) && x.server !== "starting" && !(x.server === "running" && !isAlive(x) && !x.broken && (x.token || !isShut(i))));

const withExtras = (s: State, i: number, change: Partial<Extra>): State => ({ ...s, extras: s.extras.map((e, x) => (x === i ? { ...e, ...change } : e)) });

const hear = (s: State, i: number): State =>
  withExtras({ ...s, world: withWorker(s.world, i, { ad: adOf(s.world.workers[i]!) }) }, i, { fresh: true, adAge: 0 });

/** What a later controller reads in the journal. */
function keep(kept: Kept, e: JournalEntry): Kept {
  if (e.what === "grow") return { ...kept, sinceGrow: 0 };
  if (e.what === "proven") return { ...kept, proven: true };
  if (e.what === "created") return { ...kept, created: [...kept.created.filter((id) => !e.why.endsWith(id)), e.why.slice("server ".length)].sort() };
  if (e.what === "gone") return { ...kept, created: kept.created.filter((id) => workerHostname(id) !== e.worker) };
  return kept;
}
