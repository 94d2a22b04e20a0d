import * as pulumi from "@pulumi/pulumi";
import { expect } from "chai";
import { writeFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client } from "../../../components/cloudsigma/client";
import { clear, isSecret, type Declared } from "../../support/mocks";

const DYNAMIC = "pulumi-nodejs:dynamic/cloudsigma:";
const seed = "11".repeat(32);
const poolKey = "ab".repeat(32);
const settings = { endpoint: "http://127.0.0.1:9/api/2.0/", username: "someone@example.org", password: "pa55-word-of-the-account" };
const secretValues = [seed, poolKey, settings.password, "Console1Secret"];

describe("Grid on CloudSigma, under mocks", function () {
  this.timeout(20_000);
  let seen: Declared[], folder: string, outputs: Record<string, unknown>;

  const deploy = async (raw: object): Promise<void> => {
    seen = [];
    await pulumi.runtime.setMocks(
      {
        newResource: (args) => {
          seen.push({ type: args.type, name: args.name, inputs: args.inputs as Record<string, unknown> });
          const made: Record<string, Record<string, unknown>> = {
            "random:index/randomId:RandomId": { hex: "0123456789abcdef" },
            "random:index/randomBytes:RandomBytes": { hex: args.name.includes("pool") ? poolKey : seed },
            "random:index/randomPassword:RandomPassword": { result: "Console1Secret" },
            [`${DYNAMIC}Vlan`]: { uuid: "vlan-1" },
            [`${DYNAMIC}StaticIp`]: { address: "203.0.113.7" },
            [`${DYNAMIC}WorkerPool`]: { templateUuid: "template-1", templates: { large: "template-2" } },
          };
          return { id: `${args.name}-id`, state: { ...(args.inputs as object), ...made[args.type] } };
        },
        call: () => ({}),
      },
      "elastigrid",
      "test",
      false,
    );
    const { Grid } = await import("../../../components/grid.js");
    const { cloudsigmaCloud } = await import("../../../components/clouds/cloudsigma.js");
    const { parseGridConfig } = await import("../../../components/config/schema.js");
    const client = { endpoint: settings.endpoint, profileUuid: async () => "me", list: async (kind: string) => (kind === "locations" ? [{ id: "LOC", display_name: "", api_endpoint: "http://198.51.100.1:9/api/2.0" }] : []) } as unknown as Client;
    const grid = new Grid("grid", { cloud: cloudsigmaCloud(settings, () => client), config: parseGridConfig(raw), bundle: { path: join(folder, "b.cjs"), digest: "d1" } });
    const wanted = { masterAddress: grid.masterAddress, masterPrivateIp: grid.masterPrivateIp, sshPort: grid.sshPort, gridUid: grid.gridUid, masterId: grid.masterId, poolDomain: grid.poolDomain };
    outputs = await new Promise((done) => pulumi.output(wanted).apply(done));
    await (pulumi.runtime as unknown as { disconnect(): Promise<void> }).disconnect();
  };
  const one = (type: string, name?: string): Declared => {
    const found = seen.filter((s) => s.type === type && (name === undefined || s.name === name));
    expect(found.length, `${type} ${name ?? ""}: ${seen.map((s) => `${s.type} ${s.name}`).join(", ")}`).to.equal(1);
    return found[0] as Declared;
  };
  const apply = (): Declared => one("command:remote:Command", "grid-setup-apply");

  before(() => {
    folder = mkdtempSync(join(tmpdir(), "elastigrid-mocks-"));
    writeFileSync(join(folder, "b.cjs"), "// bundle\n");
  });
  after(() => rmSync(folder, { recursive: true }));

  describe("with its defaults", () => {
    before(() => deploy({ ssh: { port: 2222 }, workers: { min: 2, max: 5 } }));

    it("makes each part once, named after the grid", () => {
      const kinds = seen.filter((s) => s.type.startsWith("elastigrid:") || s.type.startsWith(DYNAMIC)).map((s) => `${s.type.split(":").pop() ?? ""} ${s.name}`);
      expect(kinds).to.have.members([
        "Grid grid", "PrivateNetwork grid-network", "Vlan grid-network-vlan", "FloatingIp grid-address", "StaticIp grid-address-ip", "MasterServer grid-master",
        "Drive grid-master-disk", "Server grid-master-server", "MasterReady grid-master-ready", "WorkerGroup grid-workers", "WorkerPool grid-workers-pool",
        "AlarmPolicy grid-alarms", "MasterSetup grid-setup",
      ]);
    });
    it("declares no number of workers: only limits, for the controller", () => {
      expect(JSON.stringify(one(`${DYNAMIC}WorkerPool`).inputs)).to.not.match(/"(count|size|desired|min|max)"/);
    });
    it("puts the public card first and keeps the master when its user data change", () => {
      const { inputs } = one(`${DYNAMIC}Server`);
      expect(inputs["nics"]).to.deep.equal([{ address: "203.0.113.7" }, { vlan: "vlan-1" }]);
      expect(inputs["onUserDataChange"]).to.equal("update");
      expect(inputs).to.include({ cpuMHz: 4000, smp: 2, memoryBytes: 2 ** 31 });
    });
    it("marks every object with the grid and the stack", () => {
      for (const kind of ["Vlan", "StaticIp", "Drive", "Server", "WorkerPool"])
        expect(one(DYNAMIC + kind).inputs["marks"]).to.deep.equal({ gridUid: "0123456789abcdef", gridName: "grid", stack: "elastigrid/test" });
    });
    it("hands the controller its setup as a secret, with the endpoint that guests reach", () => {
      const stdin = apply().inputs["stdin"];
      expect(isSecret(stdin)).to.equal(true);
      const document = JSON.parse(clear(stdin) as string) as Record<string, any>;
      expect(document["poolKey"]).to.equal(poolKey);
      expect(document["credentials"]).to.deep.equal({ username: settings.username, password: settings.password });
      expect(document["controller"].cloud).to.deep.equal({ kind: "cloudsigma", endpoint: "http://198.51.100.1:9/api/2.0/", templateUuid: "template-1" });
      expect(document["controller"].workers).to.deep.equal({ min: 2, max: 5, vcpus: 1, memoryMiB: 896, diskMiB: 5120 });
    });
    it("waits for the smallest group last", () => {
      expect(clear(one("command:remote:Command", "grid-setup-workers").inputs["create"])).to.equal("elastigrid wait --workers 2 --timeout 300 # master grid-master-server-id/grid-master-disk-id");
    });
    it("gives everything again to a master that is another machine or has another disk", () => {
      const master = "grid-master-server-id/grid-master-disk-id";
      for (const step of ["files", "apply", "workers"]) expect(clear(one("command:remote:Command", `grid-setup-${step}`).inputs["create"]), step).to.match(new RegExp(`(#|,) master ${master}$`));
      expect(one("command:remote:CopyToRemote", "grid-setup-program").inputs["triggers"]).to.deep.equal([master]);
      expect(one(`${DYNAMIC}MasterReady`).inputs["triggers"], "waits for its first boot").to.deep.equal(["grid-master-disk-id"]);
      expect(outputs["masterId"], "for the command line, which keeps host keys by it").to.equal(master);
    });
    it("declares the disk with the queue as one that no update may replace", () => {
      expect(one(`${DYNAMIC}Drive`).inputs).to.include({ keepData: true }).and.not.to.have.property("replace");
    });
    it("shows no secret in clear in any input", () => {
      const walk = (v: unknown): unknown => (isSecret(v) ? "[secret]" : Array.isArray(v) ? v.map(walk) : typeof v === "object" && v !== null ? Object.fromEntries(Object.entries(v).map(([k, x]) => [k, walk(x)])) : v);
      const text = JSON.stringify(seen.map((s) => walk(s.inputs)));
      for (const value of secretValues) expect(text).to.not.include(value);
      expect(text).to.not.include("PRIVATE KEY");
      expect(JSON.stringify(seen)).to.include("PRIVATE KEY"); // it is there, as a secret
    });
    it("keeps the adapter out of the state", () => expect(one("elastigrid:index:Grid").inputs).to.deep.equal({ name: "grid", cloud: "cloudsigma" }));
    it("runs nothing at destroy", () => {
      for (const s of seen.filter((x) => x.type === "command:remote:Command")) expect(s.inputs["delete"]).to.equal(undefined);
    });
    it("gives the outputs that the command line needs", () => {
      expect(outputs).to.deep.equal({ masterAddress: "203.0.113.7", masterPrivateIp: "10.77.0.1", sshPort: 2222, gridUid: "0123456789abcdef", masterId: "grid-master-server-id/grid-master-disk-id", poolDomain: "grid.internal" });
    });
  });

  it("declares the cloud's objects alone when there is nothing to log in to", async () => {
    await deploy({ bootstrap: "none" });
    expect(seen.map((s) => s.type).filter((t) => t.startsWith("command:") || t.endsWith("MasterReady"))).to.deep.equal([]);
    expect(outputs["masterAddress"]).to.equal("203.0.113.7");
  });

  it("hands a further worker type to the group with its own user data, and to the controller with its template", async () => {
    await deploy({ workers: { types: { large: { vcpus: 4, memory: "8 GiB", disk: "20 GiB", price: 0.2, labels: { FastDisk: true, Site: "a$(b)" }, max: 2 } } }, alarms: { rules: [{ name: "long-wait", metric: "waitingSeconds", above: 60, step: 1 }] } });
    const { inputs } = one(`${DYNAMIC}WorkerPool`);
    expect(inputs["types"]["large"]).to.include({ image: "elastigrid-appliance", diskBytes: 20 * 2 ** 30, cpuMHz: 8000, smp: 4, memoryBytes: 8 * 2 ** 30 });
    for (const line of ["NUM_CPUS = 4", "MEMORY = 8064", 'ElastigridWorkerType = "large"', "FastDisk = true", 'Site = "a$(DOLLAR)(b)"', "STARTD_ATTRS = $(STARTD_ATTRS) ElastigridServerUuid ElastigridWorkerType FastDisk Site"])
      expect(inputs["types"]["large"].userData).to.include(line);
    expect(inputs["userData"]).to.include('ElastigridWorkerType = "worker"').and.to.include("NUM_CPUS = 1").and.not.to.include("FastDisk");
    const { controller } = JSON.parse(clear(apply().inputs["stdin"]) as string) as { controller: Record<string, any> };
    expect(controller["cloud"].templates).to.deep.equal({ large: "template-2" });
    expect(controller["workers"].types).to.deep.equal([{ name: "large", vcpus: 4, memoryMiB: 8064, diskMiB: 20_480, price: 0.2, labels: { FastDisk: "true", Site: '"a$(b)"' }, max: 2 }]);
    expect(controller["alarms"].rules).to.deep.equal([{ name: "long-wait", metric: "waitingSeconds", above: 60, step: 1, periodSeconds: 60, evaluationPeriods: 1, cooldownSeconds: 300 }]);
    expect(controller["scaling"]).to.include({ spareSlots: 0, disruptionPercent: 10, billingPeriodSeconds: 0 });
  });

  it("changes nothing but the controller's setup when limits and alarms change", async () => {
    await deploy({});
    const before = seen.filter((s) => !s.type.startsWith("elastigrid:"));
    await deploy({ workers: { max: 9 }, alarms: { cpuHigh: { thresholdPercent: 70 } } });
    const after = seen.filter((s) => !s.type.startsWith("elastigrid:"));
    const changed = after.filter((s) => JSON.stringify(s.inputs) !== JSON.stringify(before.find((b) => b.name === s.name)?.inputs)).map((s) => s.name);
    expect(changed).to.deep.equal(["grid-setup-apply"]);
  });
});
