import { expect } from "chai";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { rowProblem } from "../../../components/cloudsigma/readable";

const FOLDER = join(__dirname, "..", "..", "..", "..", "test", "fixtures", "cloudsigma-samples", "servers");
const rowsOf = (file: string): readonly unknown[] => {
  const json = JSON.parse(readFileSync(join(FOLDER, file), "utf8")) as { objects?: readonly unknown[]; mem?: unknown };
  return json.objects ?? (json.mem === undefined ? [] : [json]);
};

describe("rows of servers", () => {
  const files = readdirSync(FOLDER).filter((f) => /^(list-detail|get-|clone|create-full|nic-).*\.response\.json$/.test(f));
  it("has recordings to look at", () => expect(files.flatMap(rowsOf).length).to.be.greaterThan(8));
  for (const file of files) it(`of the recorded ${file} can be read`, () => expect(rowsOf(file).map(rowProblem)).to.deep.equal(rowsOf(file).map(() => undefined)));
});
