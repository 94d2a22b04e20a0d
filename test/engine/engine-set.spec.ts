import { expect } from "chai";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { engineEnvironment } from "../../tools/engine-env";
import { packageRoot } from "../../tools/paths";
import { mustRun } from "../../tools/process";

const program = `
const pulumi = require("@pulumi/pulumi"), random = require("@pulumi/random"), command = require("@pulumi/command");
const provider = { async create(inputs) { return { id: "thing", outs: { ...inputs, doubled: inputs.text + inputs.text } }; } };
class Thing extends pulumi.dynamic.Resource { constructor(name, args) { super(provider, name, { doubled: undefined, ...args }); } }
const id = new random.RandomId("id", { byteLength: 4 });
const password = new random.RandomPassword("password", { length: 24, special: false });
const thing = new Thing("thing", { text: id.hex });
const quiet = new command.local.Command("quiet", { create: "cat >/dev/null; echo done", stdin: password.result, logging: "none" });
exports.hex = id.hex; exports.doubled = thing.doubled; exports.done = quiet.stdout; exports.password = password.result;
`;

describe("the engine that set-up brought", () => {
  let dir: string;
  before(() => {
    dir = mkdtempSync(join(tmpdir(), "elastigrid-tiny-"));
    mkdirSync(join(dir, "state"));
    symlinkSync(join(packageRoot, "node_modules"), join(dir, "node_modules"));
    writeFileSync(join(dir, "Pulumi.yaml"), "name: tiny\nruntime: {name: nodejs, options: {typescript: false}}\n");
    writeFileSync(join(dir, "package.json"), '{"name":"tiny","main":"index.js","dependencies":{"@pulumi/random":"4.21.2","@pulumi/command":"1.2.1"}}');
    writeFileSync(join(dir, "index.js"), program);
  });
  after(() => rmSync(dir, { recursive: true, force: true }));

  const pulumi = (...args: string[]): Promise<string> => {
    const engine = engineEnvironment();
    if (!engine.available) throw new Error(engine.reason);
    const env = { ...engine.env, PULUMI_BACKEND_URL: `file://${join(dir, "state")}`, PULUMI_CONFIG_PASSPHRASE: "of the test" };
    return mustRun(engine.pulumi, [...args, "--non-interactive", "--color", "never"], { cwd: dir, env, timeoutMs: 120_000 });
  };

  it("runs a program with plugins and a dynamic provider, twice without a change, and removes it", async () => {
    await pulumi("stack", "init", "tiny");
    const said = await pulumi("up", "--yes", "--skip-preview");
    expect(said).to.contain("+ 5 created");
    const out = JSON.parse(await pulumi("stack", "output", "--json", "--show-secrets")) as Record<string, string>;
    expect(out["doubled"]).to.equal(`${out["hex"]}${out["hex"]}`);
    expect(out["done"]).to.equal("done");
    expect(out["password"]).to.have.length(24);
    expect(said + readFileSync(join(dir, "state", ".pulumi", "stacks", "tiny", "tiny.json"), "utf8")).not.to.contain(out["password"]);
    await pulumi("preview", "--expect-no-changes");
    expect(await pulumi("destroy", "--yes", "--skip-preview")).to.contain("- 5 deleted");
  });
});
