import { expect } from "chai";
import { createConnection } from "node:net";
import { request } from "node:http";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fresh } from "../../../local-cloud/consoles";
import { Lab, type Json } from "./lab";

/** Connects, sends the password when asked, and returns all text until `until` shows or the other side closes. */
function talk(url: string, password: string, until: RegExp): Promise<string> {
  const { hostname, port } = new URL(url.replace(/^csconsole|^vnc/, "http"));
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = createConnection({ host: hostname, port: Number(port) });
    const done = (): void => (socket.destroy(), resolve(text));
    socket.setTimeout(5_000, () => (socket.destroy(), reject(new Error(`nothing more came; so far: ${text}`))));
    socket.on("error", reject).on("close", () => resolve(text));
    socket.on("data", (d) => {
      const before = text;
      text += d.toString();
      if (!before.includes("Password: ") && text.includes("Password: ")) socket.write(`${password}\r\n`);
      if (until.test(text)) done();
    });
  });
}

describe("consoles of local-cloud", () => {
  let lab: Lab;
  beforeEach(async () => void (lab = await Lab.start()));
  afterEach(() => lab.stop());

  it("asks for the VNC password, then shows what the guest said; another opening has another port", async () => {
    const s = await lab.server({ name: "talker" });
    expect((await lab.action("servers", s.uuid, "open_console")).status).to.equal(403);
    await lab.run(s.uuid);
    const open = async (): Promise<string> => String(((await lab.action("servers", s.uuid, "open_console")).body as Json).console_url);
    const first = await open();
    expect(await talk(first, "Inv3nted!pw", /login:/)).to.include("talker login:");
    expect(await talk(first, "wrong", /wrong password/)).to.not.include("login:");
    const second = await open();
    expect(second).not.to.equal(first);
    expect((await lab.action("servers", s.uuid, "close_console")).status).to.equal(202);
    expect(await talk(second, "x", /x/).catch((e: NodeJS.ErrnoException) => e.code)).to.equal("ECONNREFUSED");
  });

  it("closes the console when the server stops", async () => {
    const s = await lab.server();
    await lab.run(s.uuid);
    const url = String(((await lab.action("servers", s.uuid, "open_vnc")).body as Json).vnc_url);
    expect(await talk(url, "", /RFB/)).to.include("RFB 003.008");
    await lab.action("servers", s.uuid, "stop");
    await lab.clock.advance(1_000);
    expect(await talk(url, "", /RFB/).catch((e: NodeJS.ErrnoException) => e.code)).to.equal("ECONNREFUSED");
  });

  it("shows only what is new of a window that moves on", () => {
    expect(fresh("", "abc")).to.equal("abc");
    expect(fresh("abc", "abcd")).to.equal("d");
    expect(fresh("abcd", "cdef")).to.equal("ef");
    expect(fresh("abcd", "xyz")).to.equal("xyz");
  });

  it("serves the same API on a unix socket", async () => {
    const dir = mkdtempSync(join(tmpdir(), "elastigrid-lc-"));
    try {
      const socketPath = join(dir, "api.sock");
      await lab.cloud.listenUnix(socketPath);
      const status = await new Promise((resolve, reject) =>
        request({ socketPath, path: "/api/2.0/balance/", headers: { authorization: lab.authorization } }, (r) => (r.resume(), resolve(r.statusCode))).on("error", reject).end());
      expect(status).to.equal(200);
    } finally {
      await lab.stop();
      rmSync(dir, { recursive: true, force: true });
    }
  });
});
