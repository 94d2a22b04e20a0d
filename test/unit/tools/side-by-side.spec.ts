import { expect } from "chai";
import { sideBySide, slotsHere, type Item } from "../../../tools/side-by-side";

interface Result {
  readonly title: string;
  readonly interrupted?: boolean;
}

/** Items that end when the test says so. */
function world() {
  const written: string[] = [], begun: string[] = [], open = new Map<string, (r: Result | Error) => void>();
  let most = 0;
  const item = (title: string, load: "busy" | "waiting"): Item<Result> => ({
    title, load, heading: `== ${title}`,
    run: (print) => new Promise((resolve, reject) => {
      begun.push(title);
      print?.(`${title} says\n`);
      open.set(title, (r) => (open.delete(title), r instanceof Error ? reject(r) : resolve(r)));
      most = Math.max(most, open.size);
    }),
  });
  const tick = (): Promise<void> => new Promise((r) => setImmediate(r));
  const end = async (title: string, r: Partial<Result> | Error = {}): Promise<void> => {
    open.get(title)?.(r instanceof Error ? r : { title, ...r });
    await tick();
  };
  return { written, begun, item, end, tick, most: () => most, write: (t: string) => void written.push(t) };
}

describe("items side by side", () => {
  it("runs one that waits beside one that computes, and a free slot helps the other", async () => {
    const w = world();
    const all = sideBySide([w.item("u", "busy"), w.item("s", "busy"), w.item("g1", "waiting"), w.item("g2", "waiting"), w.item("g3", "waiting")], 2, w.write);
    await w.tick();
    expect(w.begun).to.deep.equal(["g1", "u"]);
    await w.end("u");
    expect(w.begun).to.deep.equal(["g1", "u", "s"]);
    await w.end("s");
    expect(w.begun.slice(3), "nothing computes any more").to.deep.equal(["g2"]);
    await w.end("g1");
    await w.end("g2");
    await w.end("g3");
    expect((await all).map((r) => r.result.title).sort()).to.deep.equal(["g1", "g2", "g3", "s", "u"]);
    expect(w.most()).to.equal(2);
  });

  it("keeps what each says in one piece, under its heading", async () => {
    const w = world();
    const all = sideBySide([w.item("u", "busy"), w.item("g", "waiting")], 2, w.write);
    await w.tick();
    expect(w.written.join("")).to.not.contain("says");
    await w.end("g");
    await w.end("u");
    await all;
    expect(w.written.join("")).to.match(/== g \(0:00\)\ng says\n\n== u \(0:00\)\nu says\n$/);
  });

  it("lets one alone talk as it goes", async () => {
    const w = world();
    const all = sideBySide([w.item("u", "busy")], 2, w.write);
    await w.tick();
    expect(w.written).to.deep.equal(["\n== u\n"]);
    await w.end("u");
    expect(await all).to.deep.equal([{ title: "u", seconds: 0, result: { title: "u" } }]);
  });

  it("begins nothing after one that was interrupted, and waits for those at work", async () => {
    const w = world();
    const all = sideBySide([w.item("a", "waiting"), w.item("b", "busy"), w.item("c", "busy"), w.item("d", "waiting")], 2, w.write);
    await w.tick();
    await w.end("a", { interrupted: true });
    await w.end("b", { interrupted: true });
    expect((await all).length).to.equal(2);
    expect(w.begun).to.deep.equal(["a", "b"]);
  });

  it("says now and then what is at work", async () => {
    const w = world();
    const all = sideBySide([w.item("a", "waiting"), w.item("b", "busy"), w.item("c", "busy")], 2, w.write, 5);
    await new Promise((r) => setTimeout(r, 60));
    expect(w.written.join("")).to.match(/at work: a \(0:00\), b \(0:00\); 1 to begin/);
    for (const t of ["a", "b", "c"]) await w.end(t);
    await all;
  });

  it("takes the number of slots from the environment, or none at all that is no number", () => {
    expect(slotsHere({ ELASTIGRID_TEST_SLOTS: "1" })).to.equal(1);
    expect(() => slotsHere({ ELASTIGRID_TEST_SLOTS: "many" })).to.throw("ELASTIGRID_TEST_SLOTS is many");
    expect(slotsHere({})).to.be.within(1, 2);
  });
});
