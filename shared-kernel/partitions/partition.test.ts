import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { partitionCount, partitionOf } from './partition.js';

describe('partitions', () => {
  test('are a storage format: a key keeps its partition for ever', () => {
    const keys = [
      '',
      'o1',
      'o2',
      'ann',
      'tea',
      '01924f4e-7c1a-7b3e-9d5f-0a1b2c3d4e5f',
      'e481f51cbdc54678b7cc49136f2d6af7',
    ];
    expect(partitionCount).toBe(8);
    expect(keys.map(partitionOf)).toEqual([5, 5, 4, 0, 1, 3, 3]);
  });

  test('every key has one', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (key) => {
        expect(partitionOf(key)).toBeGreaterThanOrEqual(0);
        expect(partitionOf(key)).toBeLessThan(partitionCount);
        expect(Number.isInteger(partitionOf(key))).toBe(true);
      }),
    );
  });

  test('ids spread evenly: none has more than a quarter above its share', () => {
    const counts = new Array<number>(partitionCount).fill(0);
    for (let index = 0; index < 8_000; index += 1) counts[partitionOf(`order-${index}`)]! += 1;
    for (const count of counts) expect(count).toBeLessThan(1_250);
  });
});
