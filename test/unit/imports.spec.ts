import { expect } from "chai";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";

const root = join(__dirname, "..", "..", "..");

const sources = (folder: string): string[] =>
  readdirSync(join(root, folder), { withFileTypes: true }).flatMap((e) => (e.isDirectory() ? sources(join(folder, e.name)) : e.name.endsWith(".ts") ? [join(folder, e.name)] : []));

interface Import {
  readonly from: string;
  /** Path inside the repository, or a package's name. */
  readonly to: string;
  readonly typeOnly: boolean;
}

function importsOf(file: string): Import[] {
  const text = readFileSync(join(root, file), "utf8");
  return [...text.matchAll(/^\s*(?:import|export)\s+(type\s)?[^"';]*?from\s+"([^"]+)"|^import\s+"([^"]+)"|\b(?:require|import)\("([^"]+)"\)/gm)].map((m) => {
    const target = (m[2] ?? m[3] ?? m[4]) as string;
    return { from: file, to: target.startsWith(".") ? relative(root, resolve(root, dirname(file), target)) : target, typeOnly: m[1] !== undefined };
  });
}

/** Folder -> what its files may import, as prefixes; `type:` before one allows types only. */
const rules: Array<[string, readonly string[]]> = [
  ["components/policy", ["components/policy", "components/config", "components/errors", "node:crypto"]],
  ["components/render", ["components/render", "components/policy", "components/config", "js-yaml"]],
  ["components/config", ["components/config", "components/policy", "components/errors", "zod"]],
  ["components/cloudsigma", ["components/cloudsigma", "components/errors", "components/policy", "components/config", "@pulumi/pulumi", "zod", "node:", "module"]],
  ["components/openstack", ["components/openstack", "components/cloudsigma/by-name", "components/cloudsigma/retry", "components/cloudsigma/http-errors", "components/cloudsigma/provider", "components/errors", "components/policy", "components/config", "@pulumi/pulumi", "js-yaml", "node:"]],
  ["components/clouds", ["components/clouds", "components/cloudsigma", "components/openstack", "components/policy", "components/config", "components/render", "components/errors", "@pulumi/", "node:fs/promises", "node:path"]],
  ["stacks", ["components", "stacks", "@pulumi/pulumi"]],
];

describe("imports", () => {
  for (const [folder, allowed] of rules)
    it(`of ${folder} point one way`, () => {
      const wrong = sources(folder).flatMap(importsOf).filter((i) => !allowed.some((a) => i.to === a || i.to.startsWith(a.endsWith(":") || a.endsWith("/") ? a : `${a}/`)));
      expect(wrong.map((i) => `${i.from} -> ${i.to}`)).to.deep.equal([]);
    });

  it("of components know an adapter by its interface only", () => {
    const files = readdirSync(join(root, "components")).filter((f) => f.endsWith(".ts") && f !== "index.ts").map((f) => join("components", f));
    const wrong = files.flatMap(importsOf).filter((i) => (i.to.startsWith("components/clouds") && i.to !== "components/clouds/cloud") || i.to.startsWith("components/cloudsigma") || i.to.startsWith("components/openstack"));
    expect(files.length).to.be.greaterThan(6);
    expect(wrong.map((i) => `${i.from} -> ${i.to}`)).to.deep.equal([]);
  });

  for (const folder of ["controller", "cli"])
    it(`of ${folder} reach no Pulumi, directly or through what they import`, () => {
      const seen = new Set<string>();
      const wrong: string[] = [];
      const visit = (file: string, path: readonly string[]): void => {
        if (seen.has(file)) return;
        seen.add(file);
        for (const i of importsOf(file).filter((x) => !x.typeOnly)) {
          if (i.to.startsWith("@pulumi/")) wrong.push([...path, file, i.to].join(" -> "));
          else if (!i.to.startsWith("node:")) for (const next of [`${i.to}.ts`, join(i.to, "index.ts")]) if (exists(next)) visit(next, [...path, file]);
        }
      };
      for (const file of sources(folder)) visit(file, []);
      expect(wrong).to.deep.equal([]);
    });
});

function exists(file: string): boolean {
  try {
    return readFileSync(join(root, file)).length >= 0;
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code === "ENOENT" || (e as NodeJS.ErrnoException).code === "ENOTDIR") return false;
    throw e;
  }
}
