import { rmSync } from "node:fs";
import { join } from "node:path";
import { engineEnvironment } from "../tools/engine-env";
import { LocalCloudProcess } from "./cloud";
import { Stack } from "./pulumi";
import { Master } from "./ssh";

/** Where a run keeps what must outlive it: the cloud's and the engine's state, the key of the passphrase. */
export interface SessionPlace {
  readonly packageDir: string;
  readonly stateDir: string;
  readonly stack: string;
  readonly configFile: string;
  readonly port: number;
  readonly keep: boolean;
  readonly print: (line: string) => void;
}

/** A running cloud and the stack on it: what `npm start` and the grid lane both drive. */
export interface Session {
  readonly cloud: LocalCloudProcess;
  readonly stack: Stack;
  connect(): Promise<Master>;
}

export async function openSession(place: SessionPlace): Promise<Session> {
  const engine = engineEnvironment();
  if (!engine.available) throw new Error(`no Pulumi engine: ${engine.reason}`);
  rmSync(join(place.stateDir, "ssh"), { recursive: true, force: true }); // a killed run could not remove its copy of the key
  const cloud = await LocalCloudProcess.start({
    program: join(place.packageDir, "dist", "cli", "main.js"), stateDir: join(place.stateDir, "cloud"), port: place.port, keep: place.keep, onLine: (l) => place.print(`  local-cloud: ${l}`),
  });
  try {
    const env = { ...engine.env, CLOUDSIGMA_USERNAME: cloud.access.username, CLOUDSIGMA_PASSWORD: cloud.access.password };
    const stack = new Stack({ projectDir: place.packageDir, stateDir: join(place.stateDir, "pulumi"), stack: place.stack, configFile: place.configFile, pulumi: engine.pulumi, env });
    await stack.open();
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
