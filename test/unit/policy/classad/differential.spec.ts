import { expect } from "chai";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { evaluate } from "../../../../components/policy/classad/evaluate";
import { ClassAdSyntaxError, parse } from "../../../../components/policy/classad/parse";
import type { Ad, Value } from "../../../../components/policy/classad/value";
import { packageRoot } from "../../../../tools/paths";

type Row = readonly [expression: string, answer: Written];
type Written = readonly [kind: string, value?: unknown];

/** What HTCondor's own library answered (made by differential.py beside it). */
const said = JSON.parse(readFileSync(join(packageRoot, "test/unit/policy/classad/differential.json"), "utf8")) as { readonly htcondor: string; readonly job: string; readonly machine: string; readonly table: readonly Row[] };

const adFrom = (text: string): Ad => {
  const value = evaluate(parse(text), { my: { open: false, get: () => undefined, names: () => [] }, nowSeconds: 0 });
  if (value.kind !== "ad") throw new Error(`not an ad: ${text}`);
  return value.value;
};
const written = (v: Value): Written => (v.kind === "list" ? ["list", v.value.map(written)] : "value" in v ? [v.kind, v.value] : [v.kind]);
const close = (w: Written): Written => (w[0] === "real" ? ["real", Number((w[1] as number).toPrecision(12))] : w);

describe("ClassAd expressions, as HTCondor itself evaluates them", () => {
  const scope = { my: adFrom(said.job), target: adFrom(said.machine), nowSeconds: 1_800_000_000 };
  for (const [expression, answer] of said.table) {
    it(expression, () => {
      if (answer[0] === "syntax") expect(() => parse(expression)).to.throw(ClassAdSyntaxError);
      else expect(close(written(evaluate(parse(expression), scope)))).to.deep.equal(close(answer));
    });
  }
  it("was made by the version that the images have", () => expect(said.htcondor).to.match(/CondorVersion: 23\.9\.6 /));
  it("has not become empty", () => expect(said.table.length).to.be.above(240));
});
