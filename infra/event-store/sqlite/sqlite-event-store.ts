import type { MessagePort } from 'node:worker_threads';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import type { NewEvent, RecordedEvent } from '@waybill/shared-kernel/message.js';
import type { Clock } from '@waybill/shared-kernel/ports/clock.js';
import {
  beginning,
  type Appended,
  type EventStore,
  type SubscriptionBatch,
} from '@waybill/shared-kernel/ports/event-store.js';
import type { Database, Statement } from '../../sqlite/database.js';
import { whenFree } from '../../sqlite/when-free.js';
import { appendOf, closedStore, recordedEvent } from '../append.js';
import { Changes } from '../changes.js';
import { follow } from '../follow.js';
import { Appender } from './appender.js';
import { GroupCommit } from './group-commit.js';
import { openLog } from './log-file.js';
import { LogWriter } from './log-writer.js';
import { faultOf, type WorkerSays } from './worker-protocol.js';

type Row = readonly [position: number, stream: string, revision: number, recordedAt: string, body: string];

export interface SqliteEventStoreOptions {
  readonly clock: Clock;
  /** A port of an `AppendWorker` on the same file; without it appends are committed in this thread. */
  readonly appender?: MessagePort;
  /** How long an append or a read may wait for other processes' locks before it is `Unavailable`. 10 s by default. */
  readonly patienceMs?: number;
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
  readonly #appender: Appender;
  readonly #changes: Changes;
  readonly #port: MessagePort | undefined;
  readonly #patienceMs: number | undefined;
  readonly #reaches: Statement<[number]>;
  readonly #forwards: Statement<Row>;
  readonly #backwards: Statement<Row>;
  readonly #all: Statement<Row>;
  readonly #allBackwards: Statement<Row>;
  readonly #head: Statement<[number | null]>;

  /** Takes over the connection. */
  constructor(database: Database, { clock, appender: port, patienceMs, pollMs = 25 }: SqliteEventStoreOptions) {
    const columns = 'SELECT position, stream, revision, recorded_at, body FROM events';
    this.#reaches = database.prepare('SELECT 1 FROM events WHERE stream = ? AND revision = ?');
    this.#forwards = database.prepare(`${columns} WHERE stream = ? AND revision >= ? ORDER BY revision LIMIT ?`);
    this.#backwards = database.prepare(`${columns} WHERE stream = ? AND revision <= ? ORDER BY revision DESC LIMIT ?`);
    this.#all = database.prepare(`${columns} WHERE position > ? ORDER BY position LIMIT ?`);
    this.#allBackwards = database.prepare(`${columns} WHERE position < ? ORDER BY position DESC LIMIT ?`);
    this.#head = database.prepare('SELECT max(position) FROM events');
    this.#database = database;
    this.#patienceMs = patienceMs;
    this.#changes = new Changes({ everyMs: pollMs, changed: changedIn(database) });
    this.#port = port;
    this.#appender = port === undefined ? this.#appendHere(clock) : this.#appendThrough(port, clock);
  }

  async append(stream: string, expectedRevision: number, events: readonly NewEvent[]): Promise<Appended> {
    return this.#appender.append(appendOf(stream, expectedRevision, events));
  }

  readStream(stream: string, from: number, limit: number): Promise<readonly RecordedEvent[]> {
    return this.#whenFree(() => {
      // Most ask whether anything came after what they know, and nothing did: a lookup costs half of a scan.
      if (this.#reaches.get(stream, Math.max(0, from)) === undefined) return [];
      return this.#forwards.all(stream, from, finite(limit)).map((row) => recordedEvent(...row));
    });
  }

  readStreamBackwards(stream: string, from: number, limit: number): Promise<readonly RecordedEvent[]> {
    return this.#read(this.#backwards, stream, finite(from), finite(limit));
  }

  readAll(after: number, limit: number): Promise<readonly RecordedEvent[]> {
    return this.#read(this.#all, after, finite(limit));
  }

  readAllBackwards(before: number, limit: number): Promise<readonly RecordedEvent[]> {
    return this.#read(this.#allBackwards, finite(before), finite(limit));
  }

  head(): Promise<number> {
    return this.#whenFree(() => this.#head.get()?.[0] ?? beginning);
  }

  subscribe(after: number, limit: number, signal: AbortSignal): AsyncIterable<SubscriptionBatch> {
    return follow(this, this.#changes, after, limit, signal);
  }

  /** Settles the appends under way first; subscriptions end. */
  async close(): Promise<void> {
    await this.#appender.close();
    this.#port?.close();
    this.#changes.close();
    this.#database.close();
  }

  #read(statement: Statement<Row>, ...parameters: readonly (string | number)[]): Promise<readonly RecordedEvent[]> {
    return this.#whenFree(() => statement.all(...parameters).map((row) => recordedEvent(...row)));
  }

  #whenFree<T>(work: () => T): Promise<T> {
    return whenFree(() => {
      if (this.#changes.closed) throw closedStore();
      return work();
    }, this.#patienceMs);
  }

  #appendHere(clock: Clock): Appender {
    const commits = new GroupCommit(
      new LogWriter(this.#database),
      () => {
        this.#changes.announce();
      },
      this.#patienceMs,
    );
    const appender = new Appender(clock, (batch) => {
      commits.submit(batch, (answer) => {
        appender.settle(answer);
      });
    });
    return appender;
  }

  #appendThrough(port: MessagePort, clock: Clock): Appender {
    const appender = new Appender(clock, (batch) => {
      port.postMessage(batch);
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
