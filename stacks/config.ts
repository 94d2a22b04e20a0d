import * as pulumi from "@pulumi/pulumi";
import { checkGridConfig, chooseCloud, ConfigError, readStackConfig, type Cloud, type GridConfig, type Problem } from "../components";

export interface Settings {
  readonly cloud: Cloud;
  readonly config: GridConfig;
}

/** The only reader of the stack's configuration and of the environment. `grid` is the name of the component. Throws every problem at once, also those that only the cloud knows. */
export async function readSettings(env: NodeJS.ProcessEnv, grid: string): Promise<Settings> {
  const { cloud, problems: cloudProblems } = chooseCloud(readStackConfig, env);
  const raw = readObject("grid");
  const { config, problems: gridProblems } = raw.problem === undefined ? checkGridConfig(raw.value) : { config: undefined, problems: [raw.problem] };
  if (cloud === undefined || config === undefined) throw new ConfigError([...cloudProblems, ...gridProblems]);
  const found = await cloud.preflight(config, grid);
  if (found.length > 0) throw new ConfigError(found);
  return { cloud, config };
}

function readObject(key: string): { readonly value?: unknown; readonly problem?: Problem } {
  const text = new pulumi.Config("elastigrid").get(key);
  if (text === undefined) return {};
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return { problem: { path: key, value: text.slice(0, 60), rule: "must be an object", fix: "write its keys as in stacks/Pulumi.example.yaml, or set one with `pulumi config set --path elastigrid:grid.name NAME`" } };
  }
}
