import { expect } from "chai";
import type { FaultSpec } from "../../../local-cloud/http/faults";
import { KINDS, type Props } from "./support/inputs";
import { leftovers, make, someVlan, startWorld, unmake, type World } from "./support/world";

/** What strikes a call: before or after its effect, and whether the client may repeat it. */
const STRIKES: [string, Pick<FaultSpec, "when" | "do">][] = [
  ["cut before the effect", { when: "before", do: { cut: true } }],
  ["cut after the effect", { when: "after", do: { cut: true } }],
  ["503 before the effect", { when: "before", do: { status: 503, type: "concurrency" } }],
  ["503 after the effect", { when: "after", do: { status: 503, type: "concurrency" } }],
  ["HTML 502 after the effect", { when: "after", do: { html: 502 } }],
  // not repeated by the client: the run ends there, as by a kill
  ["an end of the run after the effect", { when: "after", do: { status: 400, type: "validation" } }],
];

/** Objects of each collection, to count. */
const count = async (w: World): Promise<Record<string, number>> => {
  const out: Record<string, number> = {};
  for (const kind of ["servers", "drives", "tags", "keypairs", "subscriptions"] as const) out[kind] = (await w.client.list(kind)).length;
  return out;
};

describe("creation that is struck at any call", function () {
  this.timeout(120_000);
  let w: World;
  let vlan: string;
  before(async () => {
    w = await startWorld();
    vlan = await someVlan(w);
  });
  after(() => w.stop());

  for (const kind of KINDS)
    for (const [says, strike] of kind === "worker-pool" && !process.env["ELASTIGRID_LONG"] ? STRIKES.filter((_, n) => n % 2 === 1) : STRIKES)
      it(`leaves one ${kind}: ${says}`, async () => {
        const over: Props = kind === "server" ? { nics: [{ vlan }] } : kind === "worker-pool" ? { vlan } : {};
        const empty = await count(w);
        let wanted: Record<string, number> | undefined;
        for (let at = 0; at < 60; at++) {
          // the first round strikes nothing and shows what one means
          if (at > 0) w.cloud.faults.add({ at, ...strike });
          await make(kind, over).catch(() => undefined);
          const struck = w.cloud.faults.list().some((f) => f.struck > 0);
          w.cloud.faults.clear();
          const made = await make(kind, over);
          const now = await count(w);
          wanted ??= now;
          expect(now, `struck at call ${at}`).to.deep.equal(wanted);
          await unmake(made);
          expect(await leftovers(w), `left over from call ${at}`).to.deep.equal([]);
          if (kind === "vlan" || kind === "static-ip") wanted = now; // given back and taken again
          else expect(await count(w)).to.deep.equal(empty);
          if (at > 0 && !struck) return;
        }
        throw new Error("never got through");
      });
});

describe("purchase that is struck at any call", function () {
  this.timeout(120_000);
  for (const kind of ["vlan", "static-ip"] as const)
    for (const [says, strike] of STRIKES)
      it(`pays for one ${kind}: ${says}`, async () => {
        for (let at = 1; at < 40; at++) {
          const w = await startWorld();
          try {
            w.cloud.faults.add({ at, ...strike });
            await make(kind).catch(() => undefined);
            const struck = w.cloud.faults.list().some((f) => f.struck > 0);
            w.cloud.faults.clear();
            const made = await make(kind);
            expect(await w.client.list("subscriptions"), `struck at call ${at}`).to.have.length(1);
            expect(await w.client.list("tags"), "notes").to.have.length(0);
            await unmake(made);
            expect(await leftovers(w)).to.deep.equal([]);
            if (!struck) return;
          } finally {
            await w.stop();
          }
        }
        throw new Error("never got through");
      });
});
