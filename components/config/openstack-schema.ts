import { z } from "zod";
import { parseAddress } from "../policy/addresses";
import { days, nonEmpty, seconds, text } from "./schema-parts";

const orLeaveOut = "name it, or leave the key out";

/** What can be said about OpenStack only. Everything has a default or is found out by asking the cloud. */
export const openstackSchema = z
  .strictObject({
    externalNetwork: nonEmpty(orLeaveOut)
      .optional()
      .describe("name or id of the network that the router and the floating IP belong to; else the only external one that the project sees"),
    dnsServers: z
      .array(z.string().refine((s) => parseAddress(s) !== undefined, text("must be an IPv4 address", 'write it like "203.0.113.53"')))
      .max(5, text("are more than five", "name five or fewer"))
      .optional()
      .describe("DNS servers of the private network; else those of the external network's subnet, else (and with `[]`) the cloud's own"),
    ipv6: z
      .boolean()
      .default(true)
      .describe("whether master and workers get an IPv6 address as well, where the external network has IPv6 and the project a default IPv6 subnet pool; nothing is opened by it"),
    masterFlavor: nonEmpty(orLeaveOut).optional().describe("name or id of the master's flavor; else the smallest that fits `master`"),
    workersFlavor: nonEmpty(orLeaveOut).optional().describe("name or id of the workers' flavor; else the smallest that fits `workers`"),
    imageFile: nonEmpty("name a file, or leave the key out")
      .optional()
      .describe("file (qcow2 or raw) that is uploaded as an image named `image.name`, and deleted with the grid; relative to the folder of Pulumi.yaml"),
    bootVolume: z.boolean().default(false).describe("whether the master boots from a Cinder volume of `master.disk` instead of the flavor's own disk"),
    alarms: z
      .strictObject({
        native: z.boolean().default(true).describe("whether Aodh evaluates the alarms where it can; `false`: the controller does in any case"),
        metric: nonEmpty("write cpu").default("cpu").describe("the metric, in nanoseconds of CPU time"),
        aggregationMethod: nonEmpty("write rate:mean").default("rate:mean").describe("how it is aggregated; an archive policy of Gnocchi must carry it"),
        granularitySeconds: seconds(1, 86_400, "length of one measure; an archive policy of Gnocchi must carry it").default(60),
        resourceType: nonEmpty("write instance").default("instance").describe("Gnocchi's resource type of servers"),
      })
      .prefault({})
      .describe("the measures that Aodh's alarms look at; where Aodh or Gnocchi are missing, the controller evaluates the alarms itself"),
    credential: z
      .strictObject({
        expiresInDays: days(1, 3650, "how long it is valid; `pulumi up` renews it").default(365),
        warnDaysBefore: days(0, 3650, "from when `pulumi up` renews it and `elastigrid status` warns").default(30),
        accessRules: z.boolean().default(true).describe("whether it may do only what its stack needs; `false` where the cloud's Keystone knows no access rules"),
      })
      .prefault({})
      .describe("the controller's application credential"),
  })
  .prefault({})
  .describe("OpenStack only; nothing needs to be set");
