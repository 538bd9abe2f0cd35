import { END, START, type Position, type ReadPosition } from '@eventstore/db-client';
import { beginning } from '@waybill/shared-kernel/ports/event-store.js';

/**
 * Our position of an event: the server's commit position, a byte offset with gaps. Its prepare position is the same
 * number for events. (That of checkpoints is not; none is used here.) No event is at offset 0, so `beginning` is free.
 * Throws `RangeError` past 2⁵³ bytes of log.
 */
export function positionOf(position: Position | undefined): number {
  // Servers before 22.6 do not say where an event of a stream is in the log.
  if (position === undefined) throw new RangeError('EventStoreDB gave no position: it is older than 22.6.');
  const commit = Number(position.commit);
  if (!Number.isSafeInteger(commit)) throw new RangeError(`not a position: ${position.commit}`);
  return commit;
}

/**
 * What to tell the server that a position of ours is. Only positions of events may come here: the server answers
 * `UnknownError` to one off the boundary of a record, and takes one of the future silently.
 */
export function readPositionOf(position: number): ReadPosition {
  if (position <= beginning) return START;
  if (position === Infinity) return END;
  return { commit: BigInt(position), prepare: BigInt(position) };
}
