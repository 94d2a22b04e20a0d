/** A resource as the program declared it under mocks. */
export interface Declared {
  readonly type: string;
  readonly name: string;
  readonly inputs: Record<string, any>;
}

/** The mark that the engine puts around a secret. */
export const isSecret = (v: unknown): v is { value: unknown } => typeof v === "object" && v !== null && "4dabf18193072939515e22adb298388d" in v;
export const clear = (v: unknown): unknown => (isSecret(v) ? v.value : v);
