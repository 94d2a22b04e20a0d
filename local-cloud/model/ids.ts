import { randomBytes, randomUUID } from "node:crypto";

export const newUuid = (): string => randomUUID();
/** The service's NICs carry `22:` and five random bytes. */
export const newMac = (): string => `22:${(randomBytes(5).toString("hex").match(/../g) ?? []).join(":")}`;
/** A password with digits, both cases and a symbol, as the service asks for since 2023. */
export const newPassword = (): string => `${randomBytes(15).toString("base64url")}aA1!`;
export const isUuid = (text: string): boolean => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text);
