import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { PaymentStep } from '@waybill/shared-kernel/events/fulfilment.js';
import type { PaymentEvent } from '@waybill/shared-kernel/events/payment.js';
import { nextCall, payment, type PaymentCommand, type PaymentState, type PaymentStatus } from './payment.js';

const orderId = 'o1';
const terms = { orderId, amount: 500, currency: 'KRW' };
const facts = {
  authorised: { type: 'RecordAuthorisation', ...terms },
  declined: { type: 'RecordDecline', ...terms, reason: 'insufficient funds' },
  voided: { type: 'RecordVoid', ...terms },
  captured: { type: 'RecordCapture', ...terms },
  refunded: { type: 'RecordRefund', ...terms },
} as const satisfies Record<string, PaymentCommand>;
type Fact = keyof typeof facts;

function after(events: readonly PaymentEvent[]): PaymentState {
  return events.reduce(payment.evolve, payment.initialState);
}

/** What the stream holds after these facts were told, one after another. */
function recorded(told: readonly Fact[]): readonly PaymentEvent[] {
  const events: PaymentEvent[] = [];
  for (const fact of told) events.push(...payment.decide(facts[fact], after(events)));
  return events;
}

const types = (told: readonly Fact[]) => recorded(told).map(({ type }) => type);

describe('a fact becomes an event', () => {
  test.each<[Fact, PaymentEvent]>([
    ['authorised', { type: 'PaymentAuthorised', data: terms }],
    ['declined', { type: 'PaymentDeclined', data: { orderId, reason: 'insufficient funds' } }],
    ['voided', { type: 'PaymentVoided', data: { orderId } }],
  ])('%s', (fact, event) => {
    expect(recorded([fact])).toEqual([event]);
  });

  test('and the next after it', () => {
    expect(recorded(['authorised', 'captured', 'refunded'])).toEqual([
      { type: 'PaymentAuthorised', data: terms },
      { type: 'PaymentCaptured', data: terms },
      { type: 'PaymentRefunded', data: terms },
    ]);
  });
});

const whole = ['PaymentAuthorised', 'PaymentCaptured', 'PaymentRefunded'];

describe('facts overtake one another', () => {
  test.each<[string, Fact[], string[]]>([
    ['what was taken had been authorised', ['captured', 'authorised'], whole.slice(0, 2)],
    ['what was given back had been taken', ['refunded', 'captured', 'authorised'], whole],
    ['an authorisation after the void is silence', ['voided', 'authorised'], ['PaymentVoided']],
    ['and after a decline', ['declined', 'authorised'], ['PaymentDeclined']],
    ['what was taken counts', ['voided', 'captured'], ['PaymentVoided', 'PaymentCaptured']],
  ])('%s', (_what, told, events) => {
    expect(types(told)).toEqual(events);
  });

  const anyFacts = fc.array(fc.constantFrom(...(Object.keys(facts) as Fact[])), { maxLength: 8 });

  test('and come to the same in any order and however often they are told', () => {
    fc.assert(
      fc.property(
        anyFacts.chain((told) => {
          const all = told.length * 2;
          const doubled = fc.shuffledSubarray([...told, ...told], { minLength: all, maxLength: all });
          return fc.tuple(fc.constant(told), doubled);
        }),
        ([told, doubled]) => {
          expect(after(recorded(doubled))).toEqual(after(recorded(told)));
        },
      ),
    );
  });

  test('and no fact is recorded twice, and no money is taken or given back that was not before', () => {
    fc.assert(
      fc.property(anyFacts, (told) => {
        const seen = types(told);
        expect(new Set(seen).size).toBe(seen.length);
        const kept = seen.filter((type) => type === 'PaymentCaptured' || type === 'PaymentRefunded');
        expect([[], ['PaymentCaptured'], ['PaymentCaptured', 'PaymentRefunded']]).toContainEqual(kept);
        expect(kept.length).toBe(told.includes('refunded') ? 2 : told.includes('captured') ? 1 : 0);
      }),
    );
  });
});

describe('an imported payment', () => {
  const history = { type: 'PaymentAuthorised', data: { ...terms, amount: null }, imported: true } as const;
  const imported = payment.evolve(payment.initialState, history);

  test.each(Object.keys(facts) as Fact[])('takes no fact: %s', (fact) => {
    expect(payment.decide(facts[fact], imported)).toEqual([]);
  });

  test.each<PaymentStep>(['authorise', 'capture', 'release'])('and there is nothing to ask for: %s', (step) => {
    expect(nextCall(step, imported)).toBeUndefined();
  });
});

test.each<[PaymentStep, PaymentStatus, string | undefined]>([
  ['authorise', 'none', 'authorise'],
  ['authorise', 'authorised', undefined],
  ['authorise', 'declined', undefined],
  ['authorise', 'voided', undefined],
  ['authorise', 'captured', undefined],
  ['authorise', 'refunded', undefined],
  ['capture', 'none', undefined],
  ['capture', 'authorised', 'capture'],
  ['capture', 'declined', undefined],
  ['capture', 'voided', undefined],
  ['capture', 'captured', undefined],
  ['capture', 'refunded', undefined],
  ['release', 'none', 'void'],
  ['release', 'authorised', 'void'],
  ['release', 'declined', undefined],
  ['release', 'voided', undefined],
  ['release', 'captured', 'refund'],
  ['release', 'refunded', undefined],
])('to %s one that is %s, the gateway is asked for: %s', (step, status, call) => {
  expect(nextCall(step, { status, imported: false })).toBe(call);
});
