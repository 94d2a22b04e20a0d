/** How a step speaks while it works. */
export interface Teller {
  /** A line now. */
  say(line: string): void;
  /** For the next line about time only: fine progress that would be too much, line by line. */
  note(line: string): void;
}

/** Tells the user what set-up does, on stderr; a plain line each, so that logs stay readable. */
export interface Steps {
  /** A line at the beginning, one with the time at the end, one every ten seconds between, with what was said last. */
  run<T>(title: string, work: (tell: Teller) => Promise<T>): Promise<T>;
}

export const elapsedText = (fromMs: number, nowMs: number): string => `${((nowMs - fromMs) / 1000).toFixed(1)} s`;

/** `first` and `of` number the steps: the two before ours belong to tools/lib/prepare.mjs. */
export function numberedSteps(first: number, of: number, write: (line: string) => void = (l) => void process.stderr.write(`${l}\n`), now: () => number = Date.now): Steps {
  let number = first - 1;
  return {
    async run(title, work) {
      number += 1;
      const head = `[set-up ${number}/${of}]`, started = now();
      let last = "";
      write(`${head} ${title} ...`);
      const tick = setInterval(() => write(`${head} ${title}: ${elapsedText(started, now())} so far${last === "" ? "" : `; ${last}`}`), 10_000);
      try {
        const value = await work({
          say: (line) => {
            last = line;
            write(`${head}   ${line}`);
          },
          note: (line) => void (last = line),
        });
        write(`${head} ${title}: ${elapsedText(started, now())}`);
        return value;
      } finally {
        clearInterval(tick);
      }
    },
  };
}
