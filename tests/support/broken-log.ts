import { dataFiles } from '@waybill/infra/process/config.js';
import { openLog } from '@waybill/infra/event-store/sqlite/log-file.js';
import type { Database } from '@waybill/infra/sqlite/database.js';

/** A stored event, as SQL reaches it. */
export interface StoredRow {
  readonly stream: string;
  readonly revision: number;
  readonly position: number;
  readonly recordedAt: string;
  readonly body: string;
}

/** What somebody can do to the log of a data folder with SQL, beside a server or none. */
export class BrokenLog {
  readonly #file: string;

  constructor(dataFolder: string) {
    this.#file = dataFiles(dataFolder).log;
  }

  /** The last event of a stream. */
  last(stream: string): StoredRow {
    return this.#rows('WHERE stream = ? ORDER BY revision DESC LIMIT 1', stream)[0]!;
  }

  /** The stream of a category that has an event with this in its body. */
  streamOf(category: string, text: string): string {
    return this.#rows('WHERE stream LIKE ? AND body LIKE ?', `${category}-%`, `%${text}%`)[0]!.stream;
  }

  at(stream: string, revision: number): StoredRow {
    return this.#rows('WHERE stream = ? AND revision = ?', stream, revision)[0]!;
  }

  /** Writes another body over that of an event; `body` puts it back. */
  overwrite({ stream, revision }: StoredRow, body: string): void {
    this.#change('UPDATE events SET body = ? WHERE stream = ? AND revision = ?', body, stream, revision);
  }

  /** Puts a row at the end of the log and of a stream. */
  add(stream: string, body: string): StoredRow {
    this.#change(
      `INSERT INTO events SELECT (SELECT MAX(position) FROM events) + 1, stream, revision + 1, recorded_at, ?
       FROM events WHERE stream = ? ORDER BY revision DESC LIMIT 1`,
      body,
      stream,
    );
    return this.last(stream);
  }

  /** Deletes the first event of a stream, and answers with it. */
  cut(stream: string): StoredRow {
    const first = this.at(stream, 0);
    this.#change('DELETE FROM events WHERE stream = ? AND revision = 0', stream);
    return first;
  }

  putBack({ position, stream, revision, recordedAt, body }: StoredRow): void {
    this.#change('INSERT INTO events VALUES (?, ?, ?, ?, ?)', position, stream, revision, recordedAt, body);
  }

  #rows(which: string, ...parameters: readonly string[] | readonly [string, number]): readonly StoredRow[] {
    return this.#open((log) =>
      log
        .prepare<[string, number, number, string, string]>(
          `SELECT stream, revision, position, recorded_at, body FROM events ${which}`,
        )
        .all(...parameters)
        .map(([stream, revision, position, recordedAt, body]) => ({ stream, revision, position, recordedAt, body })),
    );
  }

  #change(sql: string, ...parameters: readonly (string | number)[]): void {
    this.#open((log) => log.prepare(sql).run(...parameters));
  }

  #open<T>(work: (log: Database) => T): T {
    const log = openLog(this.#file);
    try {
      return work(log);
    } finally {
      log.close();
    }
  }
}

/** The same without its partition key, or no JSON at all. */
export function broken(body: string, how: 'no JSON' | 'no partition key'): string {
  if (how === 'no JSON') return body.slice(0, -1);
  const { partitionKey, ...event } = JSON.parse(body) as { readonly partitionKey: string };
  return JSON.stringify(event);
}
