import { expect } from "chai";
import { execFile, spawn } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { startLocalCloud, type LocalCloud } from "../../../local-cloud";
import { cacheFolder } from "../../../local-cloud/cache";

const VERSION = "3.9.1";
const run = promisify(execFile);
const root = (from = __dirname): string => (existsSync(join(from, "package.json")) ? from : root(dirname(from)));

/** libcloud in the cache folder, fetched once; undefined with a reason when this machine cannot have it. */
async function libcloud(): Promise<{ path: string } | { missing: string }> {
  const path = join(cacheFolder(), "python", `apache-libcloud-${VERSION}`);
  if (existsSync(path)) return { path };
  const growing = `${path}.${process.pid}`;
  try {
    await run("python3", ["-m", "pip", "--version"], { timeout: 20_000 });
    mkdirSync(dirname(path), { recursive: true });
    await run("python3", ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--target", growing, `apache-libcloud==${VERSION}`], { timeout: 180_000 });
    renameSync(growing, path);
    return { path };
  } catch (e) {
    rmSync(growing, { recursive: true, force: true });
    if (existsSync(path)) return { path }; // another run was faster
    return { missing: `apache-libcloud needs python3 with pip and a package index: ${e instanceof Error ? (e.message.split("\n")[0] ?? "") : String(e)}` };
  }
}

describe("local-cloud through libcloud, a client of others", function () {
  this.timeout(240_000);
  let cloud: LocalCloud | undefined;
  afterEach(async () => {
    await cloud?.stop();
    cloud = undefined;
  });

  it("creates, starts, stops, edits, clones and destroys servers", async function () {
    const found = await libcloud();
    if ("missing" in found) {
      console.log(`      skipped: ${found.missing}`);
      return this.skip();
    }
    cloud = await startLocalCloud({ memory: true });
    const child = spawn("python3", [join(root(), "test", "support", "libcloud-client.py"), "127.0.0.1", String(cloud.port), "3"], {
      stdio: ["pipe", "pipe", "pipe"], env: { ...process.env, PYTHONPATH: found.path, PYTHONDONTWRITEBYTECODE: "1" }, timeout: 60_000,
    });
    let out = "", err = "";
    child.stdout.on("data", (d) => (out += String(d)));
    child.stderr.on("data", (d) => (err += String(d)));
    child.stdin.end(JSON.stringify({ username: cloud.username, password: cloud.password }));
    const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
    expect(code, err).to.equal(0);
    const said = JSON.parse(out) as Record<string, unknown>;
    expect(said.images).to.include("elastigrid-appliance").and.not.include("Debian 12 install CD");
    expect(said.created).to.deep.equal({ public: ["198.51.100.10"], meta: { a: "1" }, nics: 2 });
    expect(said).to.deep.include({
      startedTwice: "permission", stopped: true, renamed: "two", started: [true, true, true], listed: ["clone-0", "clone-1", "clone-2", "two"], groups: 3, tag: "t", subscriptions: ["vlan"], left: 0,
    });
    await new Promise((r) => setTimeout(r, 200));
    const { leaks, prepaid } = cloud.leaks();
    expect([leaks, prepaid.length]).to.deep.equal([[], 1]);
  });
});
