import type { RecordedEvent } from './message.js';
import type { EventStore } from './ports/event-store.js';

const pageSize = 1000;

/** All events of a stream from a revision on, page by page. */
export async function* readWholeStream(
  store: Pick<EventStore, 'readStream'>,
  stream: string,
  from = 0,
): AsyncGenerator<RecordedEvent, void, undefined> {
  for (let next = from; ; next += pageSize) {
    const page = await store.readStream(stream, next, pageSize);
    yield* page;
    if (page.length < pageSize) return;
  }
}

/** The log after a position up to and including another, in pages of at most `limit` events, none of them empty. */
export async function* readLog(
  store: Pick<EventStore, 'readAll'>,
  after: number,
  upTo = Infinity,
  limit = pageSize,
): AsyncGenerator<readonly RecordedEvent[], void, undefined> {
  for (let position = after; ;) {
    const page = await store.readAll(position, limit);
    const last = page.at(-1);
    if (last === undefined) return;
    if (last.position >= upTo) {
      const rest = last.position === upTo ? page : page.filter((event) => event.position <= upTo);
      if (rest.length > 0) yield rest;
      return;
    }
    yield page;
    position = last.position;
  }
}

/** The log as it is now, from its end to its beginning: pages of at most `limit` events, the latest first, none empty. */
export async function* readLogBackwards(
  store: Pick<EventStore, 'readAllBackwards'>,
  limit = pageSize,
): AsyncGenerator<readonly RecordedEvent[], void, undefined> {
  let page = await store.readAllBackwards(Infinity, limit);
  for (let last = page.at(-1); last !== undefined; last = page.at(-1)) {
    yield page;
    page = await store.readAllBackwards(last.position, limit);
  }
}
