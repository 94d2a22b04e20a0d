import { runtime } from "@pulumi/pulumi";
import { expect } from "chai";
import { spawn } from "node:child_process";
import { byName, type ProviderKind } from "../../../components/cloudsigma/by-name";
import { packageRoot } from "../../../tools/paths";
import { inputsOf, KINDS, PASSWORD, type Props } from "./support/inputs";
import { someVlan, startWorld, type World } from "./support/world";

/** Loads a provider's text in a fresh process, as the engine's helper does, and runs its verbs one after another. */
const RUNNER = `
let text = ""; process.stdin.on("data", (d) => (text += d)).on("end", async () => {
  try {
    const { code, config, news } = JSON.parse(text);
    const Module = require("module"); const m = new Module("provider"); m.paths = Module._nodeModulePaths(process.cwd()); m._compile(code, "provider.js");
    const p = m.exports.handler();
    await p.configure({ config: { get: (k) => config[k] } });
    const c = await p.check({}, news);
    if (c.failures.length) throw new Error(JSON.stringify(c.failures));
    const made = await p.create(c.inputs);
    const diff = await p.diff(made.id, made.outs, c.inputs);
    const updated = await p.update(made.id, made.outs, c.inputs);
    const read = await p.read(made.id, updated.outs);
    await p.delete(made.id, updated.outs);
    console.log(JSON.stringify({ id: made.id, readId: read.id, changes: diff.changes }));
  } catch (e) { console.error(e); process.exitCode = 1; }
});`;

function runClean(input: object): Promise<{ id: string; readId: string; changes: boolean }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["-e", RUNNER], { cwd: packageRoot, stdio: ["pipe", "pipe", "pipe"], timeout: 60_000 });
    let out = "";
    let err = "";
    child.stdout.on("data", (d: Buffer) => (out += String(d)));
    child.stderr.on("data", (d: Buffer) => (err += String(d)));
    child.on("error", reject);
    child.on("close", (code) => (code === 0 ? resolve(JSON.parse(out) as { id: string; readId: string; changes: boolean }) : reject(new Error(err))));
    child.stdin.end(JSON.stringify(input));
  });
}

const serialised = async (kind: ProviderKind): Promise<string> => {
  const p = byName(kind);
  return (await runtime.serializeFunction(() => p)).text;
};

describe("serialised providers", function () {
  this.timeout(90_000);
  let w: World;
  before(async () => {
    w = await startWorld();
  });
  after(() => w.stop());

  for (const kind of [...KINDS, "master-ready"] as const)
    it(`keeps the text of ${kind} short, the same, and free of secrets and paths`, async () => {
      const text = await serialised(kind);
      expect(text.length).to.be.below(4_000);
      expect(await serialised(kind)).to.equal(text);
      expect(text).to.contain(`elastigrid/provider/`).and.to.not.contain(PASSWORD).and.to.not.contain(packageRoot);
    });
  for (const kind of KINDS)
    it(`runs every verb of ${kind} in a fresh process from its text alone`, async () => {
      const vlan = kind === "worker-pool" || kind === "server" ? await someVlan(w) : undefined;
      const over: Props = kind === "server" ? { nics: [{ vlan }] } : kind === "worker-pool" ? { vlan } : {};
      const config = { "cloudsigma:endpoint": w.cloud.endpoint, "cloudsigma:username": w.cloud.username, "cloudsigma:password": w.cloud.password };
      const result = await runClean({ code: await serialised(kind), config, news: { ...inputsOf(kind), ...over } });
      expect(result.readId).to.equal(result.id);
      expect(result.changes).to.equal(false);
    });
});
