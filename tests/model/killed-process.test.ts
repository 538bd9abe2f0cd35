import { test } from '@jest/globals';
import fc from 'fast-check';
import { KilledProcess } from './killed-process.js';
import { compare, steps } from './steps.js';

// The same on a real process, which is killed between requests and during them.

test('the write API is as its model, however often its process is killed', async () => {
  await fc.assert(
    fc.asyncProperty(steps(40), async (taken) => {
      const process = await KilledProcess.start();
      try {
        await compare(process, taken);
      } finally {
        await process.close();
      }
    }),
    { numRuns: 2, interruptAfterTimeLimit: 60_000 },
  );
}, 150_000);
