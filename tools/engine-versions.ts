/**
 * The set that is built and tested together. An engine on PATH may be any 3.x from `oldestOnPath` on: the oldest that was
 * tried with these packages.
 */
export const engineVersions = { engine: "3.245.0", oldestOnPath: "3.230.0", go: "1.25.8" } as const;

/** Go modules of tools/engine. The OpenStack plugin's dependencies are older than those of the others, so it is apart. */
export type GoModule = "engine" | "providers" | "openstack";

/** A plugin of the engine, and where its Go source is if it cannot be fetched. */
export interface Plugin {
  readonly name: string;
  readonly npm: string;
  /** That of the npm package, or the engine looks for another one. */
  readonly version: string;
  readonly module: GoModule;
  /** The Go package inside the module. */
  readonly source: string;
  /** What building it from an empty Go cache takes beyond the plugins before it; measured, then rounded up. */
  readonly buildBytes: number;
  /** In words, where it is worth a word. */
  readonly buildTime?: string;
}

const MIB = 2 ** 20;

export const plugins: readonly Plugin[] = [
  { name: "random", npm: "@pulumi/random", version: "4.21.2", module: "providers", source: "./pulumi-resource-random", buildBytes: 400 * MIB },
  { name: "command", npm: "@pulumi/command", version: "1.2.1", module: "providers", source: "./pulumi-resource-command", buildBytes: 400 * MIB },
  {
    name: "openstack", npm: "@pulumi/openstack", version: "3.15.2", module: "openstack", source: ".",
    buildBytes: 1_536 * MIB, buildTime: "about 2 minutes on two idle cores, once",
  },
];

/** The first `1.2.3` in a text such as `v3.245.0-dev` or `go version go1.26.8 linux/amd64`; "1.26" counts as 1.26.0. */
export function parseVersion(text: string): readonly [number, number, number] | undefined {
  const found = /(\d+)\.(\d+)(?:\.(\d+))?/.exec(text);
  return found === null ? undefined : [Number(found[1]), Number(found[2]), Number(found[3] ?? 0)];
}

/** Whether `text` names a version that is `least` or newer. Text without a version is not. */
export function isAtLeast(text: string, least: string): boolean {
  const have = parseVersion(text), want = parseVersion(least);
  if (have === undefined || want === undefined) return false;
  for (let i = 0; i < 3; i += 1) {
    const h = have[i] ?? 0, w = want[i] ?? 0;
    if (h !== w) return h > w;
  }
  return true;
}

/** Whether a `pulumi` found on PATH will do: a 3.x, not too old. */
export const isGoodEngine = (version: string): boolean => isAtLeast(version, engineVersions.oldestOnPath) && parseVersion(version)?.[0] === 3;
