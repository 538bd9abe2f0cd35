import type { SnapshotStore, StoredSnapshot } from '@waybill/shared-kernel/ports/snapshots.js';
import type { Collection, Db } from 'mongodb';
import { MongoDbConnection, type MongoDbOptions } from '../../mongodb/connection.js';
import { putInPlace } from '../../mongodb/put-in-place.js';
import { mongoDbTuning } from '../../mongodb/tuning.js';

/** Snapshots in a collection of a MongoDB database, which may be dropped at any time. */
export function openMongoDbSnapshotStore(options: MongoDbOptions): SnapshotStore {
  // Nobody waits for a snapshot, and one that comes late is worth less: no more time than a question.
  const tuning = { writePatience: mongoDbTuning.readPatience, connections: 5, ...options.tuning };
  return new MongoDbSnapshotStore(new MongoDbConnection('snapshot store', { ...options, tuning }));
}

interface Stored extends Omit<StoredSnapshot, 'text'> {
  /** The stream. */
  readonly _id: string;
  /** Text, unless somebody else put something in its place. */
  readonly text: unknown;
}

function snapshotsOf(db: Db): Collection<Stored> {
  return db.collection<Stored>('snapshots');
}

class MongoDbSnapshotStore implements SnapshotStore {
  readonly #connection: MongoDbConnection;

  constructor(connection: MongoDbConnection) {
    this.#connection = connection;
  }

  async load(stream: string): Promise<StoredSnapshot | undefined> {
    const stored = await this.#connection.read((db) => snapshotsOf(db).findOne({ _id: stream }));
    if (stored === null) return undefined;
    const { revision, schemaVersion, text } = stored;
    // Whoever made the text finds out that this is not it.
    return { revision, schemaVersion, text: typeof text === 'string' ? text : '' };
  }

  save(stream: string, { revision, schemaVersion, text }: StoredSnapshot): Promise<void> {
    const stored: Stored = { _id: stream, revision, schemaVersion, text };
    const isOlder = { $or: [{ revision: { $lt: revision } }, { schemaVersion: { $ne: schemaVersion } }] };
    return this.#connection.write((db) => putInPlace(snapshotsOf(db), stored, isOlder));
  }

  async remove(stream: string): Promise<void> {
    await this.#connection.write((db) => snapshotsOf(db).deleteOne({ _id: stream }));
  }

  close(): Promise<void> {
    return this.#connection.close();
  }
}
