import type { GridConfig } from "../../config/grid-config";
import { isCloudError } from "../../errors";
import type { Service } from "../../openstack/api";
import { serviceNames, type Asking } from "./asking";

interface ArchivePolicy {
  readonly name: string;
  readonly aggregation_methods: readonly string[];
  readonly definition: ReadonlyArray<{ readonly granularity: string | number }>;
}

export interface FoundAlarms {
  readonly alarms: boolean;
  readonly notes: readonly string[];
}

export const ALARM_TYPE = "OS::Aodh::GnocchiAggregationByResourcesAlarm";

/**
 * Whether Aodh can evaluate the CPU alarms. What is certainly missing gives a note, and the controller does it. What does
 * not answer just now is a problem: to take it for missing would remove the alarms from a grid that has them.
 */
export async function findAlarms(asking: Asking, config: GridConfig, heatTypes: Promise<readonly string[] | undefined>): Promise<FoundAlarms | undefined> {
  const { metric, aggregationMethod, granularitySeconds, resourceType, native } = config.openstack.alarms;
  if (!native || (!config.alarms.cpuHigh.enabled && !config.alarms.cpuLow.enabled)) return { alarms: false, notes: [] };
  const { api } = asking;
  const services = ["alarming", "metric"] as const;
  const there = await Promise.all(services.map((s) => asking.ask("identity", api.has(s))));
  if (there.includes(undefined)) return undefined;
  const missing = services.filter((_, i) => there[i] === false).map((s) => serviceNames[s]);
  if (missing.length > 0) return without(`${missing.join(" and ")} ${missing.length === 1 ? "is" : "are"} not there`);

  const [aodh, policies, type, types] = await Promise.all([
    mayAsk(asking, "alarming", api.get<unknown>("alarming", "/alarms", { query: { limit: 1 } })),
    mayAsk(asking, "metric", api.list<ArchivePolicy>("metric", "/archive_policy", "")),
    mayAsk(asking, "metric", api.find<unknown>("metric", `/resource_type/${encodeURIComponent(resourceType)}`).then((found) => found !== undefined)),
    heatTypes,
  ]);
  if (aodh === undefined || policies === undefined || type === undefined) return undefined;
  if (aodh === "refused" || policies === "refused" || type === "refused") return without(`${aodh === "refused" ? "Aodh" : "Gnocchi"} does not let this user in`);
  if (types !== undefined && !types.includes(ALARM_TYPE)) return without(`Heat has no resource type ${ALARM_TYPE}`);
  if (!type) return without(`Gnocchi has no resource type ${resourceType} (Ceilometer makes it)`);
  const carriers = policies.filter((p) => p.aggregation_methods.includes(aggregationMethod));
  const lengths = [...new Set(carriers.flatMap((p) => p.definition.map((d) => parseSpanSeconds(d.granularity))))].sort((a, b) => a - b);
  if (lengths.length === 0) return without(`no archive policy of Gnocchi aggregates ${metric} by ${aggregationMethod}`);
  if (!lengths.includes(granularitySeconds)) return without(`no archive policy of Gnocchi has ${aggregationMethod} every ${granularitySeconds} s (grid.openstack.alarms.granularitySeconds could be ${lengths.join(", ")})`);
  const shorter = (["cpuHigh", "cpuLow"] as const).filter((a) => config.alarms[a].enabled && config.alarms[a].periodSeconds % granularitySeconds !== 0);
  return { alarms: true, notes: shorter.map((a) => `grid.alarms.${a}.periodSeconds (${config.alarms[a].periodSeconds}) is no multiple of grid.openstack.alarms.granularitySeconds (${granularitySeconds}): Aodh looks at whole measures`) };
}

const without = (why: string): FoundAlarms => ({ alarms: false, notes: [`${why}: the controller evaluates the CPU alarms itself`] });

/** A refusal is an answer here: the grid does without. */
async function mayAsk<T>(asking: Asking, service: Service, answer: Promise<T>): Promise<T | "refused" | undefined> {
  return asking.ask<T | "refused">(
    service,
    answer.catch((e: unknown) => {
      if (isCloudError(e) && (e.status === 403 || e.status === 404)) return "refused" as const;
      throw e;
    }),
  );
}

/** Gnocchi writes a length as seconds, `0:01:00` or `1 day, 0:00:00`. */
export function parseSpanSeconds(span: string | number): number {
  if (typeof span === "number") return span;
  const match = /^(?:(\d+) days?, )?(\d+):(\d+):(\d+(?:\.\d+)?)$/.exec(span);
  if (match === null) return Number(span);
  const [, days = "0", hours, minutes, seconds] = match;
  return ((Number(days) * 24 + Number(hours)) * 60 + Number(minutes)) * 60 + Number(seconds);
}
