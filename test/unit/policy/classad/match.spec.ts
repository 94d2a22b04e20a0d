import { expect } from "chai";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expressionTexts } from "../../../../components/policy/classad/ad";
import { match, prepareOffers } from "../../../../components/policy/classad/match";
import type { Offer, Room } from "../../../../components/policy/demand";
import { packageRoot } from "../../../../tools/paths";

/** A whole machine ad, as a worker of HTCondor 23.9.6 publishes it (4 cpus, 3968 MiB, two of a resource `license`, no GPU). */
const real = expressionTexts((JSON.parse(readFileSync(join(packageRoot, "test/fixtures/htcondor/machine.json"), "utf8")) as Record<string, unknown>[])[0]!);
const room: Room = { cpus: 4, memoryMiB: 3_968, diskMiB: 10_000, resources: { license: 2 } };
const learned: Offer = { type: "default", learned: true, room, ad: real };
const declared: Offer = { type: "default", learned: false, room, ad: { Site: '"Zurich"' } };

/** What condor_submit writes. */
const BASE = '(TARGET.Arch == "X86_64") && (TARGET.OpSys == "LINUX") && (TARGET.Disk >= RequestDisk) && (TARGET.Memory >= RequestMemory)';
const TRANSFER = "((TARGET.FileSystemDomain == MY.FileSystemDomain) || (TARGET.HasFileTransfer))";
const job = (more = "", over: { request?: Partial<Room>; ad?: Record<string, string> } = {}): { request: Room; ad: Record<string, string> } => ({
  request: { cpus: 1, memoryMiB: 100, diskMiB: 1, ...over.request },
  ad: { RequestCpus: "1", RequestMemory: "100", RequestDisk: "1024", FileSystemDomain: '"x"', Requirements: `${BASE}${more === "" ? "" : ` && (${more})`} && ${TRANSFER}`, ...over.ad },
});
const NOW = 1_800_000_000;
const answer = (offer: Offer, j: ReturnType<typeof job>): string => {
  const a = match(j, prepareOffers([offer])[0]!, NOW);
  return a.answer === "yes" ? "yes" : `${a.answer}: ${a.why}`;
};

describe("match", () => {
  const table: Array<[string, Offer, ReturnType<typeof job>, RegExp]> = [
    ["takes an ordinary job on a worker that has shown its ad", learned, job(), /^yes$/],
    ["takes it before any worker has shown itself too", declared, job(), /^yes$/],
    ["takes a job that leaves its memory out, before any worker has shown itself", declared, job("", { ad: { RequestMemory: "ifthenelse(MemoryUsage =!= undefined,MemoryUsage,(ImageSize + 1023) / 1024)", ImageSize: "45", RequestDisk: "DiskUsage", DiskUsage: "45" } }), /^yes$/],
    ["says which size is too large", learned, job("", { request: { memoryMiB: 9_000 } }), /^no: asks for 9000 MiB of memory, a worker has 3968$/],
    ["compares GPUs with what workers have", declared, job("TARGET.GPUs >= RequestGPUs", { request: { resources: { gpus: 2 } } }), /^no: asks for 2 GPUs, a worker has none$/],
    ["compares custom resources", learned, job("TARGET.license >= Requestlicense", { request: { resources: { license: 3 } }, ad: { Requestlicense: "3" } }), /^no: asks for 3 license, a worker has 2$/],
    ["takes a custom resource that workers have", learned, job("TARGET.license >= Requestlicense", { request: { resources: { license: 2 } }, ad: { Requestlicense: "2" } }), /^yes$/],
    ["names the part of the Requirements that is false, and what a worker has", learned, job('TARGET.OpSysName == "Fedora"'), /^no: Requirements: TARGET\.OpSysName == "Fedora" is false: a worker has OpSysName = "Debian"$/],
    ["knows of a real worker that it lacks an attribute", learned, job("TARGET.HasUnobtainium =?= true"), /^no: .*is false: a worker has no HasUnobtainium$/],
    ["does not know it of a declared one", declared, job("TARGET.HasUnobtainium =?= true"), /^unknown: .*nobody knows yet whether a worker has HasUnobtainium/],
    ["believes labels that are declared", declared, job('TARGET.Site == "Geneva"'), /^no: .*a worker has Site = "Zurich"$/],
    ["tries once whether the image is of another architecture", declared, { ...job(), ad: { ...job().ad, Requirements: 'TARGET.Arch == "aarch64"' } }, /^unknown: .*"aarch64" is false: a worker has Arch = "X86_64"$/],
    ["knows the architecture of a real worker", learned, { ...job(), ad: { ...job().ad, Requirements: 'TARGET.Arch == "aarch64"' } }, /^no: .*a worker has Arch = "X86_64"$/],
    ["does not make a new worker for one that has a name", learned, job('TARGET.Machine == "w-11111111.grid.internal"'), /^no: .*w-new\.grid\.internal/],
    ["lets a job avoid a worker", learned, job('TARGET.Machine != "w-11111111.grid.internal"'), /^yes$/],
    ["does not take one worker's load for the next one's", learned, job("TARGET.LoadAvg < 0.01"), /^unknown/],
    ["gives a function that it does not know the benefit of the doubt", learned, job("someNewFunction(TARGET.Memory)"), /^unknown/],
    ["reads unscoped names in the job first, then in the machine", learned, job("Memory > 1000 && has_avx"), /^yes$/],
    ["works out requests that are expressions", learned, job("TARGET.Cpus >= RequestCpus", { ad: { RequestCpus: "2 * 4" } }), /^no: .*TARGET\.Cpus >= RequestCpus is false: a worker has Cpus = 4$/],
    ["takes a deferred job whose moment has come", learned, job("TARGET.HasJobDeferral && time() + ScheddInterval >= DeferralTime - DeferralPrepTime", { ad: { DeferralTime: `${NOW}`, DeferralPrepTime: "300", ScheddInterval: "5" } }), /^yes$/],
    ["knows a deferred job that has missed it", learned, job("time() < DeferralTime + DeferralWindow", { ad: { DeferralTime: `${NOW - 100}`, DeferralWindow: "0" } }), /^no: .*time\(\) < \(DeferralTime \+ DeferralWindow\) is false/],
    ["is stopped by the worker's own START", { ...learned, ad: { ...real, Start: 'TARGET.Owner == "ann"' } }, job("", { ad: { Owner: '"bob"' } }), /^no: the worker's own START .*is false/],
    ["asks for nothing but sizes without Requirements", learned, { ...job(), ad: {} }, /^yes$/],
    ["takes Requirements that cannot be read for unknown", learned, { ...job(), ad: { Requirements: "((" } }, /^unknown/],
    ["does not take an ad without attributes for a decisive one", { ...learned, ad: {} }, job("TARGET.HasUnobtainium =?= true"), /^unknown/],
    ["is not held up by a pattern that explodes", { ...learned, ad: { ...real, Long: `"${"a".repeat(5_000)}b"` } }, job('regexp("^(a+)+$", TARGET.Long)'), /^no/],
    ["answers at once to a text of 10 MB", learned, { ...job(), ad: { Requirements: `x${"(".repeat(10_000_000)}` } }, /^unknown/],
    ["answers at once to a nesting of 100 000", learned, { ...job(), ad: { Requirements: `${"(".repeat(100_000)}1${")".repeat(100_000)}` } }, /^unknown/],
    ["answers to a chain of 5 000 parts", learned, { ...job(), ad: { Requirements: `${"TARGET.Cpus >= 1 && ".repeat(5_000)}true` } }, /^yes$/],
    ["answers to texts that double", learned, { ...job(), ad: { ...Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`a${i + 1}`, `strcat(a${i}, a${i})`])), a0: '"x"', Requirements: 'a60 == "y"' } }, /^unknown/],
  ];
  for (const [says, offer, j, wanted] of table) it(says, () => expect(answer(offer, j)).to.match(wanted));
});

describe("ads out of HTCondor's JSON", () => {
  it("keeps expressions, and writes values as expressions", () => {
    expect(expressionTexts({ A: "/Expr(B + 1)/", B: 1, C: 'say "hi" \\ there\n', D: true, E: null, F: [1, "x"], G: { h: 2 } })).to.deep.equal({
      A: "B + 1", B: "1", C: '"say \\"hi\\" \\\\ there\\n"', D: "true", E: "undefined", F: '{ 1, "x" }', G: "[ 'h' = 2 ]",
    });
  });
});
