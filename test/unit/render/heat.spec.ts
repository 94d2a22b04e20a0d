import { expect } from "chai";
import * as fc from "fast-check";
import { parseGridConfig } from "../../../components/config/schema";
import { heatOutputs, heatParameters, workerGroupTemplate } from "../../../components/render/heat";
import { fromYaml } from "../../../components/render/yaml";

interface Template {
  readonly parameters: Readonly<Record<string, { readonly hidden?: boolean; readonly default?: unknown }>>;
  readonly resources: Readonly<Record<string, { readonly type: string; readonly properties: Readonly<Record<string, unknown>> } | undefined>>;
  readonly outputs: Readonly<Record<string, unknown>>;
}

const rule = fc.record({ enabled: fc.boolean(), periodSeconds: fc.integer({ min: 1, max: 900 }), evaluationPeriods: fc.integer({ min: 1, max: 5 }), cooldownSeconds: fc.nat(600) });
const config = fc.record({ alarms: fc.record({ cpuHigh: rule, cpuLow: rule }), openstack: fc.record({ alarms: fc.record({ granularitySeconds: fc.integer({ min: 1, max: 300 }) }) }) }).map((c) => parseGridConfig(c));
const spec = fc.record({ config, alarms: fc.boolean(), controlled: fc.boolean(), vcpus: fc.integer({ min: 1, max: 64 }) });
const template = (s: Parameters<typeof workerGroupTemplate>[0]): Template => fromYaml(workerGroupTemplate(s)) as Template;

describe("the worker group's Heat template", () => {
  it("declares the parameters that are passed, uses each, and hides or presets none", () =>
    fc.assert(fc.property(spec, (s) => {
      const { parameters, resources } = template(s);
      expect(Object.keys(parameters)).to.deep.equal([...heatParameters]);
      for (const [name, parameter] of Object.entries(parameters)) {
        expect(JSON.stringify(resources)).to.include(`{"get_param":"${name}"}`);
        expect(parameter).to.not.have.any.keys("hidden", "default");
      }
    })));
  it("leaves the size to Heat", () => fc.assert(fc.property(spec, (s) => void expect(workerGroupTemplate(s)).to.not.include("desired"))));
  it("lets nothing but the controller take a worker away, where there is one", () =>
    fc.assert(fc.property(spec, (s) => {
      const { up, down, high, low } = template(s).resources;
      expect([up?.properties["scaling_adjustment"], down?.properties["scaling_adjustment"]]).to.deep.equal([1, s.controlled ? 0 : -1]);
      if (low !== undefined) expect(low.properties["alarm_actions"]).to.have.length(s.controlled ? 0 : 1);
      if (high !== undefined) expect(high.properties["alarm_actions"]).to.have.length(1);
    })));
  it("has the alarms that are enabled where the cloud has alarms, and an output for each", () =>
    fc.assert(fc.property(spec, (s) => {
      const { resources, outputs } = template(s);
      const wanted = { high: s.alarms && s.config.alarms.cpuHigh.enabled, low: s.alarms && s.config.alarms.cpuLow.enabled };
      expect([resources["high"] !== undefined, resources["low"] !== undefined]).to.deep.equal([wanted.high, wanted.low]);
      expect([heatOutputs.highAlarm in outputs, heatOutputs.lowAlarm in outputs]).to.deep.equal([wanted.high, wanted.low]);
    })));
  it("looks at no less than the configured time, and at two measures at least", () =>
    fc.assert(fc.property(spec, (s) => {
      const { high } = template(s).resources;
      if (high === undefined) return;
      const { granularitySeconds } = s.config.openstack.alarms;
      const { periodSeconds, evaluationPeriods, thresholdPercent } = s.config.alarms.cpuHigh;
      const periods = Number(high.properties["evaluation_periods"]);
      expect(periods).to.be.at.least(2);
      expect(periods * granularitySeconds).to.be.at.least(periodSeconds * evaluationPeriods);
      expect(Number(high.properties["threshold"]) / granularitySeconds / 1e7 / s.vcpus).to.be.closeTo(thresholdPercent, 1e-6);
    })));
});
