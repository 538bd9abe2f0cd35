import type { SteadyClock } from '@waybill/shared-kernel/ports/clock.js';
import type { Lease, LeaseStore } from '@waybill/shared-kernel/ports/lease.js';
import type { Collection, Db } from 'mongodb';
import { steadyClock } from '../../clock/steady.js';
import { beginningWith } from '../../mongodb/beginning-with.js';
import { isDuplicate, MongoDbConnection, type MongoDbOptions } from '../../mongodb/connection.js';
import type { LeaseRecord, LeaseRecords } from '../lease-record.js';
import { leaseStore } from '../lease-store.js';

/** Leases in a MongoDB database. */
export function openMongoDbLeaseStore(options: MongoDbOptions, clock: SteadyClock = steadyClock): LeaseStore {
  return leaseStore(openMongoDbLeaseRecords(options), clock);
}

export function openMongoDbLeaseRecords(options: MongoDbOptions): LeaseRecords {
  return new MongoDbRecords(new MongoDbConnection('lease store', options));
}

interface StoredLease extends Omit<LeaseRecord, 'name'> {
  readonly _id: string;
}

function leasesOf(db: Db): Collection<StoredLease> {
  return db.collection<StoredLease>('leases');
}

class MongoDbRecords implements LeaseRecords {
  readonly #connection: MongoDbConnection;

  constructor(connection: MongoDbConnection) {
    this.#connection = connection;
  }

  async find(name: string): Promise<LeaseRecord | undefined> {
    const stored = await this.#connection.read((db) => leasesOf(db).findOne({ _id: name }));
    return stored === null ? undefined : recordOf(stored);
  }

  async list(prefix: string): Promise<readonly LeaseRecord[]> {
    const stored = await this.#connection.read((db) =>
      leasesOf(db)
        .find({ _id: beginningWith(prefix) })
        .sort({ _id: 1 })
        .toArray(),
    );
    return stored.map(recordOf);
  }

  async insert({ name, ...record }: LeaseRecord): Promise<boolean> {
    try {
      // The time limit of a question: whoever waits longer for a lease than it is worth has lost it.
      await this.#connection.read((db) => leasesOf(db).insertOne({ _id: name, ...record }));
      return true;
    } catch (error) {
      if (isDuplicate(error)) return false;
      throw error;
    }
  }

  replace({ token, beat }: LeaseRecord, { name, ...record }: LeaseRecord): Promise<boolean> {
    return this.#update({ _id: name, token, beat }, { $set: record });
  }

  /**
   * Where not all of them were as said, those that still are have been so all along, since token and owner of one that
   * was lost never come again: they have the beat.
   */
  async beat(leases: readonly Lease[], ttl: number): Promise<readonly Lease[]> {
    if (leases.length === 0) return [];
    const filter = { $or: leases.map(({ name, owner, token }) => ({ _id: name, token, owner })) };
    const { matchedCount } = await this.#connection.read((db) =>
      leasesOf(db).updateMany(filter, { $inc: { beat: 1 }, $set: { ttl } }),
    );
    if (matchedCount === leases.length) return leases;
    const present = await this.#connection.read((db) => leasesOf(db).find(filter).toArray());
    const names = new Set(present.map(({ _id }) => _id));
    return leases.filter(({ name }) => names.has(name));
  }

  async vacate(name: string, owner: string, token: number): Promise<void> {
    await this.#update({ _id: name, token, owner }, { $set: { owner: null } });
  }

  close(): Promise<void> {
    return this.#connection.close();
  }

  async #update(filter: Partial<StoredLease>, update: { $set: Partial<StoredLease> }): Promise<boolean> {
    const { matchedCount } = await this.#connection.read((db) => leasesOf(db).updateOne(filter, update));
    return matchedCount === 1;
  }
}

function recordOf({ _id, ...record }: StoredLease): LeaseRecord {
  return { name: _id, ...record };
}
