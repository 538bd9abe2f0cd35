import type { MessagePort } from 'node:worker_threads';
import { StreamCut, Unavailable } from '@waybill/shared-kernel/errors.js';
import type { NewEvent, RecordedEvent } from '@waybill/shared-kernel/message.js';
import { epochMs, timestamp, type WallClock } from '@waybill/shared-kernel/ports/clock.js';
import {
  beginning,
  largestPage,
  type Appended,
  type Cut,
  type EventStore,
  type LogPage,
} from '@waybill/shared-kernel/ports/event-store.js';
import { steadyClock } from '../../clock/steady.js';
import type { Database, Statement } from '../../sqlite/database.js';
import { whenFree } from '../../sqlite/when-free.js';
import { appendOf, closedStore } from '../append.js';
import { Changes } from '../changes.js';
import { follow } from '../follow.js';
import { foundIn, recordedEvent, recordedEvents, type StoredEvent } from '../stored-event.js';
import { AppendBatcher } from './append-batcher.js';
import { GroupCommit } from './group-commit.js';
import { openLog } from './log-file.js';
import { LogWriter } from './log-writer.js';
import { faultOf, type SentBatch, type WorkerSays } from './worker-protocol.js';

export interface SqliteEventStoreOptions {
  readonly clock: WallClock;
  /** A port of an `AppendWorker` on the same file; without it appends are committed in this thread. */
  readonly appender?: MessagePort;
  /** How long an append or a read may wait for other processes' locks before it is `Unavailable`. 10 s by default. */
  readonly answerTimeoutMs?: number;
  /** How often at least waiting subscriptions look for what other processes appended. 25 ms by default. */
  readonly pollMs?: number;
}

/**
 * The log in an SQLite file, which any number of threads and processes may open. Throws `BadDataFile` or
 * `Unavailable` when the file cannot be used.
 */
export function openSqliteEventStore(file: string, options: SqliteEventStoreOptions): SqliteEventStore {
  return new SqliteEventStore(openLog(file), options);
}

export class SqliteEventStore implements EventStore {
  readonly #database: Database;
  readonly #appender: AppendBatcher;
  readonly #changes: Changes;
  readonly #port: MessagePort | undefined;
  readonly #answerTimeoutMs: number | undefined;
  readonly #next: Statement<[revision: number]>;
  readonly #forwards: Statement<StoredEvent>;
  readonly #backwards: Statement<StoredEvent>;
  readonly #all: Statement<StoredEvent>;
  readonly #allBackwards: Statement<StoredEvent>;
  readonly #cut: Statement<[stream: string, revision: number, before: number]>;
  readonly #head: Statement<[number | null]>;

  /** Takes over the connection. */
  constructor(database: Database, { clock, appender: port, answerTimeoutMs, pollMs = 25 }: SqliteEventStoreOptions) {
    const columns = 'SELECT position, stream, revision, recorded_at, body FROM events';
    this.#next = database.prepare(
      'SELECT revision FROM events WHERE stream = ? AND revision >= ? ORDER BY revision LIMIT 1',
    );
    this.#forwards = database.prepare(`${columns} WHERE stream = ? AND revision >= ? ORDER BY revision LIMIT ?`);
    this.#backwards = database.prepare(`${columns} WHERE stream = ? AND revision <= ? ORDER BY revision DESC LIMIT ?`);
    this.#cut = database.prepare(
      `SELECT stream, MIN(revision), MIN(before) FROM (
         SELECT stream, revision, LAG(revision, 1, -1) OVER (PARTITION BY stream ORDER BY revision) AS before FROM events
       ) WHERE revision > before + 1 GROUP BY stream ORDER BY stream`,
    );
    this.#all = database.prepare(`${columns} WHERE position > ? ORDER BY position LIMIT ?`);
    this.#allBackwards = database.prepare(`${columns} WHERE position < ? ORDER BY position DESC LIMIT ?`);
    this.#head = database.prepare('SELECT max(position) FROM events');
    this.#database = database;
    this.#answerTimeoutMs = answerTimeoutMs;
    this.#changes = new Changes({ everyMs: pollMs, changed: changedIn(database) });
    this.#port = port;
    this.#appender = port === undefined ? this.#appendHere(clock) : this.#appendThrough(port, clock);
  }

  async append(stream: string, expectedRevision: number, events: readonly NewEvent[]): Promise<Appended> {
    return this.#appender.append(appendOf(stream, expectedRevision, events));
  }

  readStream(stream: string, from: number, limit: number): Promise<readonly RecordedEvent[]> {
    return this.#whenFree(() => {
      if (limit <= 0) return [];
      // Most ask whether anything came after what they know, and nothing did: a lookup costs half of a scan.
      const first = this.#next.get(stream, Math.max(0, from))?.[0];
      if (first === undefined) return [];
      if (first > Math.max(0, from)) throw new StreamCut(stream, first);
      return recordedEvents(this.#forwards.all(stream, from, finite(limit)));
    });
  }

  readStreamBackwards(stream: string, from: number, limit: number): Promise<readonly RecordedEvent[]> {
    return this.#whenFree(() => recordedEvents(this.#backwards.all(stream, finite(from), finite(limit))));
  }

  /** By what is there alone: of a stream without any rows nobody can tell that it had some. */
  cutOf(stream: string): Promise<Cut | undefined> {
    return this.#whenFree(() => {
      const firstRevision = this.#next.get(stream, 0)?.[0] ?? 0;
      return firstRevision === 0 ? undefined : { firstRevision };
    });
  }

  /** Every stream that does not begin with its first event, or has a gap, by name. Takes a look at every stream. */
  cutStreams(): Promise<readonly StreamCut[]> {
    return this.#whenFree(() =>
      this.#cut.all().map(([stream, revision, before]) => new StreamCut(stream, revision, before + 1)),
    );
  }

  readAll(after: number, limit: number): Promise<LogPage> {
    return this.#readPage(this.#all, after, limit);
  }

  readAllBackwards(before: number, limit: number): Promise<LogPage> {
    return this.#readPage(this.#allBackwards, before, limit);
  }

  /**
   * Positions have no gaps, so at a place in the middle that is empty a row was deleted. An event that cannot be read
   * is `unreadable`, as its id is in its body.
   */
  recordAt(position: number): Promise<{ readonly id: string } | 'unreadable' | 'absent' | 'none'> {
    return this.#whenFree(() => {
      const row = this.#all.get(position - 1, 1);
      if (row === undefined) return 'none';
      return row[0] === position ? (recordedEvent(row) ?? 'unreadable') : 'absent';
    });
  }

  head(): Promise<number> {
    return this.#whenFree(() => this.#head.get()?.[0] ?? beginning);
  }

  subscribe(after: number, limit: number, signal: AbortSignal): AsyncIterable<LogPage> {
    return follow(this, this.#changes, after, limit, signal);
  }

  /** Settles the appends under way first; subscriptions end. */
  async close(): Promise<void> {
    await this.#appender.close();
    this.#port?.close();
    this.#changes.close();
    this.#database.close();
  }

  /** Asks for one more than is handed out: it tells whether anything comes after. */
  #readPage(statement: Statement<StoredEvent>, from: number, limit: number): Promise<LogPage> {
    const most = Math.min(limit, largestPage);
    return this.#whenFree(() => {
      const rows = statement.all(finite(from), most + 1);
      const isEnd = rows.length <= most;
      if (!isEnd) rows.pop();
      return { ...foundIn(rows), through: rows.at(-1)?.[0] ?? from, isEnd };
    });
  }

  #whenFree<T>(work: () => T): Promise<T> {
    return whenFree(() => {
      if (this.#changes.closed) throw closedStore();
      return work();
    }, this.#answerTimeoutMs);
  }

  #appendHere(clock: WallClock): AppendBatcher {
    const commits = new GroupCommit(
      new LogWriter(this.#database),
      () => {
        this.#changes.announce();
      },
      this.#answerTimeoutMs,
    );
    const appender = new AppendBatcher((appends) => {
      commits.submit({ now: () => timestamp(clock), appends }, (answer) => {
        appender.settle(answer);
      });
    });
    return appender;
  }

  #appendThrough(port: MessagePort, clock: WallClock): AppendBatcher {
    const appender = new AppendBatcher((appends) => {
      port.postMessage({ now: epochMs(clock), sentAt: steadyClock.now(), appends } satisfies SentBatch);
    });
    port.on('message', (message: WorkerSays) => {
      if ('outcomes' in message) appender.settle(message);
      else if ('failure' in message) appender.settle({ fault: faultOf(message.failure) });
      this.#changes.announce();
    });
    port.on('close', () => {
      appender.fail(new Unavailable('event store', 'The thread that writes the log has ended. Restart the server.'));
    });
    return appender;
  }
}

/** SQLite takes integers only. */
function finite(limit: number): number {
  return Math.min(limit, Number.MAX_SAFE_INTEGER);
}

/** Whether other connections have committed since it was asked last; true when that cannot be told: reading will. */
function changedIn(database: Database): () => boolean {
  let seen = -1;
  return () => {
    try {
      const version = database.dataVersion();
      const changed = version !== seen;
      seen = version;
      return changed;
    } catch {
      return true;
    }
  };
}
