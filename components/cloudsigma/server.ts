import * as pulumi from "@pulumi/pulumi";
import { byName } from "./by-name";
import { marked, type MarkedArgs } from "./resource-args";

/** One network interface: public by DHCP, public with a subscribed address, or on a VLAN. */
export interface NicArgs {
  /** Uuid of a VLAN. Alone: a VLAN takes no public address on the same interface. */
  vlan?: pulumi.Input<string>;
  /** "dhcp", or a subscribed address that no other server uses. */
  address?: pulumi.Input<string>;
}
export interface ServerDriveArgs {
  uuid: pulumi.Input<string>;
  /** 1 boots first. @default 1 for the first drive, none for the others */
  bootOrder?: pulumi.Input<number>;
}

export interface ServerArgs extends MarkedArgs {
  /** Shown in the cloud, host name of the guest; live. Must not be taken by a server that is not of this deployment. */
  name: pulumi.Input<string>;
  /** In total over all cores. Needs a stop (the server is shut down, changed and started again). */
  cpuMHz: pulumi.Input<number>;
  /** Cores. Needs a stop. @default as many as the MHz need */
  smp?: pulumi.Input<number>;
  /** Needs a stop. */
  memoryBytes: pulumi.Input<number>;
  /** Password of VNC and of the serial console: 8 or more mixed characters. Secret. Needs a stop. */
  vncPassword: pulumi.Input<string>;
  /** In the order of the channels 0:0, 0:1, 0:2, 1:0 ... Needs a stop. @default none */
  drives?: pulumi.Input<pulumi.Input<ServerDriveArgs>[]>;
  /** In the order of the guest. Needs a stop; an interface keeps its MAC as long as its place in the list. @default none */
  nics?: pulumi.Input<pulumi.Input<NicArgs>[]>;
  /** cloud-init user data, plain text; the guest reads it at the first boot only. Seen by all who may read the server: no secrets. */
  userData?: pulumi.Input<string>;
  /** "replace": new user data make a new server on the same drives; "update": they are only stored. @default "replace" */
  onUserDataChange?: pulumi.Input<"replace" | "update">;
  /** `ssh_public_key` of the meta; live, read by the guest at the first boot. */
  sshPublicKey?: pulumi.Input<string>;
  /** Uuids of key pairs. Needs a stop. @default none */
  keyPairs?: pulumi.Input<pulumi.Input<string>[]>;
  /** Live; keys of others are left alone. */
  meta?: pulumi.Input<Record<string, pulumi.Input<string>>>;
  /** Uuids of tags; live; the whole list. @default not managed */
  tags?: pulumi.Input<pulumi.Input<string>[]>;
  /** @default "running" */
  powerState?: pulumi.Input<"running" | "stopped">;
  /** How long a guest may take to shut down before its plug is pulled. @default 30 */
  shutdownSeconds?: pulumi.Input<number>;
  /** How long the start may take, with a public address where one is due. @default 300 */
  startLimitSeconds?: pulumi.Input<number>;
  /** Delete the attached drives too when the server is deleted. @default false: they are resources of their own */
  deleteDrives?: pulumi.Input<boolean>;
}

const provider = byName("server");

/** A server. Its id is the cloud's uuid. Replacing deletes first: drives and static addresses serve one server only. */
export class Server extends pulumi.dynamic.Resource {
  declare readonly name: pulumi.Output<string>;
  /** The first public address; empty while it is stopped or has none. */
  declare readonly publicIp: pulumi.Output<string>;
  /** MACs of the interfaces, in order. */
  declare readonly macs: pulumi.Output<string[]>;
  declare readonly status: pulumi.Output<string>;
  constructor(name: string, args: ServerArgs, opts?: pulumi.CustomResourceOptions) {
    super(
      provider,
      name,
      { publicIp: undefined, macs: undefined, status: undefined, generation: undefined, ...args, ...marked(name, args), vncPassword: pulumi.secret(args.vncPassword) },
      { deleteBeforeReplace: true, ...opts, additionalSecretOutputs: ["vncPassword", ...(opts?.additionalSecretOutputs ?? [])] },
      "cloudsigma",
      "Server",
    );
  }
}
