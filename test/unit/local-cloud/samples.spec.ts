import { expect } from "chai";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Lab, type Answer, type Json } from "./lab";
import { differences } from "./samples-compare";
import { ID, mount, seedSamples } from "./samples-world";

function packageRoot(from = __dirname): string {
  return existsSync(join(from, "package.json")) ? from : packageRoot(dirname(from));
}
const FOLDER = join(packageRoot(), "test", "fixtures", "cloudsigma-samples");
const index = JSON.parse(readFileSync(join(FOLDER, "index.json"), "utf8")) as { file: string; method: string; path: string; status: number | null }[];
const sample = (file: string): unknown => JSON.parse(readFileSync(join(FOLDER, file), "utf8"));

/** What local-cloud does not offer, and why. */
const UNSUPPORTED: Readonly<Record<string, string>> = {
  "drives/set-scheduler.request.json": "backup schedulers: a grid's drives hold nothing worth a schedule",
  "snapshots/backup-scheduler.response.json": "backup schedulers: as above",
  "drives/initupload.request.json": "upload: the back ends bring their own images",
  "drives/initupload.response.json": "upload: as above",
  "drives/upload-chunk.request.json": "upload: as above",
  "drives/upload-chunk.response.json": "upload: as above",
  "drives/upload-resumable-fields.json": "upload: as above",
  "errors/chunk-already-uploaded.json": "upload: as above",
  "drives/rds-create.request.json": "licences of Windows users",
  "drives/rds-create.response.json": "licences of Windows users",
  "drives/rds-list.response.json": "licences of Windows users",
  "snapshots/remote-create.request.json": "remote snapshots need a second location",
  "snapshots/remote-create.response.json": "remote snapshots need a second location",
  "misc/account-create.response.json": "sign-up: there is one account",
  "misc/server-context.json": "serial protocol inside a guest: the back end's data source replaces it",
  "misc/websocket-frame.json": "websocket: clients poll",
};

type Do = (lab: Lab) => Promise<Answer>;
const get = (path: string): Do => (lab) => lab.call("GET", path);
const send = (method: string, path: string, file?: string, prepare?: (lab: Lab) => unknown): Do => async (lab) => {
  await prepare?.(lab);
  return lab.call(method, path, file === undefined ? {} : sample(file));
};
const put = (path: string, file: string, prepare?: (lab: Lab) => unknown): Do => send("PUT", path, file, prepare);
const post = (path: string, file?: string, prepare?: (lab: Lab) => unknown): Do => send("POST", path, file, prepare);
const act = (kind: string, uuid: string, name: string, file = "servers/action.request.json", prepare?: (lab: Lab) => unknown): Do => post(`${kind}/${uuid}/action/?do=${name}`, file, prepare);
const after = (first: Do, then: Do): Do => async (lab) => (await first(lab), then(lab));
const settled = (first: Do, then: Do): Do => async (lab) => (await first(lab), await lab.clock.advance(5_000), then(lab));
const mounted = (lab: Lab): void => mount(lab.cloud.store, ID.running, ID.boot);
const fault = (effect: Json): ((lab: Lab) => unknown) => (lab) => lab.cloud.faults.add({ do: effect as never });
const buyVlan = post("subscriptions/", "subscriptions/create-vlan.request.json");
const lib = async (lab: Lab, name: string): Promise<string> => String((await lab.objects(`libdrives/?name=${encodeURIComponent(name)}`))[0]?.uuid);
const firstJob: Do = async (lab) => lab.call("GET", `jobs/${String((await lab.objects("jobs/"))[0]?.uuid)}/`);
const S = `servers/${ID.stopped}/`, N = `servers/${ID.nic}/`, R = `servers/${ID.running}/`, D = `drives/${ID.data}/`;
const CLONE_DRIVE = act("drives", ID.data, "clone", "drives/clone.request.json");
const CLONE_SERVER = act("servers", ID.stopped, "clone", "servers/clone.request.json");
const cloneWithDisk = act("servers", ID.stopped, "clone", "servers/clone.request.json", (lab) => mount(lab.cloud.store, ID.stopped, ID.data));
const granted = after(post("acls/", "acls/create-granted.request.json"), async (lab) => ((lab.cloud.store.drives.get(ID.data) ?? { tags: [""] }).tags = [ID.tag], lab.call("GET", D)));

/** How each sample comes about, live. Requests and their responses share the call. */
const CASES: Readonly<Record<string, Do>> = {
  "servers/create-minimal": post("servers/", "servers/create-minimal.request.json"),
  "servers/create-full": post("servers/", "servers/create-full.request.json"),
  "servers/create-bulk": post("servers/", "servers/create-bulk.request.json"),
  "servers/create-tagged": post("servers/", "servers/create-tagged.request.json"),
  "servers/create-tagged-granted": after(post("acls/", "acls/create-granted.request.json"), post("servers/", "servers/create-tagged.request.json")),
  "servers/pubkeys": post("servers/", "servers/pubkeys.request.json"),
  "servers/list": get("servers/?limit=0"),
  "servers/list-detail": get("servers/detail/?limit=0"),
  "servers/get-stopped": get(S),
  "servers/get-running": after(async (lab) => (mounted(lab), get(R)(lab)), get(R)),
  "servers/get-running-2021": after(async (lab) => (mounted(lab), get(R)(lab)), get(R)),
  "servers/update": put(S, "servers/update.request.json"),
  "servers/update-meta": put(S, "servers/update-meta.request.json"),
  "servers/update-tags": put(S, "servers/update-tags.request.json"),
  "servers/attach-drive": put(S, "servers/attach-drive.request.json"),
  "servers/nic-add-dhcp": put(N, "servers/nic-add-dhcp.request.json"),
  "servers/nic-add-manual": put(N, "servers/nic-add-manual.request.json"),
  "servers/nic-add-vlan": put(N, "servers/nic-add-vlan.request.json"),
  "servers/nic-two": get(N),
  "servers/nic-to-static": put(N, "servers/nic-to-static.request.json"),
  "servers/nic-reorder": put(N, "servers/nic-to-static.request.json"),
  "servers/nic-delete-and-convert": put(N, "servers/nic-delete-and-convert.request.json"),
  "servers/action": act("servers", ID.stopped, "start"),
  "servers/action-start": act("servers", ID.stopped, "start"),
  "servers/action-stop": act("servers", ID.running, "stop"),
  "servers/action-shutdown": act("servers", ID.running, "shutdown"),
  "servers/action-open-vnc": act("servers", ID.running, "open_vnc"),
  "servers/action-close-vnc": act("servers", ID.running, "close_vnc"),
  "servers/action-open-console": act("servers", ID.running, "open_console"),
  "servers/action-close-console": act("servers", ID.running, "close_console"),
  "servers/clone": CLONE_SERVER,
  "servers/clone-in-progress": cloneWithDisk,
  "servers/availability-groups": get("servers/availability_groups/"),
  "servers/availability-group": get(`servers/availability_groups/${ID.running}/`),
  "servers/bulk-delete": send("DELETE", "servers/", "servers/bulk-delete.request.json"),
  "servers/epcs.fragment": (lab) => lab.call("PUT", S, { ...(sample("servers/update.request.json") as Json), ...(sample("servers/epcs.fragment.json") as Json) }),
  "servers/gpus.fragment": (lab) => lab.call("PUT", S, { ...(sample("servers/update.request.json") as Json), ...(sample("servers/gpus.fragment.json") as Json) }),
  "drives/create-minimal": post("drives/", "drives/create-minimal.request.json"),
  "drives/create-bulk": post("drives/", "drives/create-bulk.request.json"),
  "drives/create-storage-type": post("drives/", "drives/create-storage-type.request.json"),
  "drives/list": get("drives/?limit=0"),
  "drives/list-fields": get("drives/?limit=0&fields=uuid,status"),
  "drives/list-detail": get("drives/detail/?limit=0"),
  "drives/get-legacy": get(D),
  "drives/get-mounted": after(async (lab) => (mounted(lab), get(R)(lab)), get(`drives/${ID.boot}/`)),
  "drives/update": put(D, "drives/update.request.json"),
  "drives/resize-put": put(D, "drives/resize-put.request.json"),
  "drives/resize-action": act("drives", ID.data, "resize", "drives/resize-action.request.json"),
  "drives/resize-action-minimal": act("drives", ID.data, "resize", "drives/resize-action-minimal.request.json"),
  "drives/resize-ephemeral": act("drives", ID.scratch, "resize", "drives/resize-action-minimal.request.json"),
  "drives/clone": CLONE_DRIVE,
  "drives/clone-storage-type": act("drives", ID.data2, "clone", "drives/clone-storage-type.request.json"),
  "drives/with-snapshots": get(D),
  "drives/own-granted": granted,
  "drives/foreign": get(`drives/${ID.foreign}/`),
  "drives/availability-groups": get("drives/availability_groups/"),
  "libdrives/list": get("libdrives/?limit=5"),
  "libdrives/get": async (lab) => lab.call("GET", `libdrives/${await lib(lab, "Windows Server 2022")}/`),
  "libdrives/through-drives": async (lab) => lab.call("GET", `drives/${await lib(lab, "Windows Server 2022")}/`),
  "snapshots/create": post("snapshots/", "snapshots/create.request.json"),
  "snapshots/get": get(`snapshots/${ID.snapshot}/`),
  "snapshots/list-for-drive": get(`snapshots/detail/?limit=0&drive=${ID.data}`),
  "snapshots/update": put(`snapshots/${ID.snapshot}/`, "snapshots/update.request.json"),
  "snapshots/clone": act("snapshots", ID.snapshot, "clone"),
  "networking/vlan-list": get("vlans/?limit=0"),
  "networking/vlan-list-detail": get("vlans/detail/?limit=0"),
  "networking/vlan-get": get(`vlans/${ID.vlan}/`),
  "networking/vlan-update": put(`vlans/${ID.vlan}/`, "networking/vlan-update.request.json"),
  "networking/ip-list": get("ips/?limit=0"),
  "networking/ip-list-detail": get("ips/detail/?limit=0"),
  "networking/ip-get": get(`ips/${ID.ip}/`),
  "fwpolicies/create-minimal": post("fwpolicies/", "fwpolicies/create-minimal.request.json"),
  "fwpolicies/create-full": post("fwpolicies/", "fwpolicies/create-full.request.json"),
  "fwpolicies/list": after(post("fwpolicies/", "fwpolicies/create-full.request.json"), get("fwpolicies/?limit=0")),
  "fwpolicies/server-attach": async (lab) => {
    const made = await lab.create("fwpolicies", {});
    return lab.call("POST", "servers/", { name: "web-fw", cpu: 2000, mem: 2 ** 30, vnc_password: "Inv3nted!pw", nics: [{ ip_v4_conf: { conf: "dhcp" }, firewall_policy: made.uuid }] });
  },
  "tags/create": post("tags/", "tags/create.request.json"),
  "tags/create-with-resources": post("tags/", "tags/create-with-resources.request.json"),
  "tags/list": after(put(`tags/${ID.green}/`, "tags/update-strings.request.json"), get("tags/?limit=0")),
  "tags/update-strings": put(`tags/${ID.green}/`, "tags/update-strings.request.json"),
  "tags/update-objects": put(`tags/${ID.green}/`, "tags/update-objects.request.json"),
  "tags/update": put(`tags/${ID.green}/`, "tags/update-objects.request.json"),
  "tags/list-servers": after(post("servers/", "servers/create-tagged.request.json"), get(`tags/${ID.tag}/servers/`)),
  "acls/create": post("acls/", "acls/create.request.json"),
  "acls/create-granted": post("acls/", "acls/create-granted.request.json"),
  "keypairs/create-public": post("keypairs/", "keypairs/create-public.request.json"),
  "keypairs/create-generated": post("keypairs/", "keypairs/create-generated.request.json"),
  "keypairs/list": after(post("keypairs/", "keypairs/create-generated.request.json"), get("keypairs/?limit=0")),
  "keypairs/pubkey-get": get(`pubkeys/${ID.key}/`),
  "jobs/drive-clone": settled(CLONE_DRIVE, firstJob),
  "jobs/drive-clone-running": after(CLONE_DRIVE, firstJob),
  "jobs/server-clone": settled(cloneWithDisk, async (lab) => lab.call("GET", `jobs/${String((await lab.objects("jobs/")).find((j) => j.operation === "server_clone")?.uuid)}/`)),
  "jobs/list": settled(CLONE_DRIVE, get("jobs/")),
  "subscriptions/create": post("subscriptions/", "subscriptions/create.request.json"),
  "subscriptions/create-vlan": buyVlan,
  "subscriptions/list": after(buyVlan, get("subscriptions/")),
  "subscriptions/calculator": post("subscriptioncalculator/", "subscriptions/create.request.json"),
  "subscriptions/calculator-extend": after(buyVlan, async (lab) => lab.call("POST", `subscriptioncalculator/${String((await lab.objects("subscriptions/"))[0]?.id)}/action/?do=extend`, {})),
  "billing/balance": get("balance/"),
  "billing/currentusage": get("currentusage/"),
  "billing/pricing": get("pricing/?limit=1"),
  "billing/ledger": after(buyVlan, get("ledger/")),
  "billing/licenses": get("licenses/"),
  "billing/discount": get("discount/"),
  "billing/usage": get("usage/?limit=1500"),
  "billing/burstusage": get("burstusage/"),
  "billing/dailyburstusage": get("dailyburstusage/"),
  "misc/capabilities": get("capabilities/"),
  "misc/locations": get("locations/?limit=0"),
  "misc/profile": get("profile/"),
  "misc/notification-contacts": get("notification_contacts/?limit=0"),
  "misc/notification-preferences": get("notification_preferences/?limit=0"),
  "misc/logs": settled(act("servers", ID.stopped, "start"), get("logs/?limit=5")),
  "misc/global-context": post("global_context/", "misc/global-context.response.json"),
  "misc/authenticate-asynchronous": post("accounts/action/?do=authenticate_asynchronous"),
  "misc/cloud-status": get("cloud_status/"),
  "misc/schema-excerpt": get("servers/schema/"),
  "errors/validation": (lab) => lab.call("POST", "subscriptions/", { period: "1 month" }),
  "errors/validation-nested": (lab) => lab.call("POST", "servers/", { name: "x", cpu: 2000, mem: 2 ** 30, vnc_password: "x", nics: [{ ip_v4_conf: 4 }] }),
  "errors/notexist": get("drives/00000000-0000-4000-8000-000000000000/"),
  "errors/permission-state-start": act("servers", ID.running, "start"),
  "errors/permission-state-stop": act("servers", ID.stopped, "stop"),
  "errors/permission-acl": async (lab) => (hide(lab), get(S)(lab)),
  "errors/permission-acl-object": async (lab) => (lab.cloud.faults.add({ do: { status: 403, type: "permission", asObject: true } }), get(S)(lab)),
  "errors/permission-resize-mounted": act("drives", ID.boot, "resize", "drives/resize-action-minimal.request.json", mounted),
  "errors/concurrency": after(async (lab) => (fault({ status: 503, type: "concurrency" })(lab), get(S)(lab)), put(S, "servers/update.request.json")),
  "errors/payment-required": act("servers", ID.stopped, "start", "servers/action.request.json", (lab) => lab.cloud.setAccount({ refuseStarts: true })),
  "errors/backend": after(async (lab) => (fault({ status: 500, type: "backend" })(lab), get(S)(lab)), get(S)),
};

function hide(lab: Lab): void {
  const row = lab.cloud.store.servers.get(ID.stopped);
  if (row !== undefined) lab.cloud.store.servers.add({ ...row, owner: "00000000-0000-4000-8000-00000000000a" });
}

const nameOf = (file: string): string => file.replace(/\.json$/, "").replace(/\.(request|response)$/, "");

describe("local-cloud against the golden samples", () => {
  let lab: Lab;
  beforeEach(async () => {
    lab = await Lab.start({ habits: { fwpolicies: true } });
    seedSamples(lab.cloud.store, lab.clock.now());
  });
  afterEach(() => lab.stop());

  it("knows every sample: a live case, or a reason why not", () => {
    const open = index.map((e) => e.file).filter((f) => UNSUPPORTED[f] === undefined && CASES[nameOf(f)] === undefined);
    expect(open).to.deep.equal([]);
  });

  for (const entry of index) {
    const name = nameOf(entry.file);
    const does = CASES[name];
    if (UNSUPPORTED[entry.file] !== undefined || does === undefined) continue;
    if (entry.file.endsWith(".request.json") || entry.file.endsWith(".fragment.json"))
      it(`accepts ${entry.file}`, async () => {
        const answer = await does(lab);
        expect(answer.status, JSON.stringify(answer.body)).to.be.within(200, 204);
      });
    else
      it(`answers like ${entry.file}`, async () => {
        const answer = await does(lab);
        expect(answer.status, JSON.stringify(answer.body)).to.equal(entry.status ?? 200);
        expect(differences(sample(entry.file), answer.body)).to.deep.equal([]);
      });
  }
});

describe("the comparison with samples", () => {
  const table: readonly (readonly [string, unknown, unknown, number])[] = [
    ["passes equal shapes with other values", { a: 1, b: [{ c: "x" }] }, { a: 2, b: [{ c: "y" }, { c: "z" }] }, 0],
    ["finds a missing key", { a: 1, b: 2 }, { a: 1 }, 1],
    ["finds a key too many", { a: 1 }, { a: 1, b: 2 }, 1],
    ["finds another type, deep in a list", { a: [{ c: "x" }] }, { a: [{ c: 4 }] }, 1],
    ["refuses null where none is documented", { uuid: "x" }, { uuid: null }, 1],
    ["takes null where it is documented", { vlan: { uuid: "x" } }, { vlan: null }, 0],
    ["knows keys that came later", { uuid: "x" }, { uuid: "x", auto_start: true }, 0],
  ];
  for (const [says, a, b, count] of table) it(says, () => expect(differences(a, b)).to.have.length(count));
});
