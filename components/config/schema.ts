import { ConfigError, type Problem } from "../errors";
import { parseSizeMiB } from "../policy/sizes";
import { crossProblems } from "./cross-checks";
import type { GridConfig, ImageChoice, WorkerTraits, WorkerTypeConfig } from "./grid-config";
import { schemaProblems } from "./problems";
import { gridSchema, parsePorts, type GridConfigText } from "./grid-schema";
import { classAdLiteral } from "./worker-types";

export type { FirewallRule, GridConfig, ImageChoice, OpenstackOptions, ServerSize } from "./grid-config";
export type { GridConfigInput } from "./grid-schema";

/** The name our own appliance has in a cloud's library. */
export const defaultImageName = "elastigrid-appliance";

/** All problems of a configuration, with the configuration where there is none. Never throws. */
export function checkGridConfig(raw: unknown, root = "grid"): { readonly config?: GridConfig; readonly problems: readonly Problem[] } {
  const given = raw ?? {};
  const parsed = gridSchema.safeParse(given);
  const problems = [...(parsed.success ? [] : schemaProblems(parsed.error.issues, given, root)), ...crossProblems(given, root)];
  return parsed.success && problems.length === 0 ? { config: normalise(parsed.data), problems } : { problems };
}

/** Checks and completes a grid's configuration; reports every problem at once as a ConfigError. */
export function parseGridConfig(raw: unknown): GridConfig {
  const { config, problems } = checkGridConfig(raw);
  if (config === undefined) throw new ConfigError(problems);
  return config;
}

/** By uuid, or by name. */
const imageOf = (i: { name?: string; uuid?: string; kind: "appliance" | "stock" }): ImageChoice => (i.uuid !== undefined ? { uuid: i.uuid, kind: i.kind } : { name: i.name ?? defaultImageName, kind: i.kind });

/** Only what was set, so that a grid without is as it was. */
const traitsOf = ({ price, labels }: { price: number; labels: Readonly<Record<string, string | number | boolean>> }): WorkerTraits => ({
  ...(price === 0 ? {} : { price }),
  ...(Object.keys(labels).length === 0 ? {} : { labels: Object.fromEntries(Object.entries(labels).map(([k, v]) => [k, classAdLiteral(v)])) }),
});

function normalise(c: GridConfigText): GridConfig {
  const { master, workers, scaling, image, firewall, condor, ...same } = c;
  const size = (s: { vcpus: number; memory: string; disk: string }) => ({
    vcpus: s.vcpus,
    memoryMiB: parseSizeMiB(s.memory)!,
    diskMiB: parseSizeMiB(s.disk)!,
  });
  const types = Object.entries(workers.types).sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, t]): WorkerTypeConfig => ({
    name, ...size(t), ...traitsOf(t), ...(t.max === undefined ? {} : { max: t.max }),
    ...(t.image === undefined ? {} : { image: t.image.name === undefined && t.image.uuid === undefined ? { ...imageOf(image), kind: t.image.kind ?? image.kind } : imageOf({ ...t.image, kind: t.image.kind ?? image.kind }) }),
  }));
  return {
    ...same,
    image: imageOf(image),
    master: { ...size(master), ...(master.replace === undefined ? {} : { replace: master.replace }) },
    workers: { min: workers.min, max: workers.max, ...size(workers), ...traitsOf(workers), ...(types.length === 0 ? {} : { types }) },
    scaling: { ...scaling, growStep: scaling.growStep ?? workers.max, shrinkStep: scaling.shrinkStep ?? workers.max },
    firewall: firewall.map(({ ports, ...rule }) => ({ ...rule, ...(ports === undefined ? {} : { ports: parsePorts(String(ports))! }) })),
    condor: { settings: Object.fromEntries(Object.entries(condor.settings).map(([k, v]) => [k, String(v)])) },
  };
}
