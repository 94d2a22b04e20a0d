/** What differs between two failures of one cause: identities, addresses, figures. Words stay. */
const CHANGING: readonly RegExp[] = [
  /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi,
  /\breq-[\w-]+/gi,
  /\b0x[0-9a-f]+\b/gi,
  /\bw-[0-9a-f]{8}\b/g,
  /\b(?=[0-9a-f]*\d)[0-9a-f]{6,}\b/gi,
  /\d+(\.\d+)*/g,
];

/** A text without what changes from time to time: two lines with the same cause say the same. */
export const causeOf = (why: string): string => CHANGING.reduce((text, pattern) => text.replace(pattern, "#"), why);
