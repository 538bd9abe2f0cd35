import { describe, test } from '@jest/globals';
import fc from 'fast-check';
import { storesLookedAt } from '@waybill/command-side/testing/stores.js';
import { WriteApi } from '@waybill/command-side/testing/write-api.js';
import { runs } from '@waybill/shared-kernel/testing/length.js';
import { InProcess } from './in-process.js';
import type { Caller, Command, Request } from './commands.js';
import { compare, oneByOne, steps } from './steps.js';

// Whatever several users ask one after another, with repeated keys, stale entity tags, failing appends, restarts and
// the back end at work in between, is answered as a small pure model says. A difference is shrunk and printed with its
// seed and path.

/** That of a run which is to be repeated. */
const seed = process.env['WAYBILL_TEST_MODEL_SEED'];

const [ann, op, cal, coe] = [
  { role: 'customer', sub: 'ann' },
  { role: 'operator', sub: 'op' },
  { role: 'courier', sub: 'cal' },
  { role: 'courier', sub: 'coe' },
] as const;
const on = { orderId: 'o1' };
const order = { type: 'place', customerId: 'ann', token: 'tok_approve' } as const;
const request = (by: Caller, command: Command, ifMatch: string | null = null): Request => ({
  ...{ by, command, ifMatch, isBroken: false },
  key: command.type === 'locate' ? null : `${command.type} ${by.sub}`,
});
const report = (by: Caller, ifMatch: string | null = null) =>
  request(by, { type: 'locate', ...on, at: '2025-01-01T09:00:00.000Z' }, ifMatch);

/** What the property found once. */
const found: readonly (readonly [string, readonly Request[]])[] = [
  [
    'a position comes again with the If-Match of the first time, when it is off the courier’s hands too',
    [
      request(ann, {
        ...{ ...order, ...on },
        lines: [{ productId: 'p0', quantity: 1 }],
      }),
      request(cal, { type: 'assign', ...on, courierId: 'cal' }),
      report(cal, '"1"'),
      report(cal, '"1"'),
      request(cal, { type: 'release', ...on }),
      request(coe, { type: 'assign', ...on, courierId: 'coe' }),
      report(cal, '"1"'),
      report(coe, '"1"'),
      report(coe),
    ],
  ],
  [
    'a key that is bound to an order makes no other, though its customer is erased and the payload cannot be compared',
    [
      request(ann, { ...order, lines: [{ productId: 'p0', quantity: 1 }] }),
      request(op, { type: 'erase', customerId: 'ann' }),
      request(ann, { ...order, lines: [{ productId: 'p0', quantity: 2 }] }),
      request(ann, { ...order, orderId: 'o7', lines: [{ productId: 'p0', quantity: 1 }] }),
    ],
  ],
];

describe.each(storesLookedAt)('the write API is as its model, %s', (_, open, looks) => {
  test.each(found)('%s', async (_case, requests) => {
    const api = await WriteApi.start(open, looks);
    try {
      await compare(new InProcess(api), oneByOne(requests));
    } finally {
      await api.close();
    }
  });

  test('whatever is asked', async () => {
    await fc.assert(
      fc.asyncProperty(steps(80), async (taken) => {
        const api = await WriteApi.start(open, looks);
        try {
          await compare(new InProcess(api), taken);
        } finally {
          await api.close();
        }
      }),
      {
        numRuns: Number(process.env['WAYBILL_TEST_MODEL_RUNS'] ?? runs(5, 100)),
        interruptAfterTimeLimit: 600_000,
        markInterruptAsFailure: true,
        ...(seed !== undefined && { seed: Number(seed) }),
      },
    );
  }, 900_000);
});
