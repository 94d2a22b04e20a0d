import { checkGridConfig } from "../components/config/schema";
import { describeProblem } from "../components/errors";
import { fromYaml, toYaml } from "../components/render/yaml";

/** One `--set KEY=VALUE`: a key below `elastigrid:grid`, dots between its parts. */
export interface Setting {
  readonly path: readonly string[];
  readonly value: unknown;
}

/** Reads `workers.max=5`; a text where it is none. The value is JSON where it parses as such, else the text itself. */
export function readSetting(text: string): Setting | string {
  const at = text.indexOf("=");
  const path = text.slice(0, Math.max(0, at)).split(".");
  if (at < 1 || path.some((part) => !/^[A-Za-z][A-Za-z0-9_]*$/.test(part))) {
    return `--set ${text}: wanted KEY=VALUE, a key of elastigrid:grid with dots, such as workers.max=5`;
  }
  const value = text.slice(at + 1);
  try {
    return { path, value: JSON.parse(value) as unknown };
  } catch {
    return { path, value };
  }
}

const GRID = "elastigrid:grid";
interface StackFile {
  readonly config?: Readonly<Record<string, unknown>>;
}

/** The stack's configuration with the settings put in; the message of the schema, with every problem, where that cannot be. */
export function withSettings(yaml: string, settings: readonly Setting[]): { readonly yaml: string } | { readonly problem: string } {
  const file = fromYaml(yaml) as StackFile;
  const grid = settings.reduce<unknown>((g, s) => put(g, s.path, s.value), file.config?.[GRID]);
  const { problems } = checkGridConfig(grid);
  if (problems.length > 0) return { problem: problems.map(describeProblem).join("\n") };
  return { yaml: toYaml({ ...file, config: { ...file.config, [GRID]: grid } }) };
}

function put(into: unknown, path: readonly string[], value: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  const object = typeof into === "object" && into !== null && !Array.isArray(into) ? (into as Readonly<Record<string, unknown>>) : {};
  return { ...object, [key]: put(object[key], rest, value) };
}

/** What of the grid's configuration is other than in the documented one, as `--set` takes it. */
export function differences(documented: string, working: string): string[] {
  const flat = (yaml: string): Map<string, string> => new Map(leaves((fromYaml(yaml) as StackFile).config?.[GRID], []));
  const before = flat(documented);
  return [...flat(working)].filter(([key, value]) => before.get(key) !== value).map(([key, value]) => `${key}=${value}`);
}

function leaves(value: unknown, path: readonly string[]): [string, string][] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [[path.join("."), JSON.stringify(value)]];
  return Object.entries(value).flatMap(([key, v]) => leaves(v, [...path, key]));
}
