import { expect } from "chai";
import fc from "fast-check";
import { match, prepareOffers, type MatchAnswer } from "../../../../components/policy/classad/match";
import { Remembered } from "../../../../components/policy/classad/remembered";
import type { Offer, Room } from "../../../../components/policy/demand";

const NOW = 1_800_000_000;

describe("remembered answers", () => {
  /** Counts how often an answer is made. */
  const counting = (timed = false) => {
    const of = new Remembered<number>();
    let made = 0;
    const ask = (key: string, nowSeconds = NOW, length = 0): number => of.get(key.padEnd(length), nowSeconds, (clock) => (made += timed ? Math.sign(clock.nowSeconds) : 1));
    return { of, ask, made: () => made };
  };

  it("makes each answer once, also for the next look", () => {
    const { of, ask, made } = counting();
    for (let look = 0; look < 5; look += 1) {
      of.nextLook();
      expect([ask("a", NOW + look), ask("b", NOW + look), ask("a", NOW + look)]).to.deep.equal([1, 2, 1]);
    }
    expect(made()).to.equal(2);
  });

  it("forgets what a whole look did not ask for", () => {
    const { of, ask, made } = counting();
    ask("a");
    of.nextLook();
    of.nextLook();
    ask("a");
    expect(made()).to.equal(2);
  });

  it("asks anew in another second where the answer asked for the time", () => {
    const { of, ask, made } = counting(true);
    ask("a");
    ask("a");
    expect(made()).to.equal(1);
    of.nextLook();
    ask("a", NOW + 1);
    ask("a", NOW + 1);
    expect(made()).to.equal(2);
    ask("a", NOW);
    expect(made()).to.equal(3);
  });

  it("keeps no more than some megabytes of texts, and answers the others all the same", () => {
    const { ask, made } = counting();
    for (let again = 0; again < 2; again += 1) for (const key of ["a", "b", "c"]) ask(key, NOW, 1_900_000);
    expect(made()).to.equal(4);
  });
});

describe("match, with what it remembers", () => {
  const rooms: readonly Room[] = [{ cpus: 1, memoryMiB: 1_000, diskMiB: 1_000 }, { cpus: 4, memoryMiB: 4_000, diskMiB: 9_000 }, { cpus: 4, memoryMiB: 4_000, diskMiB: 9_000, resources: { gpus: 1 } }];
  const ads: readonly Readonly<Record<string, string>>[] = [{}, { Arch: '"X86_64"', Site: '"Zurich"', Machine: '"w-1.grid.internal"' }, { Arch: '"aarch64"', Start: "TARGET.Owner =!= undefined" }, { Requirements: "CurrentTime % 2 == 0" }];
  const offer = fc.record({ room: fc.constantFrom(...rooms), ad: fc.constantFrom(...ads), learned: fc.boolean() }).map((o): Offer => ({ type: "worker", ...o }));
  const requirements = ["true", "TARGET.Cpus >= RequestCpus", 'TARGET.Site == "Zurich"', "time() % 3 == 0", 'TARGET.Arch == "X86_64" && CurrentTime % 2 == 1', "TARGET.GPUs >= 1"];
  const job = fc.record({
    request: fc.record({ cpus: fc.integer({ min: 1, max: 5 }), memoryMiB: fc.constant(100), diskMiB: fc.constant(1) }),
    ad: fc.record({ Requirements: fc.constantFrom(...requirements), RequestCpus: fc.constantFrom("1", "2", "time() % 5") }, { requiredKeys: [] }).map((ad) => JSON.parse(JSON.stringify(ad)) as Record<string, string>),
  });

  it("answers as if nobody had asked before", () => {
    let nobodyHasIt = 0;
    /** The same offer with an attribute that nothing reads and that no other one has. */
    const anew = (o: Offer): Offer => ({ ...o, ad: { ...o.ad, Nonce: `${(nobodyHasIt += 1)}` } });
    const ask = (o: Offer, j: Parameters<typeof match>[0], at: number): MatchAnswer => match(j, prepareOffers([o])[0]!, at);
    // An offer without any attribute is another one than one that has a single one.
    const looks = fc.array(fc.tuple(offer.filter((o) => Object.keys(o.ad).length > 0), fc.array(job, { maxLength: 6 }), fc.nat(6)), { minLength: 1, maxLength: 12 });
    fc.assert(fc.property(looks, (all) => {
      const asked = all.flatMap(([o, jobs, second]) => {
        const [prepared] = prepareOffers([o]);
        return jobs.map((j) => ({ o, j, at: NOW + second, answer: match(j, prepared!, NOW + second) }));
      });
      for (const { o, j, at, answer } of asked) expect(answer).to.deep.equal(ask(anew(o), j, at));
    }));
  });

  it("keeps answers over a new sample of the ad that differs in what is a machine's own", () => {
    const sample = (load: string, site: string): Offer => ({ type: "worker", room: rooms[1]!, learned: true, ad: { LoadAvg: load, Site: site } });
    const answersOf = (o: Offer) => prepareOffers([o])[0]!.answers;
    const first = answersOf(sample("0.5", '"Zurich"'));
    expect(answersOf(sample("0.7", '"Zurich"'))).to.equal(first);
    expect(answersOf(sample("0.7", '"Geneva"'))).not.to.equal(first);
  });
});
