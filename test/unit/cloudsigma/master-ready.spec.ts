import { expect } from "chai";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { lastLines, listenTo, parseConsoleUrl } from "../../../components/cloudsigma/provider/console";
import { PASSWORD, provider } from "./support/inputs";
import { make, startWorld, type Made, type World } from "./support/world";

async function listen(onConnection: (s: Socket) => void): Promise<{ port: number; close(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((s) => {
    sockets.add(s);
    s.on("error", () => undefined);
    onConnection(s);
  });
  await new Promise<void>((r) => server.listen(0, "127.0.0.1", r));
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      for (const s of sockets) s.destroy();
      return new Promise((r) => server.close(() => r()));
    },
  };
}

describe("console", () => {
  it("reads an address", () => {
    expect(parseConsoleUrl("csconsole://direct.zrh.cloudsigma.com:41111")).to.deep.equal({ host: "direct.zrh.cloudsigma.com", port: 41_111 });
    expect(parseConsoleUrl("csconsole://[::1]:5")).to.deep.equal({ host: "::1", port: 5 });
    for (const bad of ["", "vnc://a:5", "csconsole://a", "csconsole://a:b"]) expect(parseConsoleUrl(bad)).to.equal(undefined);
  });
  it("keeps the last lines as plain text, without secrets", () => {
    const text = `\u001b[0;32m[  OK  ]\u001b[0m Started x\r\npassword: ${PASSWORD}\r\n\u0007\r\n${Array.from({ length: 30 }, (_, i) => `line ${i}`).join("\n")}`;
    expect(lastLines(text, 3, [PASSWORD])).to.deep.equal(["line 27", "line 28", "line 29"]);
    const all = lastLines(text, 99, [PASSWORD]);
    expect(all[0]).to.equal("[  OK  ] Started x");
    expect(all[1]).to.equal("password: [secret]");
  });
  it("says what it must and hears until time is up", async () => {
    const there = await listen((s) => s.on("data", (d) => s.write(`heard ${String(d)}`)));
    try {
      expect(await listenTo({ host: "127.0.0.1", port: there.port, say: "pw\n", limitMs: 200 })).to.equal("heard pw\n");
    } finally {
      await there.close();
    }
  });
});

describe("MasterReady on local-cloud", function () {
  this.timeout(30_000);
  let w: World;
  let server: Made;
  before(async () => {
    w = await startWorld();
    server = await make("server", { nics: [{ address: "dhcp" }] });
  });
  after(() => w.stop());
  const p = provider("master-ready");
  const inputs = async (port: number, timeoutSeconds: number) => (await p.check({}, { address: "127.0.0.1", port, timeoutSeconds, serverUuid: server.id })).inputs;

  it("ends as soon as ssh greets", async () => {
    let tries = 0;
    const ssh = await listen((s) => (++tries === 1 ? s.destroy() : s.end("SSH-2.0-OpenSSH_10.0\r\n")));
    try {
      const made = await p.create(await inputs(ssh.port, 20));
      expect(made.outs["banner"]).to.equal("SSH-2.0-OpenSSH_10.0");
      expect((await p.diff(made.id, made.outs, await inputs(ssh.port, 20))).changes).to.equal(false);
      expect(await p.diff(made.id, made.outs, await inputs(ssh.port + 1, 20))).to.deep.include({ changes: true, replaces: [] });
      expect((await p.read(made.id, made.outs)).id).to.equal(made.id);
      await p.delete(made.id, made.outs);
    } finally {
      await ssh.close();
    }
  });
  it("puts the console into the error of a timeout, and no password", async () => {
    const mute = await listen(() => undefined);
    try {
      const e = await p.create(await inputs(mute.port, 1)).then(() => undefined, (x: Error) => x);
      expect(e?.message).to.contain("did not answer within 1 s").and.to.contain("console").and.to.not.contain(PASSWORD);
    } finally {
      await mute.close();
    }
  });
  it("does not wait for a server that is off", async () => {
    await w.client.action("servers", server.id, "stop");
    await new Promise((r) => setTimeout(r, 400));
    const start = Date.now();
    const e = await p.create(await inputs(9, 60)).then(() => undefined, (x: Error) => x);
    expect(e?.message).to.contain("is stopped while its ssh was awaited");
    expect(Date.now() - start).to.be.below(5_000);
  });
});
