import { logBeginning, type LogPosition } from './log-position.js';
import type { RelayCheckpoint } from '../ports/read-store.js';

/**
 * A checkpoint as a store holds it. One of the shape before heads were kept by category counts for nothing: all is
 * published once more, and duplicates are no-ops.
 */
export function storedCheckpoint(position: LogPosition, heads: RelayCheckpoint['heads']): RelayCheckpoint {
  const isOlder = Object.values(heads).some((ofPartition) => 'recordedAt' in ofPartition);
  return isOlder ? { ...logBeginning, heads: {} } : { ...position, heads };
}
