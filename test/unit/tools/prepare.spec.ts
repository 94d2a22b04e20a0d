import { expect } from "chai";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { packageRoot } from "../../../tools/paths";

interface Ended {
  readonly code: number | null;
  readonly said: string;
}

/** A checkout small enough to compile in a second; its packages are "installed". */
function checkout(source: string): string {
  const root = mkdtempSync(join(tmpdir(), "elastigrid-prepare-"));
  const put = (path: string, text: string): void => writeFileSync(join(root, path), text);
  mkdirSync(join(root, "src"));
  mkdirSync(join(root, "node_modules"));
  symlinkSync(join(packageRoot, "node_modules", "typescript"), join(root, "node_modules", "typescript"));
  put("package.json", "{}");
  put("package-lock.json", '{"packages":{"":{}}}');
  put("node_modules/.package-lock.json", '{"packages":{}}');
  put("tsconfig.json", '{"compilerOptions":{"rootDir":".","outDir":"dist","types":[],"incremental":true,"tsBuildInfoFile":"dist/.tsbuildinfo"},"include":["src"]}');
  put("src/one.ts", source);
  return root;
}

function begin(root: string): { pid: number; group: () => void; ended: Promise<Ended> } {
  const script = `import(${JSON.stringify(pathToFileURL(join(packageRoot, "tools", "lib", "prepare.mjs")).href)}).then((m) => m.prepare(${JSON.stringify(root)})).catch((e) => { console.error(e.message, e.advice); process.exitCode = 1; })`;
  const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "pipe"], detached: true });
  let said = "";
  child.stdout.on("data", (d: Buffer) => (said += d.toString()));
  child.stderr.on("data", (d: Buffer) => (said += d.toString()));
  const ended = new Promise<Ended>((done) => child.on("close", (code) => done({ code, said })));
  const pid = child.pid ?? 0;
  return { pid, ended, group: () => process.kill(-pid, "SIGKILL") };
}

describe("compiling a checkout", function () {
  this.timeout(120_000);
  let root = "";
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  it("is done once by two at the same time, and not at all when nothing changed", async () => {
    root = checkout("export const one: number = 1;\n");
    const both = await Promise.all([begin(root).ended, begin(root).ended]);
    expect(both.map((b) => b.code), both.map((b) => b.said).join("")).to.deep.equal([0, 0]);
    expect(both.filter((b) => /compile and bundle: [\d.]+ s/.test(b.said))).to.have.length(1);
    expect(readFileSync(join(root, "dist/src/one.js"), "utf8")).to.contain("one = 1");
    expect((await begin(root).ended).said).to.equal("");
  });

  it("goes on after one that was killed, whose lock is free at once", async () => {
    root = checkout("export const one: number = 1;\n");
    const first = begin(root);
    for (let i = 0; i < 100 && !existsSync(join(root, "dist", ".set-up.lock")); i += 1) await new Promise((r) => setTimeout(r, 20));
    first.group();
    await first.ended;
    const second = await begin(root).ended;
    expect(second.code, second.said).to.equal(0);
    expect(existsSync(join(root, "dist/src/one.js"))).to.equal(true);
  });

  it("refuses a source that does not compile, and tries again when it is mended", async () => {
    root = checkout("export const one: number = 'no';\n");
    const failed = await begin(root).ended;
    expect(failed.code).to.equal(1);
    expect(failed.said).to.contain("src/one.ts(1,14)").and.to.contain("run the same command again");
    writeFileSync(join(root, "src/one.ts"), "export const one: number = 22;\n");
    expect((await begin(root).ended).code).to.equal(0);
  });
});
