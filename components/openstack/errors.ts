import { CloudError, type FailureKind } from "../errors";

const MAX_MESSAGE = 500;
const isObject = (v: unknown): v is Record<string, unknown> => typeof v === "object" && v !== null && !Array.isArray(v);

export interface FailedAnswer {
  /** Method, service and path, such as `POST orchestration /stacks`. */
  readonly call: string;
  readonly status: number;
  readonly body: string;
  readonly requestId?: string;
}

/**
 * The cloud's own words. Every service wraps them differently: keystone `error.message`, nova `{kind: {message}}`, neutron
 * `NeutronError.message`, heat `error.message` beside a title, glance and gnocchi HTML or `message`/`description`, aodh `error_message.faultstring`.
 */
export function wordsOf(body: string): string {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    return gist(body);
  }
  const found = messageIn(parsed, 0);
  return (found ?? gist(body)).replace(/\s+/g, " ").trim().slice(0, MAX_MESSAGE);
}

function messageIn(value: unknown, depth: number): string | undefined {
  if (typeof value === "string") return value;
  if (!isObject(value) || depth > 3) return undefined;
  const { title } = value;
  for (const key of ["message", "faultstring", "error_message", "description", "cause", "error"]) {
    const inner = messageIn(value[key], depth + 1);
    if (inner !== undefined && inner !== "") return inner;
  }
  for (const inner of Object.values(value)) {
    const text = isObject(inner) ? messageIn(inner, depth + 1) : undefined;
    if (text !== undefined) return text;
  }
  return typeof title === "string" ? title : undefined;
}

/** First words of a body that is no JSON, without markup. */
const gist = (body: string): string =>
  body.replace(/<(script|style|head)[\s\S]*?<\/\1>/gi, " ").replace(/<[^>]*>/g, " ").replace(/\s+/g, " ").trim().slice(0, 160);

function kindOf(status: number, said: string): FailureKind {
  if (status === 401) return "auth";
  // A spent quota is 403 at nova and 409 at neutron: time does not help, room does.
  if (/quota|limit exceeded|exceeded for resources|overlimit/i.test(said) && (status === 403 || status === 409 || status === 413)) return "capacity";
  if (status === 403) return "auth";
  if (status === 404 || status === 410) return "not-found";
  if (status === 409) return "wrong-state";
  if (status === 429 || status >= 500) return "transient";
  return "invalid";
}

/** The only place where an answer of OpenStack becomes a CloudError. */
export function openstackError(answer: FailedAnswer): CloudError {
  const { status, call, requestId } = answer;
  const said = wordsOf(answer.body);
  const id = requestId === undefined ? "" : ` (request ${requestId})`;
  return new CloudError(kindOf(status, said), `${call}: HTTP ${status}${said === "" ? "" : `: ${said}`}${id}`, {
    status,
    ambiguous: status >= 500,
    ...(requestId === undefined ? {} : { requestId }),
  });
}
