import { expect } from "chai";
import { explainFailure } from "../../../components/openstack/explain";

const meanings: ReadonlyArray<readonly [string, string, RegExp]> = [
  ["a spent quota of nova: which, used, limit", "Quota exceeded for instances: Requested 2, but already used 10 of 10 instances (HTTP 403) (Request-ID: req-1)", /quota of instances is spent: 10 of 10 used, 2 more wanted; .*administrator/],
  ["two quotas at once", "Quota exceeded for cores, ram: Requested 4, 8192, but already used 20, 40960 of 20, 51200 cores, ram", /quota of cores, ram is spent: 20, 40960 of 20, 51200/],
  ["a spent quota of neutron", "POST network /ports: HTTP 409: Quota exceeded for resources: ['floatingip'].", /quota of floatingip is spent/],
  ["no valid host, with nova's reason", 'Went to status ERROR due to "Message: No valid host was found. There are not enough hosts available., Code: 500"', /no host of the cloud has room .*not enough hosts.*smaller flavor/i],
  ["an image too large for the flavor", "Flavor's disk is too small for requested image. Flavor disk is 1 bytes, image is 2 bytes.", /image does not fit into the flavor/],
  ["a missing role for Heat", "You are not authorized to use stacks:create; role heat_stack_owner", /administrator for the role heat_stack_owner/],
  ["an external network without addresses", "No more IP addresses available on network 9a1b.", /external network has no free address/],
  ["a refused login", "POST identity /auth/tokens: HTTP 401: The request you have made requires authentication.", /login is refused: .*expired.*pulumi up/],
  ["a call that the credential's rules do not allow", "GET network /routers: HTTP 401", /access rules do not allow it/],
  ["a size above the maximum", "PATCH orchestration /stacks/a/b: HTTP 400: MinSize can not be greater than MaxSize", /raise grid\.workers\.max/],
];

describe("what an error of OpenStack means", () => {
  for (const [what, said, meaning] of meanings) it(`is said for ${what}`, () => expect(explainFailure(said)).to.match(meaning));
  it("is not invented for what speaks for itself", () => expect(explainFailure("GET image /images/x: HTTP 404: No image found with ID x")).to.equal(undefined));
});
