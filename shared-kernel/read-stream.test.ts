import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { RecordedEvent } from './message.js';
import type { LogPage } from './ports/event-store.js';
import {
  firstEvent,
  lastEvent,
  readLog,
  readLogBackwards,
  readLogTo,
  readStreamPages,
  readWholeStream,
} from './read-stream.js';

function events(count: number): RecordedEvent[] {
  return Array.from({ length: count }, (_, index) => ({
    id: `${index}`,
    type: 'OrderPlaced',
    schemaVersion: 1,
    occurredAt: '2026-01-01T00:00:00.000Z',
    correlationId: 'c',
    causationId: 'c',
    partitionKey: 'p',
    data: {},
    stream: 'order-1',
    revision: index,
    // Positions may have gaps.
    position: 3 * (index + 1),
    recordedAt: '2026-01-01T00:00:00.000Z',
  }));
}

describe('readWholeStream', () => {
  test.each([0, 1, 999, 1_000, 1_001, 2_000])(
    'gives each of %d events once, from the revision asked for',
    async (count) => {
      const all = events(count);
      const store = {
        readStream: (_: string, from: number, limit: number) => Promise.resolve(all.slice(from, from + limit)),
      };
      for (const from of [0, 1, 1_000]) {
        const read: RecordedEvent[] = [];
        for await (const event of readWholeStream(store, 'order-1', from)) read.push(event);
        expect(read).toEqual(all.slice(from));
      }
    },
  );
});

describe('readStreamPages', () => {
  test('gives pages of the size asked for, none of them empty', async () => {
    const all = events(7);
    const readStream = (_: string, from: number, limit: number) => Promise.resolve(all.slice(from, from + limit));
    const sizesOf = async (size: number): Promise<number[]> => {
      const sizes: number[] = [];
      for await (const page of readStreamPages({ readStream }, 'order-1', { from: 1, size })) sizes.push(page.length);
      return sizes;
    };
    expect(await sizesOf(4)).toEqual([4, 2]);
    expect(await sizesOf(3)).toEqual([3, 3]);
  });
});

describe('between two reads the event loop turns', () => {
  const all = events(2_500);
  const endOf = (through: number) => ({ marks: [], through, isEnd: through >= all.length || through <= 1 });

  /** A store that answers without leaving the thread, and how many turns there were before each of its answers. */
  function watched() {
    let turn = 0;
    const seen: number[] = [];
    const count = (): void => {
      turn += 1;
      timer = setImmediate(count);
    };
    let timer = setImmediate(count);
    const noted = <T>(answer: T): Promise<T> => {
      seen.push(turn);
      return Promise.resolve(answer);
    };
    const store = {
      readStream: (_: string, from: number, limit: number) => noted(all.slice(from, from + limit)),
      readAll: (after: number, limit: number) =>
        noted<LogPage>({ events: all.slice(after, after + limit), ...endOf(after + limit) }),
      readAllBackwards: (before: number, limit: number) => {
        const end = Math.min(before, all.length + 1);
        const through = Math.max(1, end - limit);
        return noted<LogPage>({ events: all.slice(through - 1, end - 1).toReversed(), ...endOf(through) });
      },
    };
    return { store, seen, stop: () => clearImmediate(timer) };
  }

  test.each([
    ['a stream', (store: ReturnType<typeof watched>['store']) => readWholeStream(store, 'order-1')],
    ['the log', (store: ReturnType<typeof watched>['store']) => readLog(store, 0)],
    ['the log backwards', (store: ReturnType<typeof watched>['store']) => readLogBackwards(store)],
  ])('of %s', async (_, read) => {
    const { store, seen, stop } = watched();
    for await (const each of read(store)) expect(each).toBeDefined();
    stop();
    expect(seen).toHaveLength(3);
    expect(new Set(seen).size).toBe(3);
  });
});

describe('readLog', () => {
  /** A log of which each third record is ours, looked at a few records at a time. */
  function shared(all: readonly RecordedEvent[], end: number) {
    return (position: number, atMost: number): Promise<LogPage> => {
      const through = Math.max(position, Math.min(position + atMost, end));
      const found = all.filter((event) => event.position > position && event.position <= through);
      return Promise.resolve({ events: found, marks: [], through, isEnd: through >= end });
    };
  }

  test('gives every event after one position up to another, once, over records of other programs, page by page', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(40),
        fc.nat(130),
        fc.oneof(fc.constant(Infinity), fc.nat(130)),
        fc.integer({ min: 1, max: 10 }),
        async (count, after, upTo, limit) => {
          const all = events(count);
          const end = 3 * count + 5;
          const read: RecordedEvent[] = [];
          let through = after;
          for await (const page of readLog({ readAll: shared(all, end) }, after, upTo, limit)) {
            expect(page.through).toBeGreaterThan(through);
            expect(page.through).toBeLessThanOrEqual(through + limit);
            for (const { position } of page.events) expect(position).toBeLessThanOrEqual(page.through);
            ({ through } = page);
            read.push(...page.events);
          }
          expect(through).toBe(Math.max(after, Math.min(upTo, end)));
          expect(read).toEqual(all.filter(({ position }) => position > after && position <= upTo));
        },
      ),
    );
  });

  test('ends at its end, though the log goes on growing', async () => {
    const all = events(10);
    let reads = 0;
    const readAll = shared(all, 1_000);
    const store = {
      readAll: (position: number, atMost: number) => {
        reads += 1;
        return readAll(position, atMost);
      },
    };
    const read: RecordedEvent[] = [];
    for await (const page of readLog(store, 0, 12, 4)) read.push(...page.events);
    expect(read).toHaveLength(4);
    expect(reads).toBe(3);
  });

  test('to a position that the log is known to have does not take less for all', async () => {
    const store = { readAll: shared(events(10), 12) };
    const read: RecordedEvent[] = [];
    const reading = async (upTo: number) => {
      for await (const page of readLogTo(store, 0, upTo, 5)) read.push(...page.events);
    };
    await reading(12);
    expect(read).toHaveLength(4);
    await expect(reading(13)).rejects.toThrow('The log does not show position 13 yet.');
    expect(read).toHaveLength(8);
  });

  test('the first and the last event are found behind any number of records of other programs', async () => {
    const all = events(3).map((event, index) => ({ ...event, position: 2_500 + index }));
    const readAllBackwards = (before: number, atMost: number): Promise<LogPage> => {
      const from = Math.min(before, 6_001);
      const through = Math.max(1, from - atMost);
      const found = all.filter(({ position }) => position < from && position >= through).toReversed();
      return Promise.resolve({ events: found, marks: [], through, isEnd: through === 1 });
    };
    expect(await firstEvent({ readAll: shared(all, 6_000) })).toBe(all[0]);
    expect(await lastEvent({ readAllBackwards })).toBe(all[2]);
    expect(await firstEvent({ readAll: shared([], 6_000) })).toBeUndefined();
  });
});
