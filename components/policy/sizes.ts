/** Sizes of servers: text with units for people, numbers with the unit in the name for programs. */

const mibPer = { MiB: 1, GiB: 1024, TiB: 1024 * 1024 } as const;
export const mebibyte = 2 ** 20;

/**
 * MiB behind a text such as `512 MiB` or `1.5 GiB`; undefined where it is none. Binary units only: `GB` means
 * 10^9 bytes to a disk maker and 2^30 to a memory maker, and clouds bill by one and show the other.
 */
export function parseSizeMiB(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?) ?(MiB|GiB|TiB)$/.exec(text.trim());
  if (match === null) return undefined;
  const mib = Number(match[1]) * mibPer[match[2] as keyof typeof mibPer];
  return Number.isInteger(mib) ? mib : undefined;
}

/** The shortest exact text: `2 GiB`, `1536 MiB`. */
export const formatSizeMiB = (mib: number): string => (mib >= 1024 && mib % 1024 === 0 ? `${mib / 1024} GiB` : `${mib} MiB`);

/** CloudSigma sells CPU as MHz over all cores; this is what one vcpu of ours is. */
export const defaultMHzPerVcpu = 2000;

export const cpuMHz = (vcpus: number, mhzPerVcpu = defaultMHzPerVcpu): number => vcpus * mhzPerVcpu;

export const bytes = (mib: number): number => mib * mebibyte;

/**
 * Memory that HTCondor may hand to jobs: systemd, sshd and HTCondor's own daemons keep the rest. The controller matches
 * jobs against the same number.
 */
export const slotMemoryMiB = (memoryMiB: number): number => memoryMiB - Math.min(128, Math.floor(memoryMiB / 4));
