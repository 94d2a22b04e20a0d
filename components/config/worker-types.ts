import { slotMemoryMiB } from "../policy/sizes";
import { DEFAULT_TYPE, type WorkerLimits } from "./controller-config";
import type { GridConfig, ServerSize, WorkerTraits } from "./grid-config";

/** The names of all worker types, the first one first. */
export const typeNames = (config: GridConfig): readonly string[] => [DEFAULT_TYPE, ...(config.workers.types ?? []).map((t) => t.name)];

/** The configuration as a worker of this type sees it: its size, image and labels stand where else the first type's do. */
export function ofType(config: GridConfig, name: string): GridConfig {
  if (name === DEFAULT_TYPE) return config;
  const found = config.workers.types?.find((t) => t.name === name);
  if (found === undefined) throw new Error(`there is no worker type ${name}`);
  const { min, max, types } = config.workers;
  const { name: type, image, max: _most, ...traits } = found;
  return { ...config, image: image ?? config.image, workers: { min, max, ...(types === undefined ? {} : { types }), ...traits, type } };
}

/** What the controller is told of the group. Jobs are matched against what HTCondor may hand out, not against the whole server. */
export function workerLimits(config: GridConfig): WorkerLimits {
  const { min, max, types, type: _type, ...first } = config.workers;
  const offered = <T extends ServerSize & WorkerTraits>(t: T): T => ({ ...t, memoryMiB: slotMemoryMiB(t.memoryMiB) });
  return { min, max, ...offered(first), ...(types === undefined ? {} : { types: types.map(({ image: _image, ...t }) => offered(t)) }) };
}

/** Text, number or truth as a ClassAd expression. */
export const classAdLiteral = (value: string | number | boolean): string => (typeof value === "string" ? `"${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"` : String(value));
