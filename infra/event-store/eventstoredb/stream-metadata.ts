import type { StreamMark } from '@waybill/shared-kernel/ports/event-store.js';
import { categoryOf } from '@waybill/shared-kernel/stream.js';
import { positionOf } from './position.js';
import type { Recorded } from './wire-event.js';

/** What a soft-deleted stream is truncated before: the largest revision there can be, as near as a number comes to it. */
const softDeletion = Number(9_223_372_036_854_775_807n);

/** The stream that holds the metadata of a stream; its last record counts. */
export function metadataStreamOf(stream: string): string {
  return `$$${stream}`;
}

/** Whether the metadata of a stream say that it was soft-deleted. */
export function isSoftDeletion({ data }: Recorded): boolean {
  return (numberIn(data, '$tb') ?? 0) >= softDeletion;
}

/** What a record of the server's own says about a stream of ours: that it was tombstoned, or its metadata. */
export function streamMarkOf(record: Recorded): StreamMark | undefined {
  const { streamId, type, data } = record;
  if (type === '$streamDeleted' && categoryOf(streamId) !== undefined) {
    const detail = 'It was tombstoned: its events are gone and none can follow.';
    return { stream: streamId, position: positionOf(record.position), why: 'deleted', detail };
  }
  if (type !== '$metadata' || !streamId.startsWith('$$')) return undefined;
  const stream = streamId.slice(2);
  if (categoryOf(stream) === undefined) return undefined;
  const losesEvents = numberIn(data, '$maxCount') !== undefined || numberIn(data, '$maxAge') !== undefined;
  const mark = { stream, position: positionOf(record.position), why: 'metadata', detail: said(data) } as const;
  return losesEvents ? { ...mark, losesEvents } : mark;
}

function said(data: unknown): string {
  const [truncateBefore, maxCount, maxAge] = ['$tb', '$maxCount', '$maxAge'].map((name) => numberIn(data, name));
  if (truncateBefore !== undefined && truncateBefore >= softDeletion) return 'It was deleted.';
  const cuts = [
    ...(truncateBefore === undefined || truncateBefore === 0 ? [] : [`truncated before revision ${truncateBefore}`]),
    ...(maxCount === undefined ? [] : [`held to its last ${maxCount} events`]),
    ...(maxAge === undefined ? [] : [`held to events of the last ${maxAge} s`]),
  ];
  return cuts.length === 0 ? 'Nothing is cut any more.' : `It is ${cuts.join(', ')}.`;
}

function numberIn(data: unknown, name: string): number | undefined {
  if (typeof data !== 'object' || data === null) return undefined;
  const value: unknown = Object.entries(data).find(([field]) => field === name)?.[1];
  return typeof value === 'number' ? value : undefined;
}
