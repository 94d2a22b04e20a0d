import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { cacheDir, packageRoot } from "./paths";

/** How to run the engine that set-up chose for this checkout. */
export interface EngineReady {
  readonly available: true;
  /** The `pulumi` program. */
  readonly pulumi: string;
  /** The caller's environment with the engine first on PATH and plugins in a folder of this project's own. */
  readonly env: NodeJS.ProcessEnv;
}

export type EngineEnvironment = EngineReady | { readonly available: false; readonly reason: string };

/** What set-up records when the engine is ready. */
export interface EngineSelection {
  /** In words, such as "built from Go modules". */
  readonly origin: string;
  readonly version: string;
  readonly pulumi: string;
  /** Folders for the head of PATH. */
  readonly path: readonly string[];
  readonly pulumiHome: string;
}

/** One record per checkout: two checkouts may need different engines. */
export const selectionFile = (cache: string = cacheDir(), root: string = packageRoot): string =>
  join(cache, "engine", `checkout-${createHash("sha256").update(root).digest("hex").slice(0, 12)}.json`);

/** The environment in which tests and the demo run `pulumi`; says why when there is no engine. */
export function engineEnvironment(base: NodeJS.ProcessEnv = process.env): EngineEnvironment {
  const file = selectionFile(cacheDir(base));
  if (!existsSync(file)) return { available: false, reason: "set-up has not brought it yet; run: npm run setup" };
  const chosen = JSON.parse(readFileSync(file, "utf8")) as EngineSelection;
  const gone = [chosen.pulumi, chosen.pulumiHome].find((path) => !existsSync(path));
  if (gone !== undefined) return { available: false, reason: `${gone} is gone; run: npm run setup` };
  const env: NodeJS.ProcessEnv = {
    ...base,
    PATH: [...chosen.path, base["PATH"] ?? ""].join(delimiter),
    PULUMI_HOME: chosen.pulumiHome,
    PULUMI_SKIP_UPDATE_CHECK: "true",
    // A missing plugin then fails at once with its name, not after ten seconds of attempts to download it.
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
  };
  // A user's setting would switch off the dynamic provider, which the engine finds next to itself.
  delete env["PULUMI_IGNORE_AMBIENT_PLUGINS"];
  if (env["PULUMI_CONFIG_PASSPHRASE"] === undefined && env["PULUMI_CONFIG_PASSPHRASE_FILE"] === undefined) env["PULUMI_CONFIG_PASSPHRASE"] = "elastigrid-local";
  return { available: true, pulumi: chosen.pulumi, env };
}
