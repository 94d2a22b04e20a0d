import { compute, type identity, images, networking } from "@pulumi/openstack";
import * as pulumi from "@pulumi/pulumi";
import { makeOpenstack } from "../openstack/client";
import type { Openstack, OpenstackSettings } from "../openstack/api";
import { MasterReady } from "../openstack/master-ready";
import { Sweep } from "../openstack/sweep";
import type { GridConfig } from "../config/grid-config";
import { planNetwork } from "../policy/addresses";
import { gridNames } from "../policy/names";
import type { ChildOptions, Cloud } from "./cloud";
import { credentialTerm, declareCredential } from "./openstack-credential";
import type { OpenstackFacts } from "./openstack-facts";
import { declareGroup } from "./openstack-group";
import { resourceHooks, type Hooks } from "./openstack-hooks";
import { volumeGiB } from "./openstack-look/boot-image";
import { GRID_KEY, IDENTITY_KEY, marker, masterReplacing } from "./openstack-marks";
import { declareNetwork, type OpenstackNetwork } from "./openstack-network";
import { logicalNames, openstackChanges, preflightOpenstack } from "./openstack-preflight";

export interface OpenstackCloudParts {
  readonly makeApi?: (s: OpenstackSettings) => Openstack;
  readonly nowMs?: () => number;
}

/** Terraform's ten minutes for a delete that cannot work would be waited for in full. */
const TIMEOUTS: pulumi.CustomTimeouts = { delete: "3m" };

/**
 * OpenStack: network, router, security groups, port, floating IP and server by the engine's plugin, the workers as an autoscaling group
 * of Heat. The plugin reads the same login as we do, so no credential becomes an input of a resource.
 */
export function openstackCloud(settings: OpenstackSettings, parts: OpenstackCloudParts = {}): Cloud {
  let made: Openstack | undefined;
  const api = (): Openstack => (made ??= (parts.makeApi ?? makeOpenstack)(settings));
  let found: OpenstackFacts | undefined;
  const facts = (): OpenstackFacts => {
    if (found === undefined) throw new Error("the cloud has not been looked at: call `preflight`, and go on only if it finds no problem");
    return found;
  };
  let roles: readonly string[] = [];
  let bound: Hooks | undefined;
  const hooks = (): Hooks => (bound ??= resourceHooks(api));
  let sweep: Sweep | undefined;
  let image: { readonly name: pulumi.Output<string>; readonly id: pulumi.Output<string> } | undefined;
  let credential: { readonly resource: identity.ApplicationCredential; readonly warnAt: string } | undefined;
  let key: compute.Keypair | undefined;

  /** What every resource is given. Where the sweep is there, it is deleted after everything else. */
  const options = (opts: ChildOptions): ChildOptions => ({ ...opts, hooks: hooks(), customTimeouts: TIMEOUTS, ...(sweep === undefined ? {} : { dependsOn: [sweep] }) });
  const beginSweep = (name: string, gridUid: pulumi.Input<string>, opts: ChildOptions): Sweep => (sweep ??= new Sweep(`${name}-sweep`, { gridUid, scope: "all" }, { ...opts, customTimeouts: { delete: "15m" } }));

  /** Servers take it by name where it is named so: a new image under the old name replaces nothing. */
  const imageOf = (name: string, config: GridConfig, gridUid: pulumi.Input<string>, opts: ChildOptions): NonNullable<typeof image> => {
    if (image !== undefined) return image;
    const { upload } = facts();
    if (upload === undefined) return (image = { name: pulumi.output(config.image.uuid ?? facts().image?.name ?? ""), id: pulumi.output(facts().image?.id ?? "") });
    const uploaded = new images.Image(
      `${name}-image`,
      { name: config.image.name ?? "", localFilePath: upload.path, diskFormat: upload.format, containerFormat: "bare", visibility: "private", properties: { description: marker(gridUid)(`${name}-image`) } },
      { ...options(opts), ignoreChanges: ["properties"], customTimeouts: { create: "60m", delete: "5m" } },
    );
    return (image = uploaded);
  };
  /** Its name does not follow the grid's: Heat would replace every member for it. */
  const keyOf = (name: string, gridUid: pulumi.Input<string>, publicKey: pulumi.Input<string>, opts: ChildOptions): compute.Keypair =>
    (key ??= new compute.Keypair(`${name}-key`, { name: pulumi.interpolate`elastigrid-${gridUid}`, publicKey }, { ...options(opts), deleteBeforeReplace: true }));

  return {
    name: "openstack",
    get scalesGroups() {
      return facts().alarms;
    },
    servesDhcp: true,
    filtersPorts: true,

    async preflight(config, grid) {
      const looked = await preflightOpenstack(api(), config, { stack: `${pulumi.getProject()}/${pulumi.getStack()}`, projectRoot: pulumi.getRootDirectory(), ...(grid === undefined ? {} : { grid }) });
      found = looked.facts;
      if (found !== undefined) ({ roles } = await api().session());
      if (looked.problems.length === 0) for (const note of looked.facts?.notes ?? []) void pulumi.log.warn(note);
      return looked.problems;
    },

    changes({ config, gridUid, names }) {
      const logical = logicalNames(names.master, names.network);
      return openstackChanges(api(), config, facts(), (mark) => mark.gridUid === gridUid && logical.includes(mark.logicalName));
    },

    controllerCredentials() {
      if (credential === undefined) throw new Error("the credential is declared with the worker group: declare that first");
      const { resource, warnAt } = credential;
      return pulumi.secret(
        pulumi.all([resource.id, resource.secret, resource.expiresAt]).apply(([id, secret, expiresAt]): Record<string, string> => ({ applicationCredentialId: id, applicationCredentialSecret: secret, expiresAt: expiresAt ?? "", warnAt })),
      );
    },

    privateNetwork(name, { config, gridUid }, opts) {
      beginSweep(name, gridUid, opts);
      return declareNetwork(name, { config, gridUid, facts: facts() }, options(opts));
    },

    floatingIp(name, { gridUid }, opts) {
      const own = facts().floatingIp;
      if (own !== undefined) {
        const resource = networking.FloatingIp.get(`${name}-ip`, own.id, undefined, opts);
        return { id: resource.id, address: pulumi.output(own.address), resource };
      }
      beginSweep(name, gridUid, opts);
      const resource = new networking.FloatingIp(`${name}-ip`, { pool: facts().externalNetwork.name, description: marker(gridUid)(`${name}-ip`, { pool: facts().externalNetwork.name }) }, options(opts));
      return { id: resource.id, address: resource.address, resource };
    },

    master(name, spec, opts) {
      const { config, gridUid } = spec;
      const network = spec.network as OpenstackNetwork;
      const names = gridNames(config.name);
      const mark = marker(gridUid);
      const attached = { ...options(opts), dependsOn: [...network.ways] };
      const port = new networking.Port(
        `${name}-port`,
        {
          name: names.master, description: mark(`${name}-port`, { cidr: config.network.cidr }), networkId: network.id, adminStateUp: true,
          fixedIps: [{ subnetId: network.subnetId, ipAddress: planNetwork(config.network.cidr).masterAddress }], securityGroupIds: [network.groups.master.id],
        },
        { ...attached, deleteBeforeReplace: true },
      );
      const { bootVolume } = config.openstack;
      const flavor = facts().flavors.master;
      const bootFrom = imageOf(name, config, gridUid, opts);
      const server = new compute.Instance(
        `${name}-server`,
        {
          name: names.master,
          ...(bootVolume ? { blockDevices: [{ uuid: facts().bootImage ?? bootFrom.id, sourceType: "image", destinationType: "volume", bootIndex: 0, volumeSize: volumeGiB(config), deleteOnTermination: true }] } : config.image.uuid === undefined ? { imageName: bootFrom.name } : { imageId: bootFrom.name }),
          flavorId: flavor.id,
          keyPair: keyOf(name, gridUid, spec.publicKey, opts).name,
          networks: [{ port: port.id }],
          userData: spec.userData,
          metadata: { [GRID_KEY]: gridUid, [IDENTITY_KEY]: mark(`${name}-server`, masterReplacing(config)) },
        },
        {
          ...attached,
          // Two servers cannot hold one port.
          deleteBeforeReplace: true,
          // A new server would lose the queue: what changes is brought to the running master by ssh.
          ignoreChanges: ["userData", "keyPair"],
          customTimeouts: { create: "30m", update: "30m", delete: "10m" },
        },
      );
      const associated = new networking.FloatingIpAssociate(`${name}-association`, { floatingIp: spec.address.address, portId: port.id }, { ...attached, deleteBeforeReplace: true });
      const reached = pulumi.all([spec.address.address, associated.id]).apply(([address]) => address);
      if (config.bootstrap === "none") return { id: server.id, address: reached, generation: server.id, resource: server };
      const { replace } = config.master;
      const ready = new MasterReady(
        `${name}-ready`,
        { address: reached, port: config.ssh.port, timeoutSeconds: config.timeouts.masterReadySeconds, serverId: server.id, ...(replace === undefined ? {} : { replace }) },
        { ...opts, customTimeouts: { create: `${config.timeouts.masterReadySeconds + 60}s`, update: `${config.timeouts.masterReadySeconds + 60}s` } },
      );
      return { id: server.id, address: ready.address, generation: server.id, resource: ready };
    },

    workerGroup(name, spec, opts) {
      const { config, gridUid } = spec;
      const term = credentialTerm((parts.nowMs ?? Date.now)(), config.openstack.credential);
      credential = { resource: declareCredential(name, { config, gridUid, facts: facts(), roles, term }, options(opts)), warnAt: term.warnAt };
      const keyName = keyOf(name, gridUid, spec.publicKey, opts).name;
      return declareGroup(name, { config, gridUid, network: spec.network as OpenstackNetwork, keyName, userData: spec.userData, typeUserData: spec.typeUserData, facts: facts(), image: imageOf(name, config, gridUid, opts).name, api }, options(opts));
    },
  };
}
