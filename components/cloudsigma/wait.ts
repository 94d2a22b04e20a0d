import { CloudError, isCloudError } from "../errors";
import type { Clock } from "./retry";

export interface WaitOptions<T> {
  /** Named in errors, such as `server grid-master (uuid)`. */
  readonly what: string;
  readonly read: () => Promise<T>;
  /** The state that `pending` and `wanted` speak of. @default the object's `status` */
  readonly state?: (object: T) => string;
  /** On the way. Name the state before the call too: an answer may lag behind. */
  readonly pending: readonly string[];
  readonly wanted: readonly string[];
  readonly intervalMs: number;
  readonly limitMs: number;
  readonly clock: Clock;
  readonly signal?: AbortSignal;
  /** What a 404 means: an error, the goal, or not yet there. @default "fail" */
  readonly gone?: "fail" | "done" | "pending";
  /** Asked besides the state, such as "has an address". */
  readonly until?: (object: T) => boolean;
  /** Called with each new state, for progress. */
  readonly onState?: (state: string) => void;
}

const GONE = "gone (404)";

/**
 * Reads until the object is in a wanted state. A state in neither list fails at once and loudly; a timeout says what was
 * last seen. Resolves to undefined only where `gone: "done"` and it is gone.
 */
export async function waitFor<T>(o: WaitOptions<T> & { readonly gone: "done" }): Promise<T | undefined>;
export async function waitFor<T>(o: WaitOptions<T>): Promise<T>;
export async function waitFor<T>(o: WaitOptions<T>): Promise<T | undefined> {
  const { clock, what } = o;
  const stateOf = o.state ?? ((object: T) => String((object as { status?: unknown }).status));
  const start = clock.now();
  let last = "nothing";
  for (;;) {
    o.signal?.throwIfAborted();
    let state: string;
    let object: T | undefined;
    try {
      object = await o.read();
      state = stateOf(object);
    } catch (e) {
      if (!isCloudError(e, "not-found") || o.gone === undefined || o.gone === "fail") throw e;
      if (o.gone === "done") return undefined;
      state = GONE;
    }
    if (state !== last) o.onState?.(state);
    last = state;
    if (object !== undefined && o.wanted.includes(state)) {
      if (o.until === undefined || o.until(object)) return object;
    } else if (state !== GONE && !o.pending.includes(state)) {
      throw new CloudError("wrong-state", `${what} is ${state}, waiting for ${o.wanted.join(" or ") || "its end"}${o.pending.length > 0 ? ` (through ${o.pending.join(", ")})` : ""}`);
    }
    const spent = clock.now() - start;
    if (spent >= o.limitMs)
      throw new CloudError("timeout", `${what} is still ${last} after ${Math.round(spent / 1_000)} s, waiting for ${o.wanted.join(" or ") || "its end"}${o.until && o.wanted.includes(last) ? " and more" : ""}`);
    await clock.sleep(Math.min(o.intervalMs, o.limitMs - spent), o.signal);
  }
}
