import { setImmediate as nextTurn } from 'node:timers/promises';
import { refuseFuture } from '@waybill/shared-kernel/events/upcast.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import type { Turn } from '@waybill/shared-kernel/one-a-turn.js';
import type { StreamReader } from '@waybill/shared-kernel/ports/event-store.js';
import { requireWhole } from '@waybill/shared-kernel/stream-faults.js';
import { requireExpected, streamsOf } from './order.js';

/** A place in a timeline: the next revision of each of the streams that `streamsOf` names, in that order. */
export type TimelinePlace = readonly number[];

/** Before everything. */
export const timelineStart: TimelinePlace = [0, 0, 0, 0];

export interface TimelinePage {
  readonly events: readonly RecordedEvent[];
  /** Where it goes on; `undefined`: there is no more. */
  readonly next: TimelinePlace | undefined;
}

export interface TimelineRange {
  /** Events of a page. */
  readonly size: number;
  /** The beginning unless said otherwise. */
  readonly from?: TimelinePlace;
  readonly limit?: number;
  /** Waited for before each page; by default the event loop turns once. */
  readonly turn?: Turn;
}

/** The least number of events read of each stream: the other streams say whether one is expected. */
const fewestRead = 100;

/**
 * At most `limit` of an order's events from a place on, as they happened: of the streams' next events always the one that
 * happened first, of several at once the one that was recorded first. So no stream's event comes before an earlier
 * revision of it, whatever its clock said. Reads no more of any stream than the page may hold. Throws as
 * `readEverythingOf` does.
 */
export async function readTimeline(
  store: StreamReader,
  orderId: string,
  from: TimelinePlace,
  limit: number,
): Promise<TimelinePage> {
  const streams = streamsOf(orderId);
  // One more tells whether there is more.
  const most = Math.max(limit, fewestRead) + 1;
  const found = await Promise.all(streams.map((stream, index) => store.readStream(stream, from[index]!, most)));
  await requireExpected(store, streams, found);
  for (const [index, stream] of streams.entries()) {
    if (from[index]! > 0 && found[index]!.length === 0) await requireWhole(store, stream);
  }
  const events = firstOf(found, limit);
  for (const event of events) refuseFuture(event);
  const read = streams.map((stream) => events.filter((event) => event.stream === stream).length);
  const isEnd = found.every((ofStream, index) => ofStream.length === read[index]);
  return { events, next: isEnd ? undefined : from.map((revision, index) => revision + read[index]!) };
}

/**
 * At most `limit` events from a place on, in pages of at most `size`, none of them empty but the first. Before each the
 * event loop turns.
 */
export async function* readTimelinePages(
  store: StreamReader,
  orderId: string,
  { size, from = timelineStart, limit = Infinity, turn = nextTurn }: TimelineRange,
): AsyncGenerator<TimelinePage, void, undefined> {
  let place: TimelinePlace | undefined = from;
  for (let left = limit; left > 0 && place !== undefined; left -= size) {
    await turn();
    const page: TimelinePage = await readTimeline(store, orderId, place, Math.min(size, left));
    yield page;
    place = page.next;
  }
}

/** The first so many of several streams, merged. */
function firstOf(found: readonly (readonly RecordedEvent[])[], limit: number): RecordedEvent[] {
  const at = found.map(() => 0);
  const events: RecordedEvent[] = [];
  while (events.length < limit) {
    let first: number | undefined;
    for (const [index, ofStream] of found.entries()) {
      const event = ofStream[at[index]!];
      if (event !== undefined && (first === undefined || isBefore(event, found[first]![at[first]!]!))) first = index;
    }
    if (first === undefined) return events;
    events.push(found[first]![at[first]!]!);
    at[first]! += 1;
  }
  return events;
}

function isBefore(one: RecordedEvent, other: RecordedEvent): boolean {
  if (one.occurredAt !== other.occurredAt) return one.occurredAt < other.occurredAt;
  return one.position < other.position;
}
