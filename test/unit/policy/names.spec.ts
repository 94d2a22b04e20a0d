import { expect } from "chai";
import fc from "fast-check";
import { editDistance, nearest, resembling, workerHostname } from "../../../components/policy/names";
import { formatSizeMiB, parseSizeMiB, slotMemoryMiB } from "../../../components/policy/sizes";

describe("names", () => {
  it("finds what was meant", () => expect(nearest("treshold", ["enabled", "threshold"])).to.equal("threshold"));
  it("keeps silent when nothing is near", () => expect(nearest("colour", ["min", "max"])).to.equal(undefined));
  it("measures distance the same both ways", () => fc.assert(fc.property(fc.string({ maxLength: 8 }), fc.string({ maxLength: 8 }), (a, b) => editDistance(a, b) === editDistance(b, a))));
  it("lists what resembles, best first", () => expect(resembling("debian-13", ["windows", "debian-13-trixie", "debian-12"])[0]).to.equal("debian-13-trixie"));
  it("names workers by their server", () => expect(workerHostname("b5c0ffee-0000-4000-8000-000000000002")).to.equal("w-b5c0ffee"));
});

describe("sizes", () => {
  for (const [text, mib] of [["512 MiB", 512], ["2GiB", 2048], ["1.5 GiB", 1536], ["1 TiB", 1_048_576]] as const) it(`reads ${text}`, () => expect(parseSizeMiB(text)).to.equal(mib));
  for (const text of ["2 GB", "2G", "2", "-1 GiB", "0x2 GiB", "1.1 MiB", "GiB"]) it(`refuses ${text}`, () => expect(parseSizeMiB(text)).to.equal(undefined));
  it("reads back what it writes", () => fc.assert(fc.property(fc.integer({ min: 1, max: 10_000_000 }), (mib) => parseSizeMiB(formatSizeMiB(mib)) === mib)));
  it("leaves most of the memory to jobs", () => expect([256, 512, 1024, 65_536].map(slotMemoryMiB)).to.deep.equal([192, 384, 896, 65_408]));
});
