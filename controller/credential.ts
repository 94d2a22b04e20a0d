import type { CredentialStatus } from "./status";

const DAY_MS = 86_400_000;
/** Where `pulumi up` did not say from when on. */
const WARN_DAYS = 14;

/** When the controller's login ends, and what to do about it; undefined where it does not. */
export function credentialStatus(credentials: Readonly<Record<string, string | undefined>>, nowMs: number): CredentialStatus | undefined {
  const { expiresAt, warnAt } = credentials;
  if (expiresAt === undefined || expiresAt === "") return undefined;
  const endMs = Date.parse(expiresAt);
  if (!Number.isFinite(endMs)) return { expiresAt, warning: `the credential's end cannot be read (${expiresAt}); run \`pulumi up\`, which brings a new one` };
  const warnMs = warnAt === undefined ? endMs - WARN_DAYS * DAY_MS : Date.parse(warnAt);
  if (nowMs >= endMs) return { expiresAt, warning: `the controller's credential expired at ${expiresAt}: the group can neither grow nor shrink; run \`pulumi up\`, which brings a new one` };
  if (nowMs < warnMs) return { expiresAt };
  const days = Math.floor((endMs - nowMs) / DAY_MS);
  return { expiresAt, warning: `the controller's credential expires ${days === 0 ? "within a day" : `in ${days} day${days === 1 ? "" : "s"}`} (${expiresAt}); run \`pulumi up\` before, which brings a new one` };
}
