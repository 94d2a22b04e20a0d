import { expect } from "chai";
import type { RunningJob } from "../../../components/policy/demand";
import { HtcondorQueue } from "../../../controller/adapters/htcondor-queue";
import type { CommandResult } from "../../../controller/run-command";

// As HTCondor 23.9.6 printed them 15 s after `kill -KILL` of a startd. The worker's clock is three hours behind.
const SKEW = -10_800, BORN = 1796048092, KILLED = 1796048163, REBORN = 1796048183;
const ADDRESS = "<10.77.0.251:9618?addrs=10.77.0.251-9618&alias=w-1.grid&noUDP&sock=startd_183_19eb>";
const claim = (birth: number): string => `${ADDRESS}#${birth}#1#...`;
const slot = (over: object = {}) => ({ Name: "slot1@w-1.grid", Machine: "w-1.grid", DaemonStartTime: REBORN + SKEW, MyCurrentTime: REBORN + SKEW + 10, LastHeardFrom: REBORN + 11, ...over });
const last = (over: object = {}) => ({ Name: "slot1_1@w-1.grid", Machine: "w-1.grid", DynamicSlot: true, JobId: "7.0", DaemonStartTime: BORN + SKEW, MyCurrentTime: KILLED + SKEW - 1, LastHeardFrom: KILLED, ...over });
const ad = (over: object = {}) => ({
  ClusterId: 7, ProcId: 0, JobStatus: 2, RemoteHost: "slot1_1@w-1.grid", StartdIpAddr: ADDRESS, PublicClaimId: claim(BORN + SKEW), JobCurrentStartDate: BORN + 7, NumShadowStarts: 1, ...over,
});
const job = (over: Partial<RunningJob> = {}): RunningJob => ({ id: "7.0", owner: "ann", machine: "w-1.grid", state: "running", startedAtMs: (BORN + 7) * 1000, ...over });
const PS = "  41 /usr/sbin/condor_shadow 7.0 --schedd=<10.77.0.1:9618> -\n  42 /usr/sbin/condor_shadow 8.0 --schedd=<10.77.0.1:9618> -\n";

interface World {
  readonly slots?: object[];
  readonly jobs?: object[];
  readonly broken?: string;
}
async function release({ slots = [slot(), last()], jobs = [ad()], broken }: World, asked = [job()], machine = "w-1.grid") {
  const calls: string[] = [];
  const answers = (p: string): Partial<CommandResult> => {
    if (p === broken) return { code: 1 };
    if (p === "condor_qedit") return { stdout: 'Set attribute "LastJobLeaseRenewal" for 1 matching jobs.' };
    return { stdout: p === "condor_status" ? JSON.stringify(slots) : p === "condor_q" ? JSON.stringify(jobs) : p === "ps" ? PS : "" };
  };
  const queue = new HtcondorQueue({ run: async (program, args) => { calls.push([program, ...args].join(" ")); return { code: 0, stdout: "", stderr: "", timedOut: false, ...answers(program) }; } });
  const answer = await queue.releaseLostClaims(machine, asked);
  return { answer, ended: calls.filter((c) => /^(condor_qedit|kill)/.test(c)), calls };
}

describe("claims of a startd that has ended", () => {
  it("are given up, and no other job's", async () => {
    const { answer, ended, calls } = await release({ jobs: [ad(), ad({ ClusterId: 8 })] });
    expect(answer).to.deep.equal({ known: true, value: 1 });
    expect(ended).to.have.length(2);
    expect(ended[0]).to.contain("ClusterId == 7 &&").and.to.contain(`JobCurrentStartDate =?= ${BORN + 7}`);
    expect(ended[1]).to.equal("kill -KILL 41");
    expect(calls.filter((c) => c.startsWith("condor_status") && !c.includes("DynamicSlot =!=")), "dynamic slots too").to.have.length(1);
  });
  it("are given up when the collector has forgotten what the former startd told", async () => expect((await release({ slots: [slot()] })).answer).to.deep.equal({ known: true, value: 1 }));
  it("are given up of a suspended job too", async () => expect((await release({ jobs: [ad({ JobStatus: 7 })] })).answer).to.deep.equal({ known: true, value: 1 }));

  const alone: Array<[string, World, RegExp]> = [
    ["has the claim of the startd that runs now, whatever the clocks say", { jobs: [ad({ PublicClaimId: claim(REBORN + SKEW) })] }, /runs now/],
    ["has a claim that is a second away from that", { jobs: [ad({ PublicClaimId: claim(REBORN + SKEW + 1) })] }, /runs now/],
    ["has a claim that does not tell", { jobs: [ad({ PublicClaimId: undefined })] }, /does not tell/],
    ["has a claim without a birth", { jobs: [ad({ PublicClaimId: ADDRESS })] }, /does not tell/],
    ["is named by a slot of the startd that runs now", { slots: [slot(), last({ DaemonStartTime: REBORN + SKEW })] }, /names it/],
    ["is named by a slot of the former startd that was heard since", { slots: [slot(), last({ LastHeardFrom: REBORN + 5 })] }, /names it/],
    ["is named by a slot of which nobody knows when it was heard", { slots: [slot(), last({ LastHeardFrom: undefined })] }, /names it/],
    ["is on a machine with slots of two startds", { slots: [slot(), slot({ DaemonStartTime: BORN + SKEW })] }, /more than one startd/],
    ["is on a machine that does not tell its startd", { slots: [slot({ DaemonStartTime: undefined })] }, /does not tell/],
    ["is on a machine whose clock went back below its startd's start", { slots: [slot({ MyCurrentTime: REBORN + SKEW - 60 })] }, /does not tell/],
    ["is on a machine that the collector does not know", { slots: [] }, /does not know it/],
    ["is on a machine of which only the last words are known", { slots: [last()] }, /does not know it/],
    ["began after the startd", { slots: [slot({ DaemonStartTime: BORN + SKEW })] }, /after the startd/],
    ["has several machines", { jobs: [ad({ AllRemoteHosts: "slot1_1@w-1.grid,slot1_1@w-2.grid" })] }, /several/],
    ["was told to go", { jobs: [ad({ JobStatus: 3 })] }, /does not run/],
    ["is held", { jobs: [ad({ JobStatus: 5 })] }, /does not run/],
    ["is not told of by the queue", { broken: "condor_q" }, /condor_q/],
    ["is not told of by the collector", { broken: "condor_status" }, /condor_status/],
    ["cannot be told that its lease is over", { broken: "condor_qedit" }, /condor_qedit/],
  ];
  for (const [says, world, why] of alone) it(`leaves a job alone that ${says}`, async () => {
    const { answer, ended } = await release(world);
    expect(answer.known, JSON.stringify(answer)).to.equal(false);
    expect(answer.known ? "" : answer.reason).to.match(why);
    expect(ended.filter((c) => c.startsWith("kill"))).to.deep.equal([]);
    if (world.broken !== "condor_qedit") expect(ended).to.deep.equal([]);
  });
  const left: Array<[string, object[]]> = [["has left the queue", []], ["began anew", [ad({ JobCurrentStartDate: REBORN + 20 })]], ["is on another machine", [ad({ RemoteHost: "slot1_1@w-2.grid" })]]];
  for (const [says, jobs] of left) it(`has nothing to do for a job that ${says}`, async () => {
    const { answer, ended } = await release({ jobs });
    expect([answer, ended]).to.deep.equal([{ known: true, value: 0 }, []]);
  });
  it("are given up one by one: a job of the startd that runs now stays", async () => {
    const { answer, ended } = await release({ jobs: [ad(), ad({ ClusterId: 8, PublicClaimId: claim(REBORN + SKEW) })] }, [job(), job({ id: "8.0" })]);
    expect(answer).to.deep.equal({ known: true, value: 1 });
    expect(ended.at(-1)).to.equal("kill -KILL 41");
  });
  it("refuses a name that is none", async () => expect((await release({}, [job()], 'w" || true')).calls).to.deep.equal([]));
});
