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

/** This repository's own project on a stack of the test's own, with its own state: what a user runs, pointed at a local cloud. */
export interface TestStack {
  readonly stack: Stack;
  readonly dir: string;
  /** Writes the grid's configuration; takes effect at the next `open` of the stack. */
  configure(grid: Readonly<Record<string, unknown>>): Promise<void>;
  close(): void;
}

export async function openTestStack(access: Access, grid: Readonly<Record<string, unknown>>, name = "test"): Promise<TestStack> {
  const engine = engineEnvironment();
  if (!engine.available) throw new Error(engine.reason);
  const dir = mkdtempSync(join(tmpdir(), "elastigrid-stack-"));
  const configFile = join(dir, `documented.${name}.yaml`);
  const write = (wanted: Readonly<Record<string, unknown>>): void =>
    writeFileSync(configFile, toYaml({ config: { "elastigrid:cloud": "cloudsigma", "cloudsigma:endpoint": access.endpoint, "elastigrid:grid": wanted } }));
  write(grid);
  const env = { ...engine.env, CLOUDSIGMA_USERNAME: access.username, CLOUDSIGMA_PASSWORD: access.password };
  const stack = new Stack({ projectDir: packageDir, stateDir: dir, stack: name, configFile, pulumi: engine.pulumi, env });
  await stack.open();
  return {
    stack,
    dir,
    configure: async (wanted) => {
      write(wanted);
      await stack.open();
    },
    close: () => rmSync(dir, { recursive: true, force: true }),
  };
}
