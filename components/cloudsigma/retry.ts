import { setTimeout as sleepReal } from "node:timers/promises";

/** Time as a parameter, so that tests need not wait. */
export interface Clock {
  /** Milliseconds, only for differences. */
  now(): number;
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: async (ms, signal) => {
    await sleepReal(ms, undefined, signal ? { signal } : {});
  },
};

export interface RetryPolicy {
  /** Tries in all, the first included. */
  readonly attempts: number;
  readonly baseMs: number;
  /** No pause is longer, not even one that the service asks for by Retry-After (see there). */
  readonly capMs: number;
  /** Longest Retry-After that is obeyed; a longer one ends the tries. */
  readonly maxRetryAfterMs: number;
  /** One try's limit. */
  readonly timeoutMs: number;
}

export const DEFAULT_RETRY: RetryPolicy = { attempts: 6, baseMs: 400, capMs: 15_000, maxRetryAfterMs: 120_000, timeoutMs: 60_000 };

/** Full jitter: anywhere between nothing and the doubled-up pause, so that many clients do not come back together. */
export const backoffMs = (attempt: number, policy: RetryPolicy, random: () => number): number =>
  Math.floor(random() * Math.min(policy.capMs, policy.baseMs * 2 ** attempt));

/** Retry-After as milliseconds: seconds or an HTTP date; undefined when absent or unreadable. */
export function retryAfterMs(header: string | null, nowEpochMs: number): number | undefined {
  if (header === null || header.trim() === "") return undefined;
  if (/^\d+$/.test(header.trim())) return Number(header.trim()) * 1_000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowEpochMs);
}
