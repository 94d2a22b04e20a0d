export interface CallRecord {
  readonly seq: number;
  readonly method: string;
  /** With the query. */
  readonly path: string;
  /** 0: the connection was cut. */
  readonly status: number;
  /** Ids of the faults that struck it. */
  readonly faults?: readonly number[];
}

const KEPT = 20_000;

/** What was asked of the API, in order; never bodies or credentials. */
export class Calls {
  private rows: CallRecord[] = [];
  private seq = 0;
  next(): number {
    return ++this.seq;
  }
  get last(): number {
    return this.seq;
  }
  record(row: CallRecord): void {
    this.rows.push(row);
    if (this.rows.length > KEPT * 1.1) this.rows = this.rows.slice(-KEPT);
  }
  /** Calls after this sequence number (see `last`). */
  since(seq = 0): CallRecord[] {
    return this.rows.filter((r) => r.seq > seq);
  }
  /** Calls that may have changed something. Price questions and consoles are not writes. */
  writes(since = 0): CallRecord[] {
    return this.since(since).filter((r) => r.method !== "GET" && r.method !== "OPTIONS" && r.method !== "HEAD" && !/subscriptioncalculator/.test(r.path));
  }
}
