import { expect } from "chai";
import * as masterReady from "../../../components/openstack/resources/master-ready";
import * as sweep from "../../../components/openstack/resources/sweep";
import { configure, useApi } from "../../../components/openstack/resources/shared";
import { UNKNOWN } from "../../../components/cloudsigma/provider/check";
import { fakeOpenstack, openstackWorld } from "../../support/fake-openstack";

const LIVES = "3f1c7a52-8d0e-4a6b-9c35-0b1f6e2d4a78", GONE = "11111111-2222-4333-8444-555555555555";
const inputs = (serverId: string, more: object = {}) => ({ address: "203.0.113.7", port: 22, timeoutSeconds: 300, serverId, ...more });

/** The engine asks what depends on a server before it deletes it for a replacement, in previews too. */
describe("the replacement of a master's server on OpenStack", () => {
  const ask = async (olds: string, news: object, stackConfig?: string): Promise<string> => {
    await configure({ config: { get: (key) => (key === "elastigrid:grid" ? stackConfig : undefined) } });
    const world = openstackWorld();
    world.answers[`compute /servers/${LIVES}`] = { server: { id: LIVES, name: "grid-master", status: "ACTIVE", created: "" } };
    useApi(fakeOpenstack(world));
    return masterReady.diff("id", inputs(olds), news as masterReady.MasterReadyInputs).then(({ changes }) => `changes: ${changes}`, (e: Error) => e.message);
  };
  const grid = (replace: unknown): string => JSON.stringify({ master: { replace } });
  const table: Array<[string, string, object, string | undefined, RegExp]> = [
    ["is refused where the server is about to go", LIVES, inputs(UNKNOWN), undefined, new RegExp(`server grid-master \\(${LIVES}\\) would be replaced.*set grid\\.master\\.replace to ${LIVES}`)],
    ["is refused with a permission for another one", LIVES, inputs(UNKNOWN, { replace: GONE }), grid(GONE), /would be replaced/],
    ["is refused with a configuration that is none", LIVES, inputs(UNKNOWN), "{", /would be replaced/],
    ["is permitted by the stack's configuration", LIVES, inputs(UNKNOWN), grid(LIVES), /^changes: true$/],
    ["is permitted by a program of one's own", LIVES, inputs(UNKNOWN, { replace: LIVES }), undefined, /^changes: true$/],
    ["is nothing where the server is gone anyway", GONE, inputs(UNKNOWN), undefined, /^changes: true$/],
    ["is nothing where it stays", LIVES, inputs(LIVES, { replace: GONE }), undefined, /^changes: false$/],
  ];
  for (const [title, olds, news, stackConfig, wanted] of table) it(title, async () => expect(await ask(olds, news, stackConfig)).to.match(wanted));
});

describe("another uid for a living grid on OpenStack", () => {
  it("is refused: the sweep of the former would find what lives", async () => {
    const said = await sweep.diff("id", { gridUid: "a1", scope: "all" }, { gridUid: UNKNOWN, scope: "all" }).then(() => "", (e: Error) => e.message);
    expect(said).to.match(/uid a1 would become another one.*nothing was done/);
  });
  it("is nothing where it stays", async () => expect((await sweep.diff("id", { gridUid: "a1", scope: "all" }, { gridUid: "a1", scope: "all" })).changes).to.equal(false));
});
