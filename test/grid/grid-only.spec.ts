import { expect } from "chai";
import { rmSync } from "node:fs";
import { killAll, pause, say, until } from "../support/chaos";
import { freePort, needGrid } from "../support/lane";
import { StartHome } from "../support/start-home";

interface Summary {
  readonly gridOnly: boolean;
  readonly upSeconds: number;
  readonly changes: Readonly<Record<string, number>>;
  readonly settings: readonly string[];
  readonly ok: boolean;
}

describe("npm start -- --keep --grid-only", function () {
  this.timeout(600_000);
  this.bail(true);
  let home: StartHome | undefined;

  const run = async (...flags: string[]): Promise<{ code: number | null; text: string; summary?: Summary }> => {
    const { lines, ended } = (home as StartHome).start(...flags);
    const code = await ended;
    const last = lines.find((l) => l.startsWith("{"));
    return { code, text: lines.join("\n"), ...(last === undefined ? {} : { summary: JSON.parse(last) as Summary }) };
  };
  const cloud = (): number[] => (home as StartHome).processes().filter((p) => / local-cloud --port /.test(p.command)).map((p) => p.pid);

  before(async function () {
    await needGrid(this);
    home = new StartHome(await freePort());
  });

  after(async () => {
    if (home === undefined) return;
    killAll(home.processes());
    await pause(500);
    rmSync(home.dir, { recursive: true, force: true });
  });

  it("makes the grid and goes, without the checks", async () => {
    const { code, text, summary } = await run("--keep", "--grid-only", "--set", "workers.max=3");
    expect(code, text).to.equal(0);
    expect(text).to.contain("npx elastigrid status");
    expect(text).to.not.contain("check 1");
    expect(summary).to.deep.include({ gridOnly: true, ok: true, settings: ["workers.max=3"] });
    say(`up in ${summary?.upSeconds} s`);
    expect(cloud()).to.have.length(1);
  });

  it("refuses a key that is none in the words of the schema, and leaves the grid alone", async () => {
    const before = cloud();
    const { code, text } = await run("--keep", "--grid-only", "--set", "workers.mim=2", "--set", "workers.max=lots");
    expect(code).to.equal(2);
    expect(text).to.match(/workers\.mim: is not a known key; did you mean min\?/).and.to.match(/workers\.max = "lots"/);
    expect(cloud()).to.deep.equal(before);
  });

  it("changes the kept grid as it runs, and keeps what was set before", async () => {
    const before = cloud();
    const { code, text, summary } = await run("--keep", "--grid-only", "--set", "workers.min=2");
    expect(code, text).to.equal(0);
    expect(summary?.settings).to.have.members(["workers.min=2", "workers.max=3"]);
    expect(summary?.changes["create"] ?? 0, "nothing is made anew").to.equal(0);
    expect(cloud(), "the same cloud, and the same servers in it").to.deep.equal(before);
  });

  it("and --down removes it", async () => {
    const { code, text } = await run("--down");
    expect(code, text).to.equal(0);
    expect(text).to.contain("nothing left that costs money");
    await until(
      "the end of all its processes and mounts", 30_000,
      () => (home as StartHome).processes().length === 0 && (home as StartHome).mounts().length === 0,
    );
  });
});
