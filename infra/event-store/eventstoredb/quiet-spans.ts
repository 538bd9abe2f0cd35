/** A part of the log that was read and holds nothing of ours. */
export interface QuietSpan {
  /** Nothing of ours is behind this position … */
  from: number;
  /** … up to and including this one, at which there is a record, whoever wrote it. */
  through: number;
  /** Of that record, by which the log is known to be the same still. */
  id: string;
}

/** The oldest are forgotten beyond this. */
const maxSpans = 64;

/** What was looked through in vain, so that the next reader of this process need not look there again. */
export class QuietSpans {
  #spans: QuietSpan[] = [];

  /** The span in which reading on from a position (exclusive) would begin. */
  at(position: number): QuietSpan | undefined {
    return this.#spans.find(({ from, through }) => from <= position && position < through);
  }

  /** Nothing of ours is behind `from` up to the record at `through`. Joins what overlaps or adjoins. */
  note(from: number, through: number, id: string): void {
    if (through <= from) return;
    const span = { from, through, id };
    const others: QuietSpan[] = [];
    for (const other of this.#spans) {
      if (other.through < span.from || other.from > span.through) others.push(other);
      else {
        span.from = Math.min(span.from, other.from);
        if (other.through > span.through) Object.assign(span, { through: other.through, id: other.id });
      }
    }
    this.#spans = [...others, span].slice(-maxSpans);
  }

  /** The log is not the one that was read. */
  forget(): void {
    this.#spans = [];
  }
}
