import { setImmediate as nextTurn } from 'node:timers/promises';
import { StreamCut, StreamUnreadable, Unavailable } from './errors.js';
import type { RecordedEvent } from './message.js';
import type { Turn } from './one-a-turn.js';
import {
  beginning,
  largestPage,
  type LogPage,
  type StreamEvents,
  type LogPages,
  type BackwardsLogReader,
} from './ports/event-store.js';

const pageSize = 1000;

export interface StreamRange {
  /** A revision; 0 unless said otherwise. */
  readonly from?: number;
  /** Events of a page. */
  readonly size?: number;
  /** Waited for between two pages; by default the event loop turns once. */
  readonly turn?: Turn;
}

/**
 * A stream in pages, none of them empty. Between two reads the event loop turns: a store may answer without leaving the
 * thread, and a long stream is not to keep others from it. Rejects with `StreamCut` where the next event is not there.
 */
export async function* readStreamPages(
  store: StreamEvents,
  stream: string,
  { from = 0, size = pageSize, turn = nextTurn }: StreamRange = {},
): AsyncGenerator<readonly RecordedEvent[], void, undefined> {
  for (let next = from; ;) {
    const page = await store.readStream(stream, next, size);
    if (page.length > 0) yield page;
    if (page.length < size) return;
    next = page.at(-1)!.revision + 1;
    await turn();
  }
}

/** All events of a stream from a revision on, as `readStreamPages` reads them. */
export async function* readWholeStream(
  store: StreamEvents,
  stream: string,
  from = 0,
): AsyncGenerator<RecordedEvent, void, undefined> {
  for await (const page of readStreamPages(store, stream, { from })) yield* page;
}

/** As `readStreamPages`, with all that comes before an event that cannot be read or is gone, and then the fault. */
export async function* readPagesAsFar(
  store: StreamEvents,
  stream: string,
  range: StreamRange = {},
): AsyncGenerator<readonly RecordedEvent[], void, undefined> {
  let next = range.from ?? 0;
  try {
    for await (const page of readStreamPages(store, stream, range)) {
      next = page.at(-1)!.revision + 1;
      yield page;
    }
  } catch (error) {
    const end = error instanceof StreamUnreadable ? error.revision : error instanceof StreamCut ? error.goneFrom : next;
    if (end > next) yield await store.readStream(stream, next, end - next);
    throw error;
  }
}

/** All events of a stream from a revision on, as `readPagesAsFar` reads them. */
export async function* readAsFar(
  store: StreamEvents,
  stream: string,
  from = 0,
): AsyncGenerator<RecordedEvent, void, undefined> {
  for await (const page of readPagesAsFar(store, stream, { from })) yield* page;
}

/**
 * The log after a position up to and including another, look by look, between which the event loop turns. Every page has
 * moved `through`, though perhaps over records of other programs alone. Ends at the end of the log as it met it: whoever must have come to the head
 * compares the last `through` with the head that was asked for before.
 */
export async function* readLog(
  store: LogPages,
  after: number,
  upTo = Infinity,
  limit = largestPage,
): AsyncGenerator<LogPage, void, undefined> {
  for (let position = after; position < upTo;) {
    const page = await store.readAll(position, limit);
    if (page.through > upTo) {
      const isBefore = ({ position }: { readonly position: number }) => position <= upTo;
      const [events, marks] = [page.events.filter(isBefore), page.marks.filter(isBefore)];
      yield { events, marks, through: upTo, isEnd: false };
      return;
    }
    if (page.through > position) yield page;
    if (page.isEnd) return;
    position = page.through;
    await nextTurn();
  }
}

/** The same up to a position that the log is known to have; `Unavailable` where it ends before, for it will show it. */
export async function* readLogTo(
  store: LogPages,
  after: number,
  upTo: number,
  limit = largestPage,
): AsyncGenerator<LogPage, void, undefined> {
  let reached = after;
  for await (const page of readLog(store, after, upTo, limit)) {
    reached = page.through;
    yield page;
  }
  if (reached < upTo) throw new Unavailable('event store', `The log does not show position ${upTo} yet.`);
}

/** The log as it is now, from its end to its beginning, look by look, the latest first; between looks the event loop turns. */
export async function* readLogBackwards(
  store: BackwardsLogReader,
  limit = largestPage,
): AsyncGenerator<LogPage, void, undefined> {
  for (let position = Infinity; ;) {
    const page = await store.readAllBackwards(position, limit);
    yield page;
    if (page.isEnd) return;
    position = page.through;
    await nextTurn();
  }
}

/** The first event of ours, `undefined` while there is none. */
export async function firstEvent(store: LogPages): Promise<RecordedEvent | undefined> {
  for await (const { events } of readLog(store, beginning)) if (events[0] !== undefined) return events[0];
  return undefined;
}

/** The last event of ours, `undefined` while there is none. */
export async function lastEvent(store: BackwardsLogReader): Promise<RecordedEvent | undefined> {
  for await (const { events } of readLogBackwards(store)) if (events[0] !== undefined) return events[0];
  return undefined;
}
