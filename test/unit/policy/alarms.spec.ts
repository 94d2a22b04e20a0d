import { expect } from "chai";
import { evaluateAlarm, remember, type CpuSample } from "../../../components/policy/alarms";

const rule = { enabled: true, thresholdPercent: 50, periodSeconds: 60, evaluationPeriods: 2, cooldownSeconds: 100 };
const NOW = 1_000_000;
/** One sample every 10 s, the newest last. */
const samples = (values: readonly (number | undefined)[]): CpuSample[] => values.map((averagePercent, i) => ({ atMs: NOW - (values.length - 1 - i) * 10_000, averagePercent }));
const steady = (n: number, value: number | undefined): (number | undefined)[] => Array.from({ length: n }, () => value);

describe("evaluateAlarm", () => {
  const table: Array<[string, "high" | "low", (number | undefined)[], object]> = [
    ["fires when all periods are above", "high", steady(14, 80), { state: "alarm", wants: true }],
    ["stays quiet when only the newest period is above", "high", [...steady(8, 20), ...steady(6, 90)], { state: "ok", wants: false }],
    ["stays quiet at the threshold", "high", steady(14, 50), { state: "ok", wants: false }],
    ["averages over a period", "high", [...steady(8, 80), 0, 0, 90, 90, 90, 90], { state: "alarm", wants: true }],
    ["fires below for the low side", "low", steady(14, 5), { state: "alarm", wants: true }],
    ["lacks data before it has watched long enough", "high", steady(10, 90), { state: "insufficient data", wants: false }],
    ["lacks data when most measurements are missing", "high", [...steady(9, 90), undefined, undefined, undefined, undefined, 90], { state: "insufficient data", wants: false }],
    ["bears a single missing measurement", "high", [...steady(9, 90), undefined, ...steady(4, 90)], { state: "alarm", wants: true }],
    ["lacks data without any", "low", [], { state: "insufficient data", wants: false }],
  ];
  for (const [says, side, values, wanted] of table) it(says, () => expect(evaluateAlarm(side, rule, samples(values), NOW)).to.deep.include(wanted));

  it("keeps quiet during its own cooldown, and says so", () => {
    const v = evaluateAlarm("high", rule, samples(steady(14, 80)), NOW, NOW - 40_000);
    expect(v).to.deep.include({ state: "alarm", wants: false });
    expect(v.why).to.match(/cooling down for 60 s/);
  });
  it("never fires when it is switched off", () => expect(evaluateAlarm("high", { ...rule, enabled: false }, samples(steady(14, 99)), NOW).wants).to.equal(false));
  it("remembers a window and one sample before it", () => {
    let kept: readonly CpuSample[] = [];
    for (let i = 0; i < 100; i += 1) kept = remember(kept, { atMs: i * 10_000, averagePercent: 1 }, 120);
    expect(kept.length).to.be.within(13, 14);
    expect(kept[0]!.atMs).to.be.at.most(990_000 - 120_000);
  });
});
