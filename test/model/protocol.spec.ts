import { expect } from "chai";
import { explore } from "./explorer";
import type { Guard } from "./rules";
import { modelOf, scenarios, type ScenarioName } from "./scenarios";
import { tell } from "./tell";

describe("the protocol, explored exhaustively", () => {
  let states = 0;
  for (const [name, scenario] of Object.entries(scenarios)) {
    it(`keeps its promises and comes to rest: ${scenario.about}`, async function () {
      const v = await explore(modelOf(scenario));
      states += v.states;
      expect(v.complete && v.stuck === undefined, `${name}: ${tell(v)}`).to.equal(true);
      this.test!.title += ` (${v.states} states)`;
    });
  }
  after(() => void process.stdout.write(`      ${states} states of ${Object.keys(scenarios).length} worlds explored\n`));
});

const KILLED = /a running job was ended by us|removed with a job just matched/;
const TOO_MANY = /more servers than the maximum|made twice/;
/** Nothing is broken, but from some state the world never comes to rest any more. */
const STUCK = "stuck";

/** Every rule, where it is missed: with it the same world keeps its promises (above), without it the exploration finds the way to a broken one. */
const missed: readonly (readonly [Guard, ScenarioName, RegExp | typeof STUCK])[] = [
  ["fenceFirst", "orders", KILLED],
  ["askStartdAgain", "orders", KILLED],
  ["askAfterFailure", "orders", KILLED],
  ["retirement", "orders", KILLED],
  ["finishDrained", "orders", STUCK],
  ["closeGate", "joining", KILLED],
  ["mayHaveToken", "joining", KILLED],
  ["startStopped", "joining", STUCK],
  ["confirmStopped", "lyingOpenstack", KILLED],
  ["askCloudAgain", "lyingOpenstack", KILLED],
  ["deleteOnly", "lyingCloudsigma", KILLED],
  ["liveAdBeatsCloud", "tirelessLiar", KILLED],
  ["askHost", "hangingStartd", KILLED],
  ["confirmSilent", "silence", KILLED],
  ["heedRecords", "silence", KILLED],
  ["unknownIsUnknown", "noAnswers", KILLED],
  ["countAbsent", "shrunkenLists", TOO_MANY],
  ["confirmGone", "shrunkenLists", TOO_MANY],
  ["watchAfterLostCreate", "growing", TOO_MANY],
  ["watchAfterStart", "growing", TOO_MANY],
  ["lock", "twoGrow", TOO_MANY],
  ["lock", "twoShrink", KILLED],
  ["believeGone", "deaths", STUCK],
  ["replaceNeverJoined", "deaths", STUCK],
  ["replaceDead", "deaths", STUCK],
];

describe("every rule of the protocol is missed when it is left out", () => {
  for (const [guard, name, expected] of missed) {
    it(`${guard}: ${expected === STUCK ? "the world gets stuck" : "a promise breaks"}`, async () => {
      const v = await explore(modelOf(scenarios[name], [guard]));
      if (expected === STUCK) expect(v.broken === undefined && v.stuck !== undefined, `${name}: ${tell(v)}`).to.equal(true);
      else expect(v.broken?.promise ?? "nothing", `${name}: ${tell(v)}`).to.match(expected);
    });
  }
});
