import { randomUUID } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { EventData, NewEvent, RecordedEvent } from '../message.js';
import { readLog, readLogBackwards, readWholeStream } from '../read-stream.js';
import { runs } from '../testing/length.js';
import { freshStream, newEvent } from '../testing/new-event.js';
import type { WallClock } from './clock.js';
import { beginning, largestPage, noStream, type Appended, type EventStore, type StreamMark } from './event-store.js';

export interface EventStoreUnderTest {
  readonly store: EventStore;
  /** A second way to the same log, as another process would have it. */
  readonly another: EventStore;
  /** Has another program write so many records to the same store; absent where no other program can. */
  readonly writeForeign?: (records: number) => Promise<void>;
  /** Takes the events before a revision out of a stream. */
  readonly truncate: (stream: string, before: number) => Promise<void>;
  /** Appends an event that cannot be read as one of ours to a stream at this revision. */
  readonly appendUnreadable: (stream: string, expectedRevision: number) => Promise<void>;
  /** What whoever administers the store can do to a stream; absent where nobody can. */
  readonly administration?: StreamAdministration;
  dispose(): Promise<void>;
}

export interface StreamAdministration {
  softDelete(stream: string): Promise<void>;
  tombstone(stream: string): Promise<void>;
  /** Takes a truncation back. */
  restore(stream: string): Promise<void>;
}

export interface EventStoreDifferences {
  /** Streams can be deleted, and the log says what was done to them; a file knows nothing of either. */
  readonly hasAdministration?: boolean;
  /** Others use the store too: what cuts streams, or leaves marks in the log, is skipped. */
  readonly isShared?: boolean;
  readonly timeoutMs?: number;
  readonly propertyRuns?: number;
  /** Bytes of events as JSON that one append may have, where the store has such a limit. */
  readonly largestAppend?: number;
}

/**
 * What `EventStore` promises, for every adapter. The log may hold anything before, and other programs may write to it.
 * Each test has streams of its own. `make` may ignore the clock where the server has its own.
 */
export function eventStoreContract(
  name: string,
  make: (clock: WallClock) => Promise<EventStoreUnderTest>,
  {
    timeoutMs = 180_000,
    propertyRuns = runs(15, 100),
    largestAppend = Infinity,
    hasAdministration = true,
    isShared = false,
  }: EventStoreDifferences = {},
): void {
  describe(`event store: ${name}`, () => {
    let clockMs = Date.parse('2026-01-01T00:00:00.000Z');
    let subject: EventStoreUnderTest;
    let store: EventStore;
    let another: EventStore;

    beforeAll(async () => {
      subject = await make({ time: () => new Date(clockMs) });
      ({ store, another } = subject);
    }, timeoutMs);

    afterAll(async () => {
      await subject.dispose();
    }, timeoutMs);

    function promise(what: string, check: () => Promise<void>): void {
      test(what, check, timeoutMs);
    }

    describe('append', () => {
      promise('answers with the last revision and position, and what is read is what was appended', async () => {
        const stream = freshStream();
        const before = await store.head();
        const first = {
          ...newEvent(),
          actor: { sub: 'c-1', role: 'customer' },
          traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
          request: { id: randomUUID(), hash: 'hash', subject: 'c-1' },
          imported: true as const,
        };
        const second = newEvent();
        const appended = await store.append(stream, noStream, [first, second]);

        expect(appended.revision).toBe(1);
        const events = await store.readStream(stream, 0, 10);
        expect(events).toEqual([
          { ...first, stream, revision: 0, position: expect.any(Number), recordedAt: expect.any(String) },
          { ...second, stream, revision: 1, position: appended.position, recordedAt: expect.any(String) },
        ]);
        expect(events[0]?.position).toBeGreaterThan(before);
        expect(events[0]?.position).toBeLessThan(appended.position);
        for (const { recordedAt } of events) expect(recordedAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      });

      promise('refuses every revision but the current one, says that, and changes nothing', async () => {
        const stream = freshStream();
        for (const expected of [0, 7]) {
          await expect(store.append(stream, expected, [newEvent()])).rejects.toMatchObject(
            wrongRevision(stream, expected, noStream),
          );
        }
        const events = await appendSome(store, stream, 3);
        for (const expected of [-1, 0, 1, 3, 9]) {
          await expect(store.append(stream, expected, [newEvent(), newEvent()])).rejects.toMatchObject(
            wrongRevision(stream, expected, 2),
          );
        }
        expect(ids(await store.readStream(stream, 0, 10))).toEqual(ids(events));
      });

      promise('lets exactly one of twenty writers win', async () => {
        const stream = freshStream();
        for (const expected of [-1, 0, 1]) {
          const writers = Array.from({ length: 20 }, (_, index) => ({
            writer: index % 2 === 0 ? store : another,
            event: newEvent(),
          }));
          const results = await Promise.allSettled(
            writers.map(({ writer, event }) => writer.append(stream, expected, [event])),
          );
          const winners = writers.filter((_, index) => results[index]?.status === 'fulfilled');
          expect(winners).toHaveLength(1);
          for (const result of results) {
            if (result.status === 'rejected') {
              expect(result.reason).toMatchObject(wrongRevision(stream, expected, expected + 1));
            }
          }
          const events = await store.readStream(stream, 0, 100);
          expect(events).toHaveLength(expected + 2);
          expect(events.at(-1)?.id).toBe(winners[0]?.event.id);
        }
      });

      promise('answers a repeat as the first time, after other appends too', async () => {
        const stream = freshStream();
        const single = [newEvent()];
        const several = [newEvent(), newEvent(), newEvent()];
        const firstSingle = await store.append(stream, noStream, single);
        const firstSeveral = await store.append(stream, 0, several);
        for (const writer of [store, another]) {
          expect(await writer.append(stream, noStream, single)).toEqual(firstSingle);
          expect(await writer.append(stream, 0, several)).toEqual(firstSeveral);
          const { revision } = lastOf(await store.readStreamBackwards(stream, Infinity, 1));
          await writer.append(stream, revision, [newEvent()]);
          clockMs += 1_000;
        }
        expect(await store.append(stream, noStream, single)).toEqual(firstSingle);
        expect(await store.append(stream, 0, several)).toEqual(firstSeveral);
        expect(await store.readStream(stream, 0, 100)).toHaveLength(6);
      });

      promise('records the same append once when it comes several times at once', async () => {
        const stream = freshStream();
        const events = [newEvent(), newEvent()];
        const answers = await Promise.all(
          [store, another, store, another].map((writer) => writer.append(stream, noStream, events)),
        );
        for (const answer of answers) expect(answer).toEqual(answers[0]);
        expect(await store.readStream(stream, 0, 10)).toHaveLength(2);
      });

      promise('takes only the very same events at the very same revisions for a repeat', async () => {
        const stream = freshStream();
        const [first, second] = [newEvent(), newEvent()];
        await store.append(stream, noStream, [first, second]);
        const notRepeats: [number, NewEvent[]][] = [
          [-1, [second]],
          [-1, [second, first]],
          [-1, [first, newEvent()]],
          [-1, [first, second, newEvent()]],
          [0, [first]],
          [0, [second, newEvent()]],
        ];
        for (const [expected, events] of notRepeats) {
          await expect(store.append(stream, expected, events)).rejects.toMatchObject(
            wrongRevision(stream, expected, 1),
          );
        }
        expect(ids(await store.readStream(stream, 0, 10))).toEqual([first.id, second.id]);
      });

      promise('keeps the events of one append together, all or none', async () => {
        const stream = freshStream();
        const start = await store.head();
        const appends = Array.from({ length: 12 }, () => [newEvent(), newEvent(), newEvent(), newEvent(), newEvent()]);
        const results = await Promise.allSettled(
          appends.map((events, index) => (index % 2 === 0 ? store : another).append(stream, noStream, events)),
        );
        const winner = appends.find((_, index) => results[index]?.status === 'fulfilled') ?? [];
        expect(ids(await store.readStream(stream, 0, 100))).toEqual(ids(winner));
        const logged = (await wholeLog(store, start)).filter((event) => event.stream === stream);
        expect(ids(logged)).toEqual(ids(winner));
      });

      promise('refuses an append of nothing and a revision that is none', async () => {
        const stream = freshStream();
        await expect(store.append(stream, noStream, [])).rejects.toBeInstanceOf(RangeError);
        for (const expected of [-2, 0.5, NaN, Infinity]) {
          await expect(store.append(stream, expected, [newEvent()])).rejects.toBeInstanceOf(RangeError);
        }
        expect(await store.readStream(stream, 0, 10)).toEqual([]);
      });

      promise('never records a time before the last one, though the clock goes back', async () => {
        const stream = freshStream();
        let revision = noStream;
        for (const step of [0, 5_000, -60_000, 1, -3_600_000, 7_200_000]) {
          clockMs += step;
          const writer = revision % 2 === 0 ? store : another;
          ({ revision } = await writer.append(stream, revision, [newEvent(), newEvent()]));
        }
        const times = (await store.readStream(stream, 0, 100)).map(({ recordedAt }) => recordedAt);
        expect(times).toHaveLength(12);
        expect(times).toEqual([...times].sort());
      });

      promise('gives data back unchanged: any script, escapes, numbers, much at once', async () => {
        const payloads: EventData[] = [
          { name: '서울 ☂ 👩‍👩‍👧 Ünïcödé \u0000 \u2028 "quoted" \\ \ud800 lone', empty: '', nothing: null },
          { small: Number.MIN_VALUE, large: Number.MAX_SAFE_INTEGER, negative: -1.5e-7, yes: true },
          { lines: [{ productId: 'p', quantity: 1 }, {}, []], '': 'no name', constructor: 'own' },
          JSON.parse('{"__proto__":{"polluted":true}}') as EventData,
          { text: 'ㄱ"\\'.repeat(Math.min(largestAppend - 10_000, 2_500_000) / 7) },
        ];
        const stream = freshStream();
        await store.append(
          stream,
          noStream,
          payloads.map((data) => ({ ...newEvent(), data })),
        );
        for (const reader of [store, another]) {
          const read = await reader.readStream(stream, 0, 10);
          expect(read.map(({ data }) => JSON.stringify(data))).toEqual(payloads.map((data) => JSON.stringify(data)));
        }
      });
    });

    describe('reading a stream', () => {
      promise('goes forwards from a revision, at most so many', async () => {
        const stream = freshStream();
        const events = ids(await appendSome(store, stream, 5));
        expect(ids(await store.readStream(stream, 0, 100))).toEqual(events);
        expect(ids(await another.readStream(stream, 2, 2))).toEqual(events.slice(2, 4));
        expect(ids(await store.readStream(stream, 4, Infinity))).toEqual(events.slice(4));
        expect(await store.readStream(stream, 5, 10)).toEqual([]);
        expect(await store.readStream(freshStream(), 0, 10)).toEqual([]);
      });

      promise('goes backwards from a revision or the end, at most so many', async () => {
        const stream = freshStream();
        const events = ids(await appendSome(store, stream, 5)).reverse();
        expect(ids(await store.readStreamBackwards(stream, Infinity, 100))).toEqual(events);
        expect(ids(await another.readStreamBackwards(stream, 3, 2))).toEqual(events.slice(1, 3));
        expect(ids(await store.readStreamBackwards(stream, 99, 1))).toEqual(events.slice(0, 1));
        expect(ids(await store.readStreamBackwards(stream, 0, 5))).toEqual(events.slice(4));
        expect(await store.readStreamBackwards(freshStream(), Infinity, 10)).toEqual([]);
      });

      promise('goes on page by page to the end', async () => {
        const stream = freshStream();
        const batch = Array.from({ length: 1_100 }, () => newEvent());
        await store.append(stream, noStream, batch);
        const read: string[] = [];
        for await (const event of readWholeStream(store, stream, 1)) read.push(event.id);
        expect(read).toEqual(ids(batch).slice(1));
      });

      promise('sees what this or another has appended as soon as it is acknowledged', async () => {
        const stream = freshStream();
        for (let revision = noStream; revision < 20; revision += 1) {
          const [writer, reader] = revision % 2 === 0 ? [store, another] : [another, store];
          const event = newEvent();
          const { position } = await writer.append(stream, revision, [event]);
          expect(lastOf(await reader.readStreamBackwards(stream, Infinity, 1)).id).toBe(event.id);
          expect(await reader.head()).toBeGreaterThanOrEqual(position);
        }
      });
    });

    describe('reading the log', () => {
      promise('goes on after a position, in the order of appending, at most so many', async () => {
        const start = await store.head();
        const [one, other] = [freshStream(), freshStream()];
        const expected: string[] = [];
        for (let revision = noStream; revision < 6; revision += 1) {
          for (const stream of [one, other]) {
            const event = newEvent();
            await store.append(stream, revision, [event]);
            expected.push(event.id);
          }
        }
        const log = await wholeLog(another, start, 3);
        const own = log.filter(({ stream }) => stream === one || stream === other);
        expect(ids(own)).toEqual(expected);
        expectRising(log, start);

        const middle = own[4]?.position ?? NaN;
        const rest = await wholeLog(store, middle);
        expect(ids(rest).filter((id) => expected.includes(id))).toEqual(expected.slice(5));
        const few = await store.readAll(start, 2);
        expect(few.events.length).toBeLessThanOrEqual(2);
        expect(few.isEnd).toBe(false);
        const head = await store.head();
        expect(await store.readAll(head, 10)).toEqual({ events: [], marks: [], through: head, isEnd: true });

        const backwards = await collect(readLogBackwards(store, 4));
        expect(backwards.flatMap(({ events }) => events)).toEqual((await wholeLog(store, beginning)).toReversed());
        expect(backwards.map(({ isEnd }) => isEnd)).toEqual([...backwards.slice(1).map(() => false), true]);
        const [first] = await wholeLog(store, beginning);
        const before = await store.readAllBackwards(first!.position, largestPage);
        expect(before.events).toEqual([]);
      });

      promise('tells an event again by its position, and that there is none behind the end', async () => {
        const events = await appendSome(store, freshStream(), 3);
        for (const { position, id } of await wholeLog(another, beginning)) {
          if (events.some((event) => event.id === id)) expect(await store.recordAt(position)).toMatchObject({ id });
        }
        expect(await store.recordAt((await store.head()) + 1_000_000)).toBe('none');
      });

      promise('looks at a thousand records at most, and says through which, whatever the limit', async () => {
        const start = await store.head();
        const stream = freshStream();
        await store.append(
          stream,
          noStream,
          Array.from({ length: 1_200 }, () => newEvent()),
        );
        const page = await store.readAll(start, Infinity);
        expect(page.events.length).toBeLessThanOrEqual(largestPage);
        expect(page.through).toBeGreaterThanOrEqual(page.events.at(-1)!.position);
        expect(page.isEnd).toBe(false);
        const back = await store.readAllBackwards(Infinity, Infinity);
        expect(back.events.length).toBeLessThanOrEqual(largestPage);
        expect(back.through).toBeLessThanOrEqual(back.events.at(-1)!.position);
        expect(back.isEnd).toBe(false);
        const rest = await wholeLog(store, page.through);
        expect([...page.events, ...rest].filter((event) => event.stream === stream)).toHaveLength(1_200);
      });

      promise(
        'comes to every acknowledged append, nothing of ours appearing late, while other programs write',
        async () => {
          const start = await store.head();
          const foreign = subject.writeForeign ?? (async () => undefined);
          await foreign(1_500);
          const acknowledged: string[] = [];
          const writing = new AbortController();
          const write = async (writer: EventStore): Promise<void> => {
            const stream = freshStream();
            for (let revision = noStream; revision < 25; revision += 1) {
              const event = newEvent();
              const { position } = await writer.append(stream, revision, [event]);
              acknowledged.push(event.id);
              expect(await store.head()).toBeGreaterThanOrEqual(position);
            }
          };
          const disturb = async (): Promise<void> => {
            while (!writing.signal.aborted) {
              await foreign(3);
              await nextTurn();
            }
          };
          /** Reads to a head that was asked for before, again and again: what it has met by then is all there is. */
          const follow = async (reader: EventStore, limit: number): Promise<void> => {
            let position = start;
            const seen: string[] = [];
            for (let isLast = false; !isLast;) {
              isLast = writing.signal.aborted;
              const due = [...acknowledged];
              const head = await reader.head();
              while (position < head) {
                const page = await reader.readAll(position, limit);
                expect(page.through > position || page.isEnd).toBe(true);
                expect(page.events.every((event) => event.position > position)).toBe(true);
                expect(page.events.every((event) => event.position <= page.through)).toBe(true);
                seen.push(...ids(page.events));
                position = page.through;
                await nextTurn();
              }
              expect(due.filter((id) => !seen.includes(id))).toEqual([]);
              await nextTurn();
            }
            expect(new Set(seen).size).toBe(seen.length);
          };
          const others = [disturb(), follow(another, 1_000), follow(another, 7), follow(store, 100)];
          await Promise.all(Array.from({ length: 6 }, (_, index) => write(index % 2 === 0 ? store : another)));
          writing.abort();
          await Promise.all(others);
        },
      );
    });

    describe('subscribing', () => {
      promise('says that it is at the end even when nothing comes after the position', async () => {
        const signal = new AbortController();
        const head = await store.head();
        for await (const page of store.subscribe(head, 10, signal.signal)) {
          expect(page).toEqual({ events: [], marks: [], through: head, isEnd: true });
          signal.abort();
        }
      });

      promise('moves on over records of other programs, though nothing of ours comes', async () => {
        if (subject.writeForeign === undefined) return;
        const abort = new AbortController();
        const start = await store.head();
        await subject.writeForeign(5);
        const head = await store.head();
        expect(head).toBeGreaterThan(start);
        let through = start;
        for await (const page of store.subscribe(start, 2, abort.signal)) {
          ({ through } = page);
          if (through >= head) abort.abort();
        }
        expect(through).toBeGreaterThanOrEqual(head);
      });

      promise('gives what is there, says when that is all, then what comes, from another too', async () => {
        const stream = freshStream();
        const start = await store.head();
        const seen = ids(await appendSome(store, stream, 5));
        const live = [newEvent(), newEvent(), newEvent()];
        const abort = new AbortController();
        const got: string[] = [];
        let [wasAtEnd, through] = [false, start];
        for await (const batch of store.subscribe(start, 2, abort.signal)) {
          expect(batch.events.length).toBeLessThanOrEqual(2);
          if (wasAtEnd) expect(batch.through).toBeGreaterThan(through);
          ({ through } = batch);
          const own = batch.events.filter((event) => event.stream === stream);
          got.push(...ids(own));
          if (batch.isEnd) expect(got.length).toBeGreaterThanOrEqual(5);
          wasAtEnd ||= batch.isEnd;
          const next = live[got.length - 5];
          if (wasAtEnd && next !== undefined) {
            const writer = got.length % 2 === 0 ? store : another;
            await writer.append(stream, got.length - 1, [next]);
          }
          if (got.length === 8) abort.abort();
        }
        expect(got).toEqual([...seen, ...ids(live)]);
      });

      promise('wakes when something is appended while it waits', async () => {
        for (const writer of [store, another]) {
          const stream = freshStream();
          const event = newEvent();
          const abort = new AbortController();
          const subscription = store.subscribe(await store.head(), 10, abort.signal)[Symbol.asyncIterator]();
          await subscription.next();
          let waiting = subscription.next();
          await nextTurn();
          await writer.append(stream, noStream, [event]);
          let batch = await waiting;
          while (batch.done !== true && batch.value.events.length === 0) batch = await (waiting = subscription.next());
          expect(ids(batch.done === true ? [] : batch.value.events)).toEqual([event.id]);
          abort.abort();
          expect(await subscription.next()).toEqual({ done: true, value: undefined });
        }
      });

      promise('ends when its signal aborts, wherever it stands', async () => {
        await appendSome(store, freshStream(), 4);

        expect(await collect(store.subscribe(0, 10, AbortSignal.abort()))).toEqual([]);

        const whileWorking = new AbortController();
        const batches = store.subscribe(0, 1, whileWorking.signal)[Symbol.asyncIterator]();
        expect((await batches.next()).done).toBe(false);
        whileWorking.abort();
        expect((await batches.next()).done).toBe(true);

        const whileReading = new AbortController();
        const reading = store.subscribe(0, 1, whileReading.signal)[Symbol.asyncIterator]();
        const first = reading.next();
        whileReading.abort();
        await first;
        expect((await reading.next()).done).toBe(true);

        const whileWaiting = new AbortController();
        const waiting = store.subscribe(await store.head(), 1, whileWaiting.signal)[Symbol.asyncIterator]();
        await waiting.next();
        const next = waiting.next();
        await nextTurn();
        whileWaiting.abort();
        expect((await next).done).toBe(true);
      });

      promise('may be left by its reader, and others go on', async () => {
        const stream = freshStream();
        const start = await store.head();
        await appendSome(store, stream, 3);
        const abort = new AbortController();
        for await (const { events } of store.subscribe(start, 1, abort.signal)) {
          if (events.length > 0) break;
        }
        const got: string[] = [];
        for await (const { events } of store.subscribe(start, 1, abort.signal)) {
          got.push(...ids(events.filter((event) => event.stream === stream)));
          if (got.length === 3) break;
        }
        expect(got).toHaveLength(3);
      });
    });

    /** What others would meet. */
    const destructive: typeof promise = isShared ? (what, check) => test.skip(what, check, timeoutMs) : promise;

    describe('a stream that was cut', () => {
      destructive('says so to who asks for what is gone, and goes on', async () => {
        const stream = freshStream();
        const events = ids(await appendSome(store, stream, 4));
        expect(await store.cutOf(stream)).toBeUndefined();
        await subject.truncate(stream, 2);
        for (const reader of [store, another]) {
          await expect(reader.readStream(stream, 0, 10)).rejects.toMatchObject(cut(stream, 2));
          await expect(reader.readStream(stream, 1, 1)).rejects.toMatchObject(cut(stream, 2));
          expect(ids(await reader.readStream(stream, 2, 10))).toEqual(events.slice(2));
          expect(await reader.readStream(stream, 4, 10)).toEqual([]);
          expect(ids(await reader.readStreamBackwards(stream, Infinity, 10))).toEqual(events.slice(2).reverse());
          expect(await reader.readStreamBackwards(stream, 1, 10)).toEqual([]);
          expect(await reader.cutOf(stream)).toEqual({ firstRevision: 2 });
        }
        await expect(store.append(stream, noStream, [newEvent()])).rejects.toMatchObject(
          wrongRevision(stream, noStream, 3),
        );
        expect(await store.append(stream, 3, [newEvent()])).toMatchObject({ revision: 4 });
      });

      promise('is one that had events: one that is whole, or never was, is not', async () => {
        const stream = freshStream();
        await appendSome(store, stream, 1);
        expect(await store.cutOf(stream)).toBeUndefined();
        expect(await store.cutOf(freshStream())).toBeUndefined();
      });

      const administered = hasAdministration ? destructive : () => undefined;

      administered('is marked in the log, and so is that it is no longer cut', async () => {
        const start = await store.head();
        const stream = freshStream();
        const events = ids(await appendSome(store, stream, 3));
        await subject.truncate(stream, 2);
        await subject.administration!.restore(stream);
        expect(await store.cutOf(stream)).toBeUndefined();
        expect(ids(await store.readStream(stream, 0, 10))).toEqual(events);
        await subject.administration!.softDelete(stream);
        await subject.administration!.tombstone(stream);
        const marks = await marksOf(another, start, stream);
        expect(marks).toEqual([
          { stream, why: 'metadata', position: expect.any(Number), detail: expect.stringContaining('revision 2') },
          { stream, why: 'metadata', position: expect.any(Number), detail: 'Nothing is cut any more.' },
          { stream, why: 'metadata', position: expect.any(Number), detail: expect.any(String) },
          { stream, why: 'deleted', position: expect.any(Number), detail: expect.any(String) },
        ]);
        const backwards = (await collect(readLogBackwards(store, 7))).flatMap((page) => page.marks);
        expect(backwards.filter((mark) => mark.stream === stream)).toEqual(marks.toReversed());
        expect(await store.head()).toBeGreaterThanOrEqual(marks.at(-1)!.position);
      });

      administered('reads as empty where nothing is left, and says that it is cut', async () => {
        const stream = freshStream();
        await appendSome(store, stream, 2);
        await subject.truncate(stream, 9);
        expect(await store.readStream(stream, 0, 10)).toEqual([]);
        expect(await store.readStreamBackwards(stream, Infinity, 10)).toEqual([]);
        expect(await store.cutOf(stream)).toEqual({ firstRevision: undefined });
        await expect(store.append(stream, noStream, [newEvent()])).rejects.toMatchObject(
          wrongRevision(stream, noStream, 1),
        );
      });

      administered('is born again by an append to no stream once it was deleted, which says so', async () => {
        const stream = freshStream();
        const first = [newEvent(), newEvent()];
        await store.append(stream, noStream, first);
        await subject.administration!.softDelete(stream);
        expect(await store.readStream(stream, 0, 10)).toEqual([]);
        expect(await store.cutOf(stream)).toEqual({ firstRevision: undefined });
        await expect(store.append(stream, noStream, first)).rejects.toMatchObject(cut(stream, undefined));
        const [again, next] = [newEvent(), newEvent()];
        await expect(store.append(stream, noStream, [again])).rejects.toMatchObject(cut(stream, 2));
        expect(ids(await another.readStream(stream, 2, 10))).toEqual([again.id]);
        await expect(another.readStream(stream, 0, 10)).rejects.toMatchObject(cut(stream, 2));
        expect(await another.cutOf(stream)).toEqual({ firstRevision: 2 });
        expect(await store.append(stream, 2, [next])).toMatchObject({ revision: 3 });
      });

      administered('takes its next event after it was deleted, too, as if nothing were gone', async () => {
        const stream = freshStream();
        await appendSome(store, stream, 2);
        await subject.administration!.softDelete(stream);
        const event = newEvent();
        const { position } = await store.append(stream, 1, [event]);
        expect(await store.readStream(stream, 2, 10)).toMatchObject([{ id: event.id, revision: 2, position }]);
      });

      administered('once tombstoned can neither be read nor appended to', async () => {
        const stream = freshStream();
        const events = [newEvent(), newEvent()];
        await store.append(stream, noStream, events);
        await subject.administration!.tombstone(stream);
        const gone = cut(stream, undefined);
        await expect(store.readStream(stream, 0, 10)).rejects.toMatchObject(gone);
        await expect(store.readStreamBackwards(stream, Infinity, 10)).rejects.toMatchObject(gone);
        await expect(store.append(stream, 1, [newEvent()])).rejects.toMatchObject(gone);
        await expect(store.append(stream, noStream, events)).rejects.toMatchObject(gone);
        expect(await store.cutOf(stream)).toEqual({ firstRevision: undefined });
      });

      administered('answers a repeat whose original is cut away in part, not one of which all is gone', async () => {
        const stream = freshStream();
        const events = [newEvent(), newEvent(), newEvent()];
        const appended = await store.append(stream, noStream, events);
        await subject.truncate(stream, 2);
        expect(await store.append(stream, noStream, events)).toEqual(appended);
        await store.append(stream, 2, [newEvent()]);
        await subject.truncate(stream, 3);
        await expect(store.append(stream, noStream, events)).rejects.toMatchObject(cut(stream, 3));
      });
    });

    destructive('an event that cannot be read is the trouble of its stream alone', async () => {
      const start = await store.head();
      const [stream, other] = [freshStream(), freshStream()];
      const [first, last, others] = [newEvent(), newEvent(), newEvent()];
      await store.append(stream, noStream, [first]);
      await subject.appendUnreadable(stream, 0);
      await store.append(stream, 1, [last]);
      await store.append(other, noStream, [others]);

      const [mark] = await marksOf(store, start, stream);
      expect(mark).toEqual({
        stream,
        position: expect.any(Number),
        why: 'unreadable',
        revision: 1,
        detail: expect.stringMatching(/^i.+[^.]$/),
      });
      const log = (await wholeLog(another, start)).filter((event) => [stream, other].includes(event.stream));
      expect(ids(log)).toEqual([first.id, last.id, others.id]);
      const backwards = await collect(readLogBackwards(another, 3));
      expect(backwards.flatMap(({ marks }) => marks).filter((one) => one.stream === stream)).toEqual([mark]);
      const abort = new AbortController();
      const followed: string[] = [];
      for await (const page of store.subscribe(start, 2, abort.signal)) {
        followed.push(...ids(page.events), ...page.marks.map(({ stream: marked }) => marked));
        if (followed.includes(others.id)) abort.abort();
      }
      const expected = [first.id, stream, last.id, others.id];
      expect(followed.filter((one) => expected.includes(one))).toEqual(expected);

      const unreadable = { kind: 'stream-unreadable', stream, revision: 1, position: mark!.position };
      await expect(store.readStream(stream, 0, 10)).rejects.toMatchObject(unreadable);
      await expect(store.readStreamBackwards(stream, Infinity, 10)).rejects.toMatchObject(unreadable);
      expect(ids(await store.readStream(stream, 0, 1))).toEqual([first.id]);
      expect(ids(await store.readStream(stream, 2, 10))).toEqual([last.id]);
      expect(ids(await store.readStreamBackwards(stream, Infinity, 1))).toEqual([last.id]);
      expect(await store.recordAt(mark!.position)).not.toBe('none');
      await expect(store.readStream(stream, 1, 1)).rejects.toThrow(
        new RegExp(`revision 1 of stream ${stream}, position ${mark!.position}`),
      );
    });

    promise(
      'shows every reader a prefix of the log while many write: no gap, nothing late, nothing twice',
      async () => {
        const start = await store.head();
        const done = new AbortController();
        const lastStream = freshStream();
        const isLast = (event: RecordedEvent) => event.stream === lastStream;

        const subscribed = async (reader: EventStore, after: number, limit: number) => {
          const got: RecordedEvent[] = [];
          for await (const { events } of reader.subscribe(after, limit, done.signal)) {
            got.push(...events);
            if (events.some(isLast)) break;
          }
          return { after, got };
        };
        const polled = async (reader: EventStore, after: number, limit: number) => {
          const got: RecordedEvent[] = [];
          for (let position = after; !got.some(isLast);) {
            const page = await reader.readAll(position, limit);
            got.push(...page.events);
            position = page.through;
            await nextTurn();
          }
          return { after, got };
        };
        const readers = [
          subscribed(store, start, 1),
          subscribed(store, start, 100),
          subscribed(another, start, 7),
          polled(store, start, 5),
          polled(another, start, 1_000),
        ];

        const acknowledged: string[] = [];
        const write = async (writer: EventStore, appends: number) => {
          const stream = freshStream();
          for (let append = 0, revision = noStream; append < appends; append += 1) {
            const events = Array.from({ length: 1 + (append % 3) }, () => newEvent());
            ({ revision } = await writer.append(stream, revision, events));
            acknowledged.push(...ids(events));
            if (append === 10) readers.push(subscribed(writer, await writer.head(), 3));
          }
        };
        await Promise.all(
          Array.from({ length: 16 }, (_, index) => write(index % 2 === 0 ? store : another, runs(15, 30))),
        );
        await another.append(lastStream, noStream, [newEvent()]);

        const log = await wholeLog(store, start);
        const upToLast = log.slice(0, log.findIndex(isLast) + 1);
        expect(new Set(ids(upToLast))).toEqual(new Set([...acknowledged, lastOf(upToLast).id]));
        expectRising(upToLast, start);
        for (const { after, got } of await Promise.all(readers)) {
          const seen = got.slice(0, got.findIndex(isLast) + 1);
          expect(ids(seen)).toEqual(ids(upToLast.filter(({ position }) => position > after)));
        }
        done.abort();
      },
    );

    promise('does what a list of lists would do, whatever is appended in whichever order', async () => {
      const appends = fc.record({
        stream: fc.nat(2),
        /** How far from the truth the expected revision is. */
        off: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.integer({ min: -3, max: 2 })),
        data: fc.array(fc.dictionary(fc.string(), fc.jsonValue()), { minLength: 1, maxLength: 3 }),
        by: fc.boolean(),
      });
      const repeats = fc.record({ repeat: fc.nat(20), by: fc.boolean() });
      await fc.assert(
        fc.asyncProperty(fc.array(fc.oneof({ weight: 3, arbitrary: appends }, repeats), { maxLength: 20 }), (steps) =>
          behavesAsLists(steps),
        ),
        { numRuns: propertyRuns },
      );
    });

    type Step =
      | { readonly stream: number; readonly off: number; readonly data: readonly EventData[]; readonly by: boolean }
      | { readonly repeat: number; readonly by: boolean };

    async function behavesAsLists(steps: readonly Step[]): Promise<void> {
      const streams = [freshStream(), freshStream(), freshStream()].map((stream) => ({
        stream,
        events: [] as NewEvent[],
      }));
      const model = (index: number) => streams[index] ?? { stream: '', events: [] };
      const start = await store.head();
      const log: string[] = [];
      const done: { stream: string; expected: number; events: NewEvent[]; answer: Appended }[] = [];
      for (const step of steps) {
        const writer = step.by ? store : another;
        if ('repeat' in step) {
          const before = done[step.repeat];
          if (before === undefined) continue;
          expect(await writer.append(before.stream, before.expected, before.events)).toEqual(before.answer);
          continue;
        }
        const { stream, events: present } = model(step.stream);
        const current = present.length - 1;
        const expected = Math.max(noStream, current + step.off);
        const events = step.data.map((data) => ({ ...newEvent(), data }));
        if (expected !== current) {
          await expect(writer.append(stream, expected, events)).rejects.toMatchObject(
            wrongRevision(stream, expected, current),
          );
          continue;
        }
        const answer = await writer.append(stream, expected, events);
        expect(answer.revision).toBe(current + events.length);
        present.push(...events);
        log.push(...ids(events));
        done.push({ stream, expected, events, answer });
      }
      for (const { stream, events } of streams) {
        const read = await store.readStream(stream, 0, 1_000);
        expect(read.map(({ revision }) => revision)).toEqual(events.map((_, index) => index));
        expect(read.map(({ id, data }) => JSON.stringify([id, data]))).toEqual(
          events.map(({ id, data }) => JSON.stringify([id, data])),
        );
        expect(ids(await another.readStreamBackwards(stream, Infinity, 1_000))).toEqual(ids(events).reverse());
      }
      const own = new Set(streams.map(({ stream }) => stream));
      expect(ids((await wholeLog(another, start)).filter(({ stream }) => own.has(stream)))).toEqual(log);
    }
  });
}

async function appendSome(store: EventStore, stream: string, count: number): Promise<readonly NewEvent[]> {
  const events = Array.from({ length: count }, () => newEvent());
  for (const [index, event] of events.entries()) await store.append(stream, index - 1, [event]);
  return events;
}

function wrongRevision(stream: string, expected: number, actual: number) {
  return { kind: 'wrong-expected-revision', stream, expected, actual };
}

function cut(stream: string, firstRevision: number | undefined) {
  return { kind: 'stream-cut', stream, firstRevision };
}

async function marksOf(store: EventStore, after: number, stream: string): Promise<readonly StreamMark[]> {
  const pages = await collect(readLog(store, after));
  return pages.flatMap(({ marks }) => marks).filter((mark) => mark.stream === stream);
}

function ids(events: readonly { readonly id: string }[]): string[] {
  return events.map(({ id }) => id);
}

function lastOf(events: readonly RecordedEvent[]): RecordedEvent {
  const last = events.at(-1);
  if (last === undefined) throw new Error('no event was read');
  return last;
}

async function wholeLog(store: EventStore, after: number, limit?: number): Promise<readonly RecordedEvent[]> {
  return (await collect(readLog(store, after, Infinity, limit))).flatMap(({ events }) => events);
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}

/** Positions and times rise along the log, revisions go one by one in each stream. */
function expectRising(events: readonly RecordedEvent[], after: number): void {
  const revisions = new Map<string, number>();
  let before = { position: after, recordedAt: '' };
  for (const event of events) {
    expect(event.position).toBeGreaterThan(before.position);
    expect(event.recordedAt >= before.recordedAt).toBe(true);
    const revision = revisions.get(event.stream);
    if (revision !== undefined) expect(event.revision).toBe(revision + 1);
    revisions.set(event.stream, event.revision);
    before = event;
  }
}
