import type { AlarmRule } from "../config/controller-config";
import type { GridConfig } from "../config/grid-config";
import { gridNames } from "../policy/names";
import { toYaml } from "./yaml";

/** Names in the template that the adapter and the controller refer to. */
export const GROUP_RESOURCE = "group";
export const heatOutputs = { upUrl: "up_url", downUrl: "down_url", size: "size", highAlarm: "high_alarm", lowAlarm: "low_alarm" } as const;
/** Every one is passed, none is hidden or left to a default: what Heat answers would differ from what was sent, in every preview. */
export const heatParameters = ["image", "flavor", "network", "key_name", "security_group", "user_data", "grid_uid", "min"] as const;
export type HeatParameter = (typeof heatParameters)[number];

export interface GroupTemplateSpec {
  readonly config: GridConfig;
  /** The cloud has Aodh and Gnocchi. */
  readonly alarms: boolean;
  /** There is a controller: it alone takes workers away (see `workerGroupTemplate`). */
  readonly controlled: boolean;
  /** Of the workers' flavor, which may be larger than what is configured. */
  readonly vcpus: number;
}

/**
 * Gnocchi averages the members' counters first and takes the difference of two measures then. So whenever a member comes or goes, one
 * measure is far off: a new one's counter begins at nothing, and the group seems to have used less than no CPU. One such measure
 * must not decide.
 */
const LEAST_MEASURES = 2;

/**
 * The worker group as a Heat template, in YAML.
 *
 * - No `desired_capacity`: every update of a stack would bring the group back to it. `min` is a parameter, because raising it for one
 *   update is how the controller adds many workers in one call (measured: 1 to 5 in 9 s), and lowering it again moves nothing.
 * - With a controller in charge the policy `down` adjusts by nothing and the low alarm has no action, so that no signal, Aodh's or
 *   anybody's who knows the URL, can take away a worker that runs a job; the controller reads the low alarm and chooses an idle worker.
 *   Without one both alarms act, as the ancestor's did.
 * - A changed definition must not replace members: user data is ignored by those that exist. Flavor and image cannot be: the adapter
 *   gives a group with another flavor or image a stack of its own.
 */
export function workerGroupTemplate(spec: GroupTemplateSpec): string {
  const { config, controlled } = spec;
  const { max } = config.workers;
  const { cpuHigh, cpuLow } = config.alarms;
  const high = spec.alarms && cpuHigh.enabled, low = spec.alarms && cpuLow.enabled;
  return toYaml({
    heat_template_version: "2018-08-31",
    description: `workers of the grid ${config.name}`,
    parameters: Object.fromEntries(heatParameters.map((name) => [name, { type: name === "min" ? "number" : "string" }])),
    resources: {
      [GROUP_RESOURCE]: {
        type: "OS::Heat::AutoScalingGroup",
        properties: {
          min_size: parameter("min"),
          max_size: max,
          cooldown: Math.max(cpuHigh.cooldownSeconds, 1),
          // In one go: nothing is replaced, and one by one it would take 6 s for each.
          rolling_updates: { max_batch_size: Math.max(max, 1), min_in_service: 0, pause_time: 0 },
          resource: member(config),
        },
      },
      up: policy(1, cpuHigh),
      down: policy(controlled ? 0 : -1, cpuLow),
      ...(high ? { high: alarm(spec, "gt", cpuHigh, "up") } : {}),
      ...(low ? { low: alarm(spec, "lt", cpuLow, controlled ? undefined : "down") } : {}),
    },
    // All texts: one output of another type would hide all of them from the engine.
    outputs: {
      [heatOutputs.upUrl]: { value: { get_attr: ["up", "alarm_url"] } },
      [heatOutputs.downUrl]: { value: { get_attr: ["down", "alarm_url"] } },
      [heatOutputs.size]: { value: text({ get_attr: [GROUP_RESOURCE, "current_size"] }) },
      ...(high ? { [heatOutputs.highAlarm]: { value: { get_resource: "high" } } } : {}),
      ...(low ? { [heatOutputs.lowAlarm]: { value: { get_resource: "low" } } } : {}),
    },
  });
}

const parameter = (name: HeatParameter): object => ({ get_param: name });
const text = (value: object): object => ({ str_replace: { template: "value", params: { value } } });

const member = (config: GridConfig): object => ({
  type: "OS::Nova::Server",
  properties: {
    name: gridNames(config.name).template,
    image: parameter("image"),
    flavor: parameter("flavor"),
    key_name: parameter("key_name"),
    networks: [{ network: parameter("network") }],
    security_groups: [parameter("security_group")],
    // By the first Gnocchi's alarms know the group's measures, by the second a sweep knows what is left of a broken stack.
    metadata: { "metering.server_group": { get_param: "OS::stack_id" }, "elastigrid-grid": parameter("grid_uid") },
    user_data_format: "RAW",
    user_data: parameter("user_data"),
    user_data_update_policy: "IGNORE",
  },
});

const policy = (by: number, rule: AlarmRule): object => ({
  type: "OS::Heat::ScalingPolicy",
  properties: { adjustment_type: "change_in_capacity", auto_scaling_group_id: { get_resource: GROUP_RESOURCE }, scaling_adjustment: by, cooldown: rule.cooldownSeconds },
});

/**
 * Average CPU of all members. Ceilometer's `cpu` counts nanoseconds: its rate at a granularity that equals the polling interval is
 * what one interval used, so all vcpus busy for all of it are vcpus × granularity × 10⁹.
 */
function alarm({ config, vcpus }: GroupTemplateSpec, comparison: "gt" | "lt", rule: AlarmRule, action: "up" | "down" | undefined): object {
  const { metric, aggregationMethod, granularitySeconds, resourceType } = config.openstack.alarms;
  return {
    type: "OS::Aodh::GnocchiAggregationByResourcesAlarm",
    properties: {
      description: `average CPU ${comparison === "gt" ? "above" : "below"} ${rule.thresholdPercent} %`,
      metric,
      aggregation_method: aggregationMethod,
      granularity: granularitySeconds,
      evaluation_periods: Math.max(LEAST_MEASURES, Math.ceil((rule.periodSeconds * rule.evaluationPeriods) / granularitySeconds)),
      threshold: (rule.thresholdPercent / 100) * vcpus * granularitySeconds * 1e9,
      comparison_operator: comparison,
      resource_type: resourceType,
      query: { str_replace: { template: '{"=": {"server_group": "stack_id"}}', params: { stack_id: { get_param: "OS::stack_id" } } } },
      repeat_actions: true,
      alarm_actions: action === undefined ? [] : [{ str_replace: { template: "trust+url", params: { url: { get_attr: [action, "signal_url"] } } } }],
    },
  };
}
