import * as pulumi from "@pulumi/pulumi";
import type { AddressHandle, Cloud, NetworkHandle } from "./clouds/cloud";
import type { GridConfig } from "./config/schema";
import { planNetwork } from "./policy/addresses";
import { masterUserData } from "./render/cloud-init";

export interface MasterServerArgs {
  cloud: Cloud;
  /** Size, image and all that its first boot sets up. A later change reaches it by ssh: it is not replaced for that. */
  config: GridConfig;
  gridUid: pulumi.Input<string>;
  network: NetworkHandle;
  address: AddressHandle;
  /** May log in as root. */
  publicKey: pulumi.Input<string>;
  /** For the serial console. Secret. */
  consolePassword: pulumi.Input<string>;
}

/** The server that runs the queue and the controller; on a cloud without DHCP also DHCP and gateway of the network. */
export class MasterServer extends pulumi.ComponentResource {
  readonly serverId: pulumi.Output<string>;
  /** Where its ssh answers; known once it does. */
  readonly address: pulumi.Output<string>;
  /** Changes when it is another machine or has another disk. */
  readonly generation: pulumi.Output<string>;
  /** By this address workers find it. */
  readonly privateIp: string;
  constructor(name: string, args: MasterServerArgs, opts?: pulumi.ComponentResourceOptions) {
    const { cloud, config, gridUid, network, address, publicKey, consolePassword } = args;
    // A permission describes no server: to give or to take it changes nothing.
    const { replace: _permission, ...size } = config.master;
    super("elastigrid:index:MasterServer", name, size, opts);
    const server = cloud.master(name, { config, gridUid, network, address, userData: masterUserData(config, cloud), publicKey, consolePassword: pulumi.secret(consolePassword) }, { parent: this });
    this.serverId = server.id;
    this.address = server.address;
    this.generation = server.generation;
    this.privateIp = planNetwork(config.network.cidr).masterAddress;
    this.registerOutputs({ serverId: this.serverId, address: this.address, privateIp: this.privateIp });
  }
}
