import type { Problem } from "../errors";
import { readOpenstackSettings } from "../openstack/settings";
import { readText } from "../openstack/resources/shared";
import type { Cloud } from "./cloud";
import { cloudsigmaCloud } from "./cloudsigma";
import { readCloudsigmaSettings } from "./cloudsigma-settings";
import { openstackCloud } from "./openstack";

/** Reads `elastigrid:cloud`, `cloudsigma:endpoint`, `openstack:cloud` and the like; undefined where a key is not set. */
export type ReadConfig = (key: string) => string | undefined;
export type Environment = Readonly<Record<string, string | undefined>>;

/** The only place that turns the one configuration key into an adapter. */
export function chooseCloud(config: ReadConfig, env: Environment): { readonly cloud?: Cloud; readonly problems: readonly Problem[] } {
  const name = config("elastigrid:cloud") ?? "cloudsigma";
  if (name === "cloudsigma") {
    const { settings, problems } = readCloudsigmaSettings(config, env);
    return problems.length > 0 ? { problems } : { cloud: cloudsigmaCloud(settings), problems };
  }
  if (name === "openstack") {
    const { settings, problems } = readOpenstackSettings(config, env, readText);
    return settings === undefined ? { problems } : { cloud: openstackCloud(settings), problems };
  }
  return { problems: [{ path: "elastigrid:cloud", value: name, rule: "is no cloud that is known here", fix: "set it to cloudsigma or openstack" }] };
}
