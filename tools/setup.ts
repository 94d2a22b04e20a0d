import { buildApplianceTree, hasApplianceTree } from "../images/build";
import { bringEngine, findEngine, recordEngine } from "./engine-setup";
import { cacheDir } from "./paths";
import { diskProblems, hostProblems, installable, installPackages, lookAtHost, mayInstall, type HostFacts } from "./prerequisites";
import { SetupError, type Problem } from "./problem";
import { numberedSteps, type Steps, type Teller } from "./steps";

/** A part that tests and the demo need; without it they cannot run, and `problems` says why and what to do. */
export interface Part {
  readonly problems: readonly Problem[];
}

export interface Readiness {
  readonly engine: Part;
  /** Servers that are real hosts: Linux, root, namespaces, programs of the host, the appliance tree. */
  readonly hosts: Part;
}

export interface Wanted {
  readonly engine: boolean;
  readonly hosts: boolean;
}

/** The tree alone, packed and unpacked; measured, doubled. */
const TREE_BYTES = 2 * 2 ** 30;
const notAsked: Part = { problems: [] };

/** Brings what is wanted and missing. Never throws for something the user can mend: that is in the answer. */
export async function setUp(wanted: Wanted, steps: Steps = numberedSteps(3, 5)): Promise<Readiness> {
  const cache = cacheDir();
  const engine = wanted.engine ? await part(() => engineStep(cache, steps)) : notAsked;
  const hosts = wanted.hosts ? await part(() => hostsStep(cache, steps)) : notAsked;
  return { engine, hosts };
}

async function engineStep(cache: string, steps: Steps): Promise<void> {
  const chosen = (await findEngine(cache)) ?? (await steps.run("Pulumi engine and plugins", (tell) => bringEngine(cache, tell)));
  await recordEngine(cache, chosen);
}

async function hostsStep(cache: string, steps: Steps): Promise<void> {
  let facts = await lookAtHost(cache);
  const packages = installable(facts.missing);
  if (facts.platform === "linux" && packages.length > 0 && mayInstall(facts, process.env)) {
    await steps.run(`host packages ${packages.join(", ")}`, async (tell) => {
      // A failure shows as the program still missing, with its command; the reason is worth a line here.
      await installPackages(packages, tell.say).catch((e: Error) => tell.say(e.message));
    });
    facts = await lookAtHost(cache);
  }
  const hasTree = hasApplianceTree(cache);
  const problems = missingForHosts(facts, hasTree);
  if (problems.length > 0) throw new SetupError(problems);
  if (!hasTree) await steps.run("appliance tree", (tell) => buildApplianceTree({ cacheDir: cache, progress: (line) => treeLine(line, tell) }));
}

/** The step has a title and a clock of its own. */
function treeLine(line: string, tell: Teller): void {
  if (!line.endsWith(" so far")) tell.say(line.replace(/^appliance tree: /, ""));
}

/** All at once: a tree that is there needs neither mmdebstrap nor room. */
export function missingForHosts(facts: HostFacts, hasTree: boolean): Problem[] {
  const needed = hasTree ? { ...facts, missing: facts.missing.filter((p) => p !== "mmdebstrap") } : facts;
  return [...hostProblems(needed), ...(hasTree ? [] : diskProblems(facts, TREE_BYTES))];
}

async function part(work: () => Promise<void>): Promise<Part> {
  try {
    await work();
    return { problems: [] };
  } catch (e) {
    if (e instanceof SetupError) return { problems: e.problems };
    return { problems: [{ what: (e as Error).message, fix: "mend that, then run the same command again: it goes on from there" }] };
  }
}
