import type { Clock } from "./value";

/** All keys of a look together may be so long: some thousands of ads. */
const MOST_CHARACTERS = 4_000_000;

interface Answer<T> {
  readonly value: T;
  /** Where it was asked for the time: the answer holds for this second alone. */
  readonly atSeconds?: number;
}

/**
 * Answers by the text of everything that they depend on, the time excepted: whether that was asked for, the clock notes. What a whole look
 * has not asked for is forgotten at the end of the next one.
 */
export class Remembered<T> {
  private now = new Map<string, Answer<T>>();
  private before: ReadonlyMap<string, Answer<T>> = new Map();
  private characters = 0;

  nextLook(): void {
    this.before = this.now;
    this.now = new Map();
    this.characters = 0;
  }

  get(key: string, nowSeconds: number, make: (clock: Clock) => T): T {
    const mine = this.now.get(key);
    const known = mine ?? this.before.get(key);
    const answer = known !== undefined && (known.atSeconds ?? nowSeconds) === nowSeconds ? known : made(nowSeconds, make);
    if (answer === mine) return mine.value;
    if (mine === undefined) this.characters += key.length;
    if (mine !== undefined || this.characters <= MOST_CHARACTERS) this.now.set(key, answer);
    return answer.value;
  }
}

function made<T>(nowSeconds: number, make: (clock: Clock) => T): Answer<T> {
  let asked = false;
  const clock: Clock = {
    get nowSeconds() {
      asked = true;
      return nowSeconds;
    },
  };
  const value = make(clock);
  return asked ? { value, atSeconds: nowSeconds } : { value };
}
