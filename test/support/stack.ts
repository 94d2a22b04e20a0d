import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Stack } from "../../demo/pulumi";
import { toYaml } from "../../components/render/yaml";
import { engineEnvironment } from "../../tools/engine-env";

export const packageDir = resolve(__dirname, "..", "..", "..");

export interface Access {
  readonly endpoint: string;
  readonly username: string;
  readonly password: string;
}

/** Where a stack deploys to: what its configuration says of that beside the grid, and the environment, which holds the credentials. */
export interface StackTarget {
  readonly config: Readonly<Record<string, string>>;
  readonly env: NodeJS.ProcessEnv;
}

export const cloudsigmaTarget = ({ endpoint, username, password }: Access): StackTarget => ({
  config: { "elastigrid:cloud": "cloudsigma", "cloudsigma:endpoint": endpoint },
  env: { CLOUDSIGMA_USERNAME: username, CLOUDSIGMA_PASSWORD: password },
});

/** This repository's own project on a stack of the test's own, with its own state: what a user runs, pointed at a cloud of ours. */
export interface TestStack {
  readonly stack: Stack;
  readonly dir: string;
  /** The configuration as a user would write it. */
  readonly configFile: string;
  /** Writes the grid's configuration; takes effect at the next `open` of the stack. */
  configure(grid: Readonly<Record<string, unknown>>): Promise<void>;
  close(): void;
}

export async function openTestStack(cloud: Access | StackTarget, grid: Readonly<Record<string, unknown>>, name = "test"): Promise<TestStack> {
  const target = "config" in cloud ? cloud : cloudsigmaTarget(cloud);
  const engine = engineEnvironment();
  if (!engine.available) throw new Error(engine.reason);
  const dir = mkdtempSync(join(tmpdir(), "elastigrid-stack-"));
  const configFile = join(dir, `documented.${name}.yaml`);
  const write = (wanted: Readonly<Record<string, unknown>>): void => writeFileSync(configFile, toYaml({ config: { ...target.config, "elastigrid:grid": wanted } }));
  write(grid);
  const stack = new Stack({ projectDir: packageDir, stateDir: dir, stack: name, configFile, pulumi: engine.pulumi, env: { ...engine.env, ...target.env } });
  await stack.open();
  return {
    stack,
    dir,
    configFile,
    configure: async (wanted) => {
      write(wanted);
      await stack.open();
    },
    close: () => rmSync(dir, { recursive: true, force: true }),
  };
}
