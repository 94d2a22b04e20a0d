import { resolveEndpoint } from "../cloudsigma/endpoint";
import { settingsFrom, type Get, type Settings } from "../cloudsigma/provider/context";
import type { Problem } from "../errors";

export type { Settings as CloudsigmaSettings };

/**
 * Where the account is and how to log in: from the stack's configuration, else the environment. The dynamic provider
 * reads the same places by itself, so nothing secret becomes a resource's input.
 */
export function readCloudsigmaSettings(config: Get, env: Readonly<Record<string, string | undefined>>): { readonly settings: Settings; readonly problems: readonly Problem[] } {
  const settings = settingsFrom(config, env);
  const problems: Problem[] = [];
  const endpoint = resolveEndpoint(settings);
  if (!endpoint.ok) problems.push({ path: settings.endpoint === undefined ? "cloudsigma:location" : "cloudsigma:endpoint", rule: endpoint.problem.rule, fix: endpoint.problem.fix });
  if (settings.token === undefined) {
    if (settings.username === undefined) problems.push({ path: "cloudsigma:username", rule: "is missing", fix: "run `pulumi config set cloudsigma:username NAME`, or set CLOUDSIGMA_USERNAME" });
    if (settings.password === undefined) problems.push({ path: "cloudsigma:password", rule: "is missing", fix: "run `pulumi config set --secret cloudsigma:password`, or set CLOUDSIGMA_PASSWORD" });
  }
  return { settings, problems };
}
