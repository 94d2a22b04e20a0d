import { expect } from "chai";
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LockedError, VirtualClock } from "../../../local-cloud";
import { boot, Lab, type Json } from "./lab";

describe("a restart of local-cloud", () => {
  let dir: string;
  let lab: Lab | undefined;
  const start = async (): Promise<Lab> => (lab = await Lab.start({ memory: false, stateDir: dir }));
  beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), "elastigrid-lc-"))));
  afterEach(async () => {
    await lab?.stop();
    lab = undefined;
    rmSync(dir, { recursive: true, force: true });
  });

  it("keeps everything, account and credentials included, in files that only the owner reads", async () => {
    const first = await start();
    const { username, password } = first.cloud;
    const me = (await first.get("profile/")).uuid;
    const d = await first.drive();
    const s = await first.server({ meta: { a: "1" }, drives: [boot(d.uuid)], nics: [{ ip_v4_conf: { conf: "dhcp" } }] });
    const whole = await first.get(`servers/${String(s.uuid)}/`);
    await first.stop();
    for (const file of ["state.json", "credentials.json"]) expect(statSync(join(dir, file)).mode & 0o777, file).to.equal(0o600);
    const second = await start();
    expect([second.cloud.username, second.cloud.password]).to.deep.equal([username, password]);
    expect((await second.get("profile/")).uuid).to.equal(me);
    expect(await second.get(`servers/${String(s.uuid)}/`)).to.deep.equal(whole);
    expect(await second.status("drives", d.uuid)).to.equal("mounted");
  });

  it("boots again what ran, with the same address; ends what was stopping; finishes drives and clones", async () => {
    const first = await start();
    const d = await first.drive();
    const nics = [{ ip_v4_conf: { conf: "dhcp" } }];
    const runs = await first.server({ nics }), starts = await first.server(), stops = await first.server(), template = await first.server({ auto_start: true, drives: [boot(d.uuid)] });
    await first.run(runs.uuid);
    await first.run(stops.uuid);
    const [ip] = await first.objects("ips/");
    await first.action("servers", starts.uuid, "start");
    await first.action("servers", stops.uuid, "stop");
    const clone = await first.want(202, "POST", `servers/${String(template.uuid)}/action/?do=clone`, { name: "w" });
    const fresh = await first.create("drives", { name: "n", size: 2 ** 30, media: "disk" });
    const grows = await first.create("drives", { name: "g", size: 2 ** 30, media: "disk" });
    const dying = await first.create("drives", { name: "x", size: 2 ** 30, media: "disk" });
    first.cloud.store.drives.get(String(grows.uuid))!.status = "ready";
    first.cloud.store.drives.get(String(dying.uuid))!.status = "ready";
    await first.want(202, "POST", `drives/${String(grows.uuid)}/action/?do=resize`, { name: "g", media: "disk", size: 2 ** 31 });
    await first.want(204, "DELETE", `drives/${String(dying.uuid)}/`);
    await first.cloud.crash();

    const second = await start();
    const states = async (): Promise<unknown[]> => Promise.all([runs, starts, stops, clone].map((s) => second.status("servers", s.uuid)));
    expect(await states()).to.deep.equal(["starting", "starting", "stopped", "cloning"]);
    expect((await second.objects("ips/?limit=0")).map((i) => i.uuid)).to.deep.equal([ip?.uuid]);
    await second.clock.advance(1_000);
    expect(await states()).to.deep.equal(["running", "running", "stopped", "running"]);
    expect(await second.status("drives", fresh.uuid)).to.equal("unmounted");
    expect(await second.get(`drives/${String(grows.uuid)}/`)).to.include({ status: "unmounted", size: 2 ** 31 });
    expect((await second.call("GET", `drives/${String(dying.uuid)}/`)).status).to.equal(404);
    expect((await second.objects("jobs/?limit=0")).map((j) => j.state)).to.deep.equal(["success", "success"]);
  });

  it("has every answered write on disk", async () => {
    const first = await start();
    const made = await Promise.all(Array.from({ length: 20 }, (_, i) => first.create("tags", { name: `t${i}` })));
    const onDisk = (JSON.parse(readFileSync(join(dir, "state.json"), "utf8")) as { tags: Json[] }).tags.map((t) => t.uuid);
    expect(onDisk).to.have.members(made.map((t) => t.uuid));
  });

  it("is refused while another holds the folder, and says who; a lock of the dead does not count", async () => {
    await start();
    const second = await Lab.start({ memory: false, stateDir: dir }).then(() => undefined, (e: unknown) => e as Error);
    expect(second).to.be.instanceOf(LockedError);
    expect(second?.message).to.include(String(process.pid));
    await lab?.stop();
    writeFileSync(join(dir, "lock"), `${process.pid} 1\n`); // our id, but another start time: a reused id
    await start();
    expect(await lab?.get("balance/")).to.have.property("balance");
  });

  it("forgets everything on reset", async () => {
    const first = await start();
    await first.server();
    await first.stop();
    lab = await Lab.start({ memory: false, stateDir: dir, reset: true });
    expect(lab.cloud.password).not.to.equal(first.cloud.password);
    expect(await lab.objects("servers/")).to.deep.equal([]);
  });

  it("says it when the state is of a version it does not know", async () => {
    writeFileSync(join(dir, "state.json"), '{"version":9}');
    const e = await Lab.start({ memory: false, stateDir: dir }).then(() => undefined, (x: unknown) => x as Error);
    expect(e?.message).to.match(/version 9.*--reset/);
    expect(new VirtualClock().pending).to.equal(0);
  });
});

interface Ready {
  readonly endpoint: string;
  readonly credentialsFile: string;
  readonly pid: number;
}

describe("the command local-cloud", function () {
  this.timeout(30_000);
  const cli = join(__dirname, "..", "..", "..", "local-cloud", "cli.js");
  const script = `require(${JSON.stringify(cli)}).localCloudCommand(process.argv.slice(1)).then((c) => { process.exitCode = c; })`;
  let dir: string;
  const children: ChildProcess[] = [];
  beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), "elastigrid-lc-"))));
  afterEach(async () => {
    await Promise.all(children.splice(0).map((c) => (c.exitCode === null && c.signalCode === null ? (c.kill("SIGKILL"), new Promise((r) => c.once("exit", r))) : undefined)));
    rmSync(dir, { recursive: true, force: true });
  });
  const spawned = (...args: string[]): ChildProcess => {
    const child = spawn(process.execPath, ["-e", script, "--", ...args], { stdio: ["pipe", "pipe", "pipe"] });
    children.push(child);
    return child;
  };
  const ready = (child: ChildProcess): Promise<Ready> =>
    new Promise((resolve, reject) => {
      let out = "", err = "";
      child.stderr?.on("data", (d) => (err += String(d)));
      child.stdout?.on("data", (d) => {
        out += String(d);
        if (out.includes("\n")) resolve(JSON.parse(out) as Ready);
      });
      child.once("exit", (code) => reject(new Error(`ended with ${code}: ${err}`)));
    });
  const ended = (child: ChildProcess): Promise<{ code: number | null; text: string }> =>
    new Promise((resolve) => {
      let text = "";
      child.stderr?.on("data", (d) => (text += String(d)));
      child.stdout?.on("data", (d) => (text += String(d)));
      child.once("close", (code) => resolve({ code, text }));
    });
  const request = (at: Ready): ((method: string, path: string, body?: Json) => Promise<Json>) => {
    const { username, password } = JSON.parse(readFileSync(at.credentialsFile, "utf8")) as { username: string; password: string };
    return async (method, path, body) => {
      const answer = await fetch(new URL(path, at.endpoint), { method, headers: { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}` }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
      return (await answer.json()) as Json;
    };
  };
  const common = (): string[] => ["--port", "0", "--backend", "none", "--state", dir, "--json"];

  it("goes on after kill -9: what was answered is there, what ran runs again", async () => {
    const first = spawned(...common());
    const at = await ready(first);
    const call = request(at);
    const made = (await call("POST", "servers/", { name: "a", cpu: 2000, mem: 2 ** 30, vnc_password: "x" })) as { objects: Json[] };
    const uuid = String(made.objects[0]?.uuid);
    await call("POST", `servers/${uuid}/action/?do=start`, {});
    first.kill("SIGKILL");
    await new Promise((r) => first.once("exit", r));
    const again = request(await ready(spawned(...common())));
    let status: unknown;
    for (let i = 0; i < 100 && status !== "running"; i++) {
      status = (await again("GET", `servers/${uuid}/`)).status;
      await new Promise((r) => setTimeout(r, 20));
    }
    expect(status).to.equal("running");
  });

  it("ends with 0 on SIGTERM and when standard input closes, and never prints the password", async () => {
    for (const [flag, end] of [["--json", (c: ChildProcess) => c.kill("SIGTERM")], ["--exit-with-parent", (c: ChildProcess) => c.stdin?.end()]] as const) {
      const child = spawned(...common(), flag);
      const over = ended(child);
      const at = await ready(child);
      end(child);
      const { code, text } = await over;
      expect(code).to.equal(0);
      expect(text).not.to.include((JSON.parse(readFileSync(at.credentialsFile, "utf8")) as { password: string }).password);
    }
  });

  const mistakes: readonly (readonly [string, string[], number, RegExp])[] = [
    ["an unknown option", ["--nonsense"], 2, /nonsense/],
    ["a port that is none", ["--port", "70000"], 2, /70000 is not a port/],
    ["an unknown back end", ["--backend", "vmware"], 2, /hosts or none/],
    ["a fault that is no JSON", ["--fault", "{"], 2, /--fault needs JSON/],
    ["a fault that does nothing", ["--fault", "{}"], 2, /do: what happens/],
  ];
  for (const [says, args, code, line] of mistakes)
    it(`says in one line what is wrong with ${says}`, async () => {
      const result = await ended(spawned(...args));
      expect(result.code).to.equal(code);
      expect(result.text.trim().split("\n")).to.have.length(1);
      expect(result.text).to.match(line);
    });

  it("says which port is in use", async () => {
    const at = await ready(spawned(...common()));
    const { port } = new URL(at.endpoint);
    const result = await ended(spawned("--port", port, "--backend", "none", "--state", join(dir, "other")));
    expect([result.code, result.text.trim()]).to.deep.equal([1, `local-cloud: port ${port} is in use; choose another with --port, or stop what uses it`]);
  });

  it("explains itself", async () => {
    const { code, text } = await ended(spawned("--help"));
    expect(code).to.equal(0);
    for (const option of ["--port", "--backend", "--state", "--reset", "--fault", "--publish", "--exit-with-parent", "--json"]) expect(text).to.include(option);
  });
});
