import { expect } from "chai";
import { boot, Lab, type Json } from "./lab";

const SERVERS = 5_000;

describe("local-cloud with thousands of servers", function () {
  this.timeout(120_000);

  it(`makes, clones, starts, lists and stops ${SERVERS} in a few seconds`, async () => {
    const lab = await Lab.start({ delays: { driveCloneMs: 600_000, startMs: 60_000 } });
    const took: Record<string, number> = {};
    const timed = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
      const from = performance.now();
      const result = await work();
      took[what] = Math.round(performance.now() - from);
      return result;
    };
    try {
      const disk = await lab.drive({ size: 2 ** 30 });
      const template = await lab.server({ name: "t", auto_start: true, meta: { a: "1" }, drives: [boot(disk.uuid)], nics: [{ ip_v4_conf: { conf: "dhcp" } }] });
      await timed("clone", async () => {
        for (let i = 0; i < SERVERS / 500; i++) await lab.want(202, "POST", `servers/${String(template.uuid)}/action/?do=bulk_clone_start`, { count: 500 });
      });
      await timed("boot", () => lab.clock.advance(3_600_000));
      const rows = await timed("list", () => lab.objects("servers/detail/?limit=0"));
      expect(rows.filter((s) => s.status === "running")).to.have.length(SERVERS);
      expect(await lab.objects("ips/?limit=0")).to.have.length(SERVERS);
      await timed("page", () => lab.objects("servers/?limit=50&offset=4000"));
      await timed("stop 200", async () => {
        for (const s of rows.slice(1, 201)) await lab.want(202, "POST", `servers/${String(s.uuid)}/action/?do=stop`, {});
      });
      await timed("settle", () => lab.clock.advance(60_000));
      await timed("delete 200", async () => {
        for (const s of rows.slice(1, 201)) await lab.want(204, "DELETE", `servers/${String(s.uuid)}/?recurse=all_drives`);
      });
      await lab.clock.advance(60_000);
      expect(((await lab.get("servers/")).meta as Json).total_count).to.equal(SERVERS + 1 - 200);
      console.log(`      milliseconds: ${Object.entries(took).map(([k, v]) => `${k} ${v}`).join(", ")}`);
      expect(Object.values(took).reduce((a, b) => a + b, 0)).to.be.lessThan(60_000);
    } finally {
      await lab.stop();
    }
  });
});
