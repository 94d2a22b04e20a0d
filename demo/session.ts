import { rmSync } from "node:fs";
import { join } from "node:path";
import { engineEnvironment, type EngineReady } from "../tools/engine-env";
import { LocalCloudProcess, type LeakReport } from "./cloud";
import { LabCloud } from "./lab-cloud";
import { Stack } from "./pulumi";
import { Master } from "./ssh";

/** Where a run keeps what must outlive it: the cloud's and the engine's state, the key of the passphrase. */
export interface SessionPlace {
  readonly packageDir: string;
  readonly stateDir: string;
  readonly stack: string;
  readonly configFile: string;
  readonly print: (line: string) => void;
  /** The stack as an earlier run has configured it, where there is one. @default false: as the file says */
  readonly keepConfig?: boolean;
}

export interface LocalPlace extends SessionPlace {
  readonly port: number;
  readonly keep: boolean;
}

/** The cloud that a run deploys to. */
export interface DemoCloud {
  readonly name: "cloudsigma" | "openstack";
  leaks(): Promise<LeakReport>;
  stop(): Promise<void>;
}

/** A running cloud and the stack on it: what `npm start` and the lanes both drive. */
export interface Session<C extends DemoCloud = DemoCloud> {
  readonly cloud: C;
  readonly stack: Stack;
  connect(): Promise<Master>;
}

/** local-cloud with real hosts, started for this run, or the running one that is given. */
export async function openSession(place: LocalPlace, running?: LocalCloudProcess): Promise<Session<LocalCloudProcess>> {
  const engine = readyEngine();
  const cloud = running ?? await LocalCloudProcess.start({
    program: join(place.packageDir, "dist", "cli", "main.js"), stateDir: join(place.stateDir, "cloud"), port: place.port, keep: place.keep, onLine: (l) => place.print(`  local-cloud: ${l}`),
  });
  return withStack(place, engine, cloud, { CLOUDSIGMA_USERNAME: cloud.access.username, CLOUDSIGMA_PASSWORD: cloud.access.password });
}

/** The OpenStack lab, which is up already; the caller's environment says how to log in (OS_CLOUD and clouds.yaml). */
export async function openLabSession(place: SessionPlace): Promise<Session<LabCloud>> {
  const engine = readyEngine();
  return withStack(place, engine, await LabCloud.open(process.env), {});
}

function readyEngine(): EngineReady {
  const engine = engineEnvironment();
  if (!engine.available) throw new Error(`no Pulumi engine: ${engine.reason}`);
  return engine;
}

async function withStack<C extends DemoCloud>(place: SessionPlace, engine: EngineReady, cloud: C, env: NodeJS.ProcessEnv): Promise<Session<C>> {
  rmSync(join(place.stateDir, "ssh"), { recursive: true, force: true }); // a killed run could not remove its copy of the key
  try {
    const stack = new Stack({ projectDir: place.packageDir, stateDir: join(place.stateDir, "pulumi"), stack: place.stack, configFile: place.configFile, pulumi: engine.pulumi, env: { ...engine.env, ...env } });
    await stack.open(place.keepConfig);
    return {
      cloud, stack,
      connect: async () => {
        const out = await stack.outputs();
        const text = (key: string): string => String(out[key] ?? "");
        return new Master({ address: text("masterAddress"), port: Number(out["sshPort"]), user: text("sshUser") || "root", privateKey: text("sshPrivateKey") }, join(place.stateDir, "ssh"));
      },
    };
  } catch (e) {
    await cloud.stop();
    throw e;
  }
}
