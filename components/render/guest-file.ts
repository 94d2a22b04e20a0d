/** What the cloud does for the guests' network. */
export interface GuestNetwork {
  /** It gives addresses and routes: the master has one card. Else the master does, with a second card of its own. */
  readonly servesDhcp: boolean;
}

/** A file of a guest: written at first boot by cloud-init, and on a later `up` by ssh. Never holds a secret. */
export interface GuestFile {
  readonly path: string;
  /** @default 0644 */
  readonly mode?: string;
  readonly text: string;
}

/** Joins lines and ends the last one; undefined and false leave a line out. */
export const lines = (...all: readonly (string | undefined | false)[]): string => all.filter((l) => l !== undefined && l !== false).join("\n") + "\n";
