import { listOwn, type Client } from "../cloudsigma/client";
import { explain } from "../cloudsigma/explain";
import { MARK } from "../cloudsigma/marks";
import type { Capabilities, Drive, HostLimits, Ip, LibDrive, Meta, Server, Vlan } from "../cloudsigma/wire";
import type { GridConfig, ImageChoice, ServerSize } from "../config/grid-config";
import { defaultImageName } from "../config/schema";
import { isCloudError, type Problem } from "../errors";
import { containsAddress, parseAddress, parseCidr } from "../policy/addresses";
import { judgeChanges } from "../policy/master-changes";
import { gridNames, resembling, typeTemplateName } from "../policy/names";
import { bytes, cpuMHz, formatSizeMiB, mebibyte } from "../policy/sizes";
import { livingCloudsigma, type Seen } from "./cloudsigma-living";

export interface PreflightScope {
  /** `project/stack` of the program: marks of this stack are ours. */
  readonly stack: string;
  /** Name of the component `Grid`, where the program tells it. */
  readonly grid?: string;
}

/**
 * All that can be known to fail, before anything is made. Reads only, all at once; a read that fails is a problem of its
 * own and hides only the checks that need it.
 */
export async function preflightCloudsigma(api: () => Client, config: GridConfig, scope: PreflightScope): Promise<readonly Problem[]> {
  let client: Client;
  try {
    client = api();
    await client.profileUuid();
  } catch (e) {
    return [unreachable(e)];
  }
  const failed: Problem[] = [];
  const read = async <T>(what: Promise<T>): Promise<T | undefined> => {
    try {
      return await what;
    } catch (e) {
      failed.push(unreachable(e));
      return undefined;
    }
  };
  const [library, drives, servers, vlans, ips, capabilities, balance] = await Promise.all([
    read(client.list("libdrives")),
    read(listOwn(client, "drives")),
    read(listOwn(client, "servers")),
    read(listOwn(client, "vlans")),
    read(listOwn(client, "ips")),
    read(client.single("capabilities")),
    read(client.single("balance")),
  ]);
  const ours = (meta: Meta | undefined): boolean => meta?.[MARK.stack] === scope.stack;
  const purchases: string[] = [];
  const problems = [
    ...(library && drives ? imageProblems(config, library, drives) : []),
    ...(capabilities ? [...sizeProblems("grid.master", config.master, capabilities), ...sizeProblems("grid.workers", config.workers, capabilities), ...(config.workers.types ?? []).flatMap((t) => sizeProblems(typePath(t.name), t, capabilities))] : []),
    ...(servers && drives ? nameProblems(config, servers, drives, ours) : []),
    ...(vlans ? vlanProblems(config, vlans, ours, purchases) : []),
    ...(ips ? addressProblems(config, ips, ours, purchases) : []),
    ...endpointProblems(config, client.endpoint),
    ...(servers && drives ? await changeProblems(config, { servers, drives, library: () => Promise.resolve(library ?? []) }, ours, scope.grid) : []),
  ];
  if (balance !== undefined && Number(balance.balance) <= 0 && (purchases.length > 0 || servers?.every((s) => !ours(s.meta)) === true))
    problems.push({
      path: "cloudsigma account",
      value: `balance ${balance.balance} ${balance.currency}`,
      rule: purchases.length > 0 ? `does not cover buying ${purchases.join(" and ")}, nor starting servers` : "does not cover starting servers",
      fix: "add funds in the cloud's web console",
    });
  return [...dedupe(failed), ...problems];
}

function unreachable(e: unknown): Problem {
  if (!isCloudError(e)) throw e; // a mistake of ours is no problem of the configuration
  const fix = explain(e).next;
  if (e.kind === "auth") return { path: "cloudsigma:username and cloudsigma:password", rule: `are refused by the cloud (HTTP ${e.status})`, fix };
  return { path: "cloudsigma:endpoint", rule: `the cloud cannot be asked: ${e.message.replace(/\s*\n\s*/g, "; ")}`, fix };
}

const dedupe = (problems: readonly Problem[]): Problem[] => problems.filter((p, i) => problems.findIndex((q) => q.path === p.path) === i);

const typePath = (name: string): string => `grid.workers.types.${name}`;

/** Of the grid's image, and of those that worker types have of their own. */
function imageProblems(config: GridConfig, library: readonly LibDrive[], drives: readonly Drive[]): Problem[] {
  const types = config.workers.types ?? [];
  const sizes: SizedBy[] = [["grid.master", config.master], ["grid.workers", config.workers], ...types.filter((t) => t.image === undefined).map((t): SizedBy => [typePath(t.name), t])];
  return [
    ...oneImageProblems("grid.image", config.image, sizes, library, drives),
    ...types.flatMap((t) => (t.image === undefined ? [] : oneImageProblems(`${typePath(t.name)}.image`, t.image, [[typePath(t.name), t]], library, drives))),
  ];
}

type SizedBy = readonly [path: string, size: ServerSize];

function oneImageProblems(at: string, image: ImageChoice, sizes: readonly SizedBy[], library: readonly LibDrive[], drives: readonly Drive[]): Problem[] {
  const { name, uuid } = image;
  const all = [...library, ...drives];
  const found = all.filter((d) => (uuid === undefined ? d.name === name || d.uuid === name : d.uuid === uuid));
  const path = uuid === undefined ? `${at}.name` : `${at}.uuid`;
  const value = uuid ?? name ?? "";
  if (found.length === 0) {
    const near = resembling(value, all.map((d) => d.name ?? ""));
    const fix = image.kind === "appliance" && uuid === undefined && value === defaultImageName
      ? "this cloud does not have the appliance: name a Debian 13 image of its library in grid.image.name and set grid.image.kind to stock"
      : near.length > 0 ? `near names: ${near.join(", ")}` : `the library has ${library.length} drives; name one of them or a drive of yours`;
    return [{ path, value, rule: "is neither a drive of the library nor one of yours in this location", fix }];
  }
  if (found.length > 1) return [{ path, value, rule: `is the name of ${found.length} drives`, fix: `set ${at}.uuid to one of ${found.map((d) => d.uuid).join(", ")}` }];
  const size = found[0]?.size ?? 0;
  return sizes
    .filter(([, s]) => bytes(s.diskMiB) < size)
    .map(([where, s]) => ({ path: `${where}.disk`, value: formatSizeMiB(s.diskMiB), rule: `is smaller than the image (${formatSizeMiB(Math.ceil(size / mebibyte))})`, fix: `set it to "${formatSizeMiB(Math.ceil(size / mebibyte))}" or more` }));
}

/** Limits of a location over all its kinds of hosts: the cloud picks one that fits. */
function sizeProblems(path: string, size: ServerSize, capabilities: Capabilities): Problem[] {
  const hosts: readonly HostLimits[] = Object.values(capabilities.hosts ?? {}).concat(capabilities.hosts === undefined && capabilities.servers ? [capabilities.servers] : []);
  if (hosts.length === 0) return [];
  const problems: Problem[] = [];
  const limit = (pick: (h: HostLimits) => { min: number; max: number }) => ({ min: Math.min(...hosts.map((h) => pick(h).min)), max: Math.max(...hosts.map((h) => pick(h).max)) });
  const check = (key: string, shown: string, amount: number, range: { min: number; max: number }, text: (n: number) => string): void => {
    if (amount < range.min || amount > range.max) problems.push({ path: `${path}.${key}`, value: shown, rule: `is not offered here: ${text(range.min)} to ${text(range.max)}`, fix: `set it to ${text(amount < range.min ? range.min : range.max)}` });
  };
  const smp = limit((h) => h.smp);
  const mhz = cpuMHz(1);
  const cpu = limit((h) => h.cpu);
  check("vcpus", String(size.vcpus), size.vcpus, { min: Math.max(smp.min, Math.ceil(cpu.min / mhz)), max: Math.min(smp.max, Math.floor(cpu.max / mhz)) }, String);
  check("memory", formatSizeMiB(size.memoryMiB), bytes(size.memoryMiB), limit((h) => h.mem), (n) => formatSizeMiB(Math.floor(n / mebibyte)));
  const kind = capabilities.default_storage_type ?? Object.keys(capabilities.drives)[0];
  const drive = kind === undefined ? undefined : capabilities.drives[kind];
  const range = drive && { min: drive.size?.min ?? drive.min_size ?? 0, max: drive.size?.max ?? drive.max_size ?? Infinity };
  if (range !== undefined) check("disk", formatSizeMiB(size.diskMiB), bytes(size.diskMiB), range, (n) => formatSizeMiB(Math.floor(n / mebibyte)));
  return problems;
}

function nameProblems(config: GridConfig, servers: readonly Server[], drives: readonly Drive[], ours: (meta: Meta | undefined) => boolean): Problem[] {
  const names = gridNames(config.name);
  const servant = [names.master, names.template, ...(config.workers.types ?? []).map((t) => typeTemplateName(names.template, t.name))].flatMap((n) => servers.filter((s) => s.name === n));
  const disk = drives.filter((d) => d.name === names.masterDisk);
  const taken = [...servant, ...disk].filter((o) => !ours(o.meta));
  if (taken.length === 0) return [];
  const shown = taken.map((o) => `${o.name} (${o.uuid}${o.meta?.[MARK.stack] === undefined ? "" : `, of stack ${o.meta[MARK.stack]}`})`);
  return [{ path: "grid.name", value: config.name, rule: `gives names that are taken by something not of this stack: ${shown.join(", ")}`, fix: "choose another name, or remove them" }];
}

/** By stack and name, so that all problems come at once; the grid itself looks again by its uid. */
async function changeProblems(config: GridConfig, seen: Seen, ours: (meta: Meta | undefined) => boolean, grid: string | undefined): Promise<readonly Problem[]> {
  const byName = (part: string, logicalName: string, meta: Meta): boolean =>
    meta[MARK.name] === config.name && meta[MARK.pool] === undefined && logicalName.endsWith(`-${part}`);
  const living = await livingCloudsigma(seen, config, (part, _uid, logicalName, meta) =>
    ours(meta) && (grid === undefined ? byName(part, logicalName, meta) : logicalName === `${grid}-master-${part}`));
  return living === undefined ? [] : judgeChanges(living, config).problems;
}

function vlanProblems(config: GridConfig, vlans: readonly Vlan[], ours: (meta: Meta | undefined) => boolean, purchases: string[]): Problem[] {
  const wanted = config.network.vlan;
  const listed = vlans.map((v) => v.uuid);
  if (wanted !== undefined) return listed.includes(wanted) ? [] : [{ path: "grid.network.vlan", value: wanted, rule: "is no VLAN of this account", fix: listed.length > 0 ? `yours are: ${listed.join(", ")}` : "leave it out, so that one is bought" }];
  if (vlans.some((v) => ours(v.meta) || (v.meta[MARK.free] === "true" && v.servers.length === 0))) return [];
  if (config.purchases.vlan) {
    purchases.push("a VLAN");
    return [];
  }
  return [{ path: "grid.purchases.vlan", value: "false", rule: "a VLAN is needed and none was given back earlier", fix: `set it to true, or grid.network.vlan to ${free(vlans.filter((v) => v.servers.length === 0).map((v) => v.uuid), "a VLAN of yours")}` }];
}

function addressProblems(config: GridConfig, ips: readonly Ip[], ours: (meta: Meta | undefined) => boolean, purchases: string[]): Problem[] {
  const own = ips.filter((ip) => ip.subscription !== null);
  const listed = own.map((ip) => ip.uuid);
  const wanted = config.address;
  if (wanted !== undefined) {
    const found = own.find((ip) => ip.uuid === wanted);
    if (found === undefined) return [{ path: "grid.address", value: wanted, rule: "is no static address of this account", fix: listed.length > 0 ? `yours are: ${listed.join(", ")}` : "leave it out, so that one is bought" }];
    return found.server !== null && !ours(found.meta) ? [{ path: "grid.address", value: wanted, rule: "is in use by another server", fix: "choose a free one" }] : [];
  }
  if (own.some((ip) => ours(ip.meta) || (ip.meta[MARK.free] === "true" && ip.server === null))) return [];
  if (config.purchases.address) {
    purchases.push("a static address");
    return [];
  }
  return [{ path: "grid.purchases.address", value: "false", rule: "a static address is needed and none was given back earlier", fix: `set it to true, or grid.address to ${free(own.filter((ip) => ip.server === null).map((ip) => ip.uuid), "an address of yours")}` }];
}

const free = (candidates: readonly string[], otherwise: string): string => (candidates.length > 0 ? `one of ${candidates.join(", ")}` : otherwise);

function endpointProblems(config: GridConfig, endpoint: string): Problem[] {
  const address = parseAddress(new URL(endpoint).hostname);
  const network = parseCidr(config.network.cidr);
  if (address === undefined || network === undefined || !containsAddress(network, address)) return [];
  return [{ path: "grid.network.cidr", value: config.network.cidr, rule: `contains the cloud's own API (${endpoint}), which the master could not reach`, fix: "choose another private range" }];
}
