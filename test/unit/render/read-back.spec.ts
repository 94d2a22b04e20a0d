import { expect } from "chai";
import fc from "fast-check";
import { formatAddress, formatCidr, parseCidr } from "../../../components/policy/addresses";
import { parseGridConfig } from "../../../components/config/schema";
import { masterUserData, workerUserData } from "../../../components/render/cloud-init";
import { readBack } from "../../../components/render/read-back";

describe("what a master's user data say of its grid", () => {
  it("are the range and the port that it was declared with, whatever they are", () =>
    fc.assert(
      fc.property(fc.integer({ min: 16, max: 28 }), fc.nat(0xffff), fc.integer({ min: 1, max: 65_535 }).filter((p) => p !== 9600 && p !== 9618), fc.constantFrom("appliance", "stock"), (prefix, low, port, kind) => {
        const cidr = formatCidr(parseCidr(`${formatAddress(0x0a000000 + low * 256)}/${prefix}`)!);
        const config = parseGridConfig({ network: { cidr }, workers: { max: 3 }, ssh: { port }, image: { name: "i", kind } });
        expect(readBack(masterUserData(config, { servesDhcp: false }))).to.deep.equal({ cidr, sshPort: port });
      }),
      { numRuns: 40 },
    ));
  for (const [title, text] of [["nothing in a worker's", workerUserData(parseGridConfig({}), { servesDhcp: false })], ["nothing in none", ""], ["nothing in what is no YAML", "a: [\n"], ["nothing in other YAML", "#cloud-config\nwrite_files: [null, {path: /etc/hosts}, 7]\n"]] as const)
    it(`are ${title}`, () => expect(readBack(text)).to.deep.equal({}));
});
