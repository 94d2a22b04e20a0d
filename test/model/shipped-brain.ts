import type { ControllerConfig } from "../../components/config/controller-config";
import type { Override } from "../../components/policy/decision";
import { AdmissionGate } from "../../controller/gate";
import { Controller } from "../../controller/loop";
import type { SeenWorker } from "../../controller/memory";
import type { JournalEntry, Member, Pool, Queue } from "../../controller/ports";

/*
 * The controller as it is shipped, made a function of plain data. Between two passes it is what its memory holds; within a pass it is that
 * and the answers it has had so far, because a pass is run again from its beginning with the same answers until it asks something new.
 */

/** The moment of every pass. Memory is kept by ages, so that states that differ in time alone are one. */
export const NOW_MS = 1_700_000_000_000;
/** So much passes from one pass to the next: an ad comes in twice meanwhile (UPDATE_INTERVAL 10 s). */
export const PASS_MS = 20_000;
/** Older is not told apart: beyond the longest time limit below. */
const OLDEST_MS = 60_000;
/** More looks in a row are not told apart. */
const MOST_LOOKS = 3;

/** Time limits of a few passes, no idle time, no cooldown: all that time would only delay happens as early as it can. */
export const configOf = (min: number, max: number): ControllerConfig => {
  const rule = { enabled: false, thresholdPercent: 50, periodSeconds: 60, evaluationPeriods: 1, cooldownSeconds: 60 };
  return {
    gridName: "g", gridUid: "u", poolDomain: "g.internal", cloud: { kind: "cloudsigma", endpoint: "-", templateUuid: "t" }, enrolment: { address: "-", port: 1, leasesFile: "-" },
    workers: { min, max, vcpus: 1, memoryMiB: 1024, diskMiB: 4096 }, alarms: { cpuHigh: rule, cpuLow: rule },
    scaling: { intervalSeconds: 20, growStep: 8, shrinkStep: 8, cooldownSeconds: 0, idleSeconds: 0, joinTimeoutSeconds: 20 },
  };
};

export interface Call {
  /** No two calls of a pass have the same, and it does not depend on what others were answered meanwhile. */
  readonly name: string;
  readonly what: keyof Pool | keyof Queue | "look" | "machines";
  /** Server id or machine name. */
  readonly of: string;
  readonly how: string;
}

export type Event =
  /** `value`: what the call of this name was answered; an Error is thrown. */
  | { readonly call: string; readonly value: unknown }
  /** Seen, and not answered yet. */
  | { readonly call: string; readonly seen: unknown }
  /** Enrolment gave a token. */
  | { readonly admitted: string };

/** What a pass has come to after some answers. */
export interface Outcome {
  readonly open: readonly Call[];
  /** The pass is over, with this memory. */
  readonly brain?: string;
  readonly journal: readonly JournalEntry[];
  readonly drainsDone: readonly string[];
  readonly known: readonly string[];
  readonly gateClosed: readonly string[];
}

interface Living {
  readonly controller: Controller;
  readonly gate: AdmissionGate;
  readonly calls: Call[];
  readonly answer: Map<string, (value: unknown) => void>;
  readonly journal: JournalEntry[];
  readonly drainsDone: string[];
}

function bring(config: ControllerConfig, override: Override, past: readonly JournalEntry[]): Living {
  const gate = new AdmissionGate();
  const calls: Call[] = [], answer = new Map<string, (value: unknown) => void>(), journal: JournalEntry[] = [], drainsDone: string[] = [];
  const ask = <T>(what: Call["what"], of = "", how: unknown = ""): Promise<T> => new Promise<T>((resolve, reject) => {
    const nth = calls.filter((c) => c.what === what && c.of === of).length;
    const name = `${what} ${of} ${nth}`;
    answer.set(name, (value) => (value instanceof Error ? reject(value) : resolve(value as T)));
    calls.push({ name, what, of, how: typeof how === "string" ? how : JSON.stringify(how) });
  });
  const pool: Pool = {
    observe: () => ask("observe"), statusNow: (id) => ask("statusNow", id), grow: (names) => ask("grow", "", names), start: (id) => ask("start", id),
    remove: (id, how) => ask("remove", id, how?.onlyIfOff === true ? "onlyIfOff" : ""),
  };
  const queue: Queue = {
    observe: () => ask("look"), occupancy: (machines) => ask("occupancy", machines.join()), probe: (address) => ask("probe", address), jobs: () => ask("jobs"),
    fence: (machine, kind, reason) => ask("fence", machine, `${kind} ${reason}`), cancelDrain: (machine) => ask("cancelDrain", machine),
    evict: (machine) => ask("evict", machine), gone: (machine) => ask("gone", machine),
    releaseLostClaims: (machine) => ask("releaseLostClaims", machine),
  };
  const controller = new Controller({
    pool, queue, gate, config, clock: { nowMs: () => NOW_MS, monotonicMs: () => NOW_MS }, randomSuffix: () => "abcdef",
    override: { get: () => override, drainDone: (id) => void drainsDone.push(id) },
    journal: {
      tail: () => past,
      write: (what, why, worker) => void journal.push({ seq: journal.length, at: new Date(NOW_MS).toISOString(), what, why, ...(worker === undefined ? {} : { worker }) }),
    },
  });
  return { controller, gate, calls, answer, journal, drainsDone };
}

/** A controller that has just begun, after what the journal tells. */
export function newBrain(config: ControllerConfig, past: readonly JournalEntry[]): string {
  return packBrain(bring(config, { drains: [] }, past));
}

/** Runs the pass as far as these events carry it. */
export async function runPass(config: ControllerConfig, brain: string, override: Override, events: readonly Event[]): Promise<Outcome> {
  const living = bring(config, override, []);
  unpackBrain(brain, living);
  let done = false;
  void living.controller.pass().then(() => { done = true; });
  const answered = new Set<string>();
  await settle();
  for (const part of inOrder(events)) {
    if (typeof part === "string") living.gate.admit(part);
    else {
      // Answers of which none waits for another come in the order of their names, whatever order they really came in.
      for (let call: string | undefined; (call = [...part.keys()].filter((k) => living.answer.has(k) && !answered.has(k)).sort()[0]) !== undefined;) {
        answered.add(call);
        living.answer.get(call)!(part.get(call));
        await settle();
      }
    }
  }
  const { lastPass } = living.controller;
  if (lastPass?.error !== undefined) throw new Error(`a pass failed: ${lastPass.error}`);
  return {
    open: living.calls.filter((c) => !answered.has(c.name)),
    ...(done ? { brain: packBrain(living) } : {}),
    journal: living.journal, drainsDone: living.drainsDone, known: [...living.controller.memory.workers.keys()], gateClosed: [...setOf(living.gate, "closed")],
  };
}

/** Answers between two tokens, and the tokens. */
function inOrder(events: readonly Event[]): (string | Map<string, unknown>)[] {
  const parts: (string | Map<string, unknown>)[] = [new Map()];
  for (const e of events) {
    if ("admitted" in e) parts.push(e.admitted, new Map());
    else if ("value" in e) (parts.at(-1) as Map<string, unknown>).set(e.call, e.value);
  }
  return parts;
}

/** The same events in the one order in which they are told, so that two orders that make no difference are one. */
export function eventsKey(events: readonly Event[]): string {
  const seen = events.filter((e) => "seen" in e);
  return spell([inOrder(events).map((p) => (typeof p === "string" ? p : [...p].sort(([a], [b]) => (a < b ? -1 : 1)))), seen]);
}

/** Answers as text: what is a map or an error is spelt too. */
const spell = (value: unknown): string => JSON.stringify(value, (_, x: unknown) => (x instanceof Map ? [...(x as Map<string, unknown>)] : x instanceof Error ? `!${x.message}` : x));

/** Until it asks nothing further: one turn of the event loop for what follows at once, one for questions of one moment that are put together. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 2; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** Between two passes: enrolment gives a token, if the gate is open. */
export function admit(config: ControllerConfig, brain: string, id: string): string | undefined {
  const living = bring(config, { drains: [] }, []);
  unpackBrain(brain, living);
  return living.gate.admit(id) ? packBrain(living) : undefined;
}

/** The next pass is later. */
export function older(brain: string): string {
  return brain.replace(/"@(-?\d+)"/g, (_, age: string) => `"@${Math.min(OLDEST_MS, Number(age) + PASS_MS)}"`);
}

const setOf = (gate: AdmissionGate, name: "untouched" | "closed"): Set<string> => Reflect.get(gate, name) as Set<string>;

/**
 * Memory as text. Times are ages. What only feeds the journal, alarms, demand forecasts or the choice among several victims is left out:
 * no decision of the protocol rests on it here, where neither idle time, cooldown nor alarms hold anything back.
 */
function packBrain({ controller, gate }: Living): string {
  const { memory } = controller;
  for (const w of memory.workers.values()) {
    for (const name of ["runningAtMs", "joinedAtMs", "firstJobAtMs", "orderedAtMs"] as const) delete w[name];
    if (w.idleSinceMs !== undefined) w.idleSinceMs = NOW_MS;
    if (w.phase !== "lost" && w.phase !== "joining" && w.phase !== "booting") w.phaseSinceMs = NOW_MS;
    if (w.cancelledAtMs !== undefined && w.cancelledAtMs < NOW_MS) delete w.cancelledAtMs;
    // Only whether it was heard after the cloud's first bad word counts.
    if (w.heard !== undefined) w.heard = { raw: 0, atMs: w.off !== undefined && w.heard.atMs > w.off.sinceMs ? NOW_MS : NOW_MS - OLDEST_MS };
    const member: Member = { ...w.member, status: "unknown", copying: false, name: w.member.id };
    Object.assign(w, { firstSeenMs: NOW_MS, running: [], endedJob: false, member } satisfies Partial<SeenWorker>);
  }
  // The world shows no server that is gone, so nothing has to be remembered of it.
  const breakers = new Map([...memory.breakers].flatMap(([k, b]) => (b.inARow === 0 && b.untilMs <= NOW_MS ? [] : [[k, { ...b, workedMs: [], failedMs: b.failedMs.slice(-MOST_LOOKS) }] as const])));
  const kept = { ...memory, breakers, gone: new Map(), samples: [], metrics: [], actedMs: new Map(), orders: [], boots: [], groupsSeen: new Map(), lastResizeMs: undefined };
  if (kept.createGate !== undefined && kept.createGate.untilMs <= NOW_MS) kept.createGate = undefined;
  const ids = (name: "untouched" | "closed"): Set<string> => new Set([...setOf(gate, name)].filter((id) => memory.workers.has(id)));
  return JSON.stringify(pack({ memory: kept, untouched: ids("untouched"), closed: ids("closed") }, ""));
}

function pack(x: unknown, name: string): unknown {
  if (typeof x === "number") {
    if (/Ms$/.test(name)) return `@${Number.isFinite(x) ? Math.min(OLDEST_MS, NOW_MS - x) : OLDEST_MS}`;
    return /looks$/i.test(name) ? Math.min(MOST_LOOKS, x) : x;
  }
  if (Array.isArray(x)) return x.map((y) => pack(y, name));
  if (x instanceof Set) return { $set: [...(x as Set<string>)].sort() };
  if (x instanceof Map) return { $map: [...(x as Map<string, unknown>)].sort(([a], [b]) => (a < b ? -1 : 1)).map(([k, v]) => [k, pack(v, name)]) };
  if (typeof x !== "object" || x === null) return x;
  return Object.fromEntries(Object.entries(x).filter(([, v]) => v !== undefined).sort(([a], [b]) => (a < b ? -1 : 1)).map(([k, v]) => [k, pack(v, k)]));
}

function unpackBrain(text: string, { controller, gate }: Living): void {
  const b = JSON.parse(text, (_, x: unknown) => {
    if (typeof x === "string" && /^@-?\d+$/.test(x)) return NOW_MS - Number(x.slice(1));
    if (typeof x !== "object" || x === null) return x;
    if ("$set" in x) return new Set(x.$set as string[]);
    if ("$map" in x) return new Map(x.$map as [string, unknown][]);
    return x;
  }) as { memory: object; untouched: Set<string>; closed: Set<string> };
  for (const name of Object.keys(controller.memory)) Reflect.deleteProperty(controller.memory, name);
  Object.assign(controller.memory, b.memory);
  Reflect.set(gate, "untouched", b.untouched);
  Reflect.set(gate, "closed", b.closed);
}
