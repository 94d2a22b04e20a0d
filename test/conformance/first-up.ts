import { expect } from "chai";
import { labels, type Chapter } from "./story";

export const STRANGER = "conform-worker-by-hand";

const COMPONENTS = [
  "elastigrid:index:AlarmPolicy grid-alarms", "elastigrid:index:FloatingIp grid-address", "elastigrid:index:Grid grid", "elastigrid:index:MasterServer grid-master",
  "elastigrid:index:PrivateNetwork grid-network", "elastigrid:index:WorkerGroup grid-workers",
];
const OUTPUTS = ["gridName", "gridUid", "masterAddress", "masterId", "masterPrivateIp", "poolDomain", "sshPort", "sshPrivateKey", "sshUser"];

export const firstUp: Chapter = {
  title: "the first up",
  happens: async (s) => {
    s.note("stranger", await s.cloud.byHand.addServer(STRANGER));
    s.note("foreign", labels(await s.cloud.things()));
    s.note("first up", await s.up());
    s.note("outputs", await s.outputs());
    s.note("master", await s.master());
  },
  behaviours: [
    { says: "makes one master", check: async (s) => expect((await s.cloud.servers()).filter((x) => x.name.endsWith("-master")).map((x) => x.name)).to.deep.equal(["conform-master"]) },
    { says: "returns when the master runs", check: async (s) => expect((await s.master()).running).to.equal(true) },
    {
      says: "gives the master at least the declared size",
      check: async (s) => {
        const { vcpus, memoryMiB } = await s.master();
        expect(vcpus).to.be.within(1, 2);
        expect(memoryMiB).to.be.within(512, 1023);
      },
    },
    { says: "gives the master the public address that it answers", check: async (s) => expect((await s.master()).publicAddresses).to.deep.equal([s.recall<Record<string, unknown>>("outputs")["masterAddress"]]) },
    { says: "answers the first address of the private network as the master's", check: async (s) => expect(s.recall<Record<string, unknown>>("outputs")["masterPrivateIp"]).to.equal("10.77.0.1") },
    { says: "begins with at most workers.min workers", check: async (s) => expect((await s.members()).length).to.be.at.most(1) },
    { says: "marks all that can carry a mark as this grid's", check: async (s) => {
      const uid = String(s.recall<Record<string, unknown>>("outputs")["gridUid"]);
      const foreign = s.recall<string[]>("foreign");
      const unmarked = (await s.cloud.things()).filter((t) => t.marks !== undefined && !t.marks.includes(uid) && !foreign.includes(labels([t])[0] ?? ""));
      expect(labels(unmarked)).to.deep.equal([]);
    } },
    { says: "touches nothing that is not its own", check: async (s) => expect(labels(await s.cloud.things())).to.include.members(s.recall<string[]>("foreign")) },
    { says: "has the same components as on every cloud", check: async (s) => expect(await s.components()).to.deep.equal(COMPONENTS) },
    { says: "answers the same outputs as on every cloud", check: async (s) => expect(Object.keys(s.recall<object>("outputs")).sort()).to.deep.equal(OUTPUTS) },
    { says: "keeps no secret in clear in the state", check: async (s) => {
      const state = await s.test.stack.exported();
      for (const secret of s.cloud.secrets) expect(state.includes(secret), "a password of the account").to.equal(false);
      expect(state).to.not.match(/OPENSSH PRIVATE KEY|Signature=/);
    } },
    { says: "shows no secret while it works", check: async (s) => {
      const printed = s.printed.join("\n");
      for (const secret of s.cloud.secrets) expect(printed.includes(secret), "a password of the account").to.equal(false);
      expect(printed).to.not.match(/OPENSSH PRIVATE KEY|Signature=/);
    } },
    { says: "shows the private key only to who asks for secrets", check: async (s) => {
      const shown = JSON.parse((await s.test.stack.run(["stack", "output", "--json", "--stack", "conformance"])).stdout) as Record<string, unknown>;
      expect(shown["sshPrivateKey"]).to.equal("[secret]");
      expect(String(s.recall<Record<string, unknown>>("outputs")["sshPrivateKey"])).to.include("OPENSSH PRIVATE KEY");
    } },
    { says: "puts no credential of the account into the master's user data", check: async (s) => {
      const text = await s.cloud.userData((await s.master()).id);
      expect(text).to.include("#cloud-config");
      for (const secret of s.cloud.secrets) expect(text.includes(secret)).to.equal(false);
      expect(text).to.not.match(/OPENSSH PRIVATE KEY/);
    } },
    { says: "tells the controller nothing secret with its target", check: async (s) => {
      const target = JSON.stringify(await s.controllerTarget());
      expect(target).to.include(s.cloud.name);
      for (const secret of s.cloud.secrets) expect(target.includes(secret)).to.equal(false);
    } },
  ],
};

export const again: Chapter = {
  title: "up again, with nothing changed",
  happens: async (s) => {
    s.note("second writes", await s.cloud.writesDuring(async () => s.note("second up", await s.up())));
  },
  behaviours: [
    { says: "finds nothing to do", check: async (s) => {
      const { same = 0, ...changed } = s.recall<Record<string, number>>("second up");
      expect(changed).to.deep.equal({});
      expect(same).to.be.greaterThan(10);
    } },
    { says: "writes nothing to the cloud", check: async (s) => expect(s.recall("second writes")).to.deep.equal([]) },
    { says: "previews nothing", check: async (s) => expect(await s.previewed()).to.equal("") },
    { says: "finds no drift in a refresh", check: async (s) => {
      const writes = await s.cloud.writesDuring(() => s.refresh());
      expect(writes).to.deep.equal([]);
      expect(await s.previewed()).to.equal("");
    } },
  ],
};
