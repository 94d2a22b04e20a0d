import type { Problem } from "../errors";
import type { Cloud } from "./cloud";
import { cloudsigmaCloud } from "./cloudsigma";
import { readCloudsigmaSettings } from "./cloudsigma-settings";

/** Reads `elastigrid:cloud`, `cloudsigma:endpoint` and the like; undefined where a key is not set. */
export type ReadConfig = (key: string) => string | undefined;
export type Environment = Readonly<Record<string, string | undefined>>;

/** The only place that turns the one configuration key into an adapter. */
export function chooseCloud(config: ReadConfig, env: Environment): { readonly cloud?: Cloud; readonly problems: readonly Problem[] } {
  const name = config("elastigrid:cloud") ?? "cloudsigma";
  if (name === "cloudsigma") {
    const { settings, problems } = readCloudsigmaSettings(config, env);
    return problems.length > 0 ? { problems } : { cloud: cloudsigmaCloud(settings), problems };
  }
  const rule = name === "openstack" ? "is not there yet: the OpenStack adapter comes next" : "is no cloud that is known here";
  return { problems: [{ path: "elastigrid:cloud", value: name, rule, fix: "set it to cloudsigma" }] };
}
