import { goProblem, goSources } from "../../tools/engine-build";
import { mustRun } from "../../tools/process";

/** The Go sources test themselves (remote commands against a real SSH server in the process); here they are run. */
describe("the Go sources of language host and plugins", function () {
  const options = { cwd: goSources("providers"), env: { ...process.env, GOWORK: "off" }, timeoutMs: 540_000 };
  before(async function () {
    // Only where the engine came from Pulumi itself can Go be missing: then these sources are not in use either.
    if ((await goProblem()) !== undefined) this.skip();
  });
  it("pass go vet", async () => void (await mustRun("go", ["vet", "./..."], options)));
  it("pass their tests", async () => void (await mustRun("go", ["test", "./..."], options)));
});
