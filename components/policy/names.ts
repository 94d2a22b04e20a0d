/** Names for people, and what was probably meant by a wrong one. */

/** Names of a grid's objects as people see them in the cloud's console; changing one replaces nothing. */
export const gridNames = (gridName: string) => ({
  master: `${gridName}-master`,
  masterDisk: `${gridName}-master-disk`,
  template: `${gridName}-worker`,
  templateDisk: `${gridName}-worker-disk`,
  network: `${gridName}-network`,
  address: `${gridName}-address`,
});

/** Of the template of a further worker type, which no worker's own name can be. */
export const typeTemplateName = (template: string, type: string): string => `${template}-type-${type}`;

/** HTCondor's TRUST_DOMAIN and UID_DOMAIN, and the DNS domain of every host. */
export const poolDomain = (gridName: string): string => `${gridName}.internal`;

export const masterHostname = "master";

/** Hostname of a worker by its server's uuid; 8 digits are enough to tell a thousand apart. */
export const workerHostname = (serverUuid: string): string => `w-${serverUuid.slice(0, 8)}`;

/** The candidate that differs least, if it is near enough to be a slip. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const limit = Math.max(1, Math.floor(word.length / 3));
  let best: { candidate: string; distance: number } | undefined;
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance <= limit && (best === undefined || distance < best.distance)) best = { candidate, distance };
  }
  return best?.candidate;
}

/** The few candidates that resemble a word most: near ones, and those that contain it or are contained. */
export function resembling(word: string, candidates: readonly string[], most = 3): string[] {
  const lower = word.toLowerCase();
  const score = (c: string): number => {
    const other = c.toLowerCase();
    return other.includes(lower) || lower.includes(other) ? 0 : editDistance(lower, other) / Math.max(lower.length, other.length);
  };
  return [...new Set(candidates)]
    .filter((c) => c.length > 0)
    .map((candidate) => ({ candidate, score: score(candidate) }))
    .filter((s) => s.score <= 0.6)
    .sort((a, b) => a.score - b.score || (a.candidate < b.candidate ? -1 : 1))
    .slice(0, most)
    .map((s) => s.candidate);
}

/** Letters to insert, delete, exchange or swap with the neighbour. */
export function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let cost = Math.min(rows[i - 1]![j]! + 1, row[j - 1]! + 1, rows[i - 1]![j - 1]! + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, rows[i - 2]![j - 2]! + 1);
      row.push(cost);
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}
