import { storedCheckpoint } from '@waybill/shared-kernel/subscriptions/category-heads.js';
import { logBeginning, type Anchor, type LogPosition } from '@waybill/shared-kernel/subscriptions/log-position.js';
import { partitionCount } from '@waybill/shared-kernel/partitions/partition.js';
import type { CollectionSpec, RelayCheckpoint } from '@waybill/shared-kernel/ports/read-store.js';
import type { Collection, Db } from 'mongodb';
import { putInPlace } from '../../mongodb/put-in-place.js';
import { collectionName } from './collection-layout.js';

/** How far somebody has come. */
interface StoredPosition {
  readonly _id: string;
  /** `through` of a `LogPosition`. */
  readonly position: number;
  /** Absent in one that was stored before there were any. */
  readonly anchors?: readonly Anchor[];
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

function storedOf(_id: string, { through, anchors }: LogPosition): StoredPosition {
  return { _id, position: through, anchors };
}

function positionOf(stored: StoredPosition | null | undefined): LogPosition {
  return stored == null ? logBeginning : { through: stored.position, anchors: stored.anchors ?? [] };
}

/** What a collection has applied, by partition. */
export async function positionsIn(db: Db, collection: CollectionSpec): Promise<readonly LogPosition[]> {
  const ids = collectionIds(collection);
  const stored = await checkpointsOf(db)
    .find({ _id: { $in: ids } })
    .toArray();
  const positions = new Map(stored.map((one) => [one._id, one]));
  return ids.map((id) => positionOf(positions.get(id)));
}

/** Puts each position in place of one that is behind it, or of none. */
export async function moveForwardsIn(db: Db, positions: ReadonlyMap<string, LogPosition>): Promise<void> {
  const stored = Array.from(positions, ([id, position]) => storedOf(id, position));
  if (stored.length > 1) {
    const moves = stored.map(({ _id, ...fields }) => ({
      updateOne: { filter: { _id, position: { $lt: fields.position } }, update: { $set: fields } },
    }));
    const { matchedCount } = await checkpointsOf(db).bulkWrite(moves, { ordered: false });
    if (matchedCount === stored.length) return;
  }
  await Promise.all(stored.map((one) => moveForwards(db, one)));
}

/** Puts it in place of one that is behind it, or of none. */
function moveForwards(db: Db, stored: StoredPosition): Promise<void> {
  return putInPlace(checkpointsOf(db), stored, { position: { $lt: stored.position } });
}

export async function dropPositions(db: Db, collection: CollectionSpec): Promise<void> {
  await checkpointsOf(db).deleteMany({ _id: { $in: [...collectionIds(collection)] } });
}

export async function consumerPositionIn(db: Db, consumer: string, partition: number): Promise<LogPosition> {
  return positionOf(await checkpointsOf(db).findOne({ _id: consumerId(consumer, partition) }));
}

/** Whether it still was at `expected`, and is put where it is told. */
export function resetConsumerPositionIn(
  db: Db,
  id: string,
  expected: LogPosition,
  position: LogPosition,
): Promise<boolean> {
  return reset(db, expected, storedOf(id, position));
}

export async function relayCheckpointIn(db: Db): Promise<RelayCheckpoint> {
  const stored = (await checkpointsOf(db).findOne({ _id: relay })) as StoredRelay | null;
  return stored === null ? { ...logBeginning, heads: {} } : storedCheckpoint(positionOf(stored), stored.heads);
}

export async function saveRelayCheckpointIn(db: Db, checkpoint: RelayCheckpoint): Promise<void> {
  await moveForwards(db, storedRelay(checkpoint));
}

/** Whether it still was at `expected`, and is put where it is told. */
export function resetRelayCheckpointIn(db: Db, expected: LogPosition, checkpoint: RelayCheckpoint): Promise<boolean> {
  return reset(db, expected, storedRelay(checkpoint));
}

function storedRelay({ heads, ...position }: RelayCheckpoint): StoredRelay {
  return { ...storedOf(relay, position), heads };
}

async function reset(db: Db, expected: LogPosition, { _id, ...fields }: StoredPosition): Promise<boolean> {
  const { matchedCount } = await checkpointsOf(db).updateOne({ _id, position: expected.through }, { $set: fields });
  return matchedCount === 1;
}
