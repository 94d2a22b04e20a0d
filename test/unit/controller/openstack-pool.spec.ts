import { expect } from "chai";
import type { Member, PoolView } from "../../../controller/ports";
import { OpenstackPool } from "../../../controller/adapters/openstack-pool";
import { TypedPools } from "../../../controller/adapters/typed-pools";
import { isGroupOf, typeOfStack, typeStackPrefix } from "../../../components/openstack/stacks";
import { CloudError } from "../../../components/errors";
import { FakeHeat } from "../../support/fake-heat";
import { seeded } from "../../simulator/world/random";

/** A group of Heat with its servers and a clock, and the pool on it. */
class Bench {
  nowMs = 1_000_000;
  readonly servers = new Map<string, { status: string }>();
  readonly killed: string[] = [];
  readonly heat: FakeHeat;
  pool: OpenstackPool;
  /** Thrown by the next call whose label matches, before it has an effect. */
  fault: { readonly on: RegExp; readonly error: CloudError } | undefined;
  private next = 0;

  constructor(readonly limits = { min: 1, max: 8 }, seed = 1) {
    this.heat = this.group("g-workers-u-b", "2026-01-02T00:00:00Z", limits.min, seed);
    this.pool = this.newPool();
  }
  group(name: string, made: string, min: number, seed = 1): FakeHeat {
    return new FakeHeat(name, {
      min, max: this.limits.max, made, nowMs: () => this.nowMs, random: seeded(seed),
      servers: {
        make: () => {
          const id = `s${(this.next += 1)}`;
          this.servers.set(id, { status: "ACTIVE" });
          return id;
        },
        kill: (id) => void (this.servers.delete(id) && this.killed.push(id)),
        find: (id) => this.servers.get(id),
      },
    });
  }
  newPool(alarms?: { lowId: string }): OpenstackPool {
    const api = this.heat.api(async (label, effect) => {
      const { fault } = this;
      if (fault?.on.test(label) === true) {
        this.fault = undefined;
        throw fault.error;
      }
      return effect();
    });
    const target = { kind: "openstack", authUrl: "", stackName: this.heat.name, stackId: `id-${this.heat.name}`, stackPrefix: "g-workers-u-", ...(alarms === undefined ? {} : { alarms }) } as const;
    return new OpenstackPool({ api, target, limits: this.limits, nowMs: () => this.nowMs });
  }
  async look(): Promise<PoolView> {
    const v = await this.pool.observe();
    if (!v.known) throw new Error(v.reason);
    return v.value;
  }
  /** As the loop does: looks and tends, until the group has come to rest. */
  async rest(seconds = 60): Promise<readonly Member[]> {
    const said: string[] = [];
    for (let i = 0; i < seconds; i += 1) {
      await this.look();
      said.push(...(await this.pool.tend()));
      this.nowMs += 1_000;
    }
    this.said = said;
    return (await this.look()).members;
  }
  said: readonly string[] = [];
  async gone(...ids: readonly string[]): Promise<void> {
    for (let i = 0; i < 120; i += 1) {
      const steps = await Promise.all(ids.map((id) => this.pool.remove(id)));
      if (steps.every((s) => s === "gone")) return;
      this.nowMs += 1_000;
    }
    throw new Error(`not gone: ${this.heat.log.join("; ")}`);
  }
}
const ids = (m: readonly Member[]): string[] => m.map((x) => x.id);
const names = (n: number): string[] => Array.from({ length: n }, (_, i) => `w${i}`);

describe("the pool on Heat", () => {
  it("grows in one update, however many are wanted", async () => {
    const b = new Bench();
    expect(await b.pool.grow(names(5))).to.deep.include({ created: [], accepted: 5 });
    expect(b.heat.log).to.deep.equal(["update min=6"]);
    expect((await b.look()).members, "ordered ones are shown at once").to.have.length(6);
    expect(await b.rest()).to.have.length(6);
  });
  it("shows what is ordered from the first look to the last, neither more nor less", async () => {
    const b = new Bench();
    await b.pool.grow(names(4));
    for (let i = 0; i < 30; i += 1) {
      expect((await b.look()).members, `second ${i}`).to.have.length(5);
      b.nowMs += 500;
    }
  });
  it("orders nothing twice when the answer was lost", async () => {
    const b = new Bench();
    await b.look();
    const broken = new CloudError("transient", "no answer", { ambiguous: true });
    const api = b.heat.api(async (label, effect) => {
      const result = effect();
      if (label.startsWith("PATCH")) throw broken;
      return result;
    });
    const lossy = new OpenstackPool({ api, target: { kind: "openstack", authUrl: "", stackName: b.heat.name, stackId: `id-${b.heat.name}`, stackPrefix: "" }, limits: b.limits, nowMs: () => b.nowMs });
    expect(await lossy.grow(names(2))).to.include({ ambiguous: true, failure: "no answer" });
    expect((await b.look()).members, "a new look shows it").to.have.length(3);
    expect(await b.rest()).to.have.length(3);
  });
  it("counts what Heat's own alarm adds meanwhile as its own", async () => {
    const b = new Bench();
    await b.look();
    b.heat.signalUp();
    await b.pool.grow(names(3));
    expect(await b.rest()).to.have.length(4);
  });
  it("puts the raised minimum back when all is quiet, and nobody goes for it", async () => {
    const b = new Bench();
    await b.pool.grow(names(3));
    const all = ids(await b.rest());
    expect([b.heat.min, b.heat.log.at(-1), all.length, b.killed]).to.deep.equal([1, "update min=1", 4, []]);
  });
  it("says that Heat is busy, and sends nothing then", async () => {
    const b = new Bench();
    await b.pool.grow(names(2));
    expect((await b.look()).busy).to.match(/UPDATE_IN_PROGRESS/);
    expect(await b.pool.grow(names(1))).to.deep.include({ created: [], wait: false });
    expect(b.heat.log).to.have.length(1);
  });
  it("does not go beyond Heat's maximum, and says how to raise it", async () => {
    const b = new Bench({ min: 1, max: 3 });
    const made = await b.pool.grow(names(5));
    expect(made.accepted).to.equal(2);
    expect(made.failure).to.match(/maximum of the group is 3; .*grid\.workers\.max/);
    expect(await b.rest()).to.have.length(3);
    expect(await b.pool.grow(names(1))).to.include({ wait: true });
  });

  it("removes exactly the one that it is told", async () => {
    const b = new Bench();
    await b.pool.grow(names(4));
    const all = ids(await b.rest());
    await b.gone(all[2] ?? "");
    expect(ids(await b.rest())).to.deep.equal(all.filter((_, i) => i !== 2));
    expect(b.killed).to.deep.equal([all[2]]);
  });
  it("removes two that are told at once in one update", async () => {
    const b = new Bench();
    await b.pool.grow(names(4));
    const all = ids(await b.rest());
    const before = b.heat.log.length;
    await b.gone(all[1] ?? "", all[3] ?? "");
    expect(b.heat.log.slice(before).filter((l) => l.startsWith("update"))).to.have.length(1);
    expect(b.killed.sort()).to.deep.equal([all[1], all[3]].sort());
  });
  it("removes at the minimum, too, and makes no substitute: that is decided elsewhere", async () => {
    const b = new Bench({ min: 2, max: 4 });
    const all = ids(await b.rest());
    await b.gone(all[0] ?? "");
    expect(ids(await b.rest())).to.deep.equal([all[1]]);
    expect((await b.pool.grow(names(1))).accepted).to.equal(1);
    expect(await b.rest()).to.have.length(2);
  });
  it("removes the last one", async () => {
    const b = new Bench({ min: 0, max: 4 });
    await b.pool.grow(names(1));
    const [one] = ids(await b.rest());
    await b.gone(one ?? "");
    expect(await b.rest()).to.deep.equal([]);
  });
  it("waits with a removal while Heat grows the group by itself, and loses neither", async () => {
    const b = new Bench();
    await b.pool.grow(names(3));
    const all = ids(await b.rest(90));
    b.heat.signalUp();
    await b.gone(all[1] ?? "");
    const left = ids(await b.rest());
    expect(left).to.include.members(all.filter((_, i) => i !== 1));
    expect([left.length, b.killed]).to.deep.equal([4, [all[1]]]);
  });
  it("does not take the oldest along when the one to go has been deleted by hand", async () => {
    const b = new Bench();
    await b.pool.grow(names(3));
    const all = ids(await b.rest());
    b.servers.delete(all[2] ?? "");
    await b.rest(6);
    expect((await b.look()).members.find((m) => m.id === all[2])?.status).to.equal("gone");
    await b.gone(all[2] ?? "");
    expect([ids(await b.rest()), b.killed]).to.deep.equal([all.filter((_, i) => i !== 2), []]);
  });
  it("calls nothing gone after a single answer that it is not there", async () => {
    const b = new Bench();
    const [id = ""] = ids(await b.rest());
    const s = b.servers.get(id);
    b.servers.delete(id);
    expect((await b.look()).members[0]?.status).to.equal("unknown");
    if (s !== undefined) b.servers.set(id, s);
    expect((await b.look()).members[0]?.status).to.equal("running");
  });
  it("repeats a removal that is done, and refuses a server that was never a member", async () => {
    const b = new Bench();
    b.servers.set("stranger", { status: "ACTIVE" });
    expect(await b.pool.remove("never")).to.equal("gone");
    const refused = await b.pool.remove("stranger").catch((e: unknown) => String(e));
    expect(refused).to.match(/not a worker of this group/);
    expect(b.servers.has("stranger")).to.equal(true);
  });

  it("never lets Heat kill a worker that runs and that nobody drained, whatever Heat holds for failed", async () => {
    const b = new Bench();
    await b.pool.grow(names(4));
    const all = ids(await b.rest());
    const [, wronged, victim] = b.heat.members;
    if (wronged === undefined) throw new Error("too few members");
    b.heat.checkFails(wronged);
    expect((await b.look()).members[1]?.doomed).to.equal(true);
    await b.gone(victim?.serverId ?? "");
    expect(ids(await b.rest())).to.deep.equal(all.filter((id) => id !== all[2]));
    expect(b.killed).to.deep.equal([all[2]]);
  });
  it("mends such a member also when nothing is to be removed, and says why", async () => {
    const b = new Bench();
    await b.pool.grow(names(1));
    await b.rest();
    const [first] = b.heat.members;
    if (first !== undefined) b.heat.checkFails(first);
    await b.rest(3);
    expect(first?.status).to.equal("CHECK_COMPLETE");
    expect(b.said.join()).to.match(/would have killed it/);
  });
  it("forgets a mark of a controller before it: what was drained may be needed again", async () => {
    const b = new Bench();
    await b.pool.grow(names(1));
    const [first] = ids(await b.rest());
    b.fault = { on: /^PATCH \/stacks\/g-workers-u-b\/id/, error: new CloudError("transient", "killed") };
    await b.pool.remove(first ?? "").catch(() => undefined);
    expect(b.heat.members[0]?.status).to.equal("CHECK_FAILED");
    b.pool = b.newPool();
    expect((await b.look()).members[0]?.doomed).to.equal(true);
    await b.rest(5);
    expect([b.heat.members[0]?.status, b.killed]).to.deep.equal(["CHECK_COMPLETE", []]);
  });

  it("tells which quota Heat met, repairs the group without what could not be made, and grows again later", async () => {
    const b = new Bench();
    b.heat.quota = 3;
    await b.pool.grow(names(4));
    let failure: PoolView["failure"];
    for (let i = 0; i < 20; i += 1) {
      failure ??= (await b.look()).failure;
      b.nowMs += 1_000;
    }
    expect(failure?.why).to.match(/quota of instances is spent: 3 of 3 used/);
    expect(await b.rest()).to.have.length(3);
    expect([b.heat.status, b.killed]).to.deep.equal(["UPDATE_COMPLETE", []]);
    b.heat.quota = 10;
    await b.pool.grow(names(2));
    expect(await b.rest()).to.have.length(5);
  });
  it("does not hammer a group that fails again and again", async () => {
    const b = new Bench({ min: 0, max: 4 });
    await b.pool.grow(names(1));
    await b.rest();
    const before = b.heat.log.length;
    for (let i = 0; i < 300; i += 1) {
      b.heat.status = "UPDATE_FAILED";
      await b.look();
      await b.pool.tend();
      b.nowMs += 1_000;
      b.heat.tick();
    }
    expect(b.heat.log.length - before).to.be.within(3, 8);
  });

  it("says that nothing may be made when the stack is gone, is deleted or was never finished", async () => {
    const b = new Bench();
    b.heat.status = "DELETE_IN_PROGRESS";
    expect((await b.look()).closing).to.match(/being deleted/);
    b.heat.status = "CREATE_FAILED";
    expect((await b.look()).closing).to.match(/pulumi up/);
    b.heat.exists = false;
    expect((await b.look()).closing).to.match(/gone/);
  });
  it("does not know, and says why, when the cloud does not answer", async () => {
    const b = new Bench();
    b.fault = { on: /./, error: new CloudError("auth", "GET orchestration: HTTP 401") };
    const seen = await b.pool.observe();
    expect([seen.known, seen.known ? "" : seen.reason]).to.satisfy(([k, r]: [boolean, string]) => !k && r.includes("401"));
  });

  describe("with several types", () => {
    const PREFIX = "g-workers-u-";
    const stackOf = (h: FakeHeat): { stackName: string; stackId: string } => ({ stackName: h.name, stackId: `id-${h.name}` });
    const typed = (b: Bench, large: FakeHeat | undefined): TypedPools | OpenstackPool => {
      const target = { kind: "openstack", authUrl: "", ...stackOf(b.heat), stackPrefix: PREFIX, ...(large === undefined ? {} : { types: { large: stackOf(large) } }) } as const;
      const common = { api: b.heat.api(), target, nowMs: () => b.nowMs };
      const first = new OpenstackPool({ ...common, limits: b.limits });
      return large === undefined ? first : new TypedPools(new Map([["worker", first], ["large", new OpenstackPool({ ...common, type: "large", limits: { min: 0, max: 2 } })]]));
    };
    const rest = async (b: Bench, pool: TypedPools | OpenstackPool): Promise<readonly Member[]> => {
      let members: readonly Member[] = [];
      for (let i = 0; i < 60; i += 1) {
        const seen = await pool.observe();
        if (seen.known) ({ members } = seen.value);
        await pool.tend();
        b.nowMs += 1_000;
      }
      return members;
    };
    const bench = (): { b: Bench; large: FakeHeat; pool: TypedPools | OpenstackPool } => {
      const b = new Bench();
      const large = b.group(`${PREFIX}t-large-b`, "2026-01-01T00:00:00Z", 0, 7); // older than the first one's: no former stack all the same
      b.heat.former.push(large);
      return { b, large, pool: typed(b, large) };
    };

    it("grows each in its own stack, up to its own maximum, and shows them as one group", async () => {
      const { b, large, pool } = bench();
      await pool.observe();
      expect(await pool.grow(names(1))).to.include({ accepted: 1 });
      expect(await pool.grow(names(3), "large")).to.include({ accepted: 2, failureClass: "quota" });
      const coming = await pool.observe();
      expect(coming.known && coming.value.members.map((m) => m.type).sort()).to.deep.equal(["large", "large", "worker", "worker"]);
      expect(coming.known && new Set(coming.value.members.map((m) => m.id)).size, "placeholders of two types are not one").to.equal(4);
      const all = await rest(b, pool);
      expect(all.map((m) => [m.type, m.retiring])).to.have.deep.members([["worker", undefined], ["worker", undefined], ["large", undefined], ["large", undefined]]);
      expect(large.exists).to.equal(true);
      expect(await pool.grow(names(1), "huge")).to.include({ failureClass: "invalid", wait: true });
    });
    it("removes from the group that it is of, and asks about each", async () => {
      const { b, pool } = bench();
      await pool.observe();
      await pool.grow(names(2), "large");
      const victim = (await rest(b, pool)).find((m) => m.type === "large")?.id ?? "";
      expect(await pool.statusNow(victim)).to.deep.equal({ known: true, value: "running" });
      for (let i = 0; i < 60 && (await pool.remove(victim)) !== "gone"; i += 1) b.nowMs += 1_000;
      expect((await rest(b, pool)).map((m) => m.type).sort()).to.deep.equal(["large", "worker"]);
      expect(b.killed).to.deep.equal([victim]);
    });
    it("does not know how many there are while one of the groups is not to be seen", async () => {
      const { b, large } = bench();
      const target = { kind: "openstack", authUrl: "", ...stackOf(b.heat), stackPrefix: PREFIX, types: { large: stackOf(large) } } as const;
      const api = b.heat.api(async (label, effect) => {
        if (label.includes("t-large")) throw new CloudError("transient", "HTTP 503", { status: 503 });
        return effect();
      });
      const pool = new TypedPools(new Map([["worker", new OpenstackPool({ api, target, limits: b.limits, nowMs: () => b.nowMs })], ["large", new OpenstackPool({ api, target, type: "large", limits: { min: 0, max: 2 }, nowMs: () => b.nowMs })]]));
      const seen = await pool.observe();
      expect([seen.known, seen.known ? "" : seen.reason]).to.deep.equal([false, "workers of type large: HTTP 503"]);
    });
    it("says of which type a failure is", async () => {
      const { b, large, pool } = bench();
      large.quota = 0;
      await pool.observe();
      await pool.grow(names(1), "large");
      for (let i = 0; i < 20; i += 1) {
        b.nowMs += 1_000;
        const seen = await pool.observe();
        if (!seen.known || seen.value.failure === undefined) continue;
        expect(seen.value.failure).to.include({ type: "large" });
        return;
      }
      expect.fail("no failure");
    });
    it("makes no more of a type whose stack is gone, while the others go on", async () => {
      const { large, pool } = bench();
      large.exists = false;
      const seen = await pool.observe();
      expect(seen.known && seen.value.closing).to.equal(undefined);
      expect(await pool.grow(names(1), "large")).to.include({ failureClass: "gone", wait: true });
      expect(await pool.grow(names(1))).to.include({ accepted: 1 });
    });
    it("lets workers of a type retire that is no longer declared, and leaves its stack to `pulumi up`", async () => {
      const { b, large, pool } = bench();
      await pool.observe();
      await pool.grow(names(1), "large");
      await rest(b, pool);
      const without = typed(b, undefined);
      const left = await rest(b, without);
      expect(left.map((m) => [m.type, m.retiring])).to.deep.equal([["worker", undefined], ["large", "its worker type large is no longer declared"]]);
      const id = left[1]?.id ?? "";
      for (let i = 0; i < 60 && (await without.remove(id)) !== "gone"; i += 1) b.nowMs += 1_000;
      await rest(b, without);
      expect(large.exists, "an `up` may be just making it").to.equal(true);
    });
    it("tells prefixes of types from one another", () => {
      expect(isGroupOf("g-", "g-abc123")).to.equal(true);
      expect(isGroupOf("g-", "g-t-large-abc123")).to.equal(false);
      expect(isGroupOf("g-t-big-", "g-t-big-one-abc123")).to.equal(false);
      expect(isGroupOf(typeStackPrefix("g-", "big-one"), "g-t-big-one-abc123")).to.equal(true);
      expect([typeOfStack("g-", "g-t-big-one-abc123"), typeOfStack("g-", "g-abc123"), typeOfStack("", "t-x-1")]).to.deep.equal(["big-one", undefined, undefined]);
    });
  });

  it("asks nova for one server by itself", async () => {
    const b = new Bench();
    const [first] = await b.rest(2);
    const id = first?.id ?? "";
    for (const [status, is] of [["ACTIVE", "running"], ["SHUTOFF", "stopped"], ["PAUSED", "stopped"], ["SUSPENDED", "stopped"], ["RESCUE", "stopped"], ["ERROR", "failed"], ["whatever", "unknown"]] as const) {
      b.servers.set(id, { status });
      expect(await b.pool.statusNow(id), status).to.deep.equal({ known: true, value: is });
    }
    expect(await b.pool.statusNow("nobody")).to.deep.equal({ known: true, value: "gone" });
    expect((await b.pool.statusNow("ordered-001-pending")).known).to.equal(false);
    b.fault = { on: /./, error: new CloudError("transient", "HTTP 503", { status: 503 }) };
    expect((await b.pool.statusNow(id)).known).to.equal(false);
  });
  it("removes only what nova calls off where it is told so, and then asks Heat for nothing", async () => {
    const b = new Bench({ min: 2, max: 8 });
    const [one, two] = await b.rest(2);
    b.heat.log.length = 0;
    for (const status of ["ACTIVE", "REBOOT", "whatever"]) {
      b.servers.set(one?.id ?? "", { status });
      expect(await b.pool.remove(one?.id ?? "", { onlyIfOff: true }), status).to.equal("runs");
    }
    await b.rest(5);
    expect([b.killed, b.heat.log.filter((l) => l.startsWith("mark"))]).to.deep.equal([[], []]);
    b.servers.set(one?.id ?? "", { status: "SHUTOFF" });
    for (let i = 0; i < 60 && (await b.pool.remove(one?.id ?? "", { onlyIfOff: true })) !== "gone"; i += 1) b.nowMs += 1_000;
    expect([b.killed, b.servers.has(two?.id ?? "")]).to.deep.equal([[one?.id], true]);
  });
  it("keeps one that was told to go while off, and runs again before Heat began", async () => {
    const b = new Bench({ min: 2, max: 8 });
    const [one] = await b.rest(2);
    const id = one?.id ?? "";
    b.servers.set(id, { status: "SHUTOFF" });
    b.heat.status = "UPDATE_IN_PROGRESS";
    expect(await b.pool.remove(id, { onlyIfOff: true })).to.equal("stopping");
    b.heat.status = "UPDATE_COMPLETE";
    b.servers.set(id, { status: "ACTIVE" });
    expect(await b.pool.remove(id, { onlyIfOff: true })).to.equal("runs");
    await b.rest(30);
    expect(b.killed).to.deep.equal([]);
  });
  it("goes on beside a server whose answer makes no sense: it is unknown, not gone", async () => {
    const b = new Bench({ min: 2, max: 8 });
    const [one, two] = await b.rest(2);
    b.servers.set(one?.id ?? "", { status: 7 as unknown as string });
    for (let i = 0; i < 10; i += 1) {
      const seen = await b.pool.observe();
      expect(seen.known && seen.value.members.map((m) => [m.id, m.status])).to.deep.equal([[one?.id, "unknown"], [two?.id, "running"]]);
      expect(seen.known && seen.partial).to.match(/cannot be read \(status is no text\)/);
      b.nowMs += 5_000;
    }
  });
  it("says what kind of failure an order met", async () => {
    const b = new Bench({ min: 1, max: 2 });
    await b.look();
    expect((await b.pool.grow(names(3))).failureClass, "Heat's maximum").to.equal("quota");
    for (const [error, failureClass] of [
      [new CloudError("auth", "HTTP 401", { status: 401 }), "auth"],
      [new CloudError("transient", "no answer", { ambiguous: true }), "ambiguous"],
      [new CloudError("capacity", "HTTP 403: Quota exceeded for cores", { status: 403 }), "quota"],
    ] as const) {
      const fresh = new Bench();
      await fresh.look();
      fresh.fault = { on: /^PATCH/, error };
      expect((await fresh.pool.grow(names(1))).failureClass).to.equal(failureClass);
    }
  });

  it("lets the workers of a former definition retire, and deletes its stack when it is empty", async () => {
    const b = new Bench();
    const old = b.group("g-workers-u-a", "2026-01-01T00:00:00Z", 2, 7);
    const newer = b.group("g-workers-u-c", "2026-01-03T00:00:00Z", 1, 8);
    b.heat.former.push(old, newer);
    const all = await b.rest(3);
    expect(all.map((m) => m.retiring !== undefined)).to.deep.equal([false, true, true]);
    await b.gone(all[1]?.id ?? "");
    expect(old.exists).to.equal(true);
    await b.gone(all[2]?.id ?? "");
    await b.rest();
    expect([old.exists, newer.exists, (await b.look()).members.length]).to.deep.equal([false, true, 1]);
  });
  it("tries again to delete it when that failed", async () => {
    const b = new Bench();
    const old = b.group("g-workers-u-a", "2026-01-01T00:00:00Z", 0, 7);
    b.heat.former.push(old);
    b.fault = { on: /^DELETE/, error: new CloudError("transient", "HTTP 503", { status: 503 }) };
    await b.look();
    expect(await b.pool.tend().catch((e: unknown) => String(e))).to.match(/503/);
    await b.rest(2);
    expect(old.exists).to.equal(false);
  });
  it("says once that it may not delete one with alarms, whose trusts no credential of its kind can take away", async () => {
    const b = new Bench();
    const old = b.group("g-workers-u-a", "2026-01-01T00:00:00Z", 0, 7);
    b.heat.former.push(old);
    b.pool = b.newPool({ lowId: "low" });
    await b.rest();
    expect([old.exists, b.said.length]).to.deep.equal([true, 1]);
    expect(b.said[0]).to.match(/pulumi up.*pulumi destroy/);
  });
});
