import { expect } from "chai";
import { waitFor, type WaitOptions } from "../../../components/cloudsigma/wait";
import { CloudError } from "../../../components/errors";

type Row = string | Error;
const gone = (): CloudError => new CloudError("not-found", "x", { status: 404 });

/** Reads the rows in turn, the last one for ever; each pause is one second of pretended time. */
async function run(rows: Row[], more: Partial<WaitOptions<{ status: string }>> = {}): Promise<string> {
  let at = 0;
  let now = 0;
  try {
    const r = await waitFor<{ status: string }>({
      what: "server x",
      read: () => {
        const row = rows[Math.min(at++, rows.length - 1)];
        return row instanceof Error ? Promise.reject(row) : Promise.resolve({ status: row ?? "" });
      },
      pending: ["stopped", "starting"],
      wanted: ["running"],
      intervalMs: 1_000,
      limitMs: 5_000,
      clock: { now: () => now, sleep: (ms) => ((now += ms), Promise.resolve()) },
      ...more,
    });
    return r === undefined ? "gone" : `reached ${r.status} after ${at}`;
  } catch (e) {
    return `${e instanceof CloudError ? e.kind : "?"}: ${(e as Error).message}`;
  }
}

describe("waitFor", () => {
  it("takes a state already reached for success", async () => expect(await run(["running"])).to.equal("reached running after 1"));
  it("bears an old answer after the call", async () => expect(await run(["stopped", "starting", "running"])).to.equal("reached running after 3"));
  it("fails loudly on a state it does not know", async () => expect(await run(["starting", "maintenance"])).to.match(/^wrong-state: server x is maintenance, waiting for running/));
  it("says on a timeout what it saw last", async () => expect(await run(["starting"])).to.equal("timeout: server x is still starting after 5 s, waiting for running"));
  it("fails on a 404 unless told otherwise", async () => expect(await run([gone()])).to.match(/^not-found/));
  it("takes a 404 for the goal", async () => expect(await run(["stopped", gone()], { gone: "done" })).to.equal("gone"));
  it("bears a 404 of a lagging list", async () => expect(await run([gone(), "running"], { gone: "pending" })).to.equal("reached running after 2"));
  it("asks for more than a state", async () => {
    let n = 0;
    expect(await run(["running"], { until: () => ++n === 3 })).to.equal("reached running after 3");
    expect(await run(["running"], { until: () => false })).to.match(/^timeout: server x is still running .* and more$/);
  });
  it("passes other failures on", async () => expect(await run([new CloudError("auth", "no")])).to.equal("auth: no"));
});
