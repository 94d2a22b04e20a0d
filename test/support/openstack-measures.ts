import type { LabApi } from "./openstack-api";

/** One measure in each. */
export const GRANULARITY_SECONDS = 5;
/** Of the lab; it carries rate:mean at that granularity. */
const POLICY = "lab-5s";
const BEHIND_SECONDS = GRANULARITY_SECONDS / 2;

interface Server {
  readonly id: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * What ceilometer would tell gnocchi of a group's servers: nanoseconds of CPU time since each one's boot, so that a server that joins
 * begins at nothing beside others that have run for long. By the project's own user.
 */
export class Measures {
  private readonly counters = new Map<string, number>();
  private percent = 0;
  private timer: NodeJS.Timeout | undefined;
  private slot = 0;
  private failure: unknown;

  /** `runForSeconds`: CPU time that the first servers have behind them. */
  constructor(private readonly api: LabApi, private readonly group: string, private readonly runForSeconds: number) {}

  /** From now on every server of the group uses so much of its one vcpu. */
  say(percent: number): void {
    this.percent = percent;
    this.timer ??= setInterval(() => void this.push().catch((e) => (this.failure ??= e)), 500);
  }

  /** Throws what went wrong meanwhile. */
  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    if (this.failure !== undefined) throw this.failure;
  }

  /** Once for each interval, in its middle. */
  private async push(): Promise<void> {
    const slot = Math.floor((Date.now() / 1_000 - BEHIND_SECONDS) / GRANULARITY_SECONDS);
    if (slot === this.slot) return;
    this.slot = slot;
    const first = this.counters.size === 0;
    const { servers } = await this.api.get<{ servers: Server[] }>("compute", "/v2.1/servers/detail");
    const members = servers.filter((s) => s.metadata["metering.server_group"] === this.group);
    const measures: Record<string, object> = {};
    for (const { id } of members) {
      const known = this.counters.get(id);
      if (known === undefined) await this.introduce(id);
      const value = (known ?? (first ? this.runForSeconds * 1e9 : 0)) + (this.percent / 100) * GRANULARITY_SECONDS * 1e9;
      this.counters.set(id, value);
      measures[id] = { cpu: [{ timestamp: new Date((slot * GRANULARITY_SECONDS + BEHIND_SECONDS) * 1_000).toISOString().replace("Z", ""), value }] };
    }
    if (members.length > 0) await this.api.call("metric", "POST", "/v1/batch/resources/metrics/measures", measures);
  }

  private async introduce(id: string): Promise<void> {
    const { projectId, userId } = this.api;
    const resource = { id, project_id: projectId, user_id: userId, server_group: this.group, metrics: { cpu: { archive_policy_name: POLICY } } };
    const answer = await this.api.ask("metric", "POST", "/v1/resource/instance", resource);
    if (answer.status !== 201 && answer.status !== 409) throw new Error(`gnocchi takes no resource: ${answer.status} ${JSON.stringify(answer.body)}`);
  }
}
