import type { OpenstackTarget } from "../../components/config/controller-config";
import { isCloudError } from "../../components/errors";
import type { Openstack } from "../../components/openstack/api";
import type { CloudAlarmState } from "../../components/policy/alarms";
import { known, unknown, type CloudAlarms, type CloudAlarmStates, type Observed } from "../ports";

interface AodhAlarm {
  readonly state: string;
  readonly state_reason?: string;
  readonly enabled: boolean;
  readonly alarm_actions?: readonly string[];
}

/** Aodh looks once a minute as a rule: asking more often shows nothing new. */
const ASK_EVERY_MS = 5_000;
const STATES: Readonly<Record<string, CloudAlarmState["state"]>> = { ok: "ok", alarm: "alarm", "insufficient data": "insufficient data" };

/** The group's alarms as Aodh judges them. One with an action of its own resizes the group by itself; one without only says so. */
export class OpenstackAlarms implements CloudAlarms {
  private latest: { readonly seen: Observed<CloudAlarmStates>; readonly atMs: number } | undefined;

  constructor(private readonly api: Openstack, private readonly ids: NonNullable<OpenstackTarget["alarms"]>, private readonly nowMs: () => number = Date.now) {}

  async observe(): Promise<Observed<CloudAlarmStates>> {
    const { latest } = this;
    if (latest !== undefined && this.nowMs() - latest.atMs < ASK_EVERY_MS) return latest.seen;
    const seen = await this.ask();
    this.latest = { seen, atMs: this.nowMs() };
    return seen;
  }

  private async ask(): Promise<Observed<CloudAlarmStates>> {
    try {
      const [high, low] = await Promise.all([this.one(this.ids.highId), this.one(this.ids.lowId)]);
      return known({ ...(high === undefined ? {} : { high }), ...(low === undefined ? {} : { low }) });
    } catch (e) {
      if (!isCloudError(e)) throw e;
      return unknown(e.message);
    }
  }

  private async one(id: string | undefined): Promise<CloudAlarmState | undefined> {
    if (id === undefined) return undefined;
    const a = await this.api.get<AodhAlarm>("alarming", `/alarms/${encodeURIComponent(id)}`);
    const state = a.enabled ? STATES[a.state] : "insufficient data";
    if (state === undefined) return { state: "insufficient data", reason: `an unknown state: ${a.state}`, actsItself: false };
    return { state, reason: a.enabled ? (a.state_reason ?? "") : "it is switched off in Aodh", actsItself: (a.alarm_actions ?? []).length > 0 };
  }
}
