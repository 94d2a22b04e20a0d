import * as pulumi from "@pulumi/pulumi";
import { Grid, isConfigError } from "../components";
import { readSettings } from "./config";

/** Configuration in, grid out. */
async function main(): Promise<pulumi.Inputs> {
  const { cloud, config } = await readSettings(process.env).catch((e: unknown) => {
    throw isConfigError(e) ? messageAlone(e.message) : e;
  });
  const grid = new Grid("grid", { cloud, config });
  return {
    gridName: grid.gridName,
    gridUid: grid.gridUid,
    masterAddress: grid.masterAddress,
    masterPrivateIp: grid.masterPrivateIp,
    sshPort: grid.sshPort,
    sshUser: grid.sshUser,
    sshPrivateKey: grid.sshPrivateKey,
    poolDomain: grid.poolDomain,
  };
}

/** Shown without a stack trace. The engine's host reads `stack` all the same, which would map it to sources for half a minute. */
function messageAlone(message: string): pulumi.RunError {
  const error = new pulumi.RunError(message);
  error.stack = message;
  return error;
}

export = main;
