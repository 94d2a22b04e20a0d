import { CloudError, type FailureKind } from "../errors";

/** One entry of the service's error list. */
export interface WireError {
  readonly error_type?: string;
  readonly error_point?: string | null;
  readonly error_message?: string;
}

export interface FailedAnswer {
  /** Method and path below the API base, such as `PUT servers/…/`. */
  readonly call: string;
  readonly status: number;
  readonly body: string;
  readonly requestId?: string;
  /** Removes credentials from text that came from outside. */
  readonly redact?: (text: string) => string;
}

const isObject = (v: unknown): v is Record<string, unknown> => typeof v === "object" && v !== null && !Array.isArray(v);
const MAX_MESSAGE = 300;

/** The errors in a body: a list by contract, an object or nothing in the field, HTML from gateways. */
export function parseErrors(body: string): readonly WireError[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    return []; // HTML, plain text or nothing: the status alone says what happened
  }
  const rows = Array.isArray(parsed) ? parsed : isObject(parsed) && Array.isArray(parsed["objects"]) ? parsed["objects"] : [parsed];
  return rows.filter(isObject).filter((r) => "error_type" in r || "error_message" in r) as readonly WireError[];
}

/** First words of a body that is no error list, without markup. */
const gist = (body: string): string =>
  body.replace(/<(script|style)[\s\S]*?<\/\1>/gi, " ").replace(/<[^>]*>/g, " ").replace(/\s+/g, " ").trim().slice(0, 120);

function kindOf(status: number, type: string | undefined): FailureKind {
  if (status === 401) return "auth";
  if (status === 402 || type === "billing" || type === "payment") return "funds";
  if (status === 404 || type === "notexist") return "not-found";
  if (type === "concurrency") return "transient";
  if (status === 429 || status === 500 || status === 502 || status === 504) return "transient";
  // A 503 that the service itself explained is lack of room; one without JSON comes from a gateway and passes.
  if (status === 503) return type === undefined || type === "backend" || type === "database" ? "transient" : "capacity";
  if (status >= 500) return "transient";
  if (type === "permission" || status === 403) return "wrong-state";
  return "invalid";
}

/** ACL refusals speak of lacking permissions or users; the others speak of states. */
const isAclRefusal = (message: string): boolean => /\black(s|ing)?\b.*\[|\bnot (allowed|permitted) to (access|list|edit)\b|authenticat/i.test(message) && !/in state|state\b/i.test(message);
const isNoRoom = (message: string): boolean => /cannot provide enough resources|not enough (free )?(capacity|resources)|out of capacity/i.test(message);

/** The only place where an HTTP answer becomes a CloudError. */
export function cloudErrorFrom(answer: FailedAnswer): CloudError {
  const { status, call } = answer;
  const redact = answer.redact ?? ((t: string) => t);
  const errors = parseErrors(answer.body);
  const first = errors[0];
  const text = errors
    .map((e) => `${e.error_point ? `${e.error_point}: ` : ""}${e.error_message ?? e.error_type ?? "no message"}`)
    .join("; ");
  const said = redact(text !== "" ? text : gist(answer.body)).slice(0, MAX_MESSAGE);
  let kind = kindOf(status, first?.error_type);
  if (kind === "wrong-state" && isAclRefusal(said)) kind = "auth";
  if ((kind === "wrong-state" || kind === "invalid" || kind === "transient") && isNoRoom(said)) kind = "capacity";
  const id = answer.requestId === undefined ? "" : ` (request ${answer.requestId})`;
  return new CloudError(kind, `${call}: HTTP ${status}${first?.error_type ? ` ${first.error_type}` : ""}${said === "" ? "" : `: ${said}`}${id}`, {
    status,
    ...(first?.error_point ? { point: first.error_point } : {}),
    ...(first?.error_type ? { errorType: first.error_type } : {}),
    ...(answer.requestId === undefined ? {} : { requestId: answer.requestId }),
    ambiguous: status >= 500,
  });
}

/** No usable answer: the connection failed, broke or took too long. The call may have had its effect. */
export function noAnswerError(call: string, reason: string, redact: (text: string) => string): CloudError {
  return new CloudError("transient", `${call}: no answer: ${redact(reason).slice(0, MAX_MESSAGE)}`, { status: 0, ambiguous: true });
}

/** What went wrong with a fetch, from its chain of causes; the error itself is not kept: it might hold the request. */
export function reasonOf(error: unknown): string {
  const seen: string[] = [];
  for (let e = error as { message?: string; code?: string; cause?: unknown } | undefined; e && seen.length < 4; e = e.cause as typeof e) {
    const text = e.code ?? e.message;
    if (text && !seen.includes(text)) seen.push(text);
  }
  return seen.filter((s) => s !== "fetch failed").join(", ") || seen.join(", ") || "unknown failure";
}
