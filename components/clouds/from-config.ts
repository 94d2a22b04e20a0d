import * as pulumi from "@pulumi/pulumi";
import type { GridConfig } from "../config/schema";
import { ConfigError } from "../errors";
import type { Cloud } from "./cloud";
import { chooseCloud, type Environment, type ReadConfig } from "./index";

/** The running program's stack configuration, as adapters read it: `namespace:key`. */
export const readStackConfig: ReadConfig = (key) => {
  const [namespace, name] = key.split(":");
  return new pulumi.Config(namespace).get(name ?? "");
};

/**
 * The cloud that the stack's configuration (`elastigrid:cloud`, `cloudsigma:*`) or the environment names, after it was
 * looked at: a ConfigError tells every problem at once, before anything is made.
 */
export async function cloudFromConfig(config: GridConfig, env: Environment = process.env): Promise<Cloud> {
  const { cloud, problems } = chooseCloud(readStackConfig, env);
  if (cloud === undefined) throw new ConfigError(problems);
  const found = await cloud.preflight(config);
  if (found.length > 0) throw new ConfigError(found);
  return cloud;
}
