import { BadDataFile } from '@waybill/shared-kernel/errors.js';
import { dataKeyLength, type EventMark } from '@waybill/shared-kernel/ports/keys.js';
import { Binary, type Collection, type Db } from 'mongodb';
import { isDuplicate, MongoDbConnection, type MongoDbOptions } from '../../mongodb/connection.js';
import { mongoDbTuning } from '../../mongodb/tuning.js';
import {
  fittingMasterKeys,
  presentName,
  proofOf,
  wrappingKey,
  type MasterKeys,
  type MasterKeySource,
} from '../fitting-master-key.js';
import { rewrapped, unwrapWithAny, wrapKey, type WrappedKey } from '../key-wrap.js';
import type { RotatableKeyStore, Rotated } from '../rotatable.js';

export interface MongoDbKeyStoreOptions extends MongoDbOptions, MasterKeySource {}

/**
 * Data keys in a MongoDB database, each wrapped by the master key, which is in no database: all processes must be
 * given the same one. Rejects with `BadDataFile` or `BadConfiguration` where it is lost or another.
 *
 * A destroyed key is overwritten where it stands. MongoDB cannot be told to wipe what it no longer uses: the wrapped
 * key stays in the journal and the oplog until they have moved on, in free blocks until they are used again, and in
 * backups until they are deleted. To open it there takes the master key as well.
 */
export function openMongoDbKeyStore(options: MongoDbKeyStoreOptions): MongoDbKeyStore {
  // Commands wait for keys, so a write has no more time than a question.
  const tuning = { writePatience: mongoDbTuning.readPatience, ...options.tuning };
  return new MongoDbKeyStore(new MongoDbConnection('key store', { ...options, tuning }), options);
}

interface StoredKey {
  /** The subject. */
  readonly _id: string;
  /** Null once it was destroyed. */
  readonly wrapped: Binary | null;
}

interface StoredProof {
  readonly _id: 'proof';
  readonly proof: Binary;
}

interface StoredErasures {
  readonly _id: 'carried out';
  readonly upTo: EventMark;
}

const name = 'the key store';
const adoptedAtOnce = 500;
const rotatedAtOnce = 500;

function keysOf(db: Db): Collection<StoredKey> {
  return db.collection<StoredKey>('keys');
}

function proofsOf(db: Db): Collection<StoredProof> {
  return db.collection<StoredProof>('masterKey');
}

function erasuresOf(db: Db): Collection<StoredErasures> {
  return db.collection<StoredErasures>('erasures');
}

export class MongoDbKeyStore implements RotatableKeyStore {
  readonly #connection: MongoDbConnection;
  readonly #source: MasterKeySource;
  /** Found on first use, since the server may be down until then. */
  #masterKeys: MasterKeys | undefined;

  constructor(connection: MongoDbConnection, source: MasterKeySource) {
    this.#connection = connection;
    this.#source = source;
  }

  async find(subject: string): Promise<Uint8Array | undefined> {
    const masterKeys = await this.#fitting();
    const stored = await this.#stored(subject);
    return stored === null ? undefined : this.#unwrapped(masterKeys, stored);
  }

  async create(subject: string): Promise<Uint8Array | undefined> {
    const masterKeys = await this.#fitting();
    const present = await this.#stored(subject);
    if (present !== null) return this.#unwrapped(masterKeys, present);
    const { randomness } = this.#source;
    const wrapped = wrapKey(await this.#wrapping(masterKeys), subject, randomness.bytes(dataKeyLength), randomness);
    await this.#insert((db) => keysOf(db).insertOne({ _id: subject, wrapped: new Binary(wrapped) }));
    // A rotation that began meanwhile may have passed by already.
    await this.#wrapAnew(await this.#wrapping(masterKeys), masterKeys, { _id: subject, wrapped: new Binary(wrapped) });
    // Ours, or that of whoever was quicker.
    return this.find(subject);
  }

  async destroy(subject: string): Promise<void> {
    // The tombstone first, for then there is something to overwrite in every case. Twice is a no-op.
    await this.#insert((db) => keysOf(db).insertOne({ _id: subject, wrapped: null }));
    await this.#connection.write((db) => keysOf(db).updateOne({ _id: subject }, { $set: { wrapped: null } }));
  }

  async erasedUpTo(): Promise<EventMark | undefined> {
    const noted = await this.#connection.read((db) => erasuresOf(db).findOne({ _id: 'carried out' }));
    return noted?.upTo;
  }

  async noteErasedUpTo({ id, stream, revision, position }: EventMark): Promise<void> {
    const upTo = { id, stream, revision, position };
    await this.#insert((db) => erasuresOf(db).insertOne({ _id: 'carried out', upTo }));
    await this.#connection.write((db) => erasuresOf(db).updateOne({ _id: 'carried out' }, { $set: { upTo } }));
  }

  /**
   * Takes keys of another store of the same master key, as they are wrapped; a repeat is a no-op. What is destroyed in
   * one of the two is destroyed. Rejects with `BadDataFile` where it has another key for a subject already.
   */
  async adopt(keys: readonly WrappedKey[]): Promise<void> {
    const masterKeys = await this.#fitting();
    for (let from = 0; from < keys.length; from += adoptedAtOnce) {
      const some = keys.slice(from, from + adoptedAtOnce).map(({ subject, wrapped }) => ({
        _id: subject,
        wrapped: wrapped === null ? null : new Binary(wrapped),
      }));
      for (const key of some) await this.#unwrapped(masterKeys, key);
      await this.#insert((db) => keysOf(db).insertMany(some, { ordered: false }));
      for (const subject of await this.#destroyedOf(masterKeys, some)) await this.destroy(subject);
    }
  }

  /** Rejects with `BadDataFile` or `BadConfiguration` where the master key is lost, another or none. Makes nothing. */
  async assertMasterKeyFits(): Promise<void> {
    const proof = await this.#proof();
    if (proof !== undefined) fittingMasterKeys(this.#source, proof, name);
  }

  async rotate(): Promise<Rotated> {
    const masterKeys = await this.#fitting();
    const [present] = masterKeys;
    // From here on all new keys are wrapped by the present one.
    if ((await this.#wrapping(masterKeys)) !== present) {
      const proof = new Binary(proofOf(present, this.#source.randomness));
      await this.#connection.write((db) => proofsOf(db).updateOne({ _id: 'proof' }, { $set: { proof } }));
    }
    let wrappedAnew = 0;
    for (let after = ''; ;) {
      const from = after;
      const page = await this.#connection.read((db) =>
        keysOf(db)
          .find({ _id: { $gt: from }, wrapped: { $ne: null } })
          .sort({ _id: 1 })
          .limit(rotatedAtOnce)
          .toArray(),
      );
      for (const key of page) if (await this.#wrapAnew(present, masterKeys, key)) wrappedAnew += 1;
      const last = page.at(-1);
      if (last === undefined) return { wrappedAnew };
      after = last._id;
    }
  }

  close(): Promise<void> {
    return this.#connection.close();
  }

  /** Subjects of those keys that are destroyed, and here they are not. */
  async #destroyedOf(masterKeys: MasterKeys, keys: readonly StoredKey[]): Promise<readonly string[]> {
    const wanted = new Map(keys.map((key) => [key._id, key.wrapped]));
    const present = await this.#connection.read((db) => {
      const filter = { _id: { $in: [...wanted.keys()] }, wrapped: { $ne: null } };
      return keysOf(db).find(filter).toArray();
    });
    return present.flatMap(({ _id: subject, wrapped }) => {
      const want = wanted.get(subject);
      if (wrapped === null) return [];
      if (want === null || want === undefined) return [subject];
      const [wantedKey, key] = [want, wrapped].map((one) => unwrapWithAny(masterKeys, subject, bytesOf(one)));
      if (wantedKey !== undefined && key !== undefined && Buffer.from(wantedKey).equals(key)) return [];
      throw new BadDataFile(
        `${name} has another key of ${subject} already: it was used with another log. Use a database that is new.`,
      );
    });
  }

  #stored(subject: string): Promise<StoredKey | null> {
    return this.#connection.read((db) => keysOf(db).findOne({ _id: subject }));
  }

  async #fitting(): Promise<MasterKeys> {
    this.#masterKeys ??= await this.#findMasterKeys();
    return this.#masterKeys;
  }

  async #findMasterKeys(): Promise<MasterKeys> {
    const present = await this.#proof();
    const masterKeys = fittingMasterKeys(this.#source, present, name);
    if (present !== undefined) return masterKeys;
    const proof = new Binary(proofOf(masterKeys[0], this.#source.randomness));
    await this.#insert((db) => proofsOf(db).insertOne({ _id: 'proof', proof }));
    // Whoever was quicker may have another.
    return fittingMasterKeys(this.#source, await this.#proof(), name);
  }

  /** The master key that new keys are wrapped by. */
  async #wrapping(masterKeys: MasterKeys): Promise<Uint8Array> {
    const proof = await this.#proof();
    if (proof === undefined) throw new BadDataFile(`${name} has lost the proof of its master key.`);
    return wrappingKey(masterKeys, proof, presentName(this.#source), name);
  }

  /** Whether a key was wrapped by another master key than `by`, and is not any more. */
  async #wrapAnew(by: Uint8Array, masterKeys: MasterKeys, { _id, wrapped }: StoredKey): Promise<boolean> {
    if (wrapped === null) return false;
    const anew = rewrapped([by, ...masterKeys], _id, bytesOf(wrapped), this.#source.randomness);
    if (anew === undefined) throw damaged(_id);
    if (anew.length === bytesOf(wrapped).length && Buffer.from(anew).equals(bytesOf(wrapped))) return false;
    // One that is destroyed meanwhile stays so.
    const change = { $set: { wrapped: new Binary(anew) } };
    const { modifiedCount } = await this.#connection.write((db) => keysOf(db).updateOne({ _id, wrapped }, change));
    return modifiedCount > 0;
  }

  async #unwrapped(masterKeys: MasterKeys, { _id: subject, wrapped }: StoredKey): Promise<Uint8Array | undefined> {
    if (wrapped === null) return undefined;
    const key = unwrapWithAny(masterKeys, subject, bytesOf(wrapped));
    if (key !== undefined) return key;
    // Where it was rotated, and this process has not the new master key, that is said.
    await this.#wrapping(masterKeys);
    throw damaged(subject);
  }

  async #proof(): Promise<Uint8Array | undefined> {
    const stored = await this.#connection.read((db) => proofsOf(db).findOne({ _id: 'proof' }));
    return stored === null ? undefined : bytesOf(stored.proof);
  }

  /** Inserts unless it is there. */
  async #insert(work: (db: Db) => Promise<unknown>): Promise<void> {
    try {
      await this.#connection.write(work);
    } catch (error) {
      if (!isDuplicate(error)) throw error;
    }
  }
}

function damaged(subject: string): BadDataFile {
  return new BadDataFile(`The key of ${subject} in ${name} is damaged. Restore a backup of it.`);
}

function bytesOf(binary: Binary): Uint8Array {
  return binary.buffer.subarray(0, binary.position);
}
