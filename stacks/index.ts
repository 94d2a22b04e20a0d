import * as pulumi from "@pulumi/pulumi";
import { Grid, isConfigError } from "../components";
import { readSettings } from "./config";

/** Configuration in, grid out. */
async function main(): Promise<pulumi.Inputs> {
  const { cloud, config } = await readSettings(process.env).catch((e: unknown) => {
    // A RunError is shown as its message alone, without a stack trace.
    throw isConfigError(e) ? new pulumi.RunError(e.message) : e;
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

export = main;
