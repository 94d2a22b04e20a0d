import { expect } from "chai";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isEmptyChange } from "../../demo/pulumi";
import { needLab, noGuests, openLabProject, type LabProject } from "../support/openstack-lab";
import { failedUp, trialGrid } from "../support/openstack-trial";
import { openTestStack, type TestStack } from "../support/stack";

const IMAGE_NAME = "boot-volume-image";

interface Volume {
  readonly id: string;
  readonly size: number;
  readonly status: string;
  readonly bootable: string;
  readonly attachments: ReadonlyArray<{ readonly server_id: string }>;
  readonly volume_image_metadata?: { readonly image_id: string };
}
interface Server {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly "os-extended-volumes:volumes_attached": ReadonlyArray<{ readonly id: string; readonly delete_on_termination: boolean }>;
}

/** The master's disk as a volume of Cinder's, from an image that the program uploads. */
describe("a master that boots from a volume", function () {
  this.timeout(560_000);
  let project: LabProject, test: TestStack, folder: string;
  const undo: Array<() => Promise<unknown>> = [];

  const imageFile = (name: string): string => {
    const file = join(folder, name);
    writeFileSync(file, Buffer.alloc(2 ** 20, name));
    return file;
  };
  const grid = (file: string, disk = "5 GiB", more: object = {}): Readonly<Record<string, unknown>> => ({
    ...trialGrid, master: { ...trialGrid.master, disk, ...more }, image: { name: IMAGE_NAME }, openstack: { bootVolume: true, imageFile: imageFile(file) },
  });
  const volumes = async (): Promise<Volume[]> => (await project.api.get<{ volumes: Volume[] }>("volumev3", `/v3/${project.api.projectId}/volumes/detail`)).volumes;
  const master = async (): Promise<Server> => {
    const { servers } = await project.api.get<{ servers: Server[] }>("compute", "/v2.1/servers/detail");
    const found = servers.filter((s) => s.name === "trial-master");
    expect(found.length).to.equal(1);
    return found[0] as Server;
  };
  const imageIds = async (): Promise<string[]> => (await project.api.get<{ images: { id: string }[] }>("image", `/v2/images?name=${IMAGE_NAME}`)).images.map((i) => i.id);
  /** The one volume there is: the master's, made from `image`, and gone with it. */
  async function theVolume(sizeGiB: number, image: string | undefined): Promise<Volume> {
    const [all, server] = [await volumes(), await master()];
    expect(all.length).to.equal(1);
    const [volume] = all as [Volume];
    expect(server.status).to.equal("ACTIVE");
    expect(server["os-extended-volumes:volumes_attached"]).to.deep.equal([{ id: volume.id, delete_on_termination: true }]);
    expect([volume.size, volume.status, volume.bootable, volume.attachments.map((a) => a.server_id)]).to.deep.equal([sizeGiB, "in-use", "true", [server.id]]);
    expect(volume.volume_image_metadata?.image_id).to.equal(image);
    return volume;
  }
  const volumeQuota = async (set: object): Promise<void> => {
    const path = `/v3/${project.admin.projectId}/os-quota-sets/${project.api.projectId}`;
    await project.admin.call("volumev3", "PUT", path, { quota_set: set });
    undo.push(() => project.admin.delete("volumev3", path));
  };
  const left = async (): Promise<string[]> => (await project.owned()).map((o) => `${o.kind} ${o.name} ${o.id}`);

  before(async function () {
    await needLab(this, async () => ((await noGuests()) === undefined ? "the guests of this lab boot from no volume: bring it up with --driver fake" : undefined));
    folder = mkdtempSync(join(tmpdir(), "elastigrid-volume-"));
    project = await openLabProject("volume");
    test = await openTestStack(project.target(), grid("first.img"), "volume");
  });
  afterEach(async () => {
    for (const step of undo.splice(0).reverse()) await step();
  });
  after(async () => {
    await test?.stack.interrupt();
    test?.close();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
    if (project !== undefined) expect(await project.close()).to.deep.equal([]);
  });

  it("is refused where the project may not have the volume, or not so much of it", async () => {
    await volumeQuota({ volumes: 0, gigabytes: 4 });
    const text = await failedUp(test);
    expect(text).to.match(/nothing was created/);
    expect(text).to.match(/grid\.openstack\.bootVolume = true: quota of volumes exceeded: the grid needs 1, project \S+ may have 0 and uses 0/);
    expect(text).to.match(/grid\.master\.disk = 5 GiB: quota of GiB of volumes exceeded: the grid needs 5, project \S+ may have 4 and uses 0/);
    expect(await left()).to.deep.equal([]);
  });

  it("says so where Cinder cannot make the volume, and leaves nothing", async () => {
    const service = { binary: "cinder-volume", host: "oslab@files" };
    await project.admin.call("volumev3", "PUT", `/v3/${project.admin.projectId}/os-services/disable`, service);
    undo.push(() => project.admin.call("volumev3", "PUT", `/v3/${project.admin.projectId}/os-services/enable`, service));
    expect(await failedUp(test)).to.match(/Volume \S+ did not finish being created[^]*Cinder could not make the master's boot volume/);
    await test.stack.destroy();
    expect(await left()).to.deep.equal([]);
  });

  it("has a volume of its disk's size, from the image just uploaded", async () => {
    await test.stack.up();
    await theVolume(5, (await imageIds())[0]);
  });

  it("stays as it is: the second up and a refresh change nothing, even where the quota has no room for another", async () => {
    await volumeQuota({ volumes: 1, gigabytes: 5 });
    expect(isEmptyChange((await test.stack.up()).changes)).to.equal(true);
    await test.stack.run(["refresh", "--yes", "--skip-preview", "--non-interactive", "--stack", "volume", "--config-file", test.stack.workingConfig]);
    expect(isEmptyChange((await test.stack.preview()).changes)).to.equal(true);
  });

  it("stays when a new image comes under the old name", async () => {
    const [image] = await imageIds(), server = await master();
    await test.configure(grid("second.img"));
    await test.stack.up();
    expect(await imageIds()).to.have.length(1).and.not.include(image);
    expect((await master()).id).to.equal(server.id);
    await theVolume(5, image);
    expect(isEmptyChange((await test.stack.preview()).changes)).to.equal(true);
  });

  it("is not made again for a disk of another size, another kind of disk or another range: all refused, nothing touched", async () => {
    const server = await master(), image = (await volumes())[0]?.volume_image_metadata?.image_id;
    await test.configure({ ...grid("second.img", "6 GiB"), network: { cidr: "10.78.0.0/24" } });
    const text = await failedUp(test);
    expect(text).to.match(/grid\.network\.cidr = 10\.78\.0\.0\/24: is not the range of the deployed grid/);
    expect(text).to.include(`trial-master (${server.id}) has (5 GiB)`).and.to.include(`set grid.master.replace to ${server.id}`);
    await test.configure({ ...grid("second.img"), openstack: { imageFile: imageFile("second.img") } });
    expect(await failedUp(test)).to.match(/grid\.openstack\.bootVolume = false/);
    expect((await master()).id).to.equal(server.id);
    await theVolume(5, image);
  });

  it("is made again with a disk of another size where its server is named, from the image of now, and its old volume is gone", async () => {
    const server = await master();
    await test.configure(grid("second.img", "6 GiB", { replace: server.id }));
    await test.stack.up();
    expect((await master()).id).to.not.equal(server.id);
    await theVolume(6, (await imageIds())[0]);
  });

  it("is destroyed with its volume, and no attachment stays", async () => {
    await test.stack.destroy();
    expect(await left()).to.deep.equal([]);
const path = `/v3/${project.admin.projectId}/attachments?all_tenants=1&project_id=${project.api.projectId}`;
    expect((await project.admin.call<{ attachments: unknown[] }>("volumev3", "GET", path, undefined, { "openstack-api-version": "volume 3.27" })).attachments).to.deep.equal([]);
  });
});
