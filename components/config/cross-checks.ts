import type { Problem } from "../errors";
import { contains, containsAddress, hostCount, parseAddress, parseCidr } from "../policy/addresses";
import { isIpv6 } from "../policy/ranges6";
import { condorPort, enrolmentPort } from "../policy/ports";
import { ruleProblems, scalingProblems, typeProblems } from "./cross-workers";
import { pathText, show, valueAt } from "./problems";
import { gridSchema } from "./grid-schema";

/** Ports that the grid itself listens on. */
export const ownPorts: Readonly<Record<number, string>> = { [enrolmentPort]: "enrolment of workers", [condorPort]: "HTCondor" };

/**
 * Rules between keys. They look at the raw values, each guarded by itself, so that a mistake elsewhere hides none of
 * them: zod stops at the first level that fails.
 */
export function crossProblems(raw: unknown, root: string): Problem[] {
  const problems: Problem[] = [];
  const at = (...path: PropertyKey[]): unknown => valueAt(raw, path) ?? valueAt(defaults, path);
  const number = (...path: PropertyKey[]): number | undefined => only("number", at(...path));
  const list = (...path: PropertyKey[]): readonly unknown[] => (Array.isArray(at(...path)) ? (at(...path) as unknown[]) : []);
  const complain = (path: PropertyKey[], rule: string, fix: string): void => {
    problems.push({ path: pathText(root, path), value: show(at(...path)), rule, fix });
  };

  const min = number("workers", "min");
  const max = number("workers", "max");
  if (min !== undefined && max !== undefined && min > max) complain(["workers", "max"], `must not be smaller than workers.min (${min})`, `set it to ${min} or more, or workers.min to ${max} or less`);

  typeProblems(at, complain);
  ruleProblems(at, complain);
  scalingProblems(at, complain);

  const network = cidrOf(at("network", "cidr"));
  if (network !== undefined && max !== undefined && network.prefix <= 28 && hostCount(network) < max + 1)
    complain(["network", "cidr"], `has ${hostCount(network)} host addresses, but workers.max (${max}) and the master need ${max + 1}`, `take a prefix of ${prefixFor(max + 1)} or less, or lower workers.max`);

  const address = only("string", at("address"));
  const addressNumber = address === undefined ? undefined : parseAddress(address);
  if (network !== undefined && addressNumber !== undefined && containsAddress(network, addressNumber)) complain(["address"], `lies in the private network ${String(at("network", "cidr"))}`, "choose another network.cidr or another address");

  list("ssh", "allowFrom").forEach((from, i) => {
    const range = cidrOf(from);
    if (network !== undefined && range !== undefined && contains(network, range)) complain(["ssh", "allowFrom", i], `overlaps the private network ${String(at("network", "cidr"))}, from where nobody logs in over the public address`, "name the address you connect from, or choose another network.cidr");
  });

  if (list("ssh", "allowFrom").length > 0 && list("ssh", "allowFrom").every((from) => typeof from === "string" && isIpv6(from))) complain(["ssh", "allowFrom"], "has no IPv4 range, but `pulumi up` and `elastigrid` log in by IPv4", "add the IPv4 address you connect from");

  const port = number("ssh", "port");
  if (port !== undefined && ownPorts[port] !== undefined) complain(["ssh", "port"], `is taken by the grid (${ownPorts[port]})`, "choose another port");

  const low = number("alarms", "cpuLow", "thresholdPercent");
  const high = number("alarms", "cpuHigh", "thresholdPercent");
  const bothOn = at("alarms", "cpuLow", "enabled") === true && at("alarms", "cpuHigh", "enabled") === true;
  if (bothOn && low !== undefined && high !== undefined && low >= high) complain(["alarms", "cpuLow", "thresholdPercent"], `must be below alarms.cpuHigh.thresholdPercent (${high}), or the group swings`, `set it below ${high}`);

  if (valueAt(raw, ["image", "name"]) !== undefined && valueAt(raw, ["image", "uuid"]) !== undefined) complain(["image", "uuid"], "cannot stand beside image.name", "keep one of the two");

  if (valueAt(raw, ["openstack", "imageFile"]) !== undefined && valueAt(raw, ["image", "uuid"]) !== undefined) complain(["openstack", "imageFile"], "cannot stand beside image.uuid, which names an image that exists", "keep one of the two; the uploaded image is called image.name");

  const validDays = number("openstack", "credential", "expiresInDays");
  const warnDays = number("openstack", "credential", "warnDaysBefore");
  if (validDays !== undefined && warnDays !== undefined && warnDays >= validDays) complain(["openstack", "credential", "warnDaysBefore"], `must be less than openstack.credential.expiresInDays (${validDays}), or each \`pulumi up\` makes a new credential`, `set it to ${validDays - 1} or less`);

  const names = new Map<unknown, number>();
  list("firewall").forEach((rule, i) => {
    const field = (key: string): unknown => valueAt(rule, [key]);
    if (field("protocol") === "icmp" && field("ports") !== undefined) complain(["firewall", i, "ports"], "icmp has no ports", "leave it out");
    if ((field("protocol") === "tcp" || field("protocol") === "udp") && field("ports") === undefined) complain(["firewall", i, "ports"], "is missing", 'name a port or a range, such as "443" or "8000-8010"');
    const first = names.get(field("name"));
    if (first !== undefined) complain(["firewall", i, "name"], `is the name of firewall[${first}] too`, "give each rule its own name");
    else if (field("name") !== undefined) names.set(field("name"), i);
  });
  return problems;
}

const defaults: unknown = gridSchema.parse({});

function only<T extends "string" | "number">(type: T, value: unknown): (T extends "string" ? string : number) | undefined {
  return typeof value === type ? (value as T extends "string" ? string : number) : undefined;
}

const cidrOf = (value: unknown) => (typeof value === "string" ? parseCidr(value) : undefined);

/** The longest prefix whose network has that many host addresses. */
const prefixFor = (hosts: number): number => 32 - Math.ceil(Math.log2(hosts + 2));
