import { expect } from "chai";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { checkGridConfig, parseGridConfig } from "../../../components/config/schema";
import { configurationReference } from "../../../components/config/reference";
import { declaredAd, typesOf } from "../../../components/config/controller-config";
import { ofType, workerLimits } from "../../../components/config/worker-types";
import { isConfigError } from "../../../components/errors";
import { fromYaml } from "../../../components/render/yaml";

const root = join(__dirname, "..", "..", "..", "..");
const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea me";

const big = { vcpus: 4, memory: "8 GiB", disk: "20 GiB" };
const rule = (over: Record<string, unknown> = {}): Record<string, unknown> => ({ name: "a", metric: "queueLength", above: 10, step: 1, ...over });

/** [what is wrong, configuration, path, part of rule or fix] */
const table: Array<[string, unknown, string, RegExp]> = [
  ["an unknown key, with what was meant", { workrs: {} }, "grid.workrs", /did you mean workers/],
  ["an unknown key deep inside", { alarms: { cpuHigh: { treshold: 1 } } }, "grid.alarms.cpuHigh.treshold", /not a known key/],
  ["an unknown key in a list", { firewall: [{ name: "a", protocol: "tcp", port: "1", ports: "1" }] }, "grid.firewall[0].port", /did you mean ports/],
  ["decimal units", { master: { memory: "2GB" } }, "grid.master.memory", /MiB, GiB or TiB/],
  ["a size without unit", { master: { memory: 2048 } }, "grid.master.memory", /"2048 MiB"/],
  ["a size that is no whole MiB", { master: { memory: "1.0001 GiB" } }, "grid.master.memory", /whole MiB/],
  ["too little memory", { workers: { memory: "10 MiB" } }, "grid.workers.memory", /at least 256 MiB/],
  ["a number in quotes", { workers: { max: "3" } }, "grid.workers.max", /write 3 without quotes/],
  ["half a worker", { workers: { max: 2.5 } }, "grid.workers.max", /whole number/],
  ["min above max", { workers: { min: 4, max: 3 } }, "grid.workers.max", /workers\.min \(4\)/],
  ["min above the default max", { workers: { min: 9 } }, "grid.workers.max", /workers\.min \(9\)/],
  ["a public network", { network: { cidr: "8.8.8.0/24" } }, "grid.network.cidr", /private range/],
  ["a network with host bits", { network: { cidr: "10.0.0.7/24" } }, "grid.network.cidr", /first address/],
  ["no network", { network: { cidr: "10.0.0/24" } }, "grid.network.cidr", /IPv4 range/],
  ["a network too small for any grid", { network: { cidr: "10.0.0.0/30" } }, "grid.network.cidr", /prefix from 16 to 28/],
  ["a network too small for max", { network: { cidr: "10.0.0.0/28" }, workers: { max: 14 } }, "grid.network.cidr", /need 15.*prefix of 27/],
  ["an address inside the network", { address: "10.77.0.9" }, "grid.address", /lies in the private network/],
  ["ssh from inside the network", { ssh: { allowFrom: ["10.77.0.0/28"] } }, "grid.ssh.allowFrom[0]", /overlaps/],
  ["ssh by IPv6 alone", { ssh: { allowFrom: ["2001:db8::/32"] } }, "grid.ssh.allowFrom", /no IPv4 range.*add the IPv4 address/],
  ["no range", { firewall: [{ name: "a", protocol: "icmp", from: ["2001:db8::1::/64"] }] }, "grid.firewall[0].from[0]", /IPv4 or IPv6 range/],
  ["an IPv6 range with host bits", { firewall: [{ name: "a", protocol: "icmp", from: ["2001:db8::7/64"] }] }, "grid.firewall[0].from[0]", /first address/],
  ["an IPv6 range that a cloud would write otherwise", { firewall: [{ name: "a", protocol: "icmp", from: ["2001:0DB8::/32"] }] }, "grid.firewall[0].from[0]", /short form/],
  ["an own port for ssh", { ssh: { port: 9618 } }, "grid.ssh.port", /HTCondor/],
  ["a private key pasted as public", { ssh: { authorizedKeys: ["-----BEGIN"] } }, "grid.ssh.authorizedKeys[0]", /public key/],
  ["alarms that cross", { alarms: { cpuLow: { thresholdPercent: 60 } } }, "grid.alarms.cpuLow.thresholdPercent", /swings/],
  ["image by name and uuid", { image: { name: "a", uuid: "3f1c7a52-8d0e-4a6b-9c35-0b1f6e2d4a78" } }, "grid.image.uuid", /keep one/],
  ["tcp without ports", { firewall: [{ name: "a", protocol: "tcp" }] }, "grid.firewall[0].ports", /is missing/],
  ["icmp with ports", { firewall: [{ name: "a", protocol: "icmp", ports: "1" }] }, "grid.firewall[0].ports", /no ports/],
  ["ports the wrong way round", { firewall: [{ name: "a", protocol: "tcp", ports: "20-10" }] }, "grid.firewall[0].ports", /range of ports/],
  ["two rules of one name", { firewall: [{ name: "a", protocol: "icmp" }, { name: "a", protocol: "icmp" }] }, "grid.firewall[1].name", /firewall\[0\]/],
  ["a setting that would let jobs be killed", { condor: { settings: { maxjobretirementtime: 0 } } }, "grid.condor.settings.maxjobretirementtime", /promises/],
  ["a setting of two lines", { condor: { settings: { A: "1\nALLOW_WRITE = *" } } }, "grid.condor.settings.A", /one value|one line/],
  ["a period of nothing", { purchases: { period: "soon" } }, "grid.purchases.period", /1 month/],
  ["an empty flavor", { openstack: { masterFlavor: " " } }, "grid.openstack.masterFlavor", /is empty.*leave the key out/],
  ["an unknown key of OpenStack's", { openstack: { masterFlavour: "x" } }, "grid.openstack.masterFlavour", /did you mean masterFlavor/],
  ["a DNS server that is a name", { openstack: { dnsServers: ["dns.example.org"] } }, "grid.openstack.dnsServers[0]", /IPv4 address/],
  ["an uploaded image beside one that exists", { image: { uuid: "3f1c7a52-8d0e-4a6b-9c35-0b1f6e2d4a78" }, openstack: { imageFile: "a.qcow2" } }, "grid.openstack.imageFile", /image\.uuid.*keep one/],
  ["a credential that is always about to expire", { openstack: { credential: { expiresInDays: 30 } } }, "grid.openstack.credential.warnDaysBefore", /less than.*29 or less/],
  ["a measure of no length", { openstack: { alarms: { granularitySeconds: 0 } } }, "grid.openstack.alarms.granularitySeconds", /at least 1/],
  ["a list where an object must be", [], "grid", /an object/],

  ["a type of the first one's name", { workers: { types: { worker: big } } }, "grid.workers.types.worker", /name of the first type.*another name/],
  ["a type whose name no server could have", { workers: { types: { "Big one": big } } }, "grid.workers.types.Big one", /lower-case/],
  ["a type without a size", { workers: { types: { big: { vcpus: 4, memory: "8 GiB" } } } }, "grid.workers.types.big.disk", /is missing/],
  ["an unknown key of a type", { workers: { types: { big: { ...big, lables: {} } } } }, "grid.workers.types.big.lables", /did you mean labels/],
  ["more of a type than there may be workers", { workers: { max: 4, types: { big: { ...big, max: 5 } } } }, "grid.workers.types.big.max", /workers\.max \(4\)/],
  ["a type's image by name and uuid", { workers: { types: { big: { ...big, image: { name: "a", uuid: "3f1c7a52-8d0e-4a6b-9c35-0b1f6e2d4a78" } } } } }, "grid.workers.types.big.image.uuid", /keep one/],
  ["a price below nothing", { workers: { types: { big: { ...big, price: -1 } } } }, "grid.workers.types.big.price", /at least 0/],
  ["a label that is HTCondor's own attribute", { workers: { types: { big: { ...big, labels: { TotalCpus: 9 } } } } }, "grid.workers.types.big.labels.TotalCpus", /something else/],
  ["the same in other letters", { workers: { labels: { Memory: 9 } } }, "grid.workers.labels.Memory", /something else/],
  ["a label that is a setting of HTCondor", { workers: { labels: { NUM_CPUS: 9 } } }, "grid.workers.labels.NUM_CPUS", /capital letter/],
  ["a label of ours", { workers: { labels: { ElastigridWorkerType: "x" } } }, "grid.workers.labels.ElastigridWorkerType", /the grid's own/],
  ["a label of two lines", { workers: { labels: { Site: "a\nSTART = False" } } }, "grid.workers.labels.Site", /one value|one line/],
  ["a label that is text here and a number there", { workers: { labels: { Rack: "7" }, types: { big: { ...big, labels: { Rack: 7 } } } } }, "grid.workers.types.big.labels.Rack", /a number, but text in workers/],
  ["a label that is set elsewhere too", { workers: { labels: { Site: "a" } }, condor: { settings: { SITE: "b" } } }, "grid.workers.labels.Site", /condor\.settings/],
  ["a metric that is none", { alarms: { rules: [rule({ metric: "queueLenght" })] } }, "grid.alarms.rules[0].metric", /no metric.*did you mean queueLength/],
  ["a journal without a kind", { alarms: { rules: [rule({ metric: "journal:" })] } }, "grid.alarms.rules[0].metric", /journal:WHAT/],
  ["a rule without a threshold", { alarms: { rules: [rule({ above: undefined })] } }, "grid.alarms.rules[0]", /neither above nor below nor target/],
  ["a rule with two thresholds", { alarms: { rules: [rule({ below: 1 })] } }, "grid.alarms.rules[0]", /above and below.*exactly one/],
  ["a rule without a step", { alarms: { rules: [rule({ step: undefined })] } }, "grid.alarms.rules[0].step", /is missing/],
  ["a step of nothing", { alarms: { rules: [rule({ step: 0 })] } }, "grid.alarms.rules[0].step", /does nothing/],
  ["a step beside a target", { alarms: { rules: [rule({ above: undefined, target: 2 })] } }, "grid.alarms.rules[0].step", /leave it out/],
  ["a target that workers cannot bring about", { alarms: { rules: [rule({ metric: "journal:create-failed", above: undefined, step: undefined, target: 2 })] } }, "grid.alarms.rules[0].target", /cannot be reached/],
  ["a threshold that can never be the case", { alarms: { rules: [rule({ metric: "cpuPercent", above: 100 })] } }, "grid.alarms.rules[0].above", /never.*100 at most/],
  ["less than nothing", { alarms: { rules: [rule({ above: undefined, below: 0 })] } }, "grid.alarms.rules[0].below", /never.*less than 0/],
  ["more workers than there may be", { alarms: { rules: [rule({ metric: "workers", above: 3 })] } }, "grid.alarms.rules[0].above", /workers\.max is 3/],
  ["a period without a look", { alarms: { rules: [rule({ periodSeconds: 3 })] } }, "grid.alarms.rules[0].periodSeconds", /intervalSeconds \(5\)/],
  ["a window of more than a day", { alarms: { rules: [rule({ periodSeconds: 3600, evaluationPeriods: 25 })] } }, "grid.alarms.rules[0].evaluationPeriods", /24 or less/],
  ["rules of one name", { alarms: { rules: [rule(), rule()] } }, "grid.alarms.rules[1].name", /rules\[0\]/],
  ["rules that act against one another", { alarms: { rules: [rule(), rule({ name: "b", above: undefined, below: 20, step: -1 })] } }, "grid.alarms.rules[1]", /against a at the same queueLength.*swings/],
  ["more spare slots than the group can have", { workers: { max: 2, vcpus: 2 }, scaling: { spareSlots: 5 } }, "grid.scaling.spareSlots", /\(4\)/],
];

describe("parseGridConfig", () => {
  for (const [says, given, path, wanted] of table)
    it(`refuses ${says}`, () => {
      const { config, problems } = checkGridConfig(given);
      const found = problems.find((p) => p.path === path);
      expect(found, JSON.stringify(problems)).to.not.equal(undefined);
      expect(`${found?.rule}; ${found?.fix}`).to.match(wanted);
      expect(config).to.equal(undefined);
    });

  it("reports every problem at once, each with path, value, rule and fix", () => {
    try {
      parseGridConfig({ workers: { min: 5, max: 2, memory: "1 GB" }, nam: "x", master: { vcpus: 0 } });
      expect.fail("accepted");
    } catch (e) {
      if (!isConfigError(e)) throw e;
      expect(e.problems.map((p) => p.path)).to.have.members(["grid.workers.memory", "grid.nam", "grid.master.vcpus", "grid.workers.max"]);
      for (const p of e.problems) expect(p.rule.length * p.fix.length).to.be.greaterThan(0);
      expect(e.message).to.match(/4 problems; nothing was created/);
    }
  });

  it("completes an empty configuration, in numbers with units", () => {
    const c = parseGridConfig(undefined);
    expect(c.name).to.equal("grid");
    expect(c.image).to.deep.equal({ name: "elastigrid-appliance", kind: "appliance" });
    expect(c.master).to.deep.equal({ vcpus: 2, memoryMiB: 2048, diskMiB: 10_240 });
    expect(c.workers).to.deep.equal({ min: 1, max: 3, vcpus: 1, memoryMiB: 1024, diskMiB: 5120 });
    expect(c.scaling).to.include({ growStep: 3, shrinkStep: 3, intervalSeconds: 5 });
    expect(c.openstack).to.deep.equal({
      bootVolume: false,
      ipv6: true,
      alarms: { native: true, metric: "cpu", aggregationMethod: "rate:mean", granularitySeconds: 60, resourceType: "instance" },
      credential: { expiresInDays: 365, warnDaysBefore: 30, accessRules: true },
    });
  });

  it("follows max with both steps unless told otherwise", () => {
    const { scaling } = parseGridConfig({ workers: { max: 7 }, scaling: { shrinkStep: 1 } });
    expect(scaling).to.include({ growStep: 7, shrinkStep: 1 });
  });

  it("accepts what one may write", () => {
    const c = parseGridConfig({
      ssh: { authorizedKeys: [key], allowFrom: ["203.0.113.7/32"] },
      workers: { memory: "1.5 GiB", min: 0, max: 1 },
      firewall: [{ name: "web", protocol: "tcp", ports: "8000-8010" }],
      condor: { settings: { MAX_JOBS_PER_OWNER: 5, X: true } },
    });
    expect(c.workers.memoryMiB).to.equal(1536);
    expect(c.firewall).to.deep.equal([{ name: "web", protocol: "tcp", ports: { first: 8000, last: 8010 }, from: ["0.0.0.0/0"], to: "master" }]);
    expect(c.condor.settings).to.deep.equal({ MAX_JOBS_PER_OWNER: "5", X: "true" });
  });
});

describe("worker types in the configuration", () => {
  it("are in numbers, by name, with labels as HTCondor writes them; the first one is as it was", () => {
    const { workers } = parseGridConfig({ workers: { max: 9, types: { small: { vcpus: 1, memory: "1 GiB", disk: "5 GiB" }, large: { ...big, price: 0.5, max: 2, image: { name: "other" }, labels: { Site: 'the "north" \\ side', FastDisk: true, Rack: 7 } } } } });
    expect(workers).to.deep.equal({
      min: 1, max: 9, vcpus: 1, memoryMiB: 1024, diskMiB: 5120,
      types: [
        { name: "large", vcpus: 4, memoryMiB: 8192, diskMiB: 20_480, price: 0.5, labels: { Site: '"the \\"north\\" \\\\ side"', FastDisk: "true", Rack: "7" }, max: 2, image: { name: "other", kind: "appliance" } },
        { name: "small", vcpus: 1, memoryMiB: 1024, diskMiB: 5120 },
      ],
    });
  });
  it("report all contradictions at once", () => {
    const { problems } = checkGridConfig({ workers: { max: 2, types: { worker: big, big: { ...big, max: 3, labels: { Cpus: 1, "a b": 2 } } } } });
    expect(problems.map((p) => p.path)).to.have.members(["grid.workers.types.worker", "grid.workers.types.big.max", "grid.workers.types.big.labels.Cpus", "grid.workers.types.big.labels.a b"]);
  });
  it("of the same size are fine, with other labels", () => {
    expect(checkGridConfig({ workers: { types: { a: { ...big, labels: { Site: "x" } }, b: { ...big, labels: { Site: "y" } } } } }).problems).to.deep.equal([]);
  });
  it("stand in the place of the first where one is spoken of", () => {
    const config = parseGridConfig({ workers: { types: { big: { ...big, labels: { Rack: 7 }, image: { uuid: "3f1c7a52-8d0e-4a6b-9c35-0b1f6e2d4a78", kind: "stock" } } } } });
    const { workers, image } = ofType(config, "big");
    expect([workers.vcpus, workers.memoryMiB, workers.labels, workers.type, workers.max]).to.deep.equal([4, 8192, { Rack: "7" }, "big", 3]);
    expect(image).to.deep.equal({ uuid: "3f1c7a52-8d0e-4a6b-9c35-0b1f6e2d4a78", kind: "stock" });
    expect(ofType(config, "worker")).to.equal(config);
    expect(() => ofType(config, "small")).to.throw(/no worker type small/);
  });
  it("reach the controller with what HTCondor may hand out", () => {
    const limits = workerLimits(parseGridConfig({ workers: { price: 0.1, types: { big: { ...big, max: 2, image: { name: "other" } } } } }));
    expect(limits).to.deep.equal({ min: 1, max: 3, vcpus: 1, memoryMiB: 896, diskMiB: 5120, price: 0.1, types: [{ name: "big", vcpus: 4, memoryMiB: 8064, diskMiB: 20_480, max: 2 }] });
    expect(typesOf(limits).map((t) => t.name)).to.deep.equal(["worker", "big"]);
  });
  it("say of a worker that nobody has seen yet what its ad will hold, and what it will not", () => {
    const types = typesOf(workerLimits(parseGridConfig({ workers: { labels: { Site: "x" }, types: { big: { ...big, labels: { FastDisk: true } } } } })));
    expect(types.map((t) => declaredAd(t, types))).to.deep.equal([
      { FastDisk: "undefined", Site: '"x"', ElastigridWorkerType: '"worker"' }, { Site: "undefined", FastDisk: "true", ElastigridWorkerType: '"big"' },
    ]);
  });
});

describe("configuration files", () => {
  const grid = (file: string): unknown => (fromYaml(readFileSync(join(root, "stacks", file), "utf8")) as { config: Record<string, unknown> }).config["elastigrid:grid"];
  for (const file of ["Pulumi.local.yaml", "Pulumi.example.yaml"]) it(`accepts stacks/${file}`, () => expect(checkGridConfig(grid(file)).problems).to.deep.equal([]));

  it("shows every key in the example", () => {
    const keys = [...configurationReference().matchAll(/^\| `([\w.[\]]+)` \|/gm)].map((m) => m[1] as string).filter((k) => !k.endsWith("image.uuid"));
    const example = grid("Pulumi.example.yaml");
    const has = (path: string): boolean =>
      path.split(".").reduce<unknown>((at, step) => {
        const name = step.replace("[]", "");
        if (step === "NAME") return Object.assign({}, ...Object.values(at as object)) as unknown;
        const value = (at as Record<string, unknown> | undefined)?.[name];
        return step.endsWith("[]") ? Object.assign({}, ...(value as object[])) as unknown : value;
      }, example) !== undefined;
    expect(keys.length).to.be.greaterThan(50);
    expect(keys.filter((k) => !has(k))).to.deep.equal([]);
  });

  it("keeps docs/configuration.md as the schema says", () => expect(readFileSync(join(root, "docs", "configuration.md"), "utf8")).to.equal(configurationReference()));
});
