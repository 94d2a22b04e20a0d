import { expect } from "chai";
import { chart, checkTable, type Sample } from "../../../demo/report";

const sample = (atSeconds: number, workers: number, busy: number, waiting = 0): Sample => ({ atSeconds, workers, busy, waiting, running: busy });

describe("chart", () => {
  it("says so when nothing was seen", () => expect(chart([])).to.equal("(nothing was seen)"));
  it("draws busy workers below the others, as high as the largest group", () => {
    const lines = chart([sample(0, 1, 0), sample(50, 3, 2, 40), sample(100, 1, 0)], 10).split("\n");
    expect(lines[0]).to.equal("  3 |     .....");
    expect(lines[1]).to.equal("  2 |     #####".slice(0, 10) + lines[1]!.slice(10));
    expect(lines[2]).to.match(/^ {2}1 \|\.{5}#/);
  });
  it("writes the power of ten of the jobs under the bars", () => {
    const jobs = chart([sample(0, 1, 1, 999), sample(10, 1, 0, 0)], 4).split("\n").find((l) => l.startsWith("jobs"));
    expect(jobs).to.match(/^jobs 3/);
  });
});

describe("checkTable", () => {
  it("shows a failed check with its reason and the ancestor's figure", () => {
    const text = checkTable([{ name: "3 automatic scaling", ok: false, ours: "factor 4", why: "wanted 6", ancestor: "factor 6.0", seconds: 1 }]);
    expect(text).to.match(/3 automatic scaling\s+NO\s+factor 4: wanted 6\s+factor 6\.0/);
  });
});
