import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { SpillFile } from './spill-file.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'waybill-test-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

const line = fc.tuple(fc.nat(2), fc.stringMatching(/^[a-zé漢😀]{0,40}$/u), fc.nat(300));

test('gives back the lines of each bucket in their order, however many there are', () => {
  fc.assert(
    fc.property(fc.array(line, { maxLength: 60 }), (written) => {
      const spill = new SpillFile(3, folder);
      try {
        const expected: string[][] = [[], [], []];
        for (const [bucket, text, times] of written) {
          spill.write(bucket, text.repeat(times));
          expected[bucket]!.push(text.repeat(times));
        }
        expect([0, 1, 2].map((bucket) => spill.read(bucket))).toEqual(expected);
      } finally {
        spill.close();
      }
    }),
    { numRuns: 50 },
  );
});

test('makes a file only when much is put aside, and leaves none behind', () => {
  const spill = new SpillFile(1, folder);
  spill.write(0, 'little');
  expect(readdirSync(folder)).toEqual([]);
  spill.write(0, 'x'.repeat(20_000));
  expect(readdirSync(folder)).toHaveLength(1);
  spill.close();
  expect(readdirSync(folder)).toEqual([]);
});
