import { spawn } from "node:child_process";
import { constants } from "node:os";
import { CLOUDS } from "./clients";
import { innerPid } from "./namespaces";
import { inLab, type Places } from "./places";
import { treePath } from "./tree";

const NOT_UP = 'the lab is not up: run "lab:openstack up" first';

/** A command line and an environment that run a command of this computer in the lab's network namespace: the same files, other addresses. */
export async function intoLab(places: Places, argv: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<{ readonly argv: readonly string[]; readonly env: NodeJS.ProcessEnv }> {
  const pid = await innerPid(places);
  if (pid === undefined) throw new Error(NOT_UP);
  const told = env["OS_AUTH_URL"] !== undefined;
  const clouds = told ? {} : { OS_CLIENT_CONFIG_FILE: places.cloudsYaml, OS_CLOUD: env["OS_CLOUD"] ?? CLOUDS[0] };
  // The namespace has no way out: a proxy of this computer's would only swallow the requests.
  const { http_proxy: _1, https_proxy: _2, HTTP_PROXY: _3, HTTPS_PROXY: _4, all_proxy: _5, ALL_PROXY: _6, ...rest } = env;
  return { argv: ["nsenter", "--target", String(pid), "--net", "--", ...argv], env: { ...rest, ...clouds } };
}

/** Runs a command of this computer in the lab's network namespace. Answers its exit code. */
export async function execInLab(places: Places, argv: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<number> {
  const inside = await intoLab(places, argv, env);
  return runThrough(inside.argv[0] ?? "", inside.argv.slice(1), inside.env);
}

/** Runs a program of the lab's own tree inside all of the lab's namespaces. Answers its exit code. */
export async function runInLabTree(places: Places, argv: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<number> {
  const pid = await innerPid(places);
  if (pid === undefined) throw new Error(NOT_UP);
  const inside = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C.UTF-8", HOME: "/tmp", ...env };
  return runThrough("nsenter", ["--target", String(pid), "--net", "--mount", "--pid", "--uts", "--ipc", "--", "chroot", treePath(places), ...argv], inside);
}

/** The lab's own openstack client. */
export const openstackClient = (places: Places, args: readonly string[]): Promise<number> =>
  runInLabTree(places, ["openstack", ...args], { OS_CLIENT_CONFIG_FILE: inLab("clouds.yaml"), OS_CLOUD: process.env["OS_CLOUD"] ?? CLOUDS[0] });

export const smoke = (places: Places): Promise<number> => runInLabTree(places, ["/usr/bin/python3", inLab("run/python/smoke.py")]);

const runThrough = (command: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: "inherit", env });
    // The terminal tells the command too; it decides when to end.
    const wait = (): void => undefined;
    const pass = (): void => void child.kill("SIGTERM");
    process.on("SIGINT", wait);
    process.on("SIGTERM", pass);
    child.on("error", (e) => reject(new Error(`cannot run ${command}: ${e.message}`)));
    child.on("close", (code, signal) => {
      process.off("SIGINT", wait);
      process.off("SIGTERM", pass);
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  });
