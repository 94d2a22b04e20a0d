import { expect } from "chai";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { engineEnvironment, selectionFile } from "../../../tools/engine-env";
import { archiveUrl, downloadEngine, isReachable } from "../../../tools/engine-official";
import { bringEngine, findEngine, recordEngine } from "../../../tools/engine-setup";
import { plugins } from "../../../tools/engine-versions";
import { mustRun } from "../../../tools/process";

const silent = { say: (): void => undefined, note: (): void => undefined };

/** An engine on PATH that only knows how to install plugins; the user's own plugins are "there". */
function fakeEngine(dir: string, version: string): void {
  const program = (path: string, text: string): void => {
    writeFileSync(path, `#!/bin/sh\n${text}\n`);
    chmodSync(path, 0o755);
  };
  mkdirSync(join(dir, "bin"), { recursive: true });
  const install = 'echo "$*" >>"$0.calls"; sleep 0.2; d="$PULUMI_HOME/plugins/resource-$4-v$5"; mkdir -p "$d"; cp "$7" "$d/"';
  program(join(dir, "bin", "pulumi"), `if [ "$1" = version ]; then echo ${version}; else ${install}; fi`);
  for (const beside of ["pulumi-language-nodejs", "pulumi-resource-pulumi-nodejs"]) program(join(dir, "bin", beside), "");
  for (const p of plugins) {
    const home = join(dir, "user", "plugins", `resource-${p.name}-v${p.version}`);
    mkdirSync(home, { recursive: true });
    program(join(home, `pulumi-resource-${p.name}`), "");
  }
}

describe("bringing the engine", () => {
  let dir: string, cache: string;
  const before = { PATH: process.env["PATH"], PULUMI_HOME: process.env["PULUMI_HOME"] };
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "elastigrid-engine-"));
    cache = join(dir, "cache", "elastigrid");
    process.env["PATH"] = `${join(dir, "bin")}:/usr/sbin:/usr/bin:/sbin:/bin`; // not the engine of whoever runs this
    process.env["PULUMI_HOME"] = join(dir, "user");
  });
  afterEach(() => {
    process.env["PATH"] = before.PATH;
    if (before.PULUMI_HOME === undefined) delete process.env["PULUMI_HOME"];
    else process.env["PULUMI_HOME"] = before.PULUMI_HOME;
    rmSync(dir, { recursive: true, force: true });
  });

  it("takes a good one on PATH, with plugins in a folder of its own, once for two at a time", async () => {
    fakeEngine(dir, "v3.260.0");
    expect(await findEngine(cache)).to.equal(undefined);
    mkdirSync(join(cache, "engine", "set-0123456789ab.making"), { recursive: true });
    const [one, two] = await Promise.all([bringEngine(cache, silent), bringEngine(cache, silent)]);
    expect(one).to.deep.equal(two);
    expect(one.pulumi).to.equal(join(dir, "bin", "pulumi"));
    expect(one.pulumiHome.startsWith(cache)).to.equal(true);
    for (const p of plugins) expect(existsSync(join(one.pulumiHome, "plugins", `resource-${p.name}-v${p.version}`)), p.name).to.equal(true);
    expect(readFileSync(join(dir, "bin", "pulumi.calls"), "utf8").trim().split("\n")).to.have.length(plugins.length);
    expect(existsSync(join(cache, "engine", "set-0123456789ab.making")), "what an interrupted one left").to.equal(false);
    expect(await findEngine(cache)).to.deep.equal(one);
  });

  it("passes over one on PATH that is too old or incomplete", async () => {
    fakeEngine(dir, "v3.100.0");
    expect(await findEngine(cache)).to.equal(undefined);
    fakeEngine(dir, "v3.260.0");
    await bringEngine(cache, silent);
    rmSync(join(dir, "bin", "pulumi-language-nodejs"));
    expect(await findEngine(cache)).to.equal(undefined);
  });

  it("tells tests how to run it, and why they cannot", async () => {
    const env = { XDG_CACHE_HOME: join(dir, "cache"), PATH: "/bin", PULUMI_IGNORE_AMBIENT_PLUGINS: "true" };
    expect(engineEnvironment(env)).to.include({ available: false });
    const chosen = { origin: "o", version: "v3", pulumi: join(dir, "p"), path: [join(dir, "x")], pulumiHome: join(dir, "h") };
    await recordEngine(cache, chosen);
    expect(selectionFile(cache)).to.satisfy(existsSync);
    expect(engineEnvironment(env)).to.deep.include({ available: false, reason: `${join(dir, "p")} is gone; run: npm run setup` });
    writeFileSync(join(dir, "p"), "");
    mkdirSync(join(dir, "h"));
    const ready = engineEnvironment(env);
    if (!ready.available) throw new Error(ready.reason);
    expect(ready.env["PATH"]).to.equal(`${join(dir, "x")}:/bin`);
    expect(ready.env).to.include({ PULUMI_HOME: join(dir, "h"), PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true" }).and.not.to.have.property("PULUMI_IGNORE_AMBIENT_PLUGINS");
    const own = engineEnvironment({ ...env, PULUMI_CONFIG_PASSPHRASE: "mine" });
    expect(own.available && own.env["PULUMI_CONFIG_PASSPHRASE"]).to.equal("mine");
  });
});

describe("Pulumi's own archive", () => {
  let server: Server, base: string, dir: string, answer: (path: string) => Buffer | undefined | "never";
  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), "elastigrid-archive-"));
    server = createServer((req, res) => {
      const body = answer(req.url ?? "");
      if (body === "never") return;
      res.writeHead(body === undefined ? 404 : 200).end(req.method === "HEAD" ? undefined : body);
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
    rmSync(dir, { recursive: true, force: true });
  });

  it("is known for the platforms that Pulumi publishes", () => {
    expect(archiveUrl("b", "linux", "arm64")).to.match(/^b\/pulumi-v3\.\d+\.\d+-linux-arm64\.tar\.gz$/);
    expect(archiveUrl("b", "freebsd", "x64")).to.equal(undefined);
  });
  it("is not waited for where nothing answers", async () => {
    answer = () => "never";
    const from = Date.now();
    expect(await isReachable(base, 100)).to.equal(false);
    expect(Date.now() - from).to.be.below(5_000);
    expect(await isReachable("http://127.0.0.1:9/none")).to.equal(false);
  });
  it("is unpacked without its outer folder, and a refusal is an error", async () => {
    mkdirSync(join(dir, "in", "pulumi"), { recursive: true });
    writeFileSync(join(dir, "in", "pulumi", "pulumi"), "engine");
    await mustRun("tar", ["-czf", join(dir, "a.tgz"), "-C", join(dir, "in"), "pulumi"], { timeoutMs: 10_000 });
    answer = (path) => (path === "/a" ? readFileSync(join(dir, "a.tgz")) : undefined);
    expect(await isReachable(`${base}/a`)).to.equal(true);
    mkdirSync(join(dir, "out"));
    await downloadEngine(`${base}/a`, join(dir, "out"));
    expect(readFileSync(join(dir, "out", "pulumi"), "utf8")).to.equal("engine");
    const refused = await downloadEngine(`${base}/b`, join(dir, "out")).catch((e: Error) => e.message);
    expect(refused).to.contain("404");
  });
});
