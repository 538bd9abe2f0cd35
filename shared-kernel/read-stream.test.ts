import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { RecordedEvent } from './message.js';
import { readLog, readWholeStream } from './read-stream.js';

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

describe('readLog', () => {
  test('gives every event after one position up to another, once, in pages that are never empty nor too long', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(40),
        fc.nat(130),
        fc.oneof(fc.constant(Infinity), fc.nat(130)),
        fc.integer({ min: 1, max: 10 }),
        async (count, after, upTo, limit) => {
          const all = events(count);
          const store = {
            readAll: (position: number, atMost: number) =>
              Promise.resolve(all.filter((event) => event.position > position).slice(0, atMost)),
          };
          const read: RecordedEvent[] = [];
          for await (const page of readLog(store, after, upTo, limit)) {
            expect(page.length).toBeGreaterThan(0);
            expect(page.length).toBeLessThanOrEqual(limit);
            read.push(...page);
          }
          expect(read).toEqual(all.filter(({ position }) => position > after && position <= upTo));
        },
      ),
    );
  });

  test('ends at its end, though the log goes on growing', async () => {
    const all = events(10);
    let reads = 0;
    const store = {
      readAll: (position: number, atMost: number) => {
        reads += 1;
        return Promise.resolve(all.filter((event) => event.position > position).slice(0, atMost));
      },
    };
    const read: RecordedEvent[] = [];
    for await (const page of readLog(store, 0, 12, 4)) read.push(...page);
    expect(read).toHaveLength(4);
    expect(reads).toBe(1);
  });
});
