import { expect } from "chai";
import { load } from "js-yaml";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../../../tools/paths";

const at = (...path: string[]): string => readFileSync(join(packageRoot, ...path), "utf8");
const config = (stack: string): Record<string, unknown> => (load(at("stacks", `Pulumi.${stack}.yaml`)) as { config: Record<string, unknown> }).config;

describe("one program for both clouds", () => {
  it("has two stacks that differ in which cloud, and where it is, alone", () => {
    const local = config("local"), openstack = config("openstack");
    const differ = [...new Set([...Object.keys(local), ...Object.keys(openstack)])].filter((k) => JSON.stringify(local[k]) !== JSON.stringify(openstack[k]));
    expect(differ.sort()).to.deep.equal(["cloudsigma:endpoint", "elastigrid:cloud"]);
    expect([local["elastigrid:cloud"], openstack["elastigrid:cloud"]]).to.deep.equal(["cloudsigma", "openstack"]);
  });
  it("has one main, and a text that names no cloud", () => {
    expect((load(at("Pulumi.yaml")) as { main: string }).main).to.equal("dist/stacks/index.js");
    for (const file of readdirSync(join(packageRoot, "stacks")).filter((f) => f.endsWith(".ts"))) expect(at("stacks", file), file).to.not.match(/openstack|cloudsigma|OS_/i);
  });
});
