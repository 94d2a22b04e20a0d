import { expect } from "chai";
import { causeOf } from "../../../controller/same-cause";

describe("causes in the journal", () => {
  const same: Array<[string, string]> = [
    ["503 (request req-1a2b3c4d-0000-4000-8000-00000000000a)", "503 (request req-ffff0000-1111-4000-8000-00000000000b)"],
    ["server a5000000-0000-4000-8000-000000000001 is busy", "server b6000000-0000-4000-8000-000000000002 is busy"],
    ["w-1a2b3c4d did not join after 600 s", "w-99999999 did not join after 1200.5 s"],
    ["connect ECONNREFUSED 10.77.0.1:9618", "connect ECONNREFUSED 10.77.0.2:9619"],
    ["trace 0x7fa3c0ffee12", "trace 0x7fa3deadbe34"],
  ];
  for (const [a, b] of same) it(`takes "${a}" for the same again`, () => expect(causeOf(a)).to.equal(causeOf(b)));
  it("keeps words apart", () => expect(causeOf("the cloud is out of capacity")).to.not.equal(causeOf("the cloud is out of money")));
  it("takes a word of hexadecimal letters for a word", () => expect(causeOf("decade facade")).to.equal("decade facade"));
});
