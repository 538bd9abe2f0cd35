import { storedCheckpoint } from '@waybill/shared-kernel/category-heads.js';
import { partitionCount } from '@waybill/shared-kernel/partition.js';
import { beginning } from '@waybill/shared-kernel/ports/event-store.js';
import type { CollectionSpec, RelayCheckpoint } from '@waybill/shared-kernel/ports/read-store.js';
import type { Collection, Db } from 'mongodb';
import { isDuplicate } from '../../mongodb/connection.js';
import { collectionName } from './collection-layout.js';

/** How far somebody has come. */
interface StoredPosition {
  readonly _id: string;
  readonly position: number;
}

interface StoredRelay extends StoredPosition {
  readonly heads: RelayCheckpoint['heads'];
}

const relay = 'relay';

export function consumerId(consumer: string, partition: number): string {
  return `consumer:${consumer}:${partition}`;
}

function collectionIds(collection: CollectionSpec): readonly string[] {
  return Array.from({ length: partitionCount }, (_, partition) => collectionId(collection, partition));
}

export function collectionId(collection: CollectionSpec, partition: number): string {
  return `collection:${collectionName(collection)}:${partition}`;
}

function checkpointsOf(db: Db): Collection<StoredPosition> {
  return db.collection<StoredPosition>('checkpoints');
}

/** What a collection has applied, by partition. */
export async function positionsIn(db: Db, collection: CollectionSpec): Promise<readonly number[]> {
  const ids = collectionIds(collection);
  const stored = await checkpointsOf(db)
    .find({ _id: { $in: ids } })
    .toArray();
  const positions = new Map(stored.map(({ _id, position }) => [_id, position]));
  return ids.map((id) => positions.get(id) ?? beginning);
}

/** Puts each position in place of one that is behind it, or of none. */
export async function moveForwardsIn(db: Db, positions: ReadonlyMap<string, number>): Promise<void> {
  const stored = Array.from(positions, ([_id, position]) => ({ _id, position }));
  if (stored.length > 1) {
    const moves = stored.map(({ _id, position }) => ({
      updateOne: { filter: { _id, position: { $lt: position } }, update: { $set: { position } } },
    }));
    const { matchedCount } = await checkpointsOf(db).bulkWrite(moves, { ordered: false });
    if (matchedCount === stored.length) return;
  }
  await Promise.all(stored.map((one) => moveForwards(db, one)));
}

export async function dropPositions(db: Db, collection: CollectionSpec): Promise<void> {
  await checkpointsOf(db).deleteMany({ _id: { $in: [...collectionIds(collection)] } });
}

export async function consumerPositionIn(db: Db, consumer: string, partition: number): Promise<number> {
  const stored = await checkpointsOf(db).findOne({ _id: consumerId(consumer, partition) });
  return stored?.position ?? beginning;
}

export async function relayCheckpointIn(db: Db): Promise<RelayCheckpoint> {
  const stored = (await checkpointsOf(db).findOne({ _id: relay })) as StoredRelay | null;
  return stored === null ? { position: beginning, heads: {} } : storedCheckpoint(stored.position, stored.heads);
}

export async function saveRelayCheckpointIn(db: Db, { position, heads }: RelayCheckpoint): Promise<void> {
  const stored: StoredRelay = { _id: relay, position, heads };
  await moveForwards(db, stored);
}

/** Puts it in place of one that is behind it, or of none. */
async function moveForwards(db: Db, stored: StoredPosition): Promise<void> {
  const { _id, ...rest } = stored;
  const behind = { _id, position: { $lt: stored.position } };
  const { matchedCount } = await checkpointsOf(db).updateOne(behind, { $set: rest });
  if (matchedCount === 1) return;
  // Either it is there and not behind, or not there yet.
  try {
    await checkpointsOf(db).insertOne(stored);
  } catch (error) {
    if (!isDuplicate(error)) throw error;
    // Perhaps made in between, and behind.
    await checkpointsOf(db).updateOne(behind, { $set: rest });
  }
}
