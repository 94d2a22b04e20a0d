import { mkdir, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { resolve } from "node:path";
import { invalid } from "./api-error";
import { Router } from "./api/router";
import { Tasks, type Delays, type Habits, type World } from "./api/world";
import type { Backend } from "./backend";
import { realClock, type Clock } from "./clock";
import { LoopbackConsoles } from "./consoles";
import { credentialsFile, loadCredentials, newCredentials } from "./credentials";
import { Calls } from "./http/calls";
import { controlRoutes } from "./http/control";
import { Faults, type FaultSpec } from "./http/faults";
import { makeListener } from "./http/listener";
import { findLeaks, type Leaks } from "./leaks";
import { fromImage, shelf, type LibraryRow } from "./library";
import { recover } from "./life/recover";
import { settleSubscriptions } from "./life/money";
import { guestEnded } from "./life/power";
import { takeLock, type Lock } from "./model/lock";
import { StateFile } from "./model/state-file";
import { emptyState, Store } from "./model/store";
import { NoneBackend } from "./none-backend";
import { accountRoutes, billingRoutes, schemaRoutes } from "./resources/account";
import { driveRoutes } from "./resources/drives";
import { keyPairRoutes } from "./resources/keypairs";
import { fwPolicyRoutes, networkRoutes } from "./resources/network";
import { serverRoutes } from "./resources/servers";
import { snapshotRoutes } from "./resources/snapshots";
import { subscriptionRoutes } from "./resources/subscriptions";
import { aclRoutes, tagRoutes } from "./resources/tags";
import { seedForeign } from "./seed";

export { VirtualClock, realClock, type Clock } from "./clock";
export { NoneBackend, GUEST_META } from "./none-backend";
export { LockedError } from "./model/lock";
export { faultProblem, type FaultEffect, type FaultSpec } from "./http/faults";
export type { CallRecord, Calls } from "./http/calls";
export type { Delays, Habits } from "./api/world";
export type { Leaks } from "./leaks";

export interface LocalCloudOptions {
  /** @default 0, any free port */
  readonly port?: number;
  /** @default "127.0.0.1" */
  readonly host?: string;
  /** What a server is: `none` plays the states, `hosts` runs Linux hosts; or a back end of one's own. @default "none" */
  readonly backend?: "none" | "hosts" | Backend;
  /** Folder of state and credentials; without it (or with `memory`) nothing is kept. */
  readonly stateDir?: string;
  readonly memory?: boolean;
  /** Forget what the folder holds. */
  readonly reset?: boolean;
  /** @default generated, and kept in the state folder */
  readonly username?: string;
  readonly password?: string;
  /** Accepted as `Authorization: Bearer`. */
  readonly token?: string;
  readonly clock?: Clock;
  readonly delays?: Partial<Delays>;
  readonly habits?: Partial<Habits>;
  readonly faults?: readonly FaultSpec[];
  /** Of a new account. @default 100000 */
  readonly balance?: number;
  /** One drive, server, VLAN and address of another user, as shared by an ACL, show in lists. */
  readonly foreign?: boolean;
  /** Ports of public addresses that this computer reaches (back end `hosts`). */
  readonly publishPorts?: readonly number[];
  /** Where the appliance tree is (back end `hosts`). @default the project's cache folder */
  readonly cacheDir?: string;
  /** Names cgroups and such for people (back end `hosts`). @default "local" */
  readonly instance?: string;
  readonly log?: (text: string) => void;
}

export interface LocalCloud {
  /** API base with the trailing slash, such as `http://127.0.0.1:9931/api/2.0/`. */
  readonly endpoint: string;
  readonly guestEndpoint: string;
  readonly username: string;
  readonly password: string;
  readonly port: number;
  readonly credentialsFile?: string;
  readonly backend: Backend;
  readonly faults: Faults;
  readonly calls: Calls;
  /** Rows as they are: for tests that look behind the API. */
  readonly store: Store;
  /** Switches: `refuseStarts` answers 402 to every start. */
  setAccount(change: { balance?: number; refuseStarts?: boolean }): void;
  leaks(): Leaks;
  /** Serves the same API on a unix socket too. */
  listenUnix(path: string): Promise<void>;
  stop(): Promise<void>;
  /** Ends without tidying anything up, as a crash does; for tests of the restart. */
  crash(): Promise<void>;
}

const QUICK: Delays = { startMs: 20, stopMs: 20, addressMs: 0, acpiMs: 60_000, driveCreateMs: 20, driveCloneMs: 40, driveResizeMs: 20, deleteMs: 20, snapshotMs: 20, writeMs: 0 };
const HABITS: Habits = { listLagMs: 0, statusLagMs: 0, concurrency: false, hotplug: false, bulkClone: true, fwpolicies: false, errorAsObject: false };
const DEFAULT_BALANCE = 100_000;
/** Longer than clients pause between polls: a connection closed just then would look like a lost answer. */
const KEEP_ALIVE_MS = 75_000;

/** Starts a CloudSigma-compatible cloud on this computer. */
export async function startLocalCloud(options: LocalCloudOptions = {}): Promise<LocalCloud> {
  const log = options.log ?? ((text: string) => void process.stderr.write(`local-cloud: ${text}\n`));
  const clock = options.clock ?? realClock;
  const dir = options.memory === true || options.stateDir === undefined ? undefined : resolve(options.stateDir);
  const undo: (() => Promise<void>)[] = [];
  try {
    let lock: Lock | undefined;
    if (dir !== undefined) {
      await mkdir(dir, { recursive: true, mode: 0o700 });
      lock = await takeLock(dir);
      undo.push(() => lock?.release() ?? Promise.resolve());
      if (options.reset) await Promise.all(["state.json", "credentials.json"].map((f) => rm(`${dir}/${f}`, { force: true })));
    }
    const kept = dir === undefined ? newCredentials() : await loadCredentials(dir);
    const username = options.username ?? kept.username;
    const password = options.password ?? kept.password;
    const state = (dir === undefined ? undefined : await StateFile.load(dir)) ?? emptyState(options.balance ?? DEFAULT_BALANCE);
    const store = new Store(state);
    const backend = await makeBackend(options, clock, dir, log);
    const tasks = new Tasks(clock, log);
    const host = options.host ?? "127.0.0.1";
    const world: World = {
      store, clock, backend, tasks, log, delays: { ...QUICK, ...options.delays }, habits: { ...HABITS, ...options.habits }, planted: { boots: [], clones: [] }, endpoint: "", guestEndpoint: "",
      closing: false, lastStatus: new Map(), consoles: new LoopbackConsoles(backend, host, log),
      library: new Map<string, LibraryRow>([...backend.images.map(fromImage), ...(backend.kind === "none" ? shelf : [])].map((l) => [l.uuid, l])),
    };
    if (options.foreign) seedForeign(world);
    const file = dir === undefined ? undefined : new StateFile(dir, () => store.toState(), log);
    store.onChange = () => file?.touch();
    const faults = new Faults(world.planted);
    for (const spec of options.faults ?? []) faults.add(spec);
    const calls = new Calls();
    const listener = makeListener({
      api: apiRouter(world, username), control: controlRoutes(world, faults, calls), username, password, ...(options.token === undefined ? {} : { token: options.token }), faults, calls, clock, log,
      concurrency: world.habits.concurrency, errorAsObject: world.habits.errorAsObject, writeMs: world.delays.writeMs, before: () => settleSubscriptions(world), saved: () => file?.flush() ?? Promise.resolve(),
    });
    const servers: Server[] = [];
    const listen = async (at: { host: string; port: number } | { path: string }): Promise<Server> => {
      const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, listener);
      await new Promise<void>((done, fail) => {
        server.once("error", fail);
        server.listen(at, done);
      });
      servers.push(server);
      return server;
    };
    const closeServers = async (): Promise<void> => {
      await Promise.all(servers.map((s) => new Promise<void>((done) => (s.close(() => done()), s.closeAllConnections()))));
    };
    // the port first: one that is taken is said before anything else is touched
    const server = await listen({ host, port: options.port ?? 0 });
    undo.push(closeServers);
    const { port } = server.address() as AddressInfo;
    world.endpoint = world.guestEndpoint = `http://${host}:${port}/api/2.0/`;
    backend.events.on("exit", (uuid, reason) => guestEnded(world, uuid, reason));
    await backend.open();
    undo.push(() => backend.close());
    world.guestEndpoint = backend.guestEndpoint({ host, port }) ?? world.endpoint;
    const found = recover(world);
    if (found.booting + found.drives > 0) log(`going on where the last run ended: ${found.booting} servers boot again, ${found.drives} drives are finished`);
    store.touch(); // a new account keeps its uuid from the first moment on
    await file?.flush();
    let ended: Promise<void> | undefined;
    return {
      endpoint: world.endpoint, guestEndpoint: world.guestEndpoint, username, password, port, backend, faults, calls, store,
      ...(dir === undefined ? {} : { credentialsFile: credentialsFile(dir) }),
      setAccount(change) {
        Object.assign(store.account, change);
        store.touch();
      },
      leaks: () => findLeaks(world),
      listenUnix: async (path) => void (await listen({ path })),
      stop: () =>
        (ended ??= (async () => {
          world.closing = true;
          tasks.stop();
          world.consoles.closeAll();
          await closeServers();
          await backend.close();
          await file?.close();
          await lock?.release();
        })()),
      crash: () =>
        (ended ??= (async () => {
          world.closing = true;
          tasks.stop();
          store.onChange = () => undefined;
          world.consoles.closeAll();
          await closeServers();
          await backend.close();
          await lock?.release();
        })()),
    };
  } catch (e) {
    for (const step of undo.reverse()) await step().catch((x: unknown) => log(`while giving up: ${String(x)}`));
    throw e;
  }
}

async function makeBackend(options: LocalCloudOptions, clock: Clock, dir: string | undefined, log: (text: string) => void): Promise<Backend> {
  if (typeof options.backend === "object") return options.backend;
  if (options.backend !== "hosts") return new NoneBackend(clock, options.delays?.stopMs ?? QUICK.stopMs);
  if (dir === undefined) throw invalid("stateDir", "the back end hosts needs a state folder");
  // loaded only when chosen: it is Linux and root only
  const { hostsBackend } = await import("./hosts/index.js");
  const { cacheFolder } = await import("./cache.js");
  return hostsBackend({ stateDir: dir, cacheDir: options.cacheDir ?? cacheFolder(), instance: options.instance ?? "local", log, ...(options.publishPorts === undefined ? {} : { publishPorts: options.publishPorts }) });
}

function apiRouter(world: World, email: string): Router {
  const router = new Router();
  schemaRoutes(router);
  accountRoutes(world, router, email);
  billingRoutes(world, router);
  serverRoutes(world, router);
  driveRoutes(world, router);
  snapshotRoutes(world, router);
  tagRoutes(world, router);
  aclRoutes(world, router);
  networkRoutes(world, router);
  keyPairRoutes(world, router);
  subscriptionRoutes(world, router);
  if (world.habits.fwpolicies) fwPolicyRoutes(world, router);
  return router;
}
