import { goProblem, goSources } from "../../tools/engine-build";
import { packageRoot } from "../../tools/paths";
import { mustRun } from "../../tools/process";
import { join } from "node:path";

/**
 * The Go sources test themselves (remote commands against a real SSH server in the process, every name of the OpenStack
 * plugin against the published package); here they are run.
 */
describe("the Go sources of language host and plugins", function () {
  before(async function () {
    // Only where the engine came from Pulumi itself can Go be missing: then these sources are not in use either.
    if ((await goProblem()) !== undefined) this.skip();
  });
  for (const module of ["providers", "openstack"] as const) {
    const env = { ...process.env, GOWORK: "off", OPENSTACK_NPM: join(packageRoot, "node_modules", "@pulumi", "openstack") };
    const options = { cwd: goSources(module), env, timeoutMs: 540_000 };
    it(`pass go vet: ${module}`, async () => void (await mustRun("go", ["vet", "./..."], options)));
    it(`pass their tests: ${module}`, async () => void (await mustRun("go", ["test", "./..."], options)));
  }
});
