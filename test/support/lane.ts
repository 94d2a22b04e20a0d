import { createServer, type AddressInfo } from "node:net";
import { hasApplianceTree } from "../../images/build";
import { hostsProblem } from "../../local-cloud/hosts";
import { engineEnvironment } from "../../tools/engine-env";
import { cacheDir } from "../../tools/paths";

/** Why real hosts cannot run here; undefined when they can. */
const noHosts = async (): Promise<string | undefined> =>
  (await hostsProblem()) ?? (hasApplianceTree(cacheDir()) ? undefined : `the appliance tree is not in ${cacheDir()}: npm run setup builds it`);

/** Why a whole grid cannot run here: hosts and engine. */
async function noGrid(): Promise<string | undefined> {
  const engine = engineEnvironment();
  return (await noHosts()) ?? (engine.available ? undefined : engine.reason);
}

/** Leaves the suite out where real hosts cannot run, and says why. */
export const needHosts = (suite: Mocha.Context): Promise<void> => need(suite, noHosts);
/** Leaves the suite out where a whole grid cannot run, and says why. */
export const needGrid = (suite: Mocha.Context): Promise<void> => need(suite, noGrid);

async function need(suite: Mocha.Context, why: () => Promise<string | undefined>): Promise<void> {
  const reason = await why();
  if (reason === undefined) return;
  console.log(`      skipped: ${reason}`);
  suite.skip();
}

export const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer().on("error", reject).listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
