import { describe, test } from '@jest/globals';
import fc from 'fast-check';
import { stores } from '@waybill/command-side/testing/stores.js';
import { WriteApi } from '@waybill/command-side/testing/write-api.js';
import { InProcess } from './in-process.js';
import { compare, steps } from './steps.js';

// Whatever several users ask one after another, with repeated keys, stale entity tags, failing appends, restarts and
// the back end at work in between, is answered as a small pure model says. A difference is shrunk and printed with its
// seed and path.

describe.each(stores)('the write API is as its model, %s', (_, open) => {
  test('whatever is asked', async () => {
    await fc.assert(
      fc.asyncProperty(steps(80), async (taken) => {
        const api = await WriteApi.start(open);
        try {
          await compare(new InProcess(api), taken);
        } finally {
          await api.close();
        }
      }),
      { numRuns: Number(process.env['WAYBILL_TEST_MODEL_RUNS'] ?? 25), interruptAfterTimeLimit: 60_000 },
    );
  }, 120_000);
});
