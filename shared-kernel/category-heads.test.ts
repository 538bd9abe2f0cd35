import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { doneUpTo, headOf, storedCheckpoint } from './category-heads.js';
import type { RelayCheckpoint } from './ports/read-store.js';
import { categories } from './stream.js';

describe('heads by category', () => {
  test('have the greatest of those asked for', () => {
    const heads = { order: 7, delivery: 9, parcel: 12 };
    expect(headOf(heads, ['order', 'payment'])).toBe(7);
    expect(headOf(heads, ['order', 'delivery'])).toBe(9);
    expect(headOf(heads, ['payment'])).toBe(0);
    expect(headOf(undefined, ['order'])).toBe(0);
  });

  test('of a checkpoint of the older shape count for nothing', () => {
    const older = JSON.parse(
      '{"3":{"position":9,"recordedAt":"2026-03-01T12:00:00.000Z"}}',
    ) as RelayCheckpoint['heads'];
    expect(storedCheckpoint(9, older)).toEqual({ position: 0, heads: {} });
    const newer = { position: 9, heads: { 3: { order: 9 } } };
    expect(storedCheckpoint(newer.position, newer.heads)).toEqual(newer);
    expect(storedCheckpoint(9, {})).toEqual({ position: 9, heads: {} });
  });
});

describe('how far a partition is done', () => {
  test('is where the relay stands for who has reached the last event of its categories, else where it is itself', () => {
    const checkpoint = { position: 20, heads: { 3: { order: 7, product: 15 } } };
    expect(doneUpTo(7, 3, ['order'], checkpoint)).toBe(20);
    expect(doneUpTo(6, 3, ['order'], checkpoint)).toBe(6);
    expect(doneUpTo(7, 3, ['order', 'product'], checkpoint)).toBe(7);
    expect(doneUpTo(0, 3, ['customer'], checkpoint)).toBe(20);
    expect(doneUpTo(0, 4, ['order'], checkpoint)).toBe(20);
    expect(doneUpTo(25, 3, ['order'], checkpoint)).toBe(25);
  });

  test('is never past an event of its categories that it has not done', () => {
    const event = fc.record({ category: fc.constantFrom(...categories), partition: fc.nat(2) });
    const log = fc.array(event, { maxLength: 30 });
    fc.assert(
      fc.property(log, fc.nat(30), fc.nat(30), fc.subarray([...categories]), (events, relayed, position, taken) => {
        const heads: Record<number, Record<string, number>> = {};
        for (const [index, { category, partition }] of events.slice(0, relayed).entries()) {
          (heads[partition] ??= {})[category] = index + 1;
        }
        const checkpoint = { position: Math.min(relayed, events.length), heads };
        const done = doneUpTo(position, 1, taken, checkpoint);
        const undone = events.findIndex(
          ({ category, partition }, index) => index + 1 > position && partition === 1 && taken.includes(category),
        );
        expect(done).toBeGreaterThanOrEqual(position);
        if (undone !== -1) expect(Math.max(position, done)).toBeLessThanOrEqual(Math.max(position, undone));
      }),
    );
  });
});
