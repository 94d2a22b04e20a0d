import type { Offer, Room, WaitingGroup } from "../demand";
import { adOfTexts, clauses, references, unparse } from "./ad";
import { evaluate, type Scope } from "./evaluate";
import type { Expr } from "./parse";
import { Remembered } from "./remembered";
import { show, truth, type Ad, type Clock, type Value } from "./value";

/** `unknown`: nobody can say before a worker of that type is there; worth one try. */
export type MatchAnswer = { readonly answer: "yes" } | { readonly answer: "no" | "unknown"; readonly why: string };

/**
 * What every worker of ours publishes, seen on HTCondor 23.9.6: good for a "yes" before the first worker has joined. Where they make a "no",
 * the answer is only unknown: the image may be of another architecture.
 */
const EXPECTED: Readonly<Record<string, string>> = {
  Arch: '"X86_64"', OpSys: '"LINUX"', HasFileTransfer: "true", HasJobDeferral: "true", HasReconnect: "true", HasTDP: "true", HasMPI: "true", HasIOProxy: "true",
  PartitionableSlot: "true", SlotType: '"Partitionable"', Start: "true", Requirements: "true",
};
/** What differs from machine to machine or from minute to minute: one worker's value says nothing about the next one's. */
const OF_ITS_OWN = new Set(
  `MyAddress StartdIpAddr AddressV1 HardwareAddress SubnetMask UtsnameNodename ElastigridServerUuid ElastigridCpuPercent LoadAvg CondorLoadAvg TotalLoadAvg
   TotalCondorLoadAvg KeyboardIdle ConsoleIdle ClockMin ClockDay CpuBusy DaemonStartTime DaemonLastReconfigTime MyCurrentTime LastHeardFrom EnteredCurrentActivity
   EnteredCurrentState JobStarts RecentJobStarts VirtualMemory TotalVirtualMemory DaemonCoreDutyCycle RecentDaemonCoreDutyCycle Draining DrainReason RemoteOwner
   RemoteUser AccountingGroup JobId GlobalJobId ClientMachine MachineLastMatchTime CurrentRank NumDynamicSlots TotalTimeUnclaimedIdle UpdateSequenceNumber`.toLowerCase().split(/\s+/),
);

/** Only jobs have these: an expression that names them without MY asks the job alone, also where nobody knows all of the machine. */
const OF_JOBS = Object.fromEntries(
  "MemoryUsage ResidentSetSize ImageSize DiskUsage NumJobStarts NumShadowStarts NumJobMatches JobStatus QDate TransferInputSizeMB JobVMMemory".split(" ").map((n) => [n, "undefined"]),
);

/** A new worker as an ad, with what it has answered so far. */
interface NewWorker {
  /** With everything that is known or expected. */
  readonly likely: Ad;
  /** With what is certain alone. */
  readonly certain: Ad;
  /** By all texts of the job's ad. */
  readonly answers: Remembered<MatchAnswer>;
}

/** What of an offer the reasons for many groups share. */
export interface PreparedOffer extends NewWorker {
  readonly offer: Offer;
}

/** Those of the last look, by all that they are made from: an offer is the same from look to look. */
let workers: ReadonlyMap<string, NewWorker> = new Map();

/** A new worker of each type as an ad: whole and empty, under a name that nobody has had. To be called once in a look, with all offers. */
export function prepareOffers(offers: readonly Offer[]): readonly PreparedOffer[] {
  const now = new Map<string, NewWorker>();
  const prepared = offers.map((offer): PreparedOffer => {
    const texts = textsOf(offer);
    const key = JSON.stringify(texts);
    const worker = now.get(key) ?? workers.get(key) ?? newWorker(texts);
    now.set(key, worker);
    return { offer, ...worker };
  });
  for (const worker of now.values()) worker.answers.nextLook();
  workers = now;
  return prepared;
}

/** Everything that an answer of the worker depends on. */
interface WorkerTexts {
  readonly known: Readonly<Record<string, string>>;
  /** Without a single attribute of a real ad there is nothing decisive about it, whoever says that it was learnt. */
  readonly decisive: boolean;
  readonly closed: boolean;
}

function textsOf({ room, ad, learned }: Offer): WorkerTexts {
  const own = Object.fromEntries(Object.entries(ad).filter(([name]) => !OF_ITS_OWN.has(name.toLowerCase())));
  const sizes: Record<string, string> = {
    Cpus: `${room.cpus}`, Memory: `${room.memoryMiB}`, Disk: `${Math.floor(room.diskMiB * 1024)}`, TotalCpus: `${room.cpus}`, TotalSlotCpus: `${room.cpus}`,
    TotalMemory: `${room.memoryMiB}`, TotalSlotMemory: `${room.memoryMiB}`, TotalDisk: `${Math.floor(room.diskMiB * 1024)}`, TotalSlotDisk: `${Math.floor(room.diskMiB * 1024)}`,
    // The sizes are compared before (`whyNever`); this is the same in HTCondor's words.
    State: '"Unclaimed"', Activity: '"Idle"', WithinResourceLimits: "true",
  };
  for (const [name, count] of Object.entries(room.resources ?? {})) Object.assign(sizes, { [name]: `${count}`, [`TotalSlot${name}`]: `${count}`, [`Total${name}`]: `${count}` });
  const name = newName(ad);
  const decisive = learned && Object.keys(ad).length > 0;
  const known = { ...OF_JOBS, ...drop(own, [...Object.keys(sizes), "Machine", "Name"]), ...sizes, ...name };
  return { known, decisive, closed: decisive && Object.keys(name).length > 0 };
}

const newWorker = ({ known, decisive, closed }: WorkerTexts): NewWorker =>
  ({ likely: adOfTexts({ ...EXPECTED, ...known }, !closed, OF_ITS_OWN), certain: adOfTexts(known, !decisive, OF_ITS_OWN), answers: new Remembered() });

/** A worker that does not exist yet has a name of its own in the pool's domain. */
function newName(ad: Readonly<Record<string, string>>): Record<string, string> {
  const machine = Object.entries(ad).find(([n]) => n.toLowerCase() === "machine")?.[1];
  const domain = machine === undefined ? undefined : /^"[^".]*((?:\.[^"]*)?)"$/.exec(machine)?.[1];
  return domain === undefined ? {} : { Machine: `"w-new${domain}"`, Name: `"slot1@w-new${domain}"` };
}

const drop = (of: Readonly<Record<string, string>>, names: readonly string[]): Record<string, string> => {
  const gone = new Set(names.map((n) => n.toLowerCase()));
  return Object.fromEntries(Object.entries(of).filter(([n]) => !gone.has(n.toLowerCase())));
};

/** Whether a new, empty worker of the type could run a job of the group, as HTCondor would decide it. */
export function match(group: Pick<WaitingGroup, "request" | "ad">, to: PreparedOffer, nowSeconds: number): MatchAnswer {
  const misfit = whyNever(group.request, to.offer.room);
  if (misfit !== undefined) return { answer: "no", why: misfit };
  // Nothing but its ad, the worker and, where an expression asks for it, the time decides from here on.
  return to.answers.get(JSON.stringify(group.ad), nowSeconds, (clock) => matchAds(group.ad, to, clock));
}

function matchAds(ad: WaitingGroup["ad"], to: NewWorker, clock: Clock): MatchAnswer {
  const job = adOfTexts(ad, false);
  const requirements = job.get("Requirements");
  // No Requirements at all: nothing is asked beyond the sizes (a group that was made without its ad).
  if (requirements !== undefined) {
    const certainly = judge(requirements, job, to.certain, clock);
    if (certainly.answer === "no") return says("no", certainly, to.certain);
    if (certainly.answer !== "yes") {
      const likely = judge(requirements, job, to.likely, clock);
      if (likely.answer !== "yes") return says("unknown", likely, to.likely);
    }
  }
  const start = to.likely.get("Requirements");
  if (start === undefined) return { answer: "yes" };
  const accepts = judge(start, to.likely, job, clock);
  if (accepts.answer === "yes") return { answer: "yes" };
  const why = `the worker's own START or Requirements: ${unparse(accepts.clause).slice(0, 200)} is ${show(accepts.value)} for it`;
  return { answer: to.certain.open || accepts.answer === "unknown" ? "unknown" : "no", why };
}

type Judged = { readonly answer: "yes" } | { readonly answer: "no" | "unknown"; readonly clause: Expr; readonly value: Value };

/** The first part of a conjunction that does not hold, certainly before possibly. */
function judge(expr: Expr, my: Ad, target: Ad, clock: Clock): Judged {
  const scope: Scope = {
    my, target,
    get nowSeconds() {
      return clock.nowSeconds;
    },
  };
  let open: Judged | undefined;
  for (const clause of clauses(expr)) {
    const value = evaluate(clause, scope);
    if (value.kind === "unknown") open ??= { answer: "unknown", clause, value };
    else if (truth(value) !== true) return { answer: "no", clause, value };
  }
  return open ?? { answer: "yes" };
}

/** In words, with what a worker has of what is asked for. */
function says(answer: "no" | "unknown", { clause, value }: { readonly clause: Expr; readonly value: Value } | { readonly clause?: undefined; readonly value?: undefined }, worker: Ad): MatchAnswer {
  if (clause === undefined) return { answer, why: "Requirements" };
  const asked = references(clause);
  const names = [...asked.target, ...[...asked.own].filter((n) => worker.get(n) !== undefined)];
  const has = names.slice(0, 4).map((name) => {
    const expr = worker.get(name);
    const v = expr === undefined ? undefined : evaluate(expr, { my: worker, nowSeconds: 0 });
    if (v === undefined) return worker.open ? `nobody knows yet whether a worker has ${name}` : `a worker has no ${name}`;
    return `a worker has ${name} = ${show(v)}`;
  });
  const text = unparse(clause);
  const verdict = value.kind === "unknown" ? "cannot be known before a worker is there" : `is ${show(value)}`;
  return { answer, why: `Requirements: ${text.length > 200 ? `${text.slice(0, 197)}...` : text} ${verdict}${has.length > 0 ? `: ${has.join(", ")}` : ""}` };
}

/** Why a worker of this size can never take the job; undefined when it can. */
export function whyNever(job: Room, worker: Room): string | undefined {
  if (job.cpus > worker.cpus) return `asks for ${job.cpus} cpus, a worker has ${worker.cpus}`;
  if (job.memoryMiB > worker.memoryMiB) return `asks for ${job.memoryMiB} MiB of memory, a worker has ${worker.memoryMiB}`;
  if (job.diskMiB > worker.diskMiB) return `asks for ${Math.ceil(job.diskMiB)} MiB of disk, a worker has ${Math.floor(worker.diskMiB)}`;
  for (const [name, count] of Object.entries(job.resources ?? {})) {
    const has = worker.resources?.[name] ?? 0;
    if (count > has) return `asks for ${count} ${name === "gpus" ? (count === 1 ? "GPU" : "GPUs") : name}, a worker has ${has === 0 ? "none" : has}`;
  }
  return undefined;
}

