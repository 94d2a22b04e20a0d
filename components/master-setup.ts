import { remote } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { findBundle, type Bundle } from "./bundle";
import type { Cloud } from "./clouds/cloud";
import type { AlarmSettings, ControllerConfig, MasterSetup as MasterSetupDocument } from "./config/controller-config";
import type { GridConfig } from "./config/schema";
import { workerLimits } from "./config/worker-types";
import { planNetwork } from "./policy/addresses";
import { poolDomain } from "./policy/names";
import { enrolmentPort } from "./policy/ports";
import { leasesFile } from "./render/dnsmasq";
import type { GuestNetwork } from "./render/guest-file";
import { masterFiles } from "./render/master";
import { pushFilesScript } from "./render/push";

export interface MasterSetupArgs {
  cloud: Cloud;
  config: GridConfig;
  alarms: AlarmSettings;
  gridUid: pulumi.Input<string>;
  /** Where the master's ssh answers. */
  address: pulumi.Input<string>;
  /** Of the master: another one gets everything again. */
  generation: pulumi.Input<string>;
  /** Of root. Secret. */
  privateKey: pulumi.Input<string>;
  /** HTCondor's POOL signing key. Secret. */
  poolKey: pulumi.Input<string>;
  controllerTarget: pulumi.Input<Record<string, unknown>>;
  /** @default the bundle of this package */
  bundle?: Bundle;
}

const bundlePath = "/opt/elastigrid/elastigrid.cjs";

/**
 * Everything the master gets by ssh after its first boot, in this order: its files as they are declared now, the
 * program, the controller's configuration with the secrets, and then the wait for the first workers. Each step runs
 * again only when what it brings has changed, or when the master is another one; none runs at destroy.
 */
export class MasterSetup extends pulumi.ComponentResource {
  constructor(name: string, args: MasterSetupArgs, opts?: pulumi.ComponentResourceOptions) {
    super("elastigrid:index:MasterSetup", name, {}, opts);
    const { config } = args;
    const bundle = args.bundle ?? findBundle();
    const connection = {
      host: args.address,
      port: config.ssh.port,
      user: "root",
      privateKey: pulumi.secret(args.privateKey),
      // The master has answered already; what may still fail is one dial among many.
      dialErrorLimit: 20,
      perDialTimeout: 5,
    };
    const child = (dependsOn: pulumi.Resource[], limitSeconds = 300): pulumi.CustomResourceOptions => ({
      parent: this,
      dependsOn,
      customTimeouts: { create: `${limitSeconds}s`, update: `${limitSeconds}s` },
    });

    // As a comment, which updates the step; a trigger would show each as replaced. A copy has no command to carry it.
    const anew = (command: string, also = ""): pulumi.Output<string> => pulumi.interpolate`${command} # ${also}master ${args.generation}`;
    const firstBoot = config.timeouts.masterReadySeconds;
    const files = new remote.Command(`${name}-files`, { connection, create: anew("sh -s"), stdin: pushFilesScript(masterFiles(config, args.cloud), firstBoot) }, child([], firstBoot + 60));
    const program = new remote.CopyToRemote(`${name}-program`, { connection, source: new pulumi.asset.FileAsset(bundle.path), remotePath: bundlePath, triggers: [args.generation] }, child([files]));
    const document = pulumi
      .all([args.gridUid, args.controllerTarget, args.cloud.controllerCredentials(), args.poolKey])
      .apply(([gridUid, target, credentials, poolKey]) => JSON.stringify(setupDocument(config, args.cloud, args.alarms, { gridUid, target, credentials, poolKey })));
    const apply = new remote.Command(
      `${name}-apply`,
      // A new program is a change of this step too: the controller must be restarted with it.
      { connection, create: anew("elastigrid master-apply", `program ${bundle.digest}, `), stdin: pulumi.secret(document) },
      child([program]),
    );
    const seconds = config.timeouts.workersReadySeconds;
    new remote.Command(`${name}-workers`, { connection, create: anew(`elastigrid wait --workers ${config.workers.min} --timeout ${seconds}`) }, child([apply], seconds + 60));
    this.registerOutputs({});
  }
}

interface Resolved {
  readonly gridUid: string;
  readonly target: Record<string, unknown>;
  readonly credentials: Record<string, string>;
  readonly poolKey: string;
}

/** The document on standard input of `elastigrid master-apply`. */
export function setupDocument(config: GridConfig, network: GuestNetwork, alarms: AlarmSettings, r: Resolved): MasterSetupDocument {
  const controller: ControllerConfig = {
    gridName: config.name,
    gridUid: r.gridUid,
    poolDomain: poolDomain(config.name),
    cloud: r.target as unknown as ControllerConfig["cloud"],
    enrolment: { address: planNetwork(config.network.cidr).masterAddress, port: enrolmentPort, ...(network.servesDhcp ? {} : { leasesFile }) },
    addresses: planNetwork(config.network.cidr).workerAddresses,
    workers: workerLimits(config),
    scaling: config.scaling,
    alarms,
  };
  return { controller, credentials: r.credentials, poolKey: r.poolKey };
}
