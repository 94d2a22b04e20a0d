import { expect } from "chai";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { isEmptyChange, PulumiError } from "../../demo/pulumi";
import { startLocalCloud, type LocalCloud } from "../../local-cloud";
import { engineEnvironment } from "../../tools/engine-env";
import { openTestStack, type TestStack } from "../support/stack";

const base = { name: "keep", bootstrap: "none", image: { name: "elastigrid-appliance" }, workers: { min: 1, max: 4, memory: "1 GiB", disk: "12 GiB" }, master: { disk: "12 GiB" } };

/** Every way to a new master: in the preview, in an `up` that shows none (`up` here has no preview), and by order of the engine. */
describe("a living grid's master under the real engine", function () {
  this.timeout(300_000);
  let cloud: LocalCloud, test: TestStack;

  before(async function () {
    const engine = engineEnvironment();
    if (!engine.available) {
      console.log(`      skipped: ${engine.reason}`);
      this.skip();
    }
    cloud = await startLocalCloud({ memory: true, log: () => undefined });
    test = await openTestStack(cloud, base);
    await test.stack.up();
  });
  after(async () => {
    test?.close();
    await cloud?.stop();
  });

  const disks = () => [...cloud.store.drives.all()].filter((d) => d.name === "keep-master-disk");
  const disk = (): string => disks()[0]?.uuid ?? "";
  const raw = (...args: string[]) => test.stack.run([...args, "--non-interactive", "--stack", "test", "--config-file", test.stack.workingConfig]);
  const urnOf = async (name: string): Promise<string> => {
    const { deployment } = JSON.parse(await test.stack.exported()) as { deployment: { resources: { urn: string }[] } };
    return deployment.resources.map((r) => r.urn).find((u) => u.endsWith(`::${name}`)) ?? "";
  };
  /** What is said, once, with nothing written. */
  const refused = async (work: () => Promise<unknown>): Promise<string> => {
    const from = cloud.calls.last;
    try {
      await work();
    } catch (e) {
      expect(cloud.calls.writes(from).map((c) => `${c.method} ${c.path}`), "nothing was touched").to.deep.equal([]);
      if (e instanceof PulumiError) return e.message;
      throw e;
    }
    throw new Error("it was not refused");
  };
  const nothingToDo = async (): Promise<void> => {
    await test.configure(base);
    expect(isEmptyChange((await test.stack.preview()).changes)).to.equal(true);
  };

  const changes: Array<[string, object, RegExp]> = [
    ["a smaller disk", { master: { disk: "11 GiB" } }, /grid\.master\.disk = 11 GiB/],
    ["another image", { image: { name: "debian-13" } }, /grid\.image\.name = debian-13/],
    ["another range", { network: { cidr: "10.78.0.0/24" } }, /grid\.network\.cidr = 10\.78\.0\.0\/24/],
    ["another ssh port", { ssh: { port: 2222 } }, /grid\.ssh\.port = 2222/],
    ["another name", { name: "other" }, /grid\.name = other: is not the name of the deployed grid \(keep\)/],
  ];
  before(async () => {
    if (cloud === undefined) return;
    const known = [...(await libraryNames(cloud))].find((n) => n !== base.image.name) ?? "";
    changes[1] = ["another image", { image: { name: known, kind: "stock" } }, new RegExp(`grid\\.image\\.name = .*: is not what the master's disk keep-master-disk .* has \\(elastigrid-appliance\\)`)];
  });
  for (const [i, [title]] of changes.entries())
    it(`refuses ${title} in preview and up, before anything is touched, and says so once`, async () => {
      const [, change, says] = changes[i]!;
      await test.configure({ ...base, ...change });
      expect(await refused(() => test.stack.preview())).to.match(says);
      const said = await refused(() => test.stack.up());
      expect(said).to.match(says);
      expect(said.match(/the configuration has a problem/g), said).to.have.length(1);
      expect(said, "no names of properties that wait, no stack").to.not.match(/serializing|\bat .*\.js:/);
    });
  it("has nothing to do after all these", () => nothingToDo());

  it("refuses a smaller disk of a grid that an earlier version made, which did not note the size", async () => {
    const row = disks()[0]!;
    const { "elastigrid-declared-size": _noted, ...meta } = row.meta;
    await call(cloud, "PUT", `drives/${row.uuid}/`, { name: row.name, size: row.size, media: row.media, meta });
    expect(disks()[0]?.meta).to.not.have.property("elastigrid-declared-size");
    await test.configure({ ...base, master: { disk: "11 GiB" } });
    expect(await refused(() => test.stack.preview())).to.match(/would replace drive keep-master-disk/);
    expect(await refused(() => test.stack.up())).to.match(/sizeBytes 12884901888 -> 11811160064: would replace drive keep-master-disk/);
    // The cloud is untouched, but such an `up` has noted the wish for the component in its state.
    await test.configure(base);
    await test.stack.up();
  });

  it("takes a grid over whose state knows nothing of all this, without a change", async () => {
    const state = JSON.parse((await test.stack.run(["stack", "export", "--show-secrets", "--stack", "test"])).stdout) as { deployment: { resources: { urn: string; inputs?: object; outputs?: object }[] } };
    const row = state.deployment.resources.find((r) => r.urn.endsWith("::grid-master-disk"))!;
    for (const side of [row.inputs, row.outputs]) delete (side as Record<string, unknown>)["keepData"];
    writeFileSync(join(test.dir, "older.json"), JSON.stringify(state));
    await test.stack.run(["stack", "import", "--file", join(test.dir, "older.json"), "--stack", "test"]);
    await nothingToDo();
    expect(isEmptyChange((await test.stack.up()).changes)).to.equal(true);
  });

  it("keeps the disk when the engine is ordered to replace it: it is taken over", async () => {
    const before = disk();
    for (const how of ["--replace", "--target-replace"]) {
      await raw("up", "--yes", "--skip-preview", how, await urnOf("grid-master-disk"));
      expect(disk(), how).to.equal(before);
    }
    await test.stack.run(["state", "taint", await urnOf("grid-master-disk"), "--yes", "--stack", "test"]);
    await test.stack.up();
    expect(disk(), "tainted").to.equal(before);
    await nothingToDo();
  });

  it("refuses an order to replace the disk together with a smaller one", async () => {
    await test.configure({ ...base, master: { disk: "11 GiB" } });
    expect(await refused(async () => raw("up", "--yes", "--skip-preview", "--replace", await urnOf("grid-master-disk")))).to.match(/grid\.master\.disk = 11 GiB/);
  });

  it("refuses an order to give the grid another uid, in preview and up", async () => {
    await test.configure(base);
    for (const verb of [["preview"], ["up", "--yes", "--skip-preview"]])
      expect(await refused(async () => raw(...verb, "--replace", await urnOf("grid-uid")))).to.match(/would replace drive keep-master-disk/);
  });

  it("grows the disk in place", async () => {
    const before = disk();
    await test.configure({ ...base, master: { disk: "13 GiB" } });
    await test.stack.up();
    expect(disks().map((d) => [d.uuid, d.size])).to.deep.equal([[before, 13 * 2 ** 30]]);
    expect([...cloud.store.servers.all()].find((s) => s.name === "keep-master")?.status).to.equal("running");
  });

  it("replaces it for the word that names it, says so in the preview, and does not do it twice", async () => {
    const former = disk();
    const wanted = { ...base, master: { disk: "12 GiB", replace: former } };
    await test.configure(wanted);
    const shown = (await raw("preview")).stdout;
    expect(shown).to.match(new RegExp(`grid\\.master\\.replace: the master's disk keep-master-disk \\(${former}\\) is replaced \\(grid\\.master\\.disk: 13 GiB -> 12 GiB\\)\\. Lost: `));
    expect(disk()).to.equal(former);
    await test.stack.up();
    expect(disks()).to.have.length(1);
    expect(disk()).to.not.equal(former);
    expect(isEmptyChange((await test.stack.preview()).changes)).to.equal(true);
    await test.configure({ ...base, master: { disk: "11 GiB", replace: former } });
    expect(await refused(() => test.stack.up()), "the word named another one").to.include(`set grid.master.replace to ${disk()}`);
  });

  it("is destroyed without an extra step", async () => {
    await test.stack.destroy();
    expect(cloud.leaks().leaks).to.deep.equal([]);
  });
});

async function call(cloud: LocalCloud, method: string, path: string, body?: unknown): Promise<Response> {
  const authorization = `Basic ${Buffer.from(`${cloud.username}:${cloud.password}`).toString("base64")}`;
  return fetch(new URL(path, cloud.endpoint), { method, headers: { authorization, "content-type": "application/json" }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
}

async function libraryNames(cloud: LocalCloud): Promise<string[]> {
  const answer = (await (await call(cloud, "GET", "libdrives/?limit=0")).json()) as { objects: { name: string }[] };
  return answer.objects.map((o) => o.name);
}
