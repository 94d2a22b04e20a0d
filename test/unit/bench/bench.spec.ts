import { expect } from "chai";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { benchCommand, percentile, positive, type Bench } from "../../../bench/bench";
import { scalingCeiling } from "../../../demo/checks";

const root = join(__dirname, "..", "..", "..");

interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function run(argv: readonly string[], over: Partial<Bench> = {}, canSetUp = true): Promise<Said> {
  const bench: Bench = {
    about: "counts", flags: { rounds: ["3", "times"] }, needs: "nothing", ...over,
    run: over.run ?? (async (flags, print) => (print("counting"), { rounds: positive(flags, "rounds"), ok: true })),
  };
  let out = "", err = "";
  const code = await benchCommand(
    { count: async () => bench }, argv, async () => canSetUp, { out: (t) => void (out += t), err: (t) => void (err += t) },
  );
  return { code, out, err };
}

describe("npm run bench", () => {
  it("ends with one line of JSON that says how busy the computer was", async () => {
    const { code, out } = await run(["count", "--rounds", "5"]);
    const lines = out.trim().split("\n");
    expect(lines[0]).to.equal("counting");
    expect(JSON.parse(lines[1] ?? "")).to.include({ bench: "count", rounds: 5, ok: true }).and.to.have.all.keys(
      "bench", "rounds", "ok", "loadBefore", "loadAfter",
    );
    expect(code).to.equal(0);
  });
  it("prints nothing else with --json", async () => expect((await run(["count", "--json"])).out.trim().split("\n")).to.have.length(1));
  it("names what there is", async () => {
    const { code, out } = await run(["--help"]);
    expect(out).to.match(/count +counts\n +--rounds times \(default 3\)/);
    expect(code).to.equal(0);
  });
  const wrong: [string[], RegExp][] = [
    [["cuont"], /no bench cuont; there are: count/],
    [["count", "--round", "5"], /Unknown option '--round'/],
    [["count", "--rounds", "many"], /--rounds many: a number above 0/],
  ];
  for (const [argv, message] of wrong) it(`refuses ${argv.join(" ")}`, async () => {
    const { code, err } = await run(argv);
    expect(err).to.match(message);
    expect(code).to.equal(2);
  });
  it("says in its line when the measurement broke off", async () => {
    const { code, out } = await run(["count"], { run: async () => Promise.reject(new Error("no pool\nbecause")) });
    expect(JSON.parse(out)).to.deep.equal({ bench: "count", error: "no pool" });
    expect(code).to.equal(1);
  });
  it("measures no grid where none can be made", async () => expect((await run(["count"], { needs: "grid" }, false)).code).to.equal(1));
});

describe("what benches count with", () => {
  it("takes the middle and the end of an order", () => {
    expect(percentile([3, 1, 2], 0.5)).to.equal(2);
    expect(percentile([1, 2, 3, 4], 0.95)).to.equal(4);
  });
  it("knows the most that workers can reach with so many equal jobs", () => {
    expect(scalingCeiling(72, 7)).to.be.closeTo(6.545, 0.001);
    expect(scalingCeiling(720, 7)).to.be.closeTo(6.99, 0.001);
    expect(scalingCeiling(14, 7)).to.equal(7);
    expect(scalingCeiling(1, 7)).to.equal(1);
  });
});

describe("the pass bench", () => {
  it("drives the real controller over a steady pool without its acting or failing", () => {
    const size = JSON.stringify({ workers: 40, jobs: 400, passes: 3 });
    const done = spawnSync(process.execPath, ["--expose-gc", join(root, "bench", "pass.js"), size], { encoding: "utf8", timeout: 50_000 });
    expect(done.stderr).to.equal("");
    expect(JSON.parse(done.stdout)).to.include({ workers: 40, jobs: 400 }).and.to.have.property("cpuMs").that.is.above(0);
  });
});
