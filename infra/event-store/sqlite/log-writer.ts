import type { Appended } from '@waybill/shared-kernel/ports/event-store.js';
import { beginning } from '@waybill/shared-kernel/ports/event-store.js';
import type { Database, Statement } from '../../sqlite/database.js';
import { isSameEvent, type Append } from '../append.js';

/** Appends of one thread that are committed together. */
export interface AppendBatch {
  /** The time of the thread's clock, RFC 3339 UTC; asked for once the log is locked for the batch. */
  readonly now: () => string;
  readonly appends: readonly Append[];
}

/** What became of an append: it is in, or its stream was at revision `actual` instead. */
export type AppendOutcome = Appended | { readonly actual: number };

/** Carries out appends, synchronously, in the only order there is. */
export class LogWriter {
  readonly #database: Database;
  readonly #last: Statement<[position: number, recordedAt: string]>;
  readonly #insertNext: Statement<[]>;
  readonly #has: Statement<[number]>;
  readonly #lastOfStream: Statement<[revision: number]>;
  readonly #present: Statement<[position: number, body: string]>;

  constructor(database: Database) {
    this.#database = database;
    this.#last = database.prepare('SELECT position, recorded_at FROM events ORDER BY position DESC LIMIT 1');
    this.#insertNext = database.prepare(
      `INSERT INTO events (position, stream, revision, recorded_at, body) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (stream, revision) DO NOTHING`,
    );
    this.#has = database.prepare('SELECT 1 FROM events WHERE stream = ? AND revision = ?');
    this.#lastOfStream = database.prepare(
      'SELECT revision FROM events WHERE stream = ? ORDER BY revision DESC LIMIT 1',
    );
    this.#present = database.prepare(
      'SELECT position, body FROM events WHERE stream = ? AND revision BETWEEN ? AND ? ORDER BY revision',
    );
  }

  /**
   * Commits batches in one transaction; each append sees those before it. Outcomes come in the order of the appends.
   * When it throws, nothing of it is in the log (`Unavailable`: locked, see `isBusy`; disk full; `BadDataFile`).
   */
  commit(batches: readonly AppendBatch[]): readonly (readonly AppendOutcome[])[] {
    return this.#database.immediate(() => {
      let [position, lastRecordedAt] = this.#last.get() ?? [beginning, ''];
      return batches.map(({ now, appends }) => {
        const lockedAt = now();
        const recordedAt = lockedAt > lastRecordedAt ? lockedAt : lastRecordedAt;
        return appends.map((append) => {
          const outcome = this.#append(append, position, recordedAt);
          if ('actual' in outcome) return this.#repeated(append) ?? outcome;
          position = outcome.position;
          lastRecordedAt = recordedAt;
          return outcome;
        });
      });
    });
  }

  /**
   * Revisions of a stream have no gaps but where its first rows were deleted. So if the first event's place is free and
   * the one before it is not, all places after it are free as well, and the index refuses an append before it has
   * written anything.
   */
  #append({ stream, expected, bodies }: Append, after: number, recordedAt: string): AppendOutcome {
    let revision = expected;
    let position = after;
    const before = expected >= 0 ? this.#has.get(stream, expected) : this.#lastOfStream.get(stream);
    if ((before === undefined) !== expected < 0) return this.#conflict(stream);
    for (const body of bodies) {
      const { changes } = this.#insertNext.run((position += 1), stream, (revision += 1), recordedAt, body);
      if (changes === 0) return this.#conflict(stream);
    }
    return { revision, position };
  }

  #conflict(stream: string): AppendOutcome {
    return { actual: this.#lastOfStream.get(stream)?.[0] ?? -1 };
  }

  /** What the very same events got when they were appended before, if they were. */
  #repeated({ stream, expected, bodies }: Append): Appended | undefined {
    const revision = expected + bodies.length;
    const rows = this.#present.all(stream, expected + 1, revision);
    const last = rows.at(-1);
    const isRepeat = rows.length === bodies.length && rows.every((row, at) => isSameEvent(row[1], bodies[at] ?? '{}'));
    return last !== undefined && isRepeat ? { revision, position: last[0] } : undefined;
  }
}
