import type { z } from "zod";
import { gridSchema } from "./grid-schema";

/** What the schema says about itself: for did-you-mean and for the reference. */

export type AnySchema = z.core.$ZodType;

/** The schema below defaults and optionals. */
export function unwrap(schema: AnySchema): AnySchema {
  const def = schema._zod.def as z.core.$ZodTypeDef & { innerType?: AnySchema };
  return def.innerType === undefined ? schema : unwrap(def.innerType);
}

export function shapeOf(schema: AnySchema): Readonly<Record<string, AnySchema>> | undefined {
  const def = unwrap(schema)._zod.def as z.core.$ZodTypeDef & { shape?: Record<string, AnySchema> };
  return def.type === "object" ? def.shape : undefined;
}

export function elementOf(schema: AnySchema): AnySchema | undefined {
  const def = unwrap(schema)._zod.def as z.core.$ZodTypeDef & { element?: AnySchema };
  return def.type === "array" ? def.element : undefined;
}

/** What stands behind each name of a map. */
export function valueOf(schema: AnySchema): AnySchema | undefined {
  const def = unwrap(schema)._zod.def as z.core.$ZodTypeDef & { valueType?: AnySchema };
  return def.type === "record" ? def.valueType : undefined;
}

const schemaAt = (path: readonly PropertyKey[]): AnySchema | undefined =>
  path.reduce<AnySchema | undefined>(
    (at, step) => (at === undefined ? undefined : typeof step === "number" ? elementOf(at) : (shapeOf(at)?.[String(step)] ?? valueOf(at))),
    gridSchema,
  );

export interface SchemaMeta {
  readonly description?: string;
  readonly unit?: string;
}

/** Description and unit may sit on any layer of defaults. */
export function metaOf(schema: AnySchema): SchemaMeta {
  const own = (schema as AnySchema & { meta?: () => SchemaMeta | undefined }).meta?.() ?? {};
  const inner = (schema._zod.def as { innerType?: AnySchema }).innerType;
  return inner === undefined ? own : { ...metaOf(inner), ...own };
}

export function metaAt(path: readonly PropertyKey[]): SchemaMeta {
  const schema = schemaAt(path);
  return schema === undefined ? {} : metaOf(schema);
}

/** The keys that are known at a path of the configuration. */
export function keysAt(path: readonly PropertyKey[]): readonly string[] {
  const found = schemaAt(path);
  return Object.keys((found && shapeOf(found)) ?? {});
}
