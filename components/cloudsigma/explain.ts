import { isCloudError, type CloudError, type FailureKind } from "../errors";

/** What a person needs: why it happened, and the next step. */
export interface Explanation {
  readonly cause: string;
  readonly next: string;
}

/** The eight error types that the API documents. */
export const ERROR_TYPES = ["validation", "notexist", "permission", "concurrency", "backend", "database", "billing", "payment"] as const;
export type ErrorType = (typeof ERROR_TYPES)[number];
/** Statuses that the API or a gateway before it gives; 0 is no answer at all. */
export const STATUSES = [0, 400, 401, 402, 403, 404, 405, 406, 416, 429, 500, 502, 503, 504] as const;
export type KnownStatus = (typeof STATUSES)[number];

export const BY_TYPE: Readonly<Record<ErrorType, Explanation>> = {
  validation: { cause: "the cloud refuses a value as invalid", next: "correct the named field; sizes must lie within `GET /capabilities/` of the location" },
  notexist: { cause: "the object does not exist (any more) in this location and account", next: "run `pulumi refresh`, then `pulumi up` makes it again" },
  permission: { cause: "the object's present state, or its owner, does not allow this operation", next: "wait until it is at rest (stopped, unmounted) and run again; if it belongs to another account, ask its owner" },
  concurrency: { cause: "two operations on the same object collided", next: "run again in a moment; make sure nobody else changes the same object" },
  backend: { cause: "the cloud had internal trouble", next: "run again; if it stays, give the request id to the cloud's support" },
  database: { cause: "the cloud had trouble with its database", next: "run again; if it stays, give the request id to the cloud's support" },
  billing: { cause: "the account's funds do not cover this (a start needs five days of burst use)", next: "add funds or reduce the size, then run again" },
  payment: { cause: "a payment could not be processed", next: "check the payment method in the account, then run again" },
};

export const BY_STATUS: Readonly<Record<KnownStatus, Explanation>> = {
  0: { cause: "the cloud did not answer", next: "check `cloudsigma:endpoint` or `cloudsigma:location`, the network and proxies, then run again: what was already made is found and kept" },
  400: BY_TYPE.validation,
  401: { cause: "user name, password or token are missing or wrong", next: "set cloudsigma:username and `pulumi config set --secret cloudsigma:password`, or CLOUDSIGMA_USERNAME and CLOUDSIGMA_PASSWORD; accounts differ between locations" },
  402: BY_TYPE.billing,
  403: BY_TYPE.permission,
  404: BY_TYPE.notexist,
  405: { cause: "the URL does not know this method", next: "check that `cloudsigma:endpoint` ends in /api/2.0/" },
  406: { cause: "the service cannot answer in JSON", next: "check that `cloudsigma:endpoint` points to a CloudSigma API" },
  416: { cause: "this part of the upload is already there", next: "go on with the next part" },
  429: { cause: "more calls per minute than the cloud allows", next: "wait a minute and run again" },
  500: BY_TYPE.backend,
  502: { cause: "a gateway before the cloud got no proper answer", next: "run again in a minute" },
  503: { cause: "the cloud is out of capacity or busy", next: "run again later, choose a smaller size, or another location" },
  504: { cause: "a gateway gave up waiting for the cloud", next: "run again: what was already made is found and kept" },
};

const BY_KIND: Readonly<Record<FailureKind, Explanation>> = {
  "not-found": BY_TYPE.notexist,
  "wrong-state": BY_TYPE.permission,
  auth: { cause: "the account may not do this, or the object belongs to another account", next: "check the account and the object's owner; ask the owner for access" },
  invalid: BY_TYPE.validation,
  funds: BY_TYPE.billing,
  capacity: BY_STATUS[503],
  transient: BY_STATUS[502],
  timeout: { cause: "it took longer than the limit", next: "look at the object in the cloud; run again: what was already made is found and kept" },
};

/** Cause and next step of a failure. The kind is the finest for access and limits, then the type, then the status. */
export function explain(error: CloudError): Explanation {
  if (error.kind === "timeout" || error.kind === "capacity") return BY_KIND[error.kind];
  if (error.kind === "auth") return error.status === 401 ? BY_STATUS[401] : BY_KIND.auth;
  const type = ERROR_TYPES.find((t) => t === error.errorType);
  if (type !== undefined) return BY_TYPE[type];
  const status = STATUSES.find((s) => s === error.status);
  // status 0 is also that of errors which were made here
  if (status !== undefined && (status !== 0 || error.ambiguous)) return BY_STATUS[status];
  return BY_KIND[error.kind];
}

/** One text for a person: what failed, what it means, what to do next. Any other error keeps its message. */
export function describe(error: unknown): string {
  if (!isCloudError(error)) return error instanceof Error ? error.message : String(error);
  // our own refusals say already what is wrong and what to do
  if (error.status === 0 && !error.ambiguous && error.kind !== "timeout") return error.message;
  const { cause, next } = explain(error);
  return `${error.message}\n  meaning: ${cause}\n  what to do: ${next}`;
}
