import { expect } from "chai";
import { createConnection } from "node:net";
import { request } from "node:http";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fresh } from "../../../local-cloud/consoles";
import { NoneBackend, realClock, startLocalCloud } from "../../../local-cloud";
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

  it("gives a guest an address that guests reach, and takes it back with the console", async () => {
    const openTo: number[] = [], closed: number[] = [];
    const backend = Object.assign(new NoneBackend(realClock), {
      guestEndpoint: (at: { port: number }) => `http://198.51.100.1:${at.port}/api/2.0/`,
      openToGuests: async (at: { port: number }) => (openTo.push(at.port), "198.51.100.1"),
      closeToGuests: async (port: number) => void closed.push(port),
    });
    const cloud = await startLocalCloud({ memory: true, backend });
    try {
      const call = (path: string, host: string, body?: object): Promise<Json> => new Promise((resolve, reject) => {
        const authorization = `Basic ${Buffer.from(`${cloud.username}:${cloud.password}`).toString("base64")}`;
        request({ port: cloud.port, method: "POST", path: `/api/2.0${path}`, headers: { host, authorization, "content-type": "application/json" } }, (r) => {
          let text = "";
          r.on("data", (d: Buffer) => (text += d.toString())).on("end", () => resolve(JSON.parse(text) as Json));
        }).on("error", reject).end(JSON.stringify(body ?? {}));
      });
      const guest = `198.51.100.1:${cloud.port}`;
      const made = await call("/servers/", guest, { name: "s", cpu: 1000, mem: 2 ** 29, vnc_password: "Inv3nted!pw" });
      const uuid = String((made.objects as Json[])[0]?.uuid);
      await call(`/servers/${uuid}/action/?do=start`, guest);
      expect((await call(`/servers/${uuid}/action/?do=open_console`, `127.0.0.1:${cloud.port}`)).console_url).to.match(/^csconsole:\/\/127\.0\.0\.1:\d+$/);
      expect(openTo).to.deep.equal([]);
      expect((await call(`/servers/${uuid}/action/?do=open_console`, guest)).console_url).to.equal(`csconsole://198.51.100.1:${openTo[0]}`);
      await call(`/servers/${uuid}/action/?do=close_console`, guest);
      expect(closed).to.deep.equal(openTo);
    } finally {
      await cloud.stop();
    }
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
