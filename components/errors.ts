/** What a caller can do about a refused or lost call. Policy reads this, never an HTTP status. */
export type FailureKind =
  | "not-found" // the object is gone: success when deleting
  | "wrong-state" // 403 `permission` on an own object: it must change its state first
  | "auth" // 401, or 403 on an object that is not ours
  | "invalid" // 400: the request can never work as it is
  | "funds" // 402: no money, or no credit for five days of burst use
  | "capacity" // 503 without `concurrency`: the cloud is full
  | "transient" // network, 429, 500, 502, 504, 503 `concurrency`: the same call may work later
  | "timeout"; // a wait reached its limit; the message says what was last seen

export interface CloudErrorDetails {
  /** HTTP status, 0 when there was no answer. */
  readonly status?: number;
  /** The API's `error_point`: the field that is wrong. */
  readonly point?: string;
  /** The API's `error_type`, such as `permission`. */
  readonly errorType?: string;
  /** `X-REQUEST-ID`, which the cloud's support asks for. */
  readonly requestId?: string;
  /** Whether the call may have had its effect although it failed (no answer, 5xx). */
  readonly ambiguous?: boolean;
  readonly cause?: unknown;
}

/** A cloud refused or lost a call. The message names call and resource, never a credential. */
export class CloudError extends Error {
  readonly kind: FailureKind;
  readonly status: number;
  readonly point?: string;
  readonly errorType?: string;
  readonly requestId?: string;
  readonly ambiguous: boolean;
  constructor(kind: FailureKind, message: string, details: CloudErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "CloudError"; // name and message are assigned here: a serialised class loses what super() sets
    this.message = message;
    this.kind = kind;
    this.status = details.status ?? 0;
    this.point = details.point;
    this.errorType = details.errorType;
    this.requestId = details.requestId;
    this.ambiguous = details.ambiguous ?? false;
  }
}

/** Recognises by name, not by instanceof: two copies of the library may be loaded. */
export const isCloudError = (e: unknown, kind?: FailureKind): e is CloudError =>
  (e as CloudError | undefined)?.name === "CloudError" && (kind === undefined || (e as CloudError).kind === kind);

/** One mistake of a configuration, as a person needs it: where, what was there, which rule, how to repair. */
export interface Problem {
  /** Path in the configuration, such as `workers.max`; or the environment variable's name. */
  readonly path: string;
  /** The value found, as text; left out where it is missing or secret. */
  readonly value?: string;
  /** The rule that it breaks, such as `must not be smaller than workers.min (3)`. */
  readonly rule: string;
  /** What to do, such as `set it to 3 or more`. */
  readonly fix: string;
}

export const describeProblem = (p: Problem): string =>
  `${p.path}${p.value === undefined ? "" : ` = ${p.value}`}: ${p.rule}; ${p.fix}`;

/** All mistakes of a configuration at once; nothing was created. */
export class ConfigError extends Error {
  readonly problems: readonly Problem[];
  constructor(problems: readonly Problem[]) {
    super("");
    this.name = "ConfigError";
    this.problems = problems;
    this.message =
      `the configuration has ${problems.length === 1 ? "a problem" : `${problems.length} problems`}; nothing was created:\n` +
      problems.map((p) => `  - ${describeProblem(p)}`).join("\n");
  }
}

export const isConfigError = (e: unknown): e is ConfigError => (e as ConfigError | undefined)?.name === "ConfigError";
