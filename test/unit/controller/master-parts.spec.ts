import { expect } from "chai";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { EnrolmentParts, Verdict } from "../../../controller/enrolment";
import { Enrolment, macOfLease, macOfNeighbour } from "../../../controller/enrolment";
import { AdmissionGate } from "../../../controller/gate";
import { FileJournal } from "../../../controller/journal";
import { OverrideStore } from "../../../controller/override";
import { known, unknown, type Member, type Pool } from "../../../controller/ports";
import { answer, serve, type ApiHandlers } from "../../../controller/server";

const limits = { min: 1, max: 4, vcpus: 1, memoryMiB: 1024, diskMiB: 4096 };
const clock = { nowMs: () => 1_700_000_000_000, monotonicMs: () => 1_000 };

describe("on the master", () => {
  let dir: string;
  beforeEach(() => { dir = mkdtempSync(join(tmpdir(), "elastigrid-")); });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  describe("the operator's orders", () => {
    const open = (over: Partial<typeof limits> = {}, said: string[] = []) => new OverrideStore(join(dir, "o", "override.json"), { ...limits, ...over }, (_, why) => void said.push(why));
    it("outlive a restart", () => {
      open().scale({ size: 3 });
      open().pause(true);
      expect(open().get()).to.deep.include({ size: 3, paused: true });
    });
    it("refuse a size above the maximum, and say how to raise it", () => expect(open().scale({ size: 9 })).to.match(/maximum is 4; raise it with `elastigrid scale --max 9`/));
    it("refuse min above max", () => expect(open().scale({ min: 5 })).to.match(/min 5 is above max 4/));
    it("take limits, and auto goes back to what is declared", () => {
      const o = open();
      expect(o.scale({ min: 2, max: 6 })).to.equal(undefined);
      expect(o.get()).to.deep.include({ min: 2, max: 6 });
      o.scale({ auto: true });
      expect(o.get().max).to.equal(undefined);
    });
    it("give way to a newer declaration, and say what was dropped", () => {
      open().scale({ min: 3 });
      const said: string[] = [];
      expect(open({ min: 2 }, said).get().min).to.equal(undefined);
      expect(said.join()).to.match(/2 to 4 workers.*dropped: min 3/);
    });
    it("are dropped aloud where the file is damaged", () => {
      open().pause(true);
      writeFileSync(join(dir, "o", "override.json"), "{");
      const said: string[] = [];
      expect(open({}, said).get().paused).to.equal(undefined);
      expect(said.join()).to.match(/cannot be read/);
    });
    const damaged: Array<[string, string, RegExp]> = [
      ["a size that is text", '{"declared":{"min":1,"max":4},"drains":[],"size":"x"}', /size: /],
      ["a drain that is null", '{"declared":{"min":1,"max":4},"drains":[null]}', /drains\.0: /],
      ["a negative minimum and a fraction", '{"declared":{"min":1,"max":4},"drains":[],"min":-1,"max":2.5}', /min: .*; max: /],
      ["a key of somebody else", '{"declared":{"min":1,"max":4},"drains":[],"budget":3}', /budget/],
      ["a pin that is a number", '{"declared":{"min":1,"max":4},"drains":[],"pins":[3]}', /pins\.0: /],
      ["a list", "[]", /the whole: /],
      ["nothing at all", "", /JSON/],
    ];
    for (const [what, text, wanted] of damaged) {
      it(`are dropped aloud, all problems at once, where the file holds ${what}`, () => {
        open().pause(true);
        writeFileSync(join(dir, "o", "override.json"), text);
        const said: string[] = [];
        const o = open({}, said);
        expect(o.get()).to.deep.equal({ declared: { min: 1, max: 4 }, drains: [] });
        expect(said.join()).to.match(wanted).and.match(/size is as declared, 1 to 4/);
        expect(o.scale({ size: 2 })).to.equal(undefined);
      });
    }
    it("start although a folder stands where their file should be, and are in force though they cannot be written", () => {
      mkdirSync(join(dir, "o", "override.json", "x"), { recursive: true });
      const said: string[] = [];
      const o = open({}, said);
      expect(o.scale({ size: 3 })).to.equal(undefined);
      expect(o.get().size).to.equal(3);
      expect(said.join()).to.match(/cannot be read and are dropped.*in force, but could not be written/s);
    });
    it("say a word where max goes beyond the declaration, the network or what a group can have", () => {
      const said: string[] = [];
      expect(open({}, said).scale({ max: 6 })).to.equal(undefined);
      expect(said.join()).to.match(/declared are 4 at most/);
      const small = new OverrideStore(join(dir, "n", "override.json"), limits, () => undefined, 13);
      expect(small.scale({ max: 14 })).to.match(/addresses for 13 workers \(network.cidr\)/);
      expect(open().scale({ max: 1_001 })).to.match(/1000 workers at most/);
    });
    it("pin a worker until it is gone", () => {
      const o = open();
      o.pin("x", true, "w-x");
      expect(open().get().pins).to.deep.equal(["x"]);
      o.drainDone("x");
      expect(open().get().pins).to.deep.equal([]);
    });
    it("forget a drain that is done", () => {
      const o = open();
      o.drain("x", false, "w-x");
      o.drainDone("x");
      expect(open().get().drains).to.deep.equal([]);
    });
  });

  describe("the journal", () => {
    it("goes on where it was, also after a line that a crash cut off", () => {
      const path = join(dir, "journal.jsonl");
      new FileJournal(path, clock).write("grow", "why");
      writeFileSync(path, `${readFileSync(path, "utf8")}{"seq":2,"at`);
      const again = new FileJournal(path, clock);
      again.write("hold", "why not", "w-1");
      expect(again.tail(9).map((e) => [e.seq, e.what])).to.deep.equal([[1, "grow"], [2, "hold"]]);
    });
    it("starts although a folder stands in its place, or lines are not entries", () => {
      const path = join(dir, "journal.jsonl"), said: string[] = [];
      writeFileSync(path, '{"seq":"1","at":"2026-01-01T00:00:00Z","what":"grow","why":"x"}\n{"seq":1,"at":"never","what":"grow","why":"x"}\nnull\n[]\n{"seq":2,"at":"2026-01-01T00:00:00Z","what":"grow","why":7}\n');
      expect(new FileJournal(path, clock).tail(9)).to.deep.equal([]);
      mkdirSync(join(dir, "folder.jsonl"));
      const j = new FileJournal(join(dir, "folder.jsonl"), clock, (l) => said.push(l));
      j.write("grow", "why");
      expect(j.tail(9).map((e) => e.what)).to.deep.equal(["grow"]);
      expect(said.join()).to.match(/not written/);
    });
    it("keeps within its size", () => {
      const path = join(dir, "journal.jsonl"), j = new FileJournal(path, clock, undefined, 2_000);
      for (let i = 0; i < 200; i += 1) j.write("hold", `reason ${i}`);
      expect(statSync(path).size + statSync(`${path}.1`).size).to.be.below(4_100);
      expect(new FileJournal(path, clock).tail(1)[0]?.seq).to.equal(200);
    });
  });

  describe("enrolment", () => {
    const member: Member = { id: "0000000a-1", name: "n", status: "running", copying: false, macs: ["22:00:00:00:00:0a"] };
    const leases = "1 22:00:00:00:00:0a 10.77.0.50 w-a *\n2 22:00:00:00:00:0b 10.77.0.51 * *\n";
    const make = (pool: Partial<Pool>, gate = new AdmissionGate(), over: Partial<EnrolmentParts> = {}) => ({
      gate, enrolment: new Enrolment({
        config: { address: "127.0.0.1", port: 0, leasesFile: "-" }, poolDomain: "grid.internal", poolKey: "k".repeat(64), pool: pool as Pool, gate, clock,
        journal: { write: () => undefined, tail: () => [] }, run: async () => ({ code: 1, stdout: "", stderr: "", timedOut: false }), readLeases: async () => leases, sleep: async () => undefined, ...over,
      }),
    });
    const there: Partial<Pool> = { observe: async () => known({ members: [member] }) };
    const verdict = (v: Verdict): string => (v.admit ? v.id : v.why);

    it("admits a server of the group by its MAC", async () => expect(verdict(await make(there).enrolment.judge("10.77.0.50"))).to.equal("0000000a-1"));
    it("refuses a MAC that the cloud does not know", async () => expect(verdict(await make(there).enrolment.judge("10.77.0.51"))).to.match(/no server of the group/));
    it("admits a worker that is newer than the last look at once, and looks for many together, but not often", async () => {
      let nowMs = 0, looks = 0, made = 1;
      const slept: number[] = [];
      const all = (n: number): readonly Member[] => Array.from({ length: n }, (_, i) => ({ ...member, id: `m${i}`, macs: [`22:00:00:00:00:0${i}`] }));
      const { enrolment } = make({ observe: async () => { looks += 1; return known({ members: all(made) }); } }, undefined, {
        clock: { nowMs: () => 0, monotonicMs: () => nowMs },
        sleep: async (ms) => { slept.push(ms); nowMs += ms; },
        readLeases: async () => all(9).map((m, i) => `1 ${m.macs[0] ?? ""} 10.77.0.${i} w *`).join("\n"),
      });
      const ask = async (...hosts: readonly number[]): Promise<string[]> => (await Promise.all(hosts.map((h) => enrolment.judge(`10.77.0.${h}`)))).map(verdict);
      expect(await ask(0)).to.deep.equal(["m0"]);
      made = 7;
      nowMs += 100;
      expect(await ask(1)).to.deep.equal(["m1"]);
      expect(await ask(2, 3, 4, 5, 6), "found by that look").to.deep.equal(["m2", "m3", "m4", "m5", "m6"]);
      expect([looks, slept]).to.deep.equal([2, [400]]);
      made = 8;
      nowMs += 1_000;
      expect(await ask(7, 7, 8)).to.deep.equal(["m7", "m7", "22:00:00:00:00:08 is no server of the group"]);
      expect(looks, "one look for all who asked").to.equal(3);
      nowMs += 3_000;
      await ask(0);
      expect(looks, "nobody is known for ever").to.equal(4);
    });
    it("refuses an address without a lease", async () => expect(verdict(await make(there).enrolment.judge("10.77.0.99"))).to.match(/no lease/));
    it("refuses a server that is about to be removed, and tells the gate of those it lets in", async () => {
      const { gate, enrolment } = make(there);
      gate.created(member.id);
      expect(gate.admitted(member.id)).to.equal(false);
      await enrolment.judge("10.77.0.50");
      expect(gate.admitted(member.id)).to.equal(true);
      expect(gate.close(member.id), "it has its token already").to.equal(false);
      expect(verdict(await enrolment.judge("10.77.0.50"))).to.match(/about to be removed/);
    });
    it("lets nobody in while the cloud does not answer", async () => {
      const e = await make({ observe: async () => unknown("down") }).enrolment.judge("10.77.0.50").then(() => undefined, (x: Error) => x);
      expect(e?.message).to.match(/down/);
    });
    it("reads leases and neighbours", () => {
      expect(macOfLease(leases, "10.77.0.5")).to.equal(undefined);
      expect(macOfNeighbour("10.77.0.7 dev eth1 lladdr 22:00:00:00:00:0C REACHABLE\n")).to.equal("22:00:00:00:00:0c");
      expect(macOfNeighbour("10.77.0.7 dev eth1 lladdr 22:00:00:00:00:0c FAILED\n")).to.equal(undefined);
    });
  });

  describe("the socket", () => {
    const handlers = (orders: unknown[] = []): ApiHandlers => ({
      status: () => ({ workers: [] }) as never, jobs: async () => ({ known: true, jobs: [] }), journal: () => [], console: async () => ({ problem: "none" }),
      scale: (o) => { orders.push(o); return undefined; }, drain: (w, now) => { orders.push([w, now]); return undefined; }, pin: (w, p) => { orders.push([w, p]); return undefined; }, pause: (p) => void orders.push(p), retry: () => void orders.push("retry"),
    });
    const table: Array<[string, unknown, number]> = [
      ["/scale", { size: 2 }, 200], ["/scale", { min: 1, max: 2 }, 200], ["/scale", { auto: true }, 200], ["/scale", {}, 400], ["/scale", { size: "2" }, 400], ["/scale", { size: 2, min: 1 }, 400],
      ["/scale", { sise: 2 }, 400], ["/drain", { worker: "w" }, 200], ["/drain", {}, 400], ["/drain", { worker: "w", now: "yes" }, 400], ["/pause", {}, 200], ["/nothing", {}, 404],
    ];
    for (const [path, body, status] of table) it(`answers ${status} to ${path} ${JSON.stringify(body)}`, async () => expect((await answer(handlers(), "POST", path, body)).status).to.equal(status));

    it("is open to its owner alone, and refuses what is not JSON", async () => {
      const path = join(dir, "run", "controller.sock"), server = await serve(handlers(), path);
      try {
        expect(statSync(path).mode & 0o777).to.equal(0o600);
        const status = await new Promise<number | undefined>((resolve, reject) => {
          request({ socketPath: path, method: "POST", path: "/scale" }, (res) => { res.resume(); resolve(res.statusCode); }).on("error", reject).end("{");
        });
        expect(status).to.equal(400);
      } finally {
        server.close();
      }
    });
  });
});
