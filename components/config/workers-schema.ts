import { z } from "zod";
import { DEFAULT_TYPE } from "./controller-config";
import { size, text, uuid, whole } from "./schema-parts";

/** One-word attributes of HTCondor's machine ads and settings, words of its language, and of ours: a label of that name would change what they mean. */
const RESERVED: ReadonlySet<string> = new Set(
  (
    "true false undefined error is isnt my target parent memory disk cpus gpus swap name machine mytype targettype state activity start requirements rank arch opsys opsysandver opsysname opsysver " +
    "opsyslongname opsysmajorver opsysshortname opsyslegacy isowner isvalidcheckpointplatform mips kflops loadavg condorloadavg totalcpus totalmemory totaldisk totalslots detectedcpus detectedmemory " +
    "totalcondorloadavg totalslotcpus totalslotmemory totalslotdisk slotid slottype slottypeid partitionableslot dynamicslot slotweight draining drainreason drainingrequestid maxjobretirementtime " +
    "virtualmemory keyboardidle consoleidle clockday clockmin filesystemdomain uiddomain hardwareaddress subnetmask checkpointplatform currenttime myaddress myctime mycurrenttime " +
    "remoteuser remoteowner remotegroup accountinggroup jobid globaljobid clientmachine concurrencylimits enteredcurrentstate enteredcurrentactivity entitlement offline unhibernate " +
    "updatesequencenumber updatestotal updateslost updateshistory lastheardfrom daemonstarttime monitorselftime hasfiletransfer hasdocker hassingularity hasvm hasjava haspid haschroot machineresources " +
    "childcpus childmemory childdisk childstate childactivity childname expectedmachinegracefuldraincompletion nextfetchworkdelay recentjobbusytimeavg startjobs canhibernate hibernationstate " +
    "kill preempt suspend continue vacate master startd schedd collector negotiator shadow starter log spool execute bin sbin lib etc run lock release hostname domain network fullhostname username " +
    "subsystem localname pid ppid tilde admin mail include use if else endif elif want root user group path"
  ).split(" "),
);

const label = z
  .string()
  .regex(/^[A-Z][A-Za-z0-9]{0,62}$/, { error: text("is no name of an attribute of one's own", "write letters and digits only, beginning with a capital letter, such as FastDisk"), abort: true })
  .refine((k) => !RESERVED.has(k.toLowerCase()), text("is a word that HTCondor uses for something else", "choose another name, such as MySite"))
  .refine((k) => !/^elastigrid/i.test(k), text("begins like the grid's own attributes", "choose another name"));

const labels = z.record(label, z.union([z.string().max(256, text("is longer than 256 characters", "shorten it")).regex(/^[^\n\r]*$/, text("must be one line", "write one line")), z.number(), z.boolean()]));
const price = z.number().min(0, text("must be at least 0", "set what an hour costs, in any currency"));

const workerSize = {
  vcpus: whole(1, 128).describe("processor cores; CloudSigma: of 2000 MHz, OpenStack: the flavor has at least as many"),
  memory: size(256, "256 MiB", "memory; OpenStack: the flavor has at least as much"),
  disk: size(1024, "1 GiB", "disk; not smaller than the image; OpenStack: the flavor's is at least as large"),
};
const says = {
  labels: "attributes of the machine ad, as jobs name them in `requirements` and `rank`: text, number or true and false by name",
  price: "what one costs an hour, in any currency: of the types that fit a job the cheapest is taken",
};

const workerType = z.strictObject({
  vcpus: workerSize.vcpus,
  memory: workerSize.memory,
  disk: workerSize.disk,
  image: z
    .strictObject({
      name: z.string().min(1, text("must not be empty", "name an image of the cloud or of yours")).optional().describe("see `image.name`"),
      uuid: uuid.optional().describe("see `image.uuid`"),
      kind: z.enum(["appliance", "stock"]).optional().describe("see `image.kind`; the grid's where left out"),
    })
    .optional()
    .describe("what it boots from; the grid's image where left out"),
  price: price.default(0).describe(says.price),
  labels: labels.default({}).describe(says.labels),
  max: whole(1, 1000).optional().describe("never more of this type; `workers.max` where left out, which is for all types together"),
});

/** The group that grows and shrinks. The keys beside `types` are those of the first type, of which the minimum is made. */
export const workersSchema = z
  .strictObject({
    min: whole(0, 1000).default(1).describe("the group never has fewer"),
    max: whole(1, 1000).default(3).describe("the group never has more, all types together"),
    vcpus: workerSize.vcpus.default(1),
    memory: workerSize.memory.default("1 GiB"),
    disk: workerSize.disk.default("5 GiB"),
    price: price.default(0).describe(says.price),
    labels: labels.default({}).describe(says.labels),
    types: z
      .record(
        z
          .string()
          .regex(/^[a-z][a-z0-9-]{0,20}$/, { error: text("must be 1 to 21 lower-case letters, digits or dashes, beginning with a letter", 'write it like "large"'), abort: true })
          .refine((n) => n !== DEFAULT_TYPE, text(`is the name of the first type, whose size stands in workers itself`, "choose another name")),
        workerType,
      )
      .default({})
      .describe("further types of worker by name; jobs choose by what they request and require, and `ElastigridWorkerType` in a machine's ad is its name (`worker` for the first). One that is taken out again is drained"),
  })
  .prefault({})
  .describe("the group that grows and shrinks");
