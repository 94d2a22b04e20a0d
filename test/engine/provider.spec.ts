import { expect } from "chai";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeClient, type Client } from "../../components/cloudsigma/client";
import { isTemplate } from "../../components/cloudsigma/membership";
import { startLocalCloud, type LocalCloud } from "../../local-cloud/index";
import { engineEnvironment } from "../../tools/engine-env";
import { packageRoot } from "../../tools/paths";
import { mustRun, runCommand } from "../../tools/process";

/** A user's project with one resource of every kind; what changes from test to test is read from a file. */
const program = `
const cs = require("elastigrid/cloudsigma"), fs = require("fs");
const o = JSON.parse(fs.readFileSync("wishes.json", "utf8"));
const marks = { gridUid: "0a1b2c3d4e5f", gridName: "engine" };
const tag = new cs.Tag("tag", { marks, name: "engine-tag", ...o.tag });
const key = new cs.KeyPair("key", { marks, name: "engine-key", publicKey: "ssh-ed25519 AAAA engine", ...o.key });
const vlan = new cs.Vlan("vlan", { marks, name: "engine-net", purchase: { allowed: true }, ...o.vlan });
const ip = new cs.StaticIp("ip", { marks, name: "engine-address", purchase: { allowed: true }, ...o.ip });
const drive = new cs.Drive("drive", { marks, name: "engine-disk", cloneOf: "elastigrid-appliance", sizeBytes: 12000000000, ...o.drive });
const server = new cs.Server("server", { marks, name: "engine-master", cpuMHz: 1000, memoryBytes: 2 ** 30, vncPassword: o.password, drives: [{ uuid: drive.id }],
  nics: [{ address: ip.address }, { vlan: vlan.id }], userData: "#cloud-config\\n", sshPublicKey: "ssh-ed25519 AAAA engine", keyPairs: [key.id], tags: [tag.id], ...o.server });
const ready = new cs.MasterReady("ready", { address: "127.0.0.1", port: o.sshPort, timeoutSeconds: 10, serverUuid: server.id });
const pool = new cs.WorkerPool("pool", { marks, name: "engine-worker", image: "elastigrid-appliance", diskBytes: 12000000000, cpuMHz: 1000, memoryBytes: 2 ** 30,
  vlan: vlan.id, userData: "#cloud-config\\n", vncPassword: o.password, ...o.pool });
exports.publicIp = server.publicIp; exports.address = ip.address; exports.banner = ready.banner; exports.template = pool.templateUuid; exports.poolId = pool.poolId;
`;

interface StateResource {
  type: string;
  id: string;
  inputs: Record<string, unknown>;
  outputs: Record<string, unknown>;
  initErrors?: string[];
}

describe("CloudSigma provider under the real engine", function () {
  this.timeout(180_000);
  let dir: string;
  let cloud: LocalCloud;
  let client: Client;
  let ssh: Server;
  let wishes: Record<string, unknown>;
  let seen = 0;
  const password = `Console-${process.pid}-pw`;

  before(async function () {
    const engine = engineEnvironment();
    if (!engine.available) {
      process.stderr.write(`skipped: ${engine.reason}\n`);
      this.skip();
    }
    cloud = await startLocalCloud({ backend: "none", memory: true, log: () => undefined });
    client = makeClient({ endpoint: cloud.endpoint, username: cloud.username, password: cloud.password });
    ssh = createServer((s) => s.on("error", () => undefined).end("SSH-2.0-Test\r\n"));
    await new Promise<void>((r) => ssh.listen(0, "127.0.0.1", r));
    dir = mkdtempSync(join(tmpdir(), "elastigrid-provider-"));
    mkdirSync(join(dir, "state"));
    mkdirSync(join(dir, "node_modules"));
    symlinkSync(packageRoot, join(dir, "node_modules", "elastigrid"));
    symlinkSync(join(packageRoot, "node_modules", "@pulumi"), join(dir, "node_modules", "@pulumi"));
    writeFileSync(join(dir, "Pulumi.yaml"), "name: engine\nruntime: {name: nodejs, options: {typescript: false}}\n");
    writeFileSync(join(dir, "package.json"), '{"name":"engine","main":"index.js"}');
    writeFileSync(join(dir, "index.js"), program);
    wishes = { password, sshPort: (ssh.address() as AddressInfo).port };
    wish({});
    await pulumi("stack", "init", "test");
    await pulumi("config", "set", "cloudsigma:endpoint", cloud.endpoint);
    await pulumi("config", "set", "cloudsigma:username", cloud.username);
    await pulumi("config", "set", "--secret", "cloudsigma:password", cloud.password);
  });
  after(async () => {
    ssh?.close();
    await cloud?.stop();
    if (dir) rmSync(dir, { recursive: true, force: true });
  });

  const how = () => {
    const engine = engineEnvironment();
    if (!engine.available) throw new Error(engine.reason);
    const env = { ...engine.env, PULUMI_BACKEND_URL: `file://${join(dir, "state")}`, PULUMI_CONFIG_PASSPHRASE: "of the test" };
    return { program: engine.pulumi, options: { cwd: dir, env, timeoutMs: 120_000 } };
  };
  const plainly = (args: readonly string[]): string[] => [...args, "--non-interactive", "--color", "never"];
  const pulumi = (...args: string[]): Promise<string> => mustRun(how().program, plainly(args), how().options);
  /** All that a run says which must fail. */
  const failure = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await runCommand(how().program, plainly(args), how().options);
    expect(code, stdout).to.not.equal(0);
    return stdout + stderr;
  };
  const up = (...more: string[]): Promise<string> => pulumi("up", "--yes", "--skip-preview", ...more);
  const wish = (change: Record<string, object>): void => {
    for (const [k, v] of Object.entries(change)) wishes[k] = { ...(wishes[k] as object | undefined), ...v };
    writeFileSync(join(dir, "wishes.json"), JSON.stringify(wishes));
  };
  const writes = (): string[] => {
    const rows = cloud.calls.writes(seen);
    seen = cloud.calls.last;
    return rows.map((r) => `${r.method} ${r.path}`);
  };
  const state = async (): Promise<StateResource[]> => (JSON.parse(await pulumi("stack", "export")) as { deployment: { resources?: StateResource[] } }).deployment.resources ?? [];
  const resource = async (type: string): Promise<StateResource> => {
    const found = (await state()).find((r) => r.type.endsWith(`:${type}`));
    if (found === undefined) throw new Error(`no ${type} in the state`);
    return found;
  };

  it("previews without a single write", async () => {
    expect(await pulumi("preview")).to.contain("+ 9 to create");
    expect(writes()).to.deep.equal([]);
  });

  it("reports all bad inputs of a resource at once, and no secret", async () => {
    wish({ server: { cpuMHz: 1, memoryBytes: 5, vncPassword: "short-x" } });
    const said = await failure("preview");
    expect(said).to.contain("cpuMHz = 1").and.to.contain("memoryBytes = 5").and.to.contain("vncPassword: is shorter").and.to.not.contain("short-x");
    delete wishes["server"];
    wish({});
    expect(writes()).to.deep.equal([]);
  });

  it("makes every resource, and nothing at all on a second run", async () => {
    expect(await up()).to.contain("+ 9 created");
    const out = JSON.parse(await pulumi("stack", "output", "--json")) as Record<string, string>;
    expect(out).to.include({ publicIp: out["address"], banner: "SSH-2.0-Test", poolId: "0a1b2c3d4e5f/pool" });
    expect(isTemplate(await client.get("servers", String(out["template"])), "0a1b2c3d4e5f/pool")).to.equal(true);
    writes();
    const before = cloud.calls.last;
    expect(await up()).to.contain("9 unchanged");
    expect(cloud.calls.last, "no call at all").to.equal(before);
    await pulumi("preview", "--expect-no-changes");
  });

  it("keeps secrets out of state and output", async () => {
    const text = readFileSync(join(dir, "state", ".pulumi", "stacks", "engine", "test.json"), "utf8");
    for (const secret of [password, cloud.password]) expect(text).to.not.contain(secret);
    for (const type of ["Server", "WorkerPool"]) {
      const r = await resource(type);
      for (const side of [r.inputs, r.outputs]) expect(side["vncPassword"], type).to.have.property("ciphertext");
    }
    expect(await pulumi("stack", "export")).to.not.contain(password);
  });

  const live: [string, Record<string, object>, RegExp, string[]][] = [
    ["a tag's name", { tag: { name: "engine-label" } }, /~ 1 updated/, ["PUT tags"]],
    ["a server's name, while it runs", { server: { name: "engine-main" } }, /~ 1 updated/, ["PUT servers"]],
    ["a server's cores, by a stop", { server: { cpuMHz: 2_000, smp: 2 } }, /~ 1 updated/, ["POST shutdown", "PUT servers", "POST start"]],
    ["a drive's size, by a stop", { drive: { sizeBytes: 13_000_000_000 } }, /~ 1 updated/, ["PUT servers", "POST shutdown", "PUT drives", "POST start", "PUT servers"]],
    ["a server's power", { server: { powerState: "stopped" } }, /~ 1 updated/, ["POST shutdown"]],
    ["a server's power back", { server: { powerState: "running" } }, /~ 1 updated/, ["POST start"]],
    ["the workers' size, in the template", { pool: { memoryBytes: 2 ** 31 } }, /~ 1 updated/, ["PUT servers"]],
    ["the names of VLAN and address", { vlan: { name: "engine-lan" }, ip: { name: "engine-front" } }, /~ 2 updated/, ["PUT", "PUT"]],
  ];
  for (const [what, change, says, calls] of live)
    it(`changes ${what}`, async () => {
      writes();
      wish(change);
      expect(await up()).to.match(says);
      const done = writes().map((c) => c.replace(/^(\w+) \/?(?:api\/2\.0\/)?(\w+)\/.*?(?:do=(\w+))?$/, (_, m: string, k: string, d?: string) => `${m} ${d ?? k}`));
      expect(done.length).to.equal(calls.length);
      for (const [n, call] of calls.entries()) expect(done[n]).to.contain(call);
      await pulumi("preview", "--expect-no-changes");
    });

  it("replaces a key pair and gives the server the new one", async () => {
    const before = await resource("KeyPair");
    wish({ key: { publicKey: "ssh-ed25519 BBBB engine" } });
    expect(await up()).to.contain("+-1 replaced");
    const [key, server] = [await resource("KeyPair"), await resource("Server")];
    expect(key.id).to.not.equal(before.id);
    expect((await client.get("servers", server.id)).pubkeys.map((k) => k.uuid)).to.deep.equal([key.id]);
    expect(await client.find("keypairs", before.id)).to.equal(undefined);
    await pulumi("preview", "--expect-no-changes");
  });

  it("replaces a server for new user data, on the same drive and address", async () => {
    const before = await resource("Server");
    wish({ server: { userData: "#cloud-config\nnew: true\n" } });
    expect(await up()).to.contain("+-1 replaced");
    const after = await resource("Server");
    expect(after.id).to.not.equal(before.id);
    expect(after.outputs["publicIp"]).to.equal(before.outputs["publicIp"]);
    expect(after.outputs["drives"]).to.deep.equal(before.outputs["drives"]);
    expect(await client.find("servers", before.id)).to.equal(undefined);
    await pulumi("preview", "--expect-no-changes");
  });

  it("keeps a drive that is replaced by force: its data are the same", async () => {
    const { id, urn } = (await resource("Drive")) as StateResource & { urn: string };
    await up("--target-replace", urn);
    expect((await resource("Drive")).id).to.equal(id);
    expect((await client.get("drives", id)).status).to.equal("mounted");
    await pulumi("preview", "--expect-no-changes");
  });

  it("shows drift on refresh and repairs it", async () => {
    const server = await resource("Server");
    const tag = await resource("Tag");
    await client.action("servers", server.id, "stop");
    await client.delete("tags", tag.id);
    await new Promise((r) => setTimeout(r, 300));
    const said = await pulumi("refresh", "--yes", "--skip-preview");
    expect(said).to.match(/~ \d+ updated/).and.to.match(/- 1 deleted/);
    await up();
    expect((await client.get("servers", server.id)).status).to.equal("running");
    await pulumi("preview", "--expect-no-changes");
    const text = readFileSync(join(dir, "state", ".pulumi", "stacks", "engine", "test.json"), "utf8");
    expect(text).to.not.contain(password);
  });

  it("goes on after a run that failed half-way, without a second server", async () => {
    wish({ server: { userData: "#cloud-config\nthird: true\n" } });
    cloud.faults.add({ at: 1, match: { method: "POST", path: "do=start" }, do: { status: 402, type: "billing", message: "no funds" } });
    const said = await failure("up", "--yes", "--skip-preview");
    expect(said).to.contain("no funds").and.to.contain("add funds").and.to.contain("balance:");
    cloud.faults.clear();
    expect((await resource("Server")).initErrors).to.have.length(1);
    await up();
    expect((await client.list("servers")).filter((s) => s.name === "engine-main")).to.have.length(1);
    expect((await resource("Server")).outputs["status"]).to.equal("running");
    await pulumi("preview", "--expect-no-changes");
  });

  it("says which server is not as it should be, in words for people", async () => {
    wish({ drive: { sizeBytes: 14_000_000_000 } });
    cloud.faults.add({ match: { method: "PUT", path: "drives/" }, do: { status: 403, type: "permission", message: "cannot resize a drive mounted on a running guest" } });
    const said = await failure("up", "--yes", "--skip-preview");
    cloud.faults.clear();
    expect(said).to.contain("cannot resize").and.to.contain("what to do:").and.to.not.contain("    at ");
    await up(); // the server that was stopped for it runs again
    expect((await client.get("servers", (await resource("Server")).id)).status).to.equal("running");
  });

  it("removes everything, workers that it never declared too, and gives back what is paid for", async () => {
    const template = String((await resource("WorkerPool")).outputs["templateUuid"]);
    for (let n = 0; n < 3; n++) await client.action("servers", template, "clone", { name: `engine-worker-${n}` });
    expect(await pulumi("destroy", "--yes", "--skip-preview")).to.contain("- 9 deleted");
    for (const kind of ["servers", "drives", "tags", "keypairs"] as const) expect(await client.list(kind), kind).to.deep.equal([]);
    expect((await client.list("subscriptions")).filter((s) => s.auto_renew)).to.deep.equal([]);
    for (const kind of ["vlans", "ips"] as const) for (const o of await client.list(kind)) expect(o.meta).to.deep.equal({ "elastigrid-free": "true" });
  });

  it("removes what a failed first run left half-made", async () => {
    cloud.faults.add({ at: 1, match: { method: "POST", path: "do=start" }, do: { failBoot: {} } });
    expect(await failure("up", "--yes", "--skip-preview")).to.contain("did not boot");
    cloud.faults.clear();
    await pulumi("destroy", "--yes", "--skip-preview");
    for (const kind of ["servers", "drives", "tags", "keypairs"] as const) expect(await client.list(kind), kind).to.deep.equal([]);
    expect(await state()).to.deep.equal([]);
  });
});
