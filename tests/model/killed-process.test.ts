import { test } from '@jest/globals';
import fc from 'fast-check';
import { runs } from '@waybill/shared-kernel/testing/length.js';
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
    { numRuns: runs(1, 8), interruptAfterTimeLimit: 400_000, markInterruptAsFailure: true },
  );
}, 600_000);
