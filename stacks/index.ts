import * as pulumi from "@pulumi/pulumi";
import { Grid, isConfigError } from "../components";
import { messageAlone } from "../components/message-alone";
import { readSettings } from "./config";

/** Of all that is in the state: another one would be another grid. */
const NAME = "grid";

/** Configuration in, grid out. */
async function main(): Promise<pulumi.Inputs> {
  const { cloud, config } = await readSettings(process.env, NAME).catch((e: unknown) => {
    throw isConfigError(e) ? messageAlone(e.message) : e;
  });
  const grid = new Grid(NAME, { cloud, config });
  return {
    gridName: grid.gridName,
    gridUid: grid.gridUid,
    masterId: grid.masterId,
    masterAddress: grid.masterAddress,
    masterPrivateIp: grid.masterPrivateIp,
    sshPort: grid.sshPort,
    sshUser: grid.sshUser,
    sshPrivateKey: grid.sshPrivateKey,
    poolDomain: grid.poolDomain,
  };
}

export = main;
