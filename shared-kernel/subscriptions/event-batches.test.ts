import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { BatchCutter, bytesOf, followBatches } from './event-batches.js';
import type { RecordedEvent } from '../message.js';
import { partitionOf } from '../partitions/partition.js';
import { categories, categoryNameOf } from '../stream.js';

const keys = ['a', 'b', 'c'];
const partition = partitionOf('a');

function event(position: number, category = 'order', partitionKey = 'a', data = {}): RecordedEvent {
  return {
    id: `event-${position}`,
    type: 'OrderConfirmed',
    schemaVersion: 1,
    occurredAt: '2026-03-01T12:00:00.000Z',
    correlationId: 'c',
    causationId: 'c',
    partitionKey,
    data,
    stream: `${category}-${partitionKey}`,
    revision: position,
    position,
    recordedAt: new Date(position * 1000).toISOString(),
  };
}

const positionsOf = (events: readonly RecordedEvent[]): number[] => events.map(({ position }) => position);

describe('batches', () => {
  test('hold what a part of the log has of each partition, and say what was before it', () => {
    const cutter = new BatchCutter('log', 10);
    const elsewhere = keys.find((key) => partitionOf(key) !== partition)!;
    const cut = cutter.cut([event(11), event(12, 'order', elsewhere), event(13, 'delivery')]);
    expect(cut).toMatchObject([
      { log: 'log', partition, previous: { since: 10, positions: {} }, through: 13 },
      { log: 'log', partition: partitionOf(elsewhere), previous: { since: 10, positions: {} }, through: 12 },
    ]);
    expect(cut.map(({ events }) => positionsOf(events))).toEqual([[11, 13], [12]]);
    expect(cutter.cut([event(16, 'payment')])).toMatchObject([
      { partition, previous: { since: 10, positions: { order: 11, delivery: 13 } }, through: 16 },
    ]);
  });

  test('are bounded in events and in bytes, and one larger event goes alone', () => {
    const large = event(4, 'order', 'a', { note: 'x'.repeat(10_000) });
    const bounds = { maxEvents: 3, maxBytes: 4 * bytesOf(event(1)) };
    const cut = new BatchCutter('log', 0, bounds).cut([event(1), event(2), event(3), large, event(5)]);
    expect(cut.map(({ events, through }) => [positionsOf(events), through])).toEqual([
      [[1, 2, 3], 3],
      [[4], 4],
      [[5], 5],
    ]);
    expect(cut.map(({ previous }) => previous.positions)).toEqual([{}, { order: 3 }, { order: 4 }]);
    const two = new BatchCutter('log', 0, { maxEvents: 9, maxBytes: bytesOf(event(1)) + bytesOf(event(2)) });
    expect(two.cut([event(1), event(2), event(3)]).map(({ events }) => positionsOf(events))).toEqual([[1, 2], [3]]);
  });

  test('tell consumers of before that there may be anything up to where the log was read from', () => {
    const cutter = new BatchCutter('log', 10);
    cutter.cut([event(11), event(12, 'parcel')]);
    const heads = cutter.heads();
    expect(heads[partition]).toMatchObject({ order: 11, delivery: 10, parcel: 12 });
    expect(heads[(partition + 1) % 8]).toMatchObject({ order: 10 });
  });
});

describe('a consumer that follows batches', () => {
  const followed = new Set(['order']);
  const cut = (since: number, ...parts: readonly (readonly RecordedEvent[])[]) => {
    const cutter = new BatchCutter('log', since);
    return parts.flatMap((part) => cutter.cut(part));
  };

  test('takes the events of its categories, in order and once, whatever comes twice or out of order', () => {
    const [first, second] = cut(0, [event(1), event(2, 'delivery')], [event(3)]);
    const all = followBatches(0, followed, [second!, first!, second!]);
    expect([positionsOf(all.events), all.through, all.missing]).toEqual([[1, 3], 3, undefined]);
    expect(positionsOf(all.passed)).toEqual([1, 2, 3]);
    expect(followBatches(3, followed, [first!]).through).toBe(3);
  });

  test('notices that an event of its categories is missing, and passes over those of others', () => {
    const [, second, third] = cut(0, [event(1, 'delivery')], [event(2)], [event(3)]);
    expect(followBatches(0, followed, [third!])).toMatchObject({ events: [], through: 0, missing: 2 });
    expect(positionsOf(followBatches(0, followed, [second!]).events)).toEqual([2]);
  });

  test('trusts nobody about what was before the log was read', () => {
    const [batch] = cut(5, [event(6)]);
    expect(followBatches(4, followed, [batch!])).toMatchObject({ events: [], missing: 5 });
    expect(followBatches(5, followed, [batch!])).toMatchObject({ through: 6 });
  });

  test('misses nothing and takes nothing twice, whatever is lost, doubled, late or cut by several relays', () => {
    const happened = fc.array(fc.record({ category: fc.constantFrom(...categories), key: fc.constantFrom(...keys) }), {
      maxLength: 30,
    });
    const relay = fc.record({ since: fc.nat(30), size: fc.integer({ min: 1, max: 9 }), maxEvents: fc.nat(3) });
    const chosen = fc.array(fc.nat(60), { maxLength: 40 });
    const taken = fc.subarray([...categories], { minLength: 1 });
    fc.assert(
      fc.property(
        happened,
        fc.array(relay, { minLength: 1, maxLength: 3 }),
        chosen,
        taken,
        (log, relays, fates, own) => {
          const events = log.map(({ category, key }, index) => event(index + 1, category, key));
          const sent = relays.flatMap(({ since, size, maxEvents }) => {
            const cutter = new BatchCutter('log', since, { maxEvents: maxEvents + 1, maxBytes: Infinity });
            const cuts = [];
            for (let from = since; from < events.length; from += size) {
              const part = events.slice(from, from + size);
              cuts.push(...cutter.cut(part));
            }
            return cuts.filter((each) => each.partition === partition);
          });
          const mine = events.filter(
            (each) =>
              partitionOf(each.partitionKey) === partition && own.some((name) => name === categoryNameOf(each.stream)),
          );
          const applied: number[] = [];
          let position = 0;
          for (const fate of fates) {
            const batch = sent[fate % Math.max(1, sent.length)];
            if (batch === undefined) break;
            const { events: next, through, missing } = followBatches(position, new Set<string>(own), [batch]);
            const until = missing ?? through;
            applied.push(
              ...positionsOf(
                missing === undefined
                  ? next
                  : mine.filter((each) => each.position > position && each.position <= missing),
              ),
            );
            position = until;
          }
          expect(applied).toEqual(positionsOf(mine.filter((each) => each.position <= position)));
        },
      ),
      { numRuns: 1000 },
    );
  });
});
