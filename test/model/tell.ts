import type { Verdict } from "./explorer";

/** What an exploration found, with the story where a promise broke. */
export const tell = (v: Verdict): string => [
  `${v.states} states, ${v.steps} steps, up to ${v.depth} deep`,
  ...(v.broken === undefined ? [] : [`broken: ${v.broken.promise}`, ...v.broken.story]),
  ...(v.stuck === undefined ? [] : ["no way back to rest from here:", ...v.stuck.story]),
].join("\n");
