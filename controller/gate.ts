import type { Gate } from "./ports";

/**
 * Remembers who has been given a token. Only servers that this very process made are known to have none: after a restart every
 * other one counts as admitted, because it may be.
 */
export class AdmissionGate implements Gate {
  private readonly untouched = new Set<string>();
  private readonly closed = new Set<string>();

  created(id: string): void {
    this.untouched.add(id);
  }

  admitted(id: string): boolean {
    return !this.untouched.has(id);
  }

  close(id: string): boolean {
    this.closed.add(id);
    return this.untouched.has(id);
  }

  /** Called at the moment a token is given; false when the server must not get one any more. */
  admit(id: string): boolean {
    if (this.closed.has(id)) return false;
    this.untouched.delete(id);
    return true;
  }
}
