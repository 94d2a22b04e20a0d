import { expect } from "chai";
import { judge } from "../../../components/clouds/openstack-hooks";
import { explainFailure } from "../../../components/openstack/explain";
import { reasonBehind } from "../../../components/openstack/reasons";
import { abandonedVolume } from "../../../components/openstack/volumes";
import { fakeOpenstack, openstackWorld } from "../../support/fake-openstack";

/** [what happened, words of a real cloud or plugin, what is made of them] */
const table: Array<[string, string, RegExp]> = [
  ["nova's quota", "Quota exceeded for instances: Requested 1, but already used 1 of 1 instances", /quota of instances is spent: 1 of 1 used, 1 more wanted/],
  ["nova's quota, in Heat's words", "Resource CREATE failed: Forbidden: resources.group.resources.abc: Quota exceeded for cores, ram: Requested 4, 8192, but already used 18, 40960 of 20, 51200 cores, ram (HTTP 403) (Request-ID: req-5)", /quota of cores, ram is spent: 18, 40960 of 20, 51200 used/],
  ["neutron's quota", "Quota exceeded for resources: ['router'].", /quota of router is spent/],
  ["no valid host", "nova says: No valid host was found", /no host of the cloud has room.*choose a smaller flavor/],
  ["no valid host, in Heat's words", 'ResourceInError: resources.server: Went to status ERROR due to "Message: No valid host was found. , Code: 500"', /no host of the cloud has room/],
  ["an image too large for the flavor", "Flavor's disk is smaller than the minimum size specified in image metadata. Flavor disk is 5368709120 bytes, minimum size is 53687091200 bytes.", /does not fit into the flavor.*larger/],
  ["an image that wants more memory", "Flavor's memory is too small for requested image.", /does not fit into the flavor/],
  ["a boot volume that takes too long", "nova says: Build of instance 2a111221-c968-418a-92a4-58b316454be5 aborted: Volume 69a89c2b-a350-41e8-a27c-b02c0bbf7b58 did not finish being created even after we waited 194 seconds or 61 attempts. And its status is downloading", /gave up waiting for the master's boot volume \(Cinder: downloading\).*block_device_allocate_retries/],
  ["a boot volume that Cinder cannot make", "nova says: Build of instance x aborted: Volume 69a89c2b-a350-41e8-a27c-b02c0bbf7b58 did not finish being created even after we waited 0 seconds or 1 attempts. And its status is error", /Cinder could not make the master's boot volume/],
  ["a missing role", "Missing required credential: roles ['heat_stack_owner']", /ask the cloud's administrator for the role heat_stack_owner/],
  ["a Heat that lets nobody in", "You are not authorized to use stacks:create.", /role heat_stack_owner/],
  ["a restricted application credential", "You are not authorized to perform the requested action: identity:create_application_credential.", /--unrestricted/],
];

describe("what a failed create on OpenStack means", () => {
  for (const [says, words, wanted] of table)
    it(`says what to do about ${says}, and does not repeat it`, () => {
      expect(explainFailure(words)).to.match(wanted);
      expect(judge(words, 0, true)).to.equal("give up");
    });
  it("knows the volume that nova could not delete by its last words", () => {
    expect(abandonedVolume("aborted: Volume 69a89c2b-a350-41e8-a27c-b02c0bbf7b58 did not finish being created even after we waited")).to.equal("69a89c2b-a350-41e8-a27c-b02c0bbf7b58");
    expect(abandonedVolume("No valid host was found.")).to.equal(undefined);
  });
  it("repeats what passes", () => {
    for (const text of ["Internal Server Error", "Expected HTTP response code [201], but got 503 instead", "connection reset by peer", "EOF"]) expect(judge(text, 0, false), text).to.equal("repeat");
  });

  const id = "1680ba45-68a1-45b5-b6a9-682a7332b338";
  const plugin = `Error waiting for instance (${id}) to become ready: unexpected state 'ERROR', wanted target 'ACTIVE'. last error: %!s(<nil>)`;
  it("asks nova for the fault that the plugin leaves out", async () => {
    const w = openstackWorld();
    w.answers[`compute /servers/${id}`] = { server: { fault: { code: 500, message: "No valid host was found. " } } };
    expect(await reasonBehind(fakeOpenstack(w), "server", {}, plugin)).to.equal("nova says: No valid host was found");
  });
  it("asks Heat for the reason of a stack that failed", async () => {
    const w = openstackWorld();
    w.answers["orchestration /stacks"] = [{ id: "s", stack_name: "grid-workers", stack_status: "CREATE_FAILED", stack_status_reason: "Resource CREATE failed: x" }];
    expect(await reasonBehind(fakeOpenstack(w), "stack", { name: "grid-workers" }, "")).to.equal("Heat says: Resource CREATE failed: x");
    expect(await reasonBehind(fakeOpenstack(w), "stack", { name: "another" }, "")).to.equal(undefined);
  });
  it("finds nothing where nothing is said", async () => {
    expect(await reasonBehind(fakeOpenstack(openstackWorld()), "server", {}, plugin)).to.equal(undefined);
    expect(await reasonBehind(fakeOpenstack(openstackWorld()), "networks", {}, plugin)).to.equal(undefined);
  });
});
