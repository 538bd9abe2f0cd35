import { afterEach, beforeEach, expect } from '@jest/globals';
import { ReadSide } from './read-side.js';

/** Gives each test a read side of its own. None of them may have logged a fault when it ends. */
export function readSideForEach(use: (side: ReadSide) => void): void {
  let side: ReadSide;
  beforeEach(async () => {
    side = await ReadSide.open();
    use(side);
  });
  afterEach(async () => {
    expect(side.logged).toEqual([]);
    await side.close();
  });
}
