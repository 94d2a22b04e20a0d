import { expect } from "chai";
import { createServer, type AddressInfo } from "node:net";
import { parseAddress, probe, type Connect } from "../../../controller/adapters/tcp-probe";

const ADDRESS = "<10.77.0.5:9618?addrs=10.77.0.5-9618&alias=w-1.grid.internal&noUDP&sock=startd_1_2>";
const says = (...codes: (string | undefined)[]): { connect: Connect; asked: string[] } => {
  const asked: string[] = [];
  return { asked, connect: async (host, port) => { asked.push(`${host}:${port}`); return codes[asked.length - 1]; } };
};

describe("the address in a daemon's ad", () => {
  const table: Array<[string, object | undefined]> = [
    [ADDRESS, { host: "10.77.0.5", port: 9618 }],
    ["<10.77.0.5:9618>", { host: "10.77.0.5", port: 9618 }],
    ["10.77.0.5:9618", { host: "10.77.0.5", port: 9618 }],
    ["", undefined], ["<10.77.0.5>", undefined], ["<10.77.0.500:9618>", undefined], ["<10.77.0.5:0>", undefined], ["<10.77.0.5:99999>", undefined], ["<evil.example.org:9618>", undefined],
  ];
  for (const [text, wanted] of table) it(`${text || "nothing"} is ${wanted === undefined ? "refused" : "read"}`, () => expect(parseAddress(text)).to.deep.equal(wanted));
});

describe("a probe", () => {
  const table: Array<[string, (string | undefined)[], string, number]> = [
    ["answers when the connection is accepted", [undefined], "answers", 1],
    ["answers when it is refused: somebody sent that", ["ECONNREFUSED"], "answers", 1],
    ["answers also at the last try", ["TIMEOUT", "EHOSTUNREACH", undefined], "answers", 3],
    ["is silent after three tries without a word", ["TIMEOUT", "EHOSTUNREACH", "ETIMEDOUT"], "silent", 3],
    ["is unknown when we have no network ourselves", ["ENETUNREACH", "ENETUNREACH", "ENETUNREACH"], "unknown", 3],
    ["is unknown when one of the tries did not reach the network", ["TIMEOUT", "EMFILE", "TIMEOUT"], "unknown", 3],
  ];
  for (const [says_, codes, answer, tries] of table) it(says_, async () => {
    const { connect, asked } = says(...codes);
    expect(await probe(ADDRESS, connect)).to.have.property("answer", answer);
    expect(asked).to.deep.equal(Array.from({ length: tries }, () => "10.77.0.5:9618"));
  });
  it("is unknown, and asks nobody, without an address", async () => {
    const { connect, asked } = says(undefined);
    expect(await probe("", connect)).to.have.property("answer", "unknown");
    expect(asked).to.have.length(0);
  });
  it("tells a listening port from a closed one, and both from nothing, over real sockets", async () => {
    const server = createServer();
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    expect((await probe(address)).detail).to.match(/accepts/);
    await new Promise((done) => server.close(done));
    expect((await probe(address)).detail).to.match(/refuses/);
  });
});
