import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { EventFromTheFuture } from '../errors.js';
import type { RecordedEvent } from '../message.js';
import { currentVersions } from './catalogue.js';
import { upcast, upcasters, type Upcasters } from './upcast.js';

const event: RecordedEvent = {
  id: '3d4c3a3e-6b0f-5c55-8f3a-0a5f7d3c2b10',
  type: 'Tried',
  schemaVersion: 1,
  occurredAt: '2026-03-01T09:00:00.000Z',
  correlationId: 'c1',
  causationId: 'c1',
  partitionKey: 'k',
  data: { passed: [] },
  stream: 'order-o1',
  revision: 0,
  position: 1,
  recordedAt: '2026-03-01T09:00:00.001Z',
};

/** A chain to `current` in which every step writes down its number. */
function chain(current: number): Upcasters {
  const steps = Array.from({ length: current - 1 }, (_, index) => index + 1);
  return {
    Tried: Object.fromEntries(
      steps.map((step) => [step, (data) => ({ ...data, passed: [...(data['passed'] as number[]), step] })]),
    ),
  };
}

const versions = fc
  .integer({ min: 1, max: 12 })
  .chain((current) => fc.record({ current: fc.constant(current), stored: fc.integer({ min: 1, max: current }) }));

describe('upcast', () => {
  test('takes every step from the stored version to the current one, once and in order', () => {
    fc.assert(
      fc.property(versions, ({ current, stored }) => {
        const result = upcast({ ...event, schemaVersion: stored }, chain(current), { Tried: current });
        const expected = Array.from({ length: current - stored }, (_, index) => stored + index);
        expect(result).toEqual({ ...event, schemaVersion: current, data: { passed: expected } });
      }),
    );
  });

  test('is idempotent, and leaves what was stored as it was', () => {
    fc.assert(
      fc.property(versions, ({ current, stored }) => {
        const before = Object.freeze({ ...event, schemaVersion: stored, data: Object.freeze({ passed: [] }) });
        const once = upcast(before, chain(current), { Tried: current });
        expect(upcast({ ...once, data: { ...once.data } }, chain(current), { Tried: current })).toEqual(once);
        expect(before.data).toEqual({ passed: [] });
      }),
    );
  });

  test('hands on an event of the current version itself', () => {
    expect(upcast(event, {}, { Tried: 1 })).toBe(event);
  });

  test.each([
    ['a newer version', 3, { Tried: 2 }],
    ['an unknown type', 1, {}],
  ])('stops at %s', (_, schemaVersion, known) => {
    expect(() => upcast({ ...event, schemaVersion }, {}, known)).toThrow(EventFromTheFuture);
  });

  test('stops at a missing step', () => {
    expect(() => upcast(event, { Tried: { 2: (data) => data } }, { Tried: 3 })).toThrow(
      'no upcaster for Tried version 1',
    );
  });

  test('an order cancelled before there was imported history was cancelled when it says so', () => {
    const stored = { ...event, type: 'OrderCancelled', data: { orderId: 'o1', reason: 'late', by: 'customer' } };
    expect(upcast(stored)).toMatchObject({
      schemaVersion: 2,
      data: { orderId: 'o1', reason: 'late', by: 'customer', timeEstimated: false },
    });
  });

  test('every older version of every type has its step, and there are no others', () => {
    const needed = Object.entries(currentVersions).flatMap(([type, current]) =>
      Array.from({ length: current - 1 }, (_, index) => `${type} ${index + 1}`),
    );
    const present = Object.entries(upcasters).flatMap(([type, steps]) =>
      Object.keys(steps).map((version) => `${type} ${version}`),
    );
    expect(present.toSorted()).toEqual(needed.toSorted());
  });
});
