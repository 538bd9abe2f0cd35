import { BadConfiguration, Unavailable } from '@waybill/shared-kernel/errors.js';
import { MongoClient, MongoServerError, ReadConcern, type Db } from 'mongodb';
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
  readonly #client: MongoClient;
  readonly #db: Db;
  readonly #what: string;
  readonly #writers: Turns;

  /** Connects on first use. `what` is what errors call it. Throws `BadConfiguration`. */
  constructor(what: string, { url, tuning }: MongoDbOptions) {
    this.#what = what;
    this.tuning = { ...mongoDbTuning, ...tuning };
    this.#writers = new Turns(this.tuning.writers);
    try {
      this.#client = clientOf(url, this.tuning);
    } catch {
      // Neither the address nor the driver's words about it: there is a password in it.
      throw new BadConfiguration(
        `The address of the ${what} is none of MongoDB; it takes mongodb://user:password@host:27017/database.`,
      );
    }
    // Given here and not to the client, where what the address says would win.
    this.#db = this.#client.db(databaseOf(url), {
      writeConcern: { w: 'majority', journal: true },
      readConcern: new ReadConcern('majority'),
      readPreference: 'primary',
    });
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
    await this.#client.close();
  }

  /** The driver has no time-out for an operation as a whole, with finding a server, waiting in line and retries. */
  async #within<T>(patience: number, work: (db: Db) => Promise<T>): Promise<T> {
    let timeout: NodeJS.Timeout | undefined;
    const tooLate = new Promise<never>((_resolve, reject) => {
      timeout = setTimeout(() => {
        reject(new Unavailable(this.#what, `MongoDB did not answer within ${patience} ms.`));
      }, patience);
    });
    try {
      return await Promise.race([work(this.#db), tooLate]);
    } catch (error) {
      throw faultOf(this.#what, error);
    } finally {
      clearTimeout(timeout);
    }
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
