import { z } from "zod";
import { hasHostBits, isPrivate, parseAddress, parseCidr } from "../policy/addresses";
import { formatRange6, hasHostBits6, isIpv6, parseRange6 } from "../policy/ranges6";
import { openstackSchema } from "./openstack-schema";
import { alarmsSchema, scalingSchema } from "./scaling-schema";
import { seconds, size, text, uuid, whole } from "./schema-parts";
import { workersSchema } from "./workers-schema";

/**
 * The configuration of a grid as a person writes it. Messages have the form `rule; fix`: `problems.ts` takes them
 * apart. Every key has a description: the reference in docs/configuration.md is made from them.
 */

const cidr = z
  .string()
  .refine((s) => parseCidr(s) !== undefined, {
    message: text("must be an IPv4 range", 'write it like "203.0.113.0/24"; one address is "203.0.113.7/32"'),
    abort: true,
  })
  .refine((s) => !hasHostBits(s), text("has address bits beyond its prefix", "write the first address of the range"));

/** Of either family; IPv6 in the one form that a cloud answers with, or every preview would show a difference. */
const range = z
  .string()
  .refine((s) => (isIpv6(s) ? parseRange6(s) : parseCidr(s)) !== undefined, {
    message: text("must be an IPv4 or IPv6 range", 'write it like "203.0.113.0/24" or "2001:db8::/32"; one address is "203.0.113.7/32" or "2001:db8::7/128"'),
    abort: true,
  })
  .refine((s) => !(isIpv6(s) ? hasHostBits6(s) : hasHostBits(s)), { message: text("has address bits beyond its prefix", "write the first address of the range"), abort: true })
  .refine((s) => !isIpv6(s) || formatRange6(parseRange6(s)!) === s, text("is not in the usual short form", "write it in lower case, without leading zeros, with the longest run of zeros as ::"));

const privateCidr = cidr
  .refine((s) => parseCidr(s) === undefined || isPrivate(parseCidr(s)!), text("must be a private range (RFC 1918)", "choose from 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16"))
  .refine((s) => (parseCidr(s)?.prefix ?? 24) >= 16, text("must not be larger than /16", "choose a prefix from 16 to 28"))
  .refine((s) => (parseCidr(s)?.prefix ?? 24) <= 28, text("is too small for a grid", "choose a prefix from 16 to 28"));

const publicKey = z
  .string()
  .regex(/^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp\d+|sk-[\w@.-]+) [A-Za-z0-9+/=]+( [^\n]*)?$/, text("must be one line of a public key", "paste the contents of a file such as ~/.ssh/id_ed25519.pub"));

/** Settings that a promise hangs on: no job killed, no secret shown, workers found. */
export const reservedCondorSettings =
  /^((STARTD|MASTER|SCHEDD|COLLECTOR|NEGOTIATOR)\.)?(MAXJOBRETIREMENTTIME|SEC_.*|ALLOW_.*|DENY_.*|TRUST_DOMAIN|UID_DOMAIN|CONDOR_HOST|COLLECTOR_HOST|DAEMON_LIST|STARTD_ATTRS|STARTD_CRON_.*|ENABLE_KERNEL_TUNING|ELASTIGRIDSERVERUUID|ELASTIGRIDWORKERTYPE)$/i;

const condorSettings = z.record(
  z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_.]*$/, text("is no name of an HTCondor setting", "use letters, digits, dots and underscores"))
    .refine((k) => !reservedCondorSettings.test(k), text("is set by the grid itself, because its promises hang on it", "leave it out")),
  z.union([z.string().regex(/^[^\n\r]*$/, text("must be one line", "write the expression on one line")), z.number(), z.boolean()]),
);

const firewallRule = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,30}$/, text("must be 1 to 31 lower-case letters, digits or dashes, beginning with a letter", 'write it like "web"'))
    .describe("what the rule is for; appears as a comment in nftables"),
  protocol: z.enum(["tcp", "udp", "icmp"]).describe("tcp, udp or icmp"),
  ports: z
    .union([z.string(), z.number()])
    .refine((s) => parsePorts(String(s)) !== undefined, text("must be a port or a range of ports from 1 to 65535", 'write it like 443 or "8000-8010"'))
    .optional()
    .describe("port or range; not for icmp"),
  from: z.array(range).min(1, text("must name a range", 'write ["0.0.0.0/0"] for everybody')).default(["0.0.0.0/0"]).describe("who may connect; IPv6 only from IPv6 ranges (everybody: `::/0`), on OpenStack"),
  to: z.enum(["master", "workers"]).default("master").describe("whose port is opened"),
});

export const gridSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,30}$/, text("must be 1 to 31 lower-case letters, digits or dashes, beginning with a letter", 'write it like "physics-1"'))
    .default("grid")
    .describe("begins the names of everything in the cloud, and is the pool's domain (`<name>.internal`)"),
  image: z
    .strictObject({
      name: z.string().min(1, text("must not be empty", "name an image of the cloud or of yours")).optional().describe("CloudSigma: a drive of the library or of yours; OpenStack: an image that the project sees; `elastigrid-appliance` where neither name nor uuid is given"),
      uuid: uuid.optional().describe("the same by uuid, where names are not unique"),
      kind: z.enum(["appliance", "stock"]).default("appliance").describe("`appliance`: everything is installed (local-cloud has one; elsewhere a drive or image of yours made with `images/`); `stock`: Debian 13 with cloud-init, which installs the packages at first boot (minutes)"),
    })
    .prefault({})
    .describe("what master and workers boot from"),
  network: z
    .strictObject({
      cidr: privateCidr.default("10.77.0.0/24").describe("addresses of the private network, /16 to /28; the first is the master's"),
      vlan: uuid.optional().describe("CloudSigma only: uuid of a VLAN of yours to use; else a free one is taken or one is bought. On OpenStack the network is always the grid's own"),
    })
    .prefault({})
    .describe("the private network between master and workers"),
  address: z
    .string()
    .refine((s) => parseAddress(s) !== undefined, text("must be an IPv4 address", 'write it like "203.0.113.7"'))
    .optional()
    .describe("the master's public address. CloudSigma: a static address of yours; else a free one is taken or one is bought. OpenStack: a floating IP that the project has; else one is allocated, and released with the grid"),
  purchases: z
    .strictObject({
      vlan: z.boolean().default(true).describe("CloudSigma only: may buy a VLAN where none is free"),
      address: z.boolean().default(true).describe("CloudSigma only: may buy a static address where none is free"),
      period: z
        .string()
        .regex(/^[1-9]\d* (day|week|month|year)s?$/, text("must be a number and day, week, month or year", 'write it like "1 month"'))
        .default("1 month")
        .describe("CloudSigma only: how long to buy for; renewed automatically while the grid exists"),
    })
    .prefault({})
    .describe("CloudSigma only: what may cost money beyond running servers"),
  master: z
    .strictObject({
      vcpus: whole(1, 128).default(2).describe("processor cores; CloudSigma: of 2000 MHz, OpenStack: the flavor has at least as many"),
      memory: size(512, "512 MiB", "memory; OpenStack: the flavor has at least as much").default("2 GiB"),
      disk: size(1024, "1 GiB", "disk; not smaller than the image; OpenStack: the flavor's is at least as large (or see `openstack.bootVolume`). Growing it restarts the master where the cloud can grow it, with its queue kept; what would replace it is refused").default("10 GiB"),
      replace: uuid.optional().describe("uuid of what holds the queue (CloudSigma: the master's disk, OpenStack: its server), which may be replaced this once: all jobs, their history and users' files on it are lost. A preview that refuses a change names it. It permits nothing once that object is gone"),
    })
    .prefault({})
    .describe("the server that runs queue and controller; on CloudSigma it is DHCP server and gateway too"),
  ssh: z
    .strictObject({
      port: whole(1, 65_535).default(22).describe("where the master's sshd listens"),
      allowFrom: z.array(range).min(1, text("must name a range, or nobody can log in", "add your own address, such as 203.0.113.7/32")).default(["0.0.0.0/0"]).describe("address ranges that may connect; the computer that runs `pulumi up` or `elastigrid` must lie in one of IPv4; IPv6 ranges are for others, on OpenStack"),
      authorizedKeys: z.array(publicKey).default([]).describe("further public keys for root and the user grid; the grid's own key is always there"),
    })
    .prefault({})
    .describe("logging in"),
  workers: workersSchema,
  scaling: scalingSchema,
  alarms: alarmsSchema,
  firewall: z.array(firewallRule).default([]).describe("ports to open beyond ssh; enforced by nftables in the guests, on OpenStack by security groups as well"),
  condor: z
    .strictObject({ settings: condorSettings.default({}).describe("further HTCondor settings, for master and workers") })
    .prefault({})
    .describe("the batch queue"),
  timeouts: z
    .strictObject({
      masterReadySeconds: seconds(10, 86_400, "how long `up` waits for the master to answer").default(300),
      workersReadySeconds: seconds(10, 86_400, "how long `up` waits for `workers.min` workers").default(300),
    })
    .prefault({})
    .describe("how long `up` waits before it fails with the console's last lines"),
  openstack: openstackSchema,
  bootstrap: z.enum(["ssh", "none"]).default("ssh").describe("`none` declares the cloud's objects only: no waiting, no login"),
});

/** The configuration as written. */
export type GridConfigInput = z.input<typeof gridSchema>;
/** The configuration with defaults, sizes still text. */
export type GridConfigText = z.output<typeof gridSchema>;

export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** `443` or `8000-8010`; undefined where it is none. */
export function parsePorts(ports: string): PortRange | undefined {
  const match = /^([1-9]\d{0,4})(?:-([1-9]\d{0,4}))?$/.exec(ports);
  if (match === null) return undefined;
  const first = Number(match[1]);
  const last = Number(match[2] ?? match[1]);
  return first <= last && last <= 65_535 ? { first, last } : undefined;
}
