/** The pause between two passes, which an order of the operator ends, and new work shortens. */
export class Pace {
  stopped = false;
  private wake: (() => void) | undefined;
  private hurried = false;
  private awaited = false;

  /** @param soonMs the shortest pause that is no operator's wish */
  constructor(private readonly soonMs: number) {}

  /** The next pass comes at once. */
  hurry(): void {
    this.hurried = true;
    this.wake?.();
  }
  /** The next pass comes soon: many jobs that are submitted one by one cost one look a second, not one each. */
  soon(): void {
    this.awaited = true;
    this.wake?.();
  }
  stop(): void {
    this.stopped = true;
    this.wake?.();
  }
  async pause(ms: number): Promise<void> {
    const from = performance.now();
    const leftMs = (): number => (this.stopped || this.hurried ? 0 : (this.awaited ? Math.min(ms, this.soonMs) : ms) - (performance.now() - from));
    for (let left = leftMs(); left > 0; left = leftMs()) await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, left);
      this.wake = () => { clearTimeout(timer); resolve(); };
    });
    this.hurried = this.awaited = false;
    this.wake = undefined;
  }
}
