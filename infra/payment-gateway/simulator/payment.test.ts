import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { fallDue, receive, slowness, type Asked, type EntryKind, type Payment } from './payment.js';

const tokens = ['tok_approve', 'tok_decline', 'tok_slow', 'tok_fail_once', 'tok_hang', 'tok_double', 'tok_other'];
const authorise = (token: string): Asked => ({ ask: 'authorise', reference: 'a', amount: 100, currency: 'KRW', token });
const ask = (ask: 'capture' | 'void' | 'refund' | 'look'): Asked => ({ ask, reference: 'a' });

/** What came of requests, a second between each and the next. */
function after(...all: readonly Asked[]) {
  let payment: Payment | undefined;
  let now = 0;
  const booked: EntryKind[] = [];
  let webhooks = 0;
  for (const asked of all) {
    now += 1_000;
    const outcome = receive(payment, asked, now);
    ({ payment } = outcome);
    booked.push(...outcome.booked);
    webhooks += outcome.webhooks;
  }
  return { status: payment?.status, booked, webhooks, payment, now };
}

describe('a slow decision', () => {
  test('is made when its time has come, and told', () => {
    const { payment } = after(authorise('tok_slow'));
    expect(fallDue(payment!, 1_000 + slowness - 1)).toBeUndefined();
    expect(fallDue(payment!, 1_000 + slowness)).toMatchObject({
      payment: { status: 'authorised', decidesAt: null },
      booked: ['authorisation'],
      webhooks: 1,
    });
  });

  test('is made by a question that comes later, before that is answered', () => {
    expect(after(authorise('tok_slow'), ask('look'), ask('capture'))).toMatchObject({
      status: 'captured',
      booked: ['authorisation', 'capture'],
    });
  });
});

test('the first call of one that fails once comes to nothing but that', () => {
  const { payment } = after(authorise('tok_fail_once'));
  expect(receive(payment, ask('look'), 2_000).answer).toBe('unknown');
  expect(receive(payment, authorise('tok_fail_once'), 2_000)).toMatchObject({
    answer: 'payment',
    booked: ['authorisation'],
  });
  expect(receive(payment, ask('void'), 2_000)).toMatchObject({ payment: { status: 'voided' }, booked: [] });
});

test('one that hangs is silent whenever it is authorised, and never decided; all else is answered', () => {
  const { payment } = after(authorise('tok_hang'), authorise('tok_hang'));
  expect(receive(payment, authorise('tok_hang'), 1e9).answer).toBe('silence');
  expect(receive(payment, ask('look'), 1e9)).toMatchObject({ answer: 'payment', payment: { status: 'pending' } });
});

test('one that is told twice is authorised once', () => {
  expect(after(authorise('tok_double'), authorise('tok_double'))).toMatchObject({
    booked: ['authorisation'],
    webhooks: 2,
  });
});

test('whatever is asked: everything is booked once and in order, and the books are what the status says', () => {
  const asked = fc.oneof(
    fc.constantFrom(...tokens).map(authorise),
    fc.constantFrom(...(['capture', 'void', 'refund', 'look'] as const)).map(ask),
  );
  const books: Record<string, readonly EntryKind[]> = {
    authorised: ['authorisation'],
    captured: ['authorisation', 'capture'],
    refunded: ['authorisation', 'capture', 'refund'],
    declined: [],
    pending: [],
    failed: [],
  };
  fc.assert(
    fc.property(fc.array(asked, { minLength: 1, maxLength: 12 }), (all) => {
      const { status, booked, payment, now } = after(...all);
      if (status === undefined) expect(booked).toEqual([]);
      else if (status === 'voided') expect([[], ['authorisation', 'void']]).toContainEqual(booked);
      else expect(booked).toEqual(books[status]);
      // Asked once more, nothing more comes of it.
      const last = all.at(-1)!;
      const again = receive(payment, last, now);
      if (status !== 'failed') expect(again).toMatchObject({ payment, booked: [], webhooks: 0 });
    }),
  );
});
