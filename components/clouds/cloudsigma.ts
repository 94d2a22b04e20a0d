import * as pulumi from "@pulumi/pulumi";
import { Drive, MasterReady, Server, StaticIp, Vlan, WorkerPool, type MarksArgs, type WorkerPoolTypeArgs } from "../cloudsigma";
import { makeClient, type Client } from "../cloudsigma/client";
import type { CloudsigmaTarget } from "../config/controller-config";
import type { GridConfig } from "../config/grid-config";
import { judgeChanges } from "../policy/master-changes";
import { ofType } from "../config/worker-types";
import { gridNames } from "../policy/names";
import { bytes, cpuMHz } from "../policy/sizes";
import type { Cloud } from "./cloud";
import { imageOf, livingCloudsigma, seeCloudsigma } from "./cloudsigma-living";
import { preflightCloudsigma, type PreflightScope } from "./cloudsigma-preflight";
import type { CloudsigmaSettings } from "./cloudsigma-settings";

/**
 * CloudSigma: a network is a VLAN without DHCP, an address is a subscription, there is no group, alarm or port filter.
 * The controller on the master supplies what is missing. `makeApi` is for tests.
 */
export function cloudsigmaCloud(settings: CloudsigmaSettings, makeApi: (s: CloudsigmaSettings) => Client = makeClient): Cloud {
  let made: Client | undefined;
  const api = (): Client => (made ??= makeApi(settings));
  return {
    name: "cloudsigma",
    scalesGroups: false,
    servesDhcp: false,
    filtersPorts: false,

    preflight: (config, grid) => preflightCloudsigma(api, config, { ...thisStack(), ...(grid === undefined ? {} : { grid }) }),

    async changes({ config, gridUid, names }) {
      const living = await livingCloudsigma(await seeCloudsigma(api()), config, (part, uid, logicalName) => uid === gridUid && logicalName === `${names.master}-${part}`);
      return living === undefined ? { problems: [], notes: [] } : judgeChanges(living, config);
    },

    controllerCredentials() {
      const { username = "", password = "", token } = settings;
      return pulumi.secret<Record<string, string>>(token === undefined ? { username, password } : { token });
    },

    privateNetwork(name, { config, gridUid }, opts) {
      const { vlan, period } = { vlan: config.purchases.vlan, period: config.purchases.period };
      const resource = new Vlan(`${name}-vlan`, { name: gridNames(config.name).network, marks: marks(config, gridUid), purchase: { allowed: vlan, period }, ...(config.network.vlan === undefined ? {} : { wanted: config.network.vlan }) }, opts);
      return { id: resource.uuid, resource };
    },

    floatingIp(name, { config, gridUid }, opts) {
      const { address, period } = config.purchases;
      const resource = new StaticIp(`${name}-ip`, { name: gridNames(config.name).address, marks: marks(config, gridUid), purchase: { allowed: address, period }, ...(config.address === undefined ? {} : { wanted: config.address }) }, opts);
      return { id: resource.id, address: resource.address, resource };
    },

    master(name, spec, opts) {
      const { config } = spec;
      const names = gridNames(config.name);
      const marked = marks(config, spec.gridUid);
      const { replace } = config.master;
      const disk = new Drive(
        `${name}-disk`,
        { name: names.masterDisk, marks: marked, cloneOf: imageOf(config), sizeBytes: bytes(config.master.diskMiB), keepData: true, ...(replace === undefined ? {} : { replace }) },
        opts,
      );
      const server = new Server(
        `${name}-server`,
        {
          name: names.master,
          marks: marked,
          cpuMHz: cpuMHz(config.master.vcpus),
          smp: config.master.vcpus,
          memoryBytes: bytes(config.master.memoryMiB),
          vncPassword: spec.consolePassword,
          drives: [{ uuid: disk.id }],
          // The guest tells them apart by this order: public first.
          nics: [{ address: spec.address.address }, { vlan: spec.network.id }],
          userData: spec.userData,
          // A new server would lose the queue: what changes is brought to the running master by ssh.
          onUserDataChange: "update",
          sshPublicKey: spec.publicKey,
        },
        opts,
      );
      const generation = pulumi.interpolate`${server.id}/${disk.id}`;
      if (config.bootstrap === "none") return { id: server.id, address: spec.address.address, generation, resource: server };
      const ready = new MasterReady(
        `${name}-ready`,
        { address: spec.address.address, port: config.ssh.port, timeoutSeconds: config.timeouts.masterReadySeconds, serverUuid: server.id, triggers: [disk.id] },
        { ...opts, customTimeouts: limits(config.timeouts.masterReadySeconds + 60) },
      );
      return { id: server.id, address: ready.address, generation, resource: ready };
    },

    workerGroup(name, spec, opts) {
      const { config } = spec;
      const types = (config.workers.types ?? []).map((t) => t.name);
      const pool = new WorkerPool(
        `${name}-pool`,
        {
          name: gridNames(config.name).template,
          marks: marks(config, spec.gridUid),
          image: imageOf(config),
          diskBytes: bytes(config.workers.diskMiB),
          cpuMHz: cpuMHz(config.workers.vcpus),
          smp: config.workers.vcpus,
          memoryBytes: bytes(config.workers.memoryMiB),
          vlan: spec.network.id,
          userData: spec.userData,
          sshPublicKey: spec.publicKey,
          vncPassword: spec.consolePassword,
          ...(types.length === 0 ? {} : { types: Object.fromEntries(types.map((t) => [t, typeArgs(ofType(config, t), spec.typeUserData(t))])) }),
        },
        opts,
      );
      // A pool without types has no such output, and what a state lacks a preview takes for unknown: the set-up would always seem to change.
      const typed = types.length === 0 ? pulumi.output(undefined) : pool.templates;
      const controllerTarget = pulumi.all([pool.templateUuid, typed, guestEndpoint(api, settings)]).apply(([templateUuid, templates, endpoint]): Record<string, unknown> => {
        const target: CloudsigmaTarget = { kind: "cloudsigma", endpoint, templateUuid, ...(templates === undefined ? {} : { templates }) };
        return { ...target };
      });
      return { controllerTarget, resource: pool };
    },
  };
}

const typeArgs = (config: GridConfig, userData: pulumi.Input<string>): WorkerPoolTypeArgs => ({
  image: imageOf(config),
  diskBytes: bytes(config.workers.diskMiB),
  cpuMHz: cpuMHz(config.workers.vcpus),
  smp: config.workers.vcpus,
  memoryBytes: bytes(config.workers.memoryMiB),
  userData,
});


const marks = (config: GridConfig, gridUid: pulumi.Input<string>): MarksArgs => ({ gridUid, gridName: config.name });

const limits = (seconds: number): pulumi.CustomTimeouts => ({ create: `${seconds}s`, update: `${seconds}s` });

const thisStack = (): PreflightScope => ({ stack: `${pulumi.getProject()}/${pulumi.getStack()}` });

/**
 * The API base as servers of this location reach it. The location's own entry says so; where the service lists several,
 * the one that was chosen by code or by host counts, and an endpoint that is none of them is used as it is.
 */
export async function guestEndpoint(api: () => Client, settings: CloudsigmaSettings): Promise<string> {
  const client = api();
  const locations = await client.list("locations");
  const host = new URL(client.endpoint).host;
  const own =
    locations.find((l) => settings.endpoint === undefined && l.id.toLowerCase() === settings.location?.toLowerCase()) ??
    locations.find((l) => URL.canParse(l.api_endpoint) && new URL(l.api_endpoint).host === host) ??
    (locations.length === 1 ? locations[0] : undefined);
  const url = own !== undefined && URL.canParse(own.api_endpoint) ? own.api_endpoint : client.endpoint;
  return url.endsWith("/") ? url : `${url}/`;
}
