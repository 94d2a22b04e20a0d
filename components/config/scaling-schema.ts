import { z } from "zod";
import { nearest } from "../policy/names";
import { journalMetric, METRICS, MOST_WINDOW_SECONDS } from "../policy/alarm-rules";
import { seconds, text, whole } from "./schema-parts";

/** How demand becomes a size. */
export const scalingSchema = z
  .strictObject({
    intervalSeconds: seconds(1, 3600, "pause between two looks at queue and cloud").default(5),
    growStep: whole(1, 1000).optional().describe("most workers that one decision adds; `workers.max` where left out"),
    shrinkStep: whole(1, 1000).optional().describe("most workers that one decision takes away; `workers.max` where left out"),
    cooldownSeconds: seconds(0, 86_400, "no shrinking this long after the group changed its size").default(60),
    idleSeconds: seconds(0, 86_400, "how long a worker is without a job before it may go").default(300),
    joinTimeoutSeconds: seconds(30, 86_400, "a worker that has not joined by then is replaced").default(600),
    spareSlots: whole(0, 10_000).default(0).describe("single-core places kept free beyond what waits, so that the next jobs start at once; `workers.max` goes before it").meta({ unit: "slots" }),
    createsPerMinute: whole(1, 10_000).default(120).describe("most workers ordered in a minute, whatever waits"),
    disruptionPercent: whole(1, 100).default(10).describe("of the workers that work, at most this share is drained at a time to renew them after a change of size or image; one always may be").meta({ unit: "percent" }),
    billingPeriodSeconds: seconds(0, 2_678_400, "what the cloud bills at least: among workers idle for equally long the one nearest the end of its period goes first; 0: no matter").default(0),
  })
  .prefault({})
  .describe("how demand becomes a size");

const alarm = (says: string, thresholdPercent: number) =>
  z
    .strictObject({
      enabled: z.boolean().default(true).describe("whether this alarm may act"),
      thresholdPercent: z
        .number()
        .min(0, text("must be at least 0", "set a percentage from 0 to 100"))
        .max(100, text("must be at most 100", "set a percentage from 0 to 100"))
        .default(thresholdPercent)
        .describe("average CPU of the workers, of all their vcpus")
        .meta({ unit: "percent" }),
      periodSeconds: seconds(1, 86_400, "how long the average must be beyond the threshold").default(60),
      evaluationPeriods: whole(1, 100).default(1).describe("periods in a row that must agree"),
      cooldownSeconds: seconds(0, 86_400, "no second action of this alarm within this time").default(60),
    })
    .prefault({})
    .describe(says);

const metric = z
  .string()
  .refine((m) => (METRICS as readonly string[]).includes(m) || journalMetric(m) !== undefined, {
    error: (issue) => {
      const near = nearest(String(issue.input), METRICS);
      return text("is no metric", near === undefined ? `write one of ${METRICS.join(", ")}, or journal:WHAT for the journal's entries of a kind` : `did you mean ${near}?`);
    },
  });

const rule = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,30}$/, text("must be 1 to 31 lower-case letters, digits or dashes, beginning with a letter", 'write it like "long-queue"'))
    .describe("appears in the journal and in the status"),
  metric: metric.describe(
    "`queueLength` (jobs that wait for a worker), `waitingSeconds` (of the one that waits longest), `idleSeconds` (of the worker that is idle longest), `runningJobs`, `cpuPercent` (average of the workers), `workers` (there or on their way), or `journal:WHAT` (entries of that kind in a period, such as `journal:create-failed`)",
  ),
  above: z.number().optional().describe("alarm while the period's average (journal: sum) is above this; not with `below` or `target`"),
  below: z.number().optional().describe("alarm while it is below this; not with `above` or `target`"),
  periodSeconds: seconds(1, MOST_WINDOW_SECONDS, "what one value is made from").default(60),
  evaluationPeriods: whole(1, 100).default(1).describe("periods in a row that must agree"),
  cooldownSeconds: seconds(1, MOST_WINDOW_SECONDS, "no second action on this metric within this time, whichever rule's, in either direction").default(300),
  step: whole(-1000, 1000).optional().describe("workers to add, or with a minus to take away; only idle ones are ever taken").meta({ unit: "workers" }),
  target: z
    .number()
    .positive(text("must be more than 0", "set the level that the metric shall have"))
    .optional()
    .describe("instead of a threshold and a step: as many workers as bring the metric to this level; `queueLength` and `runningJobs` count for each worker, `waitingSeconds` and `cpuPercent` over all"),
});

export const alarmsSchema = z
  .strictObject({
    cpuHigh: alarm("above its threshold the group grows", 50),
    cpuLow: alarm("below its threshold the group shrinks; a worker with a job stays", 10),
    rules: z.array(rule).max(50, text("are more than 50", "keep 50 or fewer")).default([]).describe("alarms of your own, evaluated by the controller; they never go beyond `workers.min` and `workers.max`, and never end a job"),
  })
  .prefault({})
  .describe("scaling by average CPU, and by rules of your own");
