import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { followChain } from './follow-chain.js';
import type { RecordedEvent } from './message.js';
import type { Message } from './ports/broker.js';

const taken = ['order', 'delivery'];

/** A chain of messages at these positions. */
function chain(positions: readonly number[]): Message[] {
  return positions.map((position, index) => ({
    event: eventAt(position),
    partition: 0,
    log: 'l',
    previous: index === 0 ? {} : { order: positions[index - 1]! },
  }));
}

function eventAt(position: number): RecordedEvent {
  const time = '2026-03-01T12:00:00.000Z';
  return {
    id: String(position),
    type: 'OrderConfirmed',
    schemaVersion: 1,
    occurredAt: time,
    recordedAt: time,
    correlationId: 'c',
    causationId: 'c',
    partitionKey: 'o1',
    data: { orderId: 'o1' },
    stream: 'order-o1',
    revision: 0,
    position,
  };
}

const positionsOf = ({ events }: { readonly events: readonly RecordedEvent[] }) =>
  events.map((event) => event.position);

describe('a chain of messages', () => {
  const messages = chain([3, 7, 8, 20]);

  test('is followed from a position on', () => {
    const followed = followChain(3, taken, messages);
    expect(positionsOf(followed)).toEqual([7, 8, 20]);
    expect(followed.missing).toBeUndefined();
  });

  test('is followed from a position between two events, where a page of the log ended', () => {
    expect(positionsOf(followChain(5, taken, messages))).toEqual([7, 8, 20]);
  });

  test('ends before a hole', () => {
    const followed = followChain(0, taken, [messages[0]!, messages[2]!, messages[3]!]);
    expect(positionsOf(followed)).toEqual([3]);
    expect(followed.missing).toBe(7);
  });

  test('that was applied is silence', () => {
    expect(followChain(20, taken, messages)).toEqual({ events: [] });
  });

  test('gives each event once and in order, up to the first that is missing, whatever comes how often in which order', () => {
    const positions = fc.uniqueArray(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(
        positions,
        fc.infiniteStream(fc.nat(1000)),
        fc.nat(40),
        fc.nat(60),
        (unsorted, picks, count, from) => {
          const whole = chain(unsorted.toSorted((a, b) => a - b));
          const delivered = [...picks.take(count)].map((pick) => whole[pick % whole.length]!);
          const there = new Set(delivered);
          const expected: number[] = [];
          let gap = false;
          for (const message of whole) {
            if (message.event.position <= from) continue;
            if (there.has(message)) {
              if (!gap) expected.push(message.event.position);
            } else if ([...there].some((other) => other.event.position > message.event.position)) {
              gap = true;
            }
          }
          const followed = followChain(from, taken, delivered);
          expect(positionsOf(followed)).toEqual(expected);
          expect(followed.missing !== undefined).toBe(gap);
        },
      ),
    );
  });
});
