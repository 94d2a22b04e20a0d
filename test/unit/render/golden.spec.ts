import { expect } from "chai";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseGridConfig } from "../../../components/config/schema";
import { masterUserData, stockPackages, workerUserData } from "../../../components/render/cloud-init";
import { masterCondorConfig, workerCondorConfig } from "../../../components/render/condor";
import { dnsmasqConfig } from "../../../components/render/dnsmasq";
import type { GuestFile } from "../../../components/render/guest-file";
import { masterFiles } from "../../../components/render/master";
import { workerGroupTemplate } from "../../../components/render/heat";
import { masterNftables, workerNftables } from "../../../components/render/nftables";
import { pushFilesScript } from "../../../components/render/push";
import { workerFiles } from "../../../components/render/worker";
import { fromYaml } from "../../../components/render/yaml";

const golden = join(__dirname, "..", "..", "..", "..", "test", "fixtures", "golden");
const config = parseGridConfig({
  name: "physics",
  network: { cidr: "10.42.0.0/20" },
  ssh: { port: 2222, allowFrom: ["203.0.113.0/24", "203.0.113.7/32"] },
  workers: { min: 0, max: 12, vcpus: 4, memory: "8 GiB" },
  firewall: [
    { name: "web", protocol: "tcp", ports: "443" },
    { name: "media", protocol: "udp", ports: "8000-8010", from: ["10.0.0.0/8", "10.1.0.0/16"], to: "workers" },
    { name: "ping", protocol: "icmp", from: ["198.51.100.0/24", "2001:db8::/32"] },
  ],
  condor: { settings: { MAX_JOBS_PER_OWNER: 2000 } },
});

/** CloudSigma: the master gives the addresses. OpenStack: the cloud does. */
const twoCards = { servesDhcp: false }, oneCard = { servesDhcp: true };

/** Rendered files are reviewed like code. `UPDATE_GOLDEN=1` writes them anew. */
const files: Record<string, string> = {
  "master.user-data.yaml": masterUserData(config, twoCards),
  "worker.user-data.yaml": workerUserData(config, twoCards),
  "master.condor": masterCondorConfig(config),
  "worker.condor": workerCondorConfig(config),
  "master.nft": masterNftables(config, twoCards),
  "worker.nft": workerNftables(config, twoCards),
  "dnsmasq.conf": dnsmasqConfig(config, twoCards),
  "openstack/master.user-data.yaml": masterUserData(config, oneCard),
  "openstack/master.nft": masterNftables(config, oneCard),
  "openstack/worker.nft": workerNftables(config, oneCard),
  "openstack/dnsmasq.conf": dnsmasqConfig(config, oneCard),
  "openstack/heat-native.yaml": workerGroupTemplate({ config, alarms: true, controlled: false, vcpus: 4 }),
  "openstack/heat-controlled.yaml": workerGroupTemplate({ config, alarms: true, controlled: true, vcpus: 4 }),
  "openstack/heat-without-alarms.yaml": workerGroupTemplate({ config, alarms: false, controlled: true, vcpus: 4 }),
  "push.sh": pushFilesScript([{ path: "/etc/example", text: "one\n" }]),
};

describe("rendered files", () => {
  for (const [name, text] of Object.entries(files))
    it(`renders ${name} as reviewed`, () => {
      const path = join(golden, name);
      if (process.env["UPDATE_GOLDEN"] === "1") {
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, text);
      }
      expect(existsSync(path), `${path} is missing: run with UPDATE_GOLDEN=1`).to.equal(true);
      expect(text).to.equal(readFileSync(path, "utf8"));
    });
});

interface UserData {
  readonly write_files: ReadonlyArray<{ path: string; permissions: string; content: string }>;
  readonly runcmd?: readonly (readonly string[])[];
  readonly packages?: readonly string[];
  readonly [key: string]: unknown;
}
const parsed = (text: string): UserData => fromYaml(text) as UserData;

describe("user data", () => {
  const roles: Array<[string, string, readonly GuestFile[]]> = [
    ["master", masterUserData(config, twoCards), masterFiles(config, twoCards)],
    ["master with one card", masterUserData(config, oneCard), masterFiles(config, oneCard)],
    ["worker", workerUserData(config, twoCards), workerFiles(config, twoCards)],
  ];
  for (const [role, text, wanted] of roles) {
    it(`of the ${role} carries every file unchanged`, () => {
      expect(text.startsWith("#cloud-config\n")).to.equal(true);
      expect(parsed(text).write_files.map((f) => [f.path, f.content, f.permissions])).to.deep.equal(wanted.map((f) => [f.path, f.text, f.mode ?? "0644"]));
    });
    it(`of the ${role} fits the cloud's meta and holds no secret`, () => {
      expect(Buffer.byteLength(text)).to.be.lessThan(20_000);
      expect(text).to.not.match(/PRIVATE KEY|password: |eyJ|plain_text_passwd|chpasswd|token: /i);
    });
  }
  it("of a master on a cloud that gives addresses lends none, forwards nothing and looks for no second card", () => {
    for (const image of [{ name: "appliance" }, { kind: "stock", name: "debian" }]) {
      const text = masterFiles(parseGridConfig({ image }), oneCard).map((f) => f.text).join("");
      expect(text).to.not.match(/dhcp-range|masquerade|ip_forward|nics\.nft|two network cards|chain forward/);
      expect(text).to.match(/listen-address=127\.0\.0\.1,10\.77\.0\.1/);
    }
  });
  it("gives the user grid no way to root", () => {
    expect(parsed(masterUserData(config, twoCards))["users"]).to.deep.equal([{ name: "grid", gecos: "submits jobs", shell: "/bin/bash", lock_passwd: true }]);
  });
  it("installs packages on a stock image only", () => {
    expect(parsed(masterUserData(config, twoCards)).packages).to.equal(undefined);
    expect(parsed(workerUserData(parseGridConfig({ image: { kind: "stock", name: "debian" } }), oneCard)).packages).to.deep.equal([...stockPackages]);
  });
  it("lets a worker's rules be there before its first connection, which they would cut", () => {
    const script = parsed(workerUserData(config, twoCards)).write_files.find((f) => f.path.endsWith("/elastigrid-enrol"))?.content ?? "";
    expect(script.indexOf("start nftables")).to.be.within(0, script.indexOf("curl"));
  });
  it("starts enrolment before cloud-init's commands on the appliance, after its packages elsewhere", () => {
    const stock = parseGridConfig({ image: { kind: "stock", name: "debian" } });
    const start = (c: typeof config): [boolean, boolean] => [JSON.stringify(parsed(workerUserData(c, oneCard))["bootcmd"]).includes("elastigrid-enrol"), JSON.stringify(parsed(workerUserData(c, oneCard)).runcmd ?? []).includes("elastigrid-enrol")];
    expect(start(config)).to.deep.equal([true, false]);
    expect(start(stock)).to.deep.equal([false, true]);
  });
  it("is the same for all sizes of the group: scaling limits reach only the controller", () => {
    const other = parseGridConfig({ workers: { min: 0, max: 2 }, scaling: { idleSeconds: 1 }, alarms: { cpuHigh: { thresholdPercent: 99 } } });
    expect(workerUserData(other, oneCard)).to.equal(workerUserData(parseGridConfig({}), oneCard));
    expect(masterUserData(other, twoCards)).to.equal(masterUserData(parseGridConfig({}), twoCards));
  });
});

describe("HTCondor's configuration", () => {
  const settings = (text: string): Map<string, string> => new Map([...text.matchAll(/^([A-Za-z_0-9.]+) *= *(.*)$/gm)].map((m) => [m[1] as string, m[2] as string]));
  const master = settings(masterCondorConfig(config));
  const worker = settings(workerCondorConfig(config));
  it("never kills a job at a drain", () => expect(worker.get("MAXJOBRETIREMENTTIME")).to.equal("31536000"));
  it("leaves the kernel alone", () => expect([master, worker].map((s) => s.get("ENABLE_KERNEL_TUNING"))).to.deep.equal(["False", "False"]));
  it("updates ads well within their lifetime", () => {
    for (const [s, keys] of [[master, ["COLLECTOR_UPDATE_INTERVAL", "NEGOTIATOR_UPDATE_INTERVAL", "MASTER_UPDATE_INTERVAL"]], [worker, ["UPDATE_INTERVAL", "MASTER_UPDATE_INTERVAL"]]] as const)
      for (const key of keys) expect(Number(s.get(key)) * 3).to.be.at.most(Number(s.get("CLASSAD_LIFETIME")));
  });
  it("names one domain on both", () => {
    for (const key of ["TRUST_DOMAIN", "UID_DOMAIN", "FILESYSTEM_DOMAIN"]) expect([master.get(key), worker.get(key)]).to.deep.equal(["physics.internal", "physics.internal"]);
  });
  it("gives the worker's token no administrator's rights", () => expect(master.get("ALLOW_ADMINISTRATOR")).to.not.match(/worker|\*$/));
  it("puts the user's settings last on both", () => expect([masterCondorConfig(config), workerCondorConfig(config)].every((t) => t.endsWith("MAX_JOBS_PER_OWNER = 2000\n"))).to.equal(true));
  it("finds the worker's card in a wide network", () => expect(worker.get("NETWORK_INTERFACE")).to.equal("10.42.*"));
});
