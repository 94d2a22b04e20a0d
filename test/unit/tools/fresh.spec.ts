import { expect } from "chai";
import { existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { packageRoot } from "../../../tools/paths";

/** tools/lib/fresh.mjs runs before anything is compiled, so it has no types of its own. */
interface Fresh {
  packagesDiffer(root: string): string | undefined;
  buildInputsHash(root: string): string;
  readStamp(root: string): string | undefined;
  writeStamp(root: string, hash: string): void;
  prune(root: string): void;
}

describe("what set-up must do again", () => {
  let fresh: Fresh, root: string;
  const put = (path: string, value: unknown): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), typeof value === "string" ? value : JSON.stringify(value));
  };
  const installed = (packages: object): void => put("node_modules/.package-lock.json", { packages });

  before(async () => (fresh = (await import(pathToFileURL(join(packageRoot, "tools", "lib", "fresh.mjs")).href)) as Fresh));
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "elastigrid-fresh-"));
    put("package.json", { name: "x" });
    put("tsconfig.json", { include: ["src"] });
    put("package-lock.json", { packages: { "": {}, "node_modules/a": { version: "1.0.0", integrity: "i" }, "node_modules/o": { version: "1.0.0", optional: true } } });
    put("src/one.ts", "one");
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  it("installs where nothing is, or where an install was interrupted", () => {
    expect(fresh.packagesDiffer(root)).to.contain("not there or not whole");
    put("node_modules/a/package.json", "{}");
    expect(fresh.packagesDiffer(root)).to.contain("not there or not whole");
  });
  it("is content with what the lock file asks for, without another platform's packages", () => {
    installed({ "node_modules/a": { version: "1.0.0", integrity: "i" } });
    expect(fresh.packagesDiffer(root)).to.equal(undefined);
  });
  it("installs again when a version or a content differs or a package is missing", () => {
    installed({ "node_modules/a": { version: "1.0.1", integrity: "i" } });
    expect(fresh.packagesDiffer(root)).to.equal("node_modules/a is 1.0.1, not 1.0.0");
    installed({ "node_modules/a": { version: "1.0.0", integrity: "other" } });
    expect(fresh.packagesDiffer(root)).to.be.a("string");
    installed({});
    expect(fresh.packagesDiffer(root)).to.contain("missing");
  });
  it("builds again when a source changes, comes or goes, and not otherwise", () => {
    const first = fresh.buildInputsHash(root);
    expect(fresh.buildInputsHash(root)).to.equal(first);
    utimesSync(join(root, "src/one.ts"), 1, 1);
    const touched = fresh.buildInputsHash(root);
    expect(touched).to.not.equal(first);
    put("src/deep/two.ts", "two");
    const more = fresh.buildInputsHash(root);
    expect(more).to.not.equal(touched);
    rmSync(join(root, "src/deep/two.ts"));
    expect(fresh.buildInputsHash(root)).to.equal(touched);
  });
  it("keeps the stamp of the last build", () => {
    expect(fresh.readStamp(root)).to.equal(undefined);
    mkdirSync(join(root, "dist"));
    fresh.writeStamp(root, "abc");
    expect(fresh.readStamp(root)).to.equal("abc");
  });
  it("removes compiled files whose source is gone, and no others", () => {
    for (const f of ["one.js", "one.js.map", "one.d.ts", "gone.js", "gone.js.map", "gone.d.ts"]) put(`dist/src/${f}`, "");
    put("dist/bundle/elastigrid.cjs", "");
    fresh.prune(root);
    expect(["one.js", "one.js.map", "one.d.ts"].every((f) => existsSync(join(root, "dist/src", f)))).to.equal(true);
    expect(["gone.js", "gone.js.map", "gone.d.ts"].some((f) => existsSync(join(root, "dist/src", f)))).to.equal(false);
    expect(existsSync(join(root, "dist/bundle/elastigrid.cjs"))).to.equal(true);
  });
});
