import { BadConfiguration, Unavailable } from '@waybill/shared-kernel/errors.js';
import {
  MongoClient,
  MongoServerError,
  MongoServerSelectionError,
  MongoTopologyClosedError,
  ReadConcern,
  type Db,
} from 'mongodb';
import { faultOf } from './fault.js';
import { mongoDbTuning, type MongoDbTuning } from './tuning.js';
import { Turns } from './turns.js';

export interface MongoDbOptions {
  /** `mongodb://user:password@host,host/database?options`; database `waybill` unless it names one. */
  readonly url: string;
  readonly tuning?: Partial<MongoDbTuning>;
}

const defaultDatabase = 'waybill';

/** Code of a unique index that has the value already. */
export const duplicateKey = 11000;

/**
 * One database on a MongoDB server or replica set. Everything here is meant to work on what any server has that
 * speaks the protocol: single documents, no transactions, no change streams.
 *
 * A write is acknowledged once a majority of the members has it in its journal; reads are of the primary and see
 * only such writes, so nothing that was seen is ever taken back by a change of primary.
 */
export class MongoDbConnection {
  readonly tuning: MongoDbTuning;
  readonly #what: string;
  readonly #url: string;
  readonly #writers: Turns;
  #client: MongoClient;
  /** Since when there was nothing but failures, of `performance.now()`. */
  #failingSince: number | undefined;
  /** Whether the client ever had an answer. */
  #isOfUse = false;
  #isClosed = false;

  /** Connects on first use. `what` is what errors call it. Throws `BadConfiguration`. */
  constructor(what: string, { url, tuning }: MongoDbOptions) {
    this.#what = what;
    this.#url = url;
    this.tuning = { ...mongoDbTuning, ...tuning };
    this.#writers = new Turns(this.tuning.writers);
    try {
      this.#client = clientOf(url, this.tuning);
    } catch {
      // Neither the address nor the driver's words about it: there is a password in it.
      throw new BadConfiguration(
        `The address of the ${what} is not a MongoDB address; it takes mongodb://user:password@host:27017/database.`,
      );
    }
  }

  /** Asks. Rejects with `Unavailable` when there is no answer in time. */
  read<T>(question: (db: Db) => Promise<T>): Promise<T> {
    return this.#within(this.tuning.readPatience, question);
  }

  /** Writes. After `Unavailable` it may or may not have happened, or happen yet. */
  write<T>(work: (db: Db) => Promise<T>): Promise<T> {
    return this.#writers.take(() => this.#within(this.tuning.writePatience, work));
  }

  /** Makes or drops collections and indexes. */
  declare<T>(work: (db: Db) => Promise<T>): Promise<T> {
    return this.#within(this.tuning.declarePatience, work);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#client.close();
  }

  #db(): Db {
    // Given here and not to the client, where what the address says would win.
    return this.#client.db(databaseOf(this.#url), {
      writeConcern: { w: 'majority', journal: true },
      readConcern: new ReadConcern('majority'),
      readPreference: 'primary',
    });
  }

  /** The driver has no time-out for an operation as a whole, with finding a server, waiting in line and retries. */
  async #within<T>(answerTimeoutMs: number, work: (db: Db) => Promise<T>): Promise<T> {
    const client = this.#client;
    let timeout: NodeJS.Timeout | undefined;
    const tooLate = new Promise<never>((_resolve, reject) => {
      timeout = setTimeout(() => {
        reject(new Unavailable(this.#what, `MongoDB did not answer within ${answerTimeoutMs} ms.`));
      }, answerTimeoutMs);
    });
    try {
      const answer = await Promise.race([work(this.#db()), tooLate]);
      if (client === this.#client) {
        this.#failingSince = undefined;
        this.#isOfUse = true;
      }
      return answer;
    } catch (error) {
      const fault = faultOf(this.#what, error);
      if (fault instanceof Unavailable && client === this.#client) this.#noteFailure(fault);
      throw fault;
    } finally {
      clearTimeout(timeout);
    }
  }

  #noteFailure({ cause }: Unavailable): void {
    const now = performance.now();
    this.#failingSince ??= now;
    // One whose first attempt to connect failed does not make another.
    const neverConnected = !this.#isOfUse && cause instanceof MongoServerSelectionError;
    const isOver = neverConnected || cause instanceof MongoTopologyClosedError;
    if (this.#isClosed || (!isOver && now - this.#failingSince < this.tuning.renewAfter)) return;
    const old = this.#client;
    this.#client = clientOf(this.#url, this.tuning);
    this.#failingSince = undefined;
    this.#isOfUse = false;
    // What is under way on it has been failing too.
    old.close().catch(() => undefined);
  }
}

/** The driver does not tell a database that was not named from one named `test`. */
function databaseOf(url: string): string {
  const [, named = ''] = /^[^/]*\/\/[^/?]*\/([^?]*)/.exec(url) ?? [];
  return decodeURIComponent(named) || defaultDatabase;
}

function clientOf(url: string, tuning: MongoDbTuning): MongoClient {
  return new MongoClient(url, {
    appName: 'waybill',
    maxPoolSize: tuning.connections,
    serverSelectionTimeoutMS: tuning.selectTimeout,
    connectTimeoutMS: tuning.selectTimeout,
    waitQueueTimeoutMS: tuning.selectTimeout,
    // Connections with operations that were given up; a silent server is noticed earlier, by the heartbeat.
    socketTimeoutMS: tuning.declarePatience,
    heartbeatFrequencyMS: tuning.heartbeat,
  });
}

/** Whether an insert met a document of the same id. */
export function isDuplicate(error: unknown): boolean {
  return error instanceof MongoServerError && error.code === duplicateKey;
}
