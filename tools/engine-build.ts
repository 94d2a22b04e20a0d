import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join, relative } from "node:path";
import { engineVersions, isAtLeast, plugins, type GoModule, type Plugin } from "./engine-versions";
import { findOnPath, packageRoot } from "./paths";
import type { Problem } from "./problem";
import { mustRun, runCommand } from "./process";
import type { Teller } from "./steps";

/** `engine` pins the engine, `providers` holds this project's language host and plugins, `openstack` bridges Terraform's provider. */
export const goSources = (module: GoModule): string => join(packageRoot, "tools", "engine", module);

/** What a build depends on: any change of a source or of its pinned modules makes another one. Tests do not count. */
export function sourceHash(folder: string, ...more: readonly string[]): string {
  const hash = createHash("sha256");
  for (const file of goFiles(folder)) hash.update(`${relative(folder, file)}\0`).update(readFileSync(file));
  for (const text of more) hash.update(`\0${text}`);
  return hash.digest("hex").slice(0, 12);
}

/** What the set's plugins and language host are made from. */
export const pluginsHash = (...more: readonly string[]): string =>
  sourceHash(goSources("providers"), sourceHash(goSources("openstack")), ...plugins.map((p) => `${p.name} ${p.version}`), ...more);

function goFiles(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return ["sshtest", "testsshd"].includes(entry.name) ? [] : goFiles(path);
      return /(\.go|go\.mod|go\.sum)$/.test(entry.name) && !entry.name.endsWith("_test.go") ? [path] : [];
    });
}

/** An older `go` cannot even fetch the one that the modules ask for. */
const OLDEST_GO = "1.21.0";

/** Why nothing can be built from Go modules; undefined when it can. */
export async function goProblem(): Promise<Problem | undefined> {
  const fix = `install Go ${engineVersions.go} or newer and run again (see go.dev/doc/install), or put pulumi ${engineVersions.oldestOnPath} or newer on PATH`;
  if (findOnPath("go") === undefined) return { what: "go is missing, and Pulumi's own installer cannot be reached, so the engine has to be built", fix };
  const version = await mustRun("go", ["env", "GOVERSION"], { timeoutMs: 30_000 });
  return isAtLeast(version, OLDEST_GO) ? undefined : { what: `${version.trim()} is too old to build the engine`, fix };
}

/** About 4 minutes on two idle cores from an empty Go cache, half a minute from a full one. */
export async function buildEngine(target: string, tell: Teller): Promise<void> {
  const stamp = `-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v${engineVersions.engine}`;
  await goBuild("engine", target, ["-ldflags", `-s -w ${stamp}`, "-o", join(target, "pulumi"), "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"], tell);
}

export async function buildLanguageHost(target: string, tell: Teller): Promise<void> {
  await goBuild("providers", target, ["-ldflags", "-s -w", "-o", join(target, "pulumi-language-nodejs"), "./pulumi-language-nodejs"], tell);
}

export async function buildPlugin(plugin: Plugin, target: string, tell: Teller): Promise<string> {
  const file = join(target, `pulumi-resource-${plugin.name}`);
  await goBuild(plugin.module, target, ["-ldflags", "-s -w", "-o", file, plugin.source], tell);
  return file;
}

// No -trimpath: it has cache entries of its own, so a build with it starts from nothing.
async function goBuild(module: GoModule, target: string, args: readonly string[], tell: Teller): Promise<void> {
  const scratch = join(target, "go-tmp"); // in the folder that is swept after an interruption, not in /tmp
  await mkdir(scratch, { recursive: true });
  let modules = 0, packages = 0;
  const faults: string[] = [];
  const onLine = (line: string): void => {
    if (line.startsWith("go: downloading")) modules += 1;
    else if (/^[\w./-]+$/.test(line)) packages += 1;
    else faults.push(line); // all but the names of modules and packages
    tell.note(packages === 0 ? `${modules} modules downloaded` : `${packages} packages compiled`);
  };
  const { code } = await runCommand("go", ["build", "-v", ...args], { cwd: goSources(module), env: { ...process.env, GOWORK: "off", GOTMPDIR: scratch }, onLine, timeoutMs: 45 * 60_000 });
  if (code !== 0) throw new Error(`go build in tools/engine/${module} ended with ${code}:\n${faults.slice(-15).join("\n")}`);
  await rm(scratch, { recursive: true, force: true });
}
