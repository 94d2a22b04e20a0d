import { z } from "zod";
import { describeProblem, type Problem } from "../../errors";
import { MARK_PREFIX } from "../marks";

/** How the engine writes a value that a preview does not know yet. */
export const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

export interface CheckFailure {
  readonly property: string;
  readonly reason: string;
}
export interface CheckResult<I> {
  readonly inputs: I;
  readonly failures: CheckFailure[];
}

export const hasUnknown = (v: unknown): boolean =>
  v === UNKNOWN || (typeof v === "object" && v !== null && Object.values(v).some(hasUnknown));

const at = (value: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>((v, k) => (typeof v === "object" && v !== null ? (v as Record<PropertyKey, unknown>)[k] : v), value);

const pathText = (path: readonly PropertyKey[]): string =>
  path.reduce<string>((t, k) => (typeof k === "number" ? `${t}[${k}]` : t === "" ? String(k) : `${t}.${String(k)}`), "");

/** Without the engine's own key, and without what was left out. */
export const plain = (news: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(news).filter(([k, v]) => k !== "__provider" && v !== undefined && v !== null));

/**
 * Reports every bad input at once and completes the defaults. What a preview does not know passes; it is checked when
 * it is known. A message of a schema reads "rule; fix".
 */
export function checkInputs<I>(schema: z.ZodType, defaults: Partial<I>, secrets: readonly string[], news: Readonly<Record<string, unknown>>): CheckResult<I> {
  const inputs = { ...defaults, ...plain(news) } as Record<string, unknown>;
  const result = schema.safeParse(inputs);
  const failures: CheckFailure[] = [];
  for (const issue of result.success ? [] : result.error.issues) {
    const found = at(inputs, issue.path);
    // an object-wide rule cannot be judged either while a part is unknown
    if (hasUnknown(found) && issue.code !== "unrecognized_keys") continue;
    const paths = issue.code === "unrecognized_keys" ? issue.keys.map((k) => [...issue.path, k]) : [issue.path];
    for (const path of paths) {
      const property = pathText(path) || "(inputs)";
      const secret = secrets.includes(String(path[0]));
      const [rule = "is wrong", fix = "correct it"] = issue.code === "unrecognized_keys" ? ["is not known here", "remove it or correct its spelling"] : issue.message.split("; ");
      const value = at(inputs, path);
      const problem: Problem = { path: property, rule, fix, ...(secret || value === undefined || typeof value === "object" ? {} : { value: JSON.stringify(value).slice(0, 80) }) };
      // The engine prints the value of the property it is given: a secret must not be found under the name.
      failures.push({ property: secret ? `${property} (secret)` : property, reason: describeProblem(problem) });
    }
  }
  return { inputs: inputs as I, failures };
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
export const uuid = z.string().regex(UUID, "must be a uuid; take it from the cloud's list of such objects");
export const name = z
  .string("must be text; give a name")
  .min(1, "must not be empty; give a name")
  .max(128, "is longer than 128 characters; shorten it")
  // eslint-disable-next-line no-control-regex
  .regex(/^[^\u0000-\u001f]*$/, "has control characters; use printable ones");
export const whole = (min: number, unit: string): z.ZodType<number> =>
  z.number(`must be a number of ${unit}; give a whole number`).int(`must be a whole number of ${unit}; round it`).min(min, `must be at least ${min} ${unit}; give more`) as z.ZodType<number>;
export const seconds = whole(0, "seconds");
export const flag = z.boolean("must be true or false; use one of them");
export const metaSchema = z
  .record(z.string(), z.string("must be text; quote it"))
  .refine((m) => Object.keys(m).every((k) => k.length >= 1 && k.length <= 32), "has a key that is empty or longer than 32 characters; shorten it")
  .refine((m) => !Object.keys(m).some((k) => k.startsWith(MARK_PREFIX)), `has a key that begins with ${MARK_PREFIX}; these are kept for the project's own marks`);
export const tagsSchema = z.array(uuid);
export const marksSchema = z.strictObject({
  gridUid: z.string("must be text; pass a RandomId's hex").regex(/^[A-Za-z0-9_.-]{4,64}$/, "must be 4 to 64 letters, digits, dots or dashes; pass a RandomId's hex"),
  gridName: name,
  stack: name,
});
export const markedFields = { marks: marksSchema, logicalName: name };
export const vncPassword = z
  .string("must be text; pass a RandomPassword's result")
  .min(8, "is shorter than 8 characters; pass a RandomPassword's result of 8 or more")
  .max(64, "is longer than 64 characters; shorten it")
  .regex(/^[\x21-\x7e]*$/, "has characters beyond printable ASCII; use letters, digits and signs");
/** base64 in a meta value: the text may be long, but not without bounds. */
export const userData = z.string("must be text; pass cloud-init user data").max(256 * 1024, "is longer than 256 KiB; fetch large files at boot instead");
export const sshPublicKey = z
  .string("must be text; pass a public key")
  .regex(/^(ssh-(ed25519|rsa|dss)|ecdsa-sha2-nistp\d+|sk-[a-z0-9@.-]+) [A-Za-z0-9+/=]+( .*)?\s*$/, "is not an ssh public key; pass one line in authorized_keys form, such as `ssh-ed25519 AAAA… name`");
