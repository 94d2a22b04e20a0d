import { known, unknown, type Member, type MemberStatus, type Observed } from "../../../controller/ports";
import type { Dice } from "./random";
import type { Timeline } from "./timeline";

export const WORDS: readonly MemberStatus[] = ["stopped", "failed", "gone", "unknown", "starting", "stopping"];
/** What can be wrong with one list of the cloud. */
export const LIST_FAULTS = ["word", "lacks", "partial", "empty", "stale", "twice", "error"] as const;
export type ListFault = (typeof LIST_FAULTS)[number];

interface FalseWord {
  readonly id: string;
  readonly word: MemberStatus;
  /** Answers that are still to be wrong. */
  reads: number;
  readonly untilMs: number;
  readonly where: "list" | "single" | "both";
}

const STALE_MS = 60_000;

/**
 * The cloud's answers as it gives them, which is not always as things are. A lie is told about what was asked, never more: what the
 * cloud does is true.
 */
export class Lies {
  /** Chance that one list is wrong, in one of `kinds`. */
  listChance = 0;
  kinds: readonly ListFault[] = LIST_FAULTS;
  /** Chance that one server's own answer is a false word or none. */
  singleChance = 0;
  /** Lists that are empty, and successful, one after the other. */
  emptyLists = 0;
  told = 0;
  private readonly words: FalseWord[] = [];
  private readonly past: { readonly atMs: number; readonly members: readonly Member[] }[] = [];

  constructor(
    private readonly time: Timeline,
    private readonly dice: Dice,
  ) {}

  /** From now on the cloud says this of one server: so many times, or for so long. */
  say(
    id: string,
    word: MemberStatus,
    o: { readonly reads?: number; readonly forMs?: number; readonly where?: FalseWord["where"] } = {},
  ): void {
    this.words.push({
      id,
      word,
      reads: o.reads ?? Number.POSITIVE_INFINITY,
      untilMs: this.time.ms + (o.forMs ?? Number.POSITIVE_INFINITY),
      where: o.where ?? "both",
    });
  }

  list(truth: readonly Member[]): Observed<readonly Member[]> {
    let members = this.words.length === 0 ? truth : truth.map((m) => ({ ...m, status: this.word(m.id, "list") ?? m.status }));
    if (this.listChance > 0) this.remember(truth);
    if (this.emptyLists > 0) {
      this.emptyLists -= 1;
      this.told += 1;
      return known([]);
    }
    if (members.length === 0 || !this.dice.chance(this.listChance)) return known(members);
    this.told += 1;
    const victim = this.dice.below(members.length);
    switch (this.dice.one(this.kinds)) {
      case "word":
        members = members.map((m, i) => (i === victim ? { ...m, status: this.dice.one(WORDS) } : m));
        return known(members);
      case "lacks":
        return known(members.filter((_, i) => i !== victim && !this.dice.chance(0.3)));
      case "partial":
        return known(
          members.filter((_, i) => i !== victim),
          "a page of the list did not come",
        );
      case "empty":
        return known([]);
      case "stale":
        return known(this.past.find((p) => this.time.ms - p.atMs <= STALE_MS)?.members ?? members);
      case "twice":
        return known([...members, members[victim]!]);
      case "error":
        return unknown("HTTP 502");
    }
  }

  single(id: string, truth: MemberStatus): Observed<MemberStatus> {
    const said = this.word(id, "single");
    if (said !== undefined) return known(said);
    if (!this.dice.chance(this.singleChance)) return known(truth);
    this.told += 1;
    return this.dice.chance(0.3) ? unknown("HTTP 503") : known(this.dice.one(WORDS));
  }

  private word(id: string, where: "list" | "single"): MemberStatus | undefined {
    const w = this.words.find((x) => x.id === id && x.reads > 0 && x.untilMs > this.time.ms && (x.where === "both" || x.where === where));
    if (w === undefined) return undefined;
    w.reads -= 1;
    this.told += 1;
    return w.word;
  }

  private remember(members: readonly Member[]): void {
    this.past.push({ atMs: this.time.ms, members });
    while (this.past.length > 0 && this.time.ms - this.past[0]!.atMs > STALE_MS) this.past.shift();
  }
}
