import { dump, load } from "js-yaml";

/** Text of a value: no anchors, no folded lines, so that the same value is the same text and diffs read well. */
export const toYaml = (value: unknown): string => dump(value, { noRefs: true, lineWidth: -1 });

export const fromYaml = (text: string): unknown => load(text);
