import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { followChain } from './follow-chain.js';
import { linkChain } from './link-chain.js';
import type { RecordedEvent } from './message.js';
import { partitionOf } from './partition.js';
import type { Message } from './ports/broker.js';
import type { RelayCheckpoint } from './ports/read-store.js';
import { categories, categoryOf, streamName, type Category } from './stream.js';

const nothingRelayed: RelayCheckpoint = { position: 0, heads: {} };

interface Happened {
  readonly key: string;
  readonly category: Category;
}

/** A log with an event of each. */
function logOf(happened: readonly Happened[]): RecordedEvent[] {
  const time = '2026-03-01T12:00:00.000Z';
  return happened.map(({ key, category }, index) => ({
    id: `event-${index + 1}`,
    type: 'OrderConfirmed',
    schemaVersion: 1,
    occurredAt: time,
    recordedAt: time,
    correlationId: 'c',
    causationId: 'c',
    partitionKey: key,
    data: {},
    stream: streamName(category, key),
    revision: 0,
    position: (index + 1) * 3,
  }));
}

const happenings = fc.array(
  fc.record({ key: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), category: fc.constantFrom(...categories) }),
  { maxLength: 40 },
);

describe('links', () => {
  test('lead from each event to those before it in its partition, by category', () => {
    const other = ['b', 'c', 'd'].find((key) => partitionOf(key) !== partitionOf('a'))!;
    const log = logOf([
      { key: 'a', category: 'order' },
      { key: other, category: 'order' },
      { key: 'a', category: 'delivery' },
      { key: 'a', category: 'order' },
    ]);
    const { messages, reached } = linkChain(log, nothingRelayed, '3:event-1');
    expect(messages.map(({ previous }) => previous)).toEqual([{}, {}, { order: 3 }, { order: 3, delivery: 9 }]);
    expect(messages.map(({ partition, log: of }) => [partition, of])).toEqual(
      log.map(({ partitionKey }) => [partitionOf(partitionKey), '3:event-1']),
    );
    expect(reached).toEqual({
      position: 12,
      heads: { [partitionOf('a')]: { order: 12, delivery: 9 }, [partitionOf(other)]: { order: 6 } },
    });
  });

  test('keep count of categories that this program does not know', () => {
    const [event] = logOf([{ key: 'a', category: 'order' }]);
    const { reached } = linkChain([{ ...event!, stream: 'parcel-1' }], nothingRelayed, 'l');
    expect(reached.heads).toEqual({ [partitionOf('a')]: { parcel: 3 } });
  });

  test('are the same, however the log is cut into batches', () => {
    fc.assert(
      fc.property(happenings, fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), (happened, sizes) => {
        const log = logOf(happened);
        const straight = linkChain(log, nothingRelayed, 'l');
        let reached = nothingRelayed;
        const messages: Message[] = [];
        for (let start = 0, turn = 0; start < log.length; turn += 1) {
          const size = sizes[turn % sizes.length]!;
          const batch = linkChain(log.slice(start, start + size), reached, 'l');
          messages.push(...batch.messages);
          ({ reached } = batch);
          start += size;
        }
        expect(messages).toEqual(straight.messages);
        expect(reached).toEqual(straight.reached);
      }),
    );
  });

  test('show whoever takes some categories each loss among them, and no loss of others', () => {
    fc.assert(
      fc.property(
        happenings,
        fc.subarray([...categories], { minLength: 1 }),
        fc.infiniteStream(fc.boolean()),
        (happened, taken, arrives) => {
          const { messages } = linkChain(logOf(happened), nothingRelayed, 'l');
          const partition = partitionOf('a');
          const due = messages.filter(
            ({ event, partition: of }) => of === partition && taken.includes(categoryOf(event.stream)!),
          );
          const arrived = due.filter(() => arrives.next().value);
          const lost = due.find((message) => !arrived.includes(message));
          const followed = followChain(0, taken, arrived);
          const before = due.slice(0, lost === undefined ? due.length : due.indexOf(lost));
          expect(followed.events).toEqual(before.map(({ event }) => event));
          const next = arrived[before.length];
          const missing = next === undefined ? undefined : due[due.indexOf(next) - 1];
          expect(followed.missing).toBe(missing?.event.position);
        },
      ),
    );
  });
});
