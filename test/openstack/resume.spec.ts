import { expect } from "chai";
import { isEmptyChange } from "../../demo/pulumi";
import { seeded } from "../../local-cloud/http/faults";
import { family, killAll, long, pause, say, seed, until } from "../support/chaos";
import { created } from "../support/openstack-fault-plan";
import { MANY, needLab } from "../support/openstack-lab";
import { failedUp, Trial, trialGrid } from "../support/openstack-trial";
import type { TestStack } from "../support/stack";

const SETTLED_MS = 120_000;

describe("up goes on where a stack was left", function () {
  this.timeout(560_000);
  let trial: Trial, test: TestStack;

  before(async function () {
    await needLab(this);
    trial = await Trial.open("resume", "none");
    test = await trial.stack();
  });
  after(async () => void (await trial?.close()));

  /** As an administrator might: no further server from the moment at which Heat is asked to make some. */
  const noServersWhen = (matches: (r: { method: string; path: string }) => boolean, allowed: number): void => {
    trial.proxy.meanwhile = async (request) => {
      if (!matches(request)) return;
      trial.proxy.meanwhile = undefined;
      await trial.project.allowServers(allowed);
    };
  };
  const again = (): Promise<void> => {
    trial.proxy.meanwhile = undefined;
    return trial.project.allowServers(MANY);
  };
  const heatPath = (path: string): boolean => /^\/v1\/[^/]+\/stacks\/[^/]+\/[^/]+$/.test(path);

  it("says which quota Heat met, when the group cannot be made", async () => {
    noServersWhen((r) => created(r) === "stack", 1);
    const said = await failedUp(test);
    expect(said).to.match(/quota/i);
    expect(said).to.match(/instances/i);
  });
  it("makes the group at the next up, without surgery by hand", async () => {
    await again();
    await test.stack.up();
    expect(await trial.wrong(test)).to.equal("");
    expect(await trial.stackStatus()).to.match(/COMPLETE$/);
    expect(isEmptyChange((await test.stack.preview()).changes)).to.equal(true);
  });
  it("says what Heat met, when the group cannot be updated", async () => {
    await test.configure({ ...trialGrid, workers: { ...trialGrid.workers, min: 2 } });
    noServersWhen((r) => (r.method === "PATCH" || r.method === "PUT") && heatPath(r.path), 2);
    expect(await failedUp(test)).to.match(/quota/i);
    expect(await trial.stackStatus()).to.equal("UPDATE_FAILED");
  });
  it("updates the group at the next up", async () => {
    await again();
    await test.stack.up();
    expect(await trial.wrong(test, 2)).to.equal("");
    expect(await trial.stackStatus()).to.equal("UPDATE_COMPLETE");
  });
  it("heals a group that Heat's own scaling left in UPDATE_FAILED, although the program has not changed", async () => {
    await trial.project.allowServers(3);
    const url = await upUrl();
    await until("Heat has met the quota", SETTLED_MS, async () => {
      const status = await statuses();
      if (!status.includes("IN_PROGRESS") && status.includes("FAILED")) return true;
      // the first signals may fall into the group's cooldown
      if (!status.includes("IN_PROGRESS")) expect((await fetch(url, { method: "POST" })).status).to.equal(200);
      return void (await pause(2_000));
    });
    await again();
    await test.stack.up();
    expect(await statuses()).to.not.match(/FAILED|IN_PROGRESS/);
  });
  it("renews the controller's credential in one up: one is there as before, another one, and it lasts as long as told", async () => {
    const [old] = await credentials(), rulesBefore = await kept("access rule");
    await test.configure({ ...trialGrid, workers: { ...trialGrid.workers, min: 2 }, openstack: { credential: { expiresInDays: 100, warnDaysBefore: 20 } } });
    await test.stack.up();
    const now = await credentials();
    expect(now.map((c) => c.id)).to.have.length(1).and.not.include(old?.id);
    const daysLeft = (Date.parse(`${now[0]?.expires_at ?? ""}Z`.replace("ZZ", "Z")) - Date.now()) / 86_400_000;
    expect(daysLeft).to.be.within(20, 100);
    expect(await kept("access rule")).to.equal(rulesBefore);
    expect(isEmptyChange((await test.stack.preview()).changes)).to.equal(true);
  });
  it("is destroyed with nothing left", async () => {
    await again();
    await test.stack.destroy();
    expect(await trial.left()).to.equal("");
  });

  interface Stack {
    readonly id: string;
    readonly stack_name: string;
    readonly stack_status: string;
  }
  const stacks = async (query: string): Promise<Stack[]> => (await trial.project.api.get<{ stacks: Stack[] }>("orchestration", `/v1/${trial.project.api.projectId}/stacks${query}`)).stacks;
  /** Of the group's stack and of those nested in it. */
  const statuses = async (): Promise<string> => (await stacks("?show_nested=true")).map((s) => s.stack_status).join(",");
  const credentials = async (): Promise<ReadonlyArray<{ id: string; expires_at: string }>> =>
    (await trial.project.api.get<{ application_credentials: { id: string; expires_at: string }[] }>("identity", `/v3/users/${trial.project.api.userId}/application_credentials`)).application_credentials;
  const kept = async (kind: string): Promise<number> => (await trial.project.owned()).filter((o) => o.kind === kind).length;
  /** Signed: who knows it makes the group grow. */
  const upUrl = async (): Promise<string> => {
    const [first] = await stacks("");
    const { stack } = await trial.project.api.get<{ stack: { outputs: { output_key: string; output_value: string }[] } }>("orchestration", `/v1/${trial.project.api.projectId}/stacks/${first?.stack_name}/${first?.id}`);
    return stack.outputs.find((o) => o.output_key === "up_url")?.output_value ?? "";
  };
});

describe("the engine killed while it makes a grid on OpenStack", function () {
  this.timeout(560_000);
  const random = seeded(seed);
  let trial: Trial;

  before(async function () {
    await needLab(this);
    say(`seed ${seed}`);
  });
  beforeEach(async () => void (trial = await Trial.open("killed", "none")));
  afterEach(async () => void (await trial?.close()));

  for (let i = 1; i <= (long ? 10 : 2); i += 1) {
    const alone = i % 2 === 1;
    const straightDown = i % 4 >= 2;
    it(`moment ${i}: ${alone ? "the engine alone" : "the engine and its plugins"}; then ${straightDown ? "destroy finds all" : "up goes on"}`, async () => {
      const test = await trial.stack();
      const from = trial.proxy.plan.creations, afterCreation = 1 + Math.floor(random() * 16), delayMs = Math.floor(random() * 3_000);
      let ended = false;
      const running = test.stack.up().then(() => "had ended", () => "killed").finally(() => (ended = true));
      while (!ended && trial.proxy.plan.creations - from < afterCreation) await pause(20);
      await pause(delayMs);
      const victims = test.stack.pids.flatMap((pid) => family(pid));
      killAll(alone ? victims.slice(0, 1) : victims);
      const how = await running;
      const made = trial.proxy.plan.creations - from;
      await test.configure(trialGrid); // opens the stack, as the next run does
      if (!straightDown) {
        await test.stack.up();
        expect(await trial.wrong(test)).to.equal("");
        expect(isEmptyChange((await test.stack.preview()).changes)).to.equal(true);
      }
      await test.stack.destroy();
      say(`${how} ${delayMs} ms after creation ${afterCreation}, ${made} asked for`);
      expect(await trial.left()).to.equal("");
      trial.drop(test);
    });
  }
});
