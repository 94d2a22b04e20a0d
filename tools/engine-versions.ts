/**
 * The set that is built and tested together. An engine on PATH may be any 3.x from `oldestOnPath` on: the oldest that was
 * tried with these packages.
 */
export const engineVersions = { engine: "3.245.0", oldestOnPath: "3.230.0", go: "1.25.8" } as const;

/** Plugins must have the version of their npm package, or the engine looks for another one. */
export const plugins = [
  { name: "random", npm: "@pulumi/random", version: "4.21.2" },
  { name: "command", npm: "@pulumi/command", version: "1.2.1" },
] as const;

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
