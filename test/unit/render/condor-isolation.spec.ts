import { expect } from "chai";
import { parseGridConfig } from "../../../components/config/schema";
import { isolationFiles, slotAccounts } from "../../../components/render/condor-isolation";
import { workerNftables } from "../../../components/render/nftables";

describe("what keeps jobs apart", () => {
  const grid = (vcpus: number, settings: Record<string, string | number> = {}) => parseGridConfig({ workers: { vcpus, memory: "8 GiB" }, condor: { settings } });
  const table: Array<[string, number, Record<string, string | number>, number]> = [
    ["twice as many as cpus", 4, {}, 8],
    ["for one cpu too", 1, {}, 2],
    ["for the cpus that the settings promise", 4, { NUM_CPUS: 16 }, 32],
    ["never fewer than for the server's own", 4, { NUM_CPUS: 2 }, 8],
    ["for the server's own where the setting is an expression", 4, { NUM_CPUS: "$(DETECTED_CPUS) * 2" }, 8],
  ];
  for (const [says, vcpus, settings, accounts] of table) it(`has accounts ${says}`, () => expect(slotAccounts(grid(vcpus, settings))).to.equal(accounts));
  it("costs user data the same for any number of cpus", () => {
    const size = (vcpus: number): number => isolationFiles(grid(vcpus)).reduce((sum, f) => sum + f.text.length, 0);
    expect(size(64) - size(1)).to.be.lessThan(8);
  });
  it("lets nobody but root ask for the worker's token or the cloud's metadata", () => {
    for (const servesDhcp of [true, false]) {
      const rules = workerNftables(grid(1), { servesDhcp }).split("\n").filter((l) => l.includes("skuid"));
      expect(rules.every((l) => /meta skuid != 0 .*reject/.test(l))).to.equal(true);
      for (const target of [/ip daddr 10\.77\.0\.1 tcp dport 9600 /, /ip daddr 169\.254\.169\.254 /, /ip6 daddr fe80::a9fe:a9fe /]) expect(rules.filter((l) => target.test(l)).length, String(target)).to.equal(1);
    }
  });
});
