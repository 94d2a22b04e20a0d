import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { AlarmPolicy } from "./alarm-policy";
import type { Bundle } from "./bundle";
import type { Cloud } from "./clouds/cloud";
import type { GridConfig } from "./config/schema";
import { ConfigError } from "./errors";
import { messageAlone } from "./message-alone";
import { FloatingIp } from "./floating-ip";
import { MasterServer } from "./master-server";
import { MasterSetup } from "./master-setup";
import { poolDomain } from "./policy/names";
import { sshKeyPairFromSeed } from "./policy/ssh-key";
import { PrivateNetwork } from "./private-network";
import { WorkerGroup } from "./worker-group";

export interface GridArgs {
  /** Where the grid lives; see `chooseCloud` and `cloudsigmaCloud`. */
  cloud: Cloud;
  /** From `parseGridConfig`, which checks and completes it. */
  config: GridConfig;
  /** The program for the master. @default the bundle of this package */
  bundle?: Bundle;
}

/**
 * A whole elastic grid: private network, address, master with queue and controller, worker group, alarms, and the keys
 * between them. `up` returns when the master answers and `workers.min` workers have joined.
 *
 * Changing sizes or limits of the group, alarms, firewall or HTCondor settings touches no running worker.
 */
export class Grid extends pulumi.ComponentResource {
  readonly gridName: pulumi.Output<string>;
  /** Marks all objects of this grid in the cloud. */
  readonly gridUid: pulumi.Output<string>;
  /** Changes when the master is another machine or has another disk, and so another ssh host key. */
  readonly masterId: pulumi.Output<string>;
  readonly masterAddress: pulumi.Output<string>;
  readonly masterPrivateIp: pulumi.Output<string>;
  readonly sshPort: pulumi.Output<number>;
  readonly sshUser: pulumi.Output<string>;
  /** Secret. */
  readonly sshPrivateKey: pulumi.Output<string>;
  readonly poolDomain: pulumi.Output<string>;

  constructor(name: string, args: GridArgs, opts?: pulumi.ComponentResourceOptions) {
    const { cloud, config, bundle } = args;
    super("elastigrid:index:Grid", name, { name: config.name, cloud: cloud.name }, opts);
    const child = { parent: this };
    const names = { master: `${name}-master`, network: `${name}-network` };

    // Deleted first, so that the engine asks all that carries it before it makes another (`--replace`): the grid would be another one.
    const uid = new random.RandomId(`${name}-uid`, { byteLength: 8 }, { ...child, deleteBeforeReplace: true });
    // Whatever the cloud shall hold carries this: nothing is declared before a living grid has been asked what it bears.
    const gridUid = uid.hex.apply((hex) => checkChanges(cloud, config, hex, names));
    const poolKey = new random.RandomBytes(`${name}-pool-key`, { length: 32 }, { ...child, additionalSecretOutputs: ["hex", "base64"] });
    const keySeed = new random.RandomBytes(`${name}-ssh-seed`, { length: 32 }, { ...child, additionalSecretOutputs: ["hex", "base64"] });
    const keys = pulumi.secret(keySeed.hex).apply((seed) => sshKeyPairFromSeed(seed, `elastigrid-${config.name}`));
    const privateKey = keys.apply((k) => k.privateKey);
    const publicKey = pulumi.unsecret(keys.apply((k) => k.publicKey));
    const password = (role: string): pulumi.Output<string> =>
      pulumi.secret(new random.RandomPassword(`${name}-${role}-console`, { length: 24, special: false, minLower: 1, minUpper: 1, minNumeric: 1 }, { ...child, additionalSecretOutputs: ["result", "bcryptHash"] }).result);

    const network = new PrivateNetwork(names.network, { cloud, config, gridUid }, child);
    const address = new FloatingIp(`${name}-address`, { cloud, config, gridUid }, child);
    const master = new MasterServer(
      names.master,
      { cloud, config, gridUid, network: network.handle, address: address.handle, publicKey, consolePassword: password("master") },
      child,
    );
    const workers = new WorkerGroup(
      `${name}-workers`,
      { cloud, config, gridUid, network: network.handle, publicKey, consolePassword: password("worker") },
      child,
    );
    const alarms = new AlarmPolicy(`${name}-alarms`, { config }, child);
    if (config.bootstrap !== "none")
      new MasterSetup(
        `${name}-setup`,
        { cloud, config, alarms: alarms.rules, gridUid, address: master.address, generation: master.generation, privateKey, poolKey: pulumi.secret(poolKey.hex), controllerTarget: workers.controllerTarget, ...(bundle === undefined ? {} : { bundle }) },
        child,
      );

    this.masterId = master.generation;
    this.gridName = pulumi.output(config.name);
    this.gridUid = gridUid;
    this.masterAddress = master.address;
    this.masterPrivateIp = pulumi.output(master.privateIp);
    this.sshPort = pulumi.output(config.ssh.port);
    this.sshUser = pulumi.output("root");
    this.sshPrivateKey = pulumi.secret(privateKey);
    this.poolDomain = pulumi.output(poolDomain(config.name));
    this.registerOutputs({
      gridName: this.gridName, gridUid: this.gridUid, masterId: this.masterId, masterAddress: this.masterAddress, masterPrivateIp: this.masterPrivateIp,
      sshPort: this.sshPort, sshUser: this.sshUser, sshPrivateKey: this.sshPrivateKey, poolDomain: this.poolDomain,
    });
  }
}

/** The uid again, where the living grid of this uid can take the configuration; else nothing of it is touched. */
async function checkChanges(cloud: Cloud, config: GridConfig, gridUid: string, names: { master: string; network: string }): Promise<string> {
  const { problems, notes } = await cloud.changes({ config, gridUid, names });
  if (problems.length > 0) throw messageAlone(new ConfigError(problems).message);
  for (const note of notes) void pulumi.log.warn(note);
  return gridUid;
}
