import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Unavailable } from '../errors.js';
import { runs } from '../testing/length.js';
import type { Authorisation, GatewayCall, GatewayPayment, PaymentGateway } from './payment-gateway.js';

export interface BookEntry {
  readonly kind: 'authorisation' | 'capture' | 'void' | 'refund';
  /** Minor units. */
  readonly amount: number;
  readonly currency: string;
}

/** A gateway, and what its operator sees of it. Tokens are those of the simulator. */
export interface GatewayUnderTest {
  readonly gateway: PaymentGateway;
  /** The same, which waits for an answer for a moment only. */
  readonly hasty: PaymentGateway;
  /** What was booked of a payment, in order. */
  booksOf(reference: string): Promise<readonly BookEntry[]>;
  /** The time comes at which pending payments are decided. */
  decide(): Promise<void>;
  /** The gateway is there no more. */
  vanish(): Promise<void>;
  close(): Promise<void>;
}

/** What every way to a payment gateway promises. */
export function paymentGatewayContract(name: string, open: () => Promise<GatewayUnderTest>): void {
  describe(`payment gateway: ${name}`, () => {
    let underTest: GatewayUnderTest;
    let gateway: PaymentGateway;
    let reference = '';

    beforeEach(async () => {
      underTest = await open();
      ({ gateway } = underTest);
      reference = randomUUID();
    });
    afterEach(() => underTest.close());

    const payment = (token: string, change: Partial<Authorisation> = {}): Authorisation => ({
      reference,
      amount: 12_500,
      currency: 'KRW',
      token,
      ...change,
    });
    const authorise = (token: string, change?: Partial<Authorisation>) => gateway.authorise(payment(token, change));
    const stands = (status: GatewayPayment['status']) => ({ reference, status });
    const booked = (...kinds: readonly BookEntry['kind'][]) =>
      kinds.map((kind) => expect.objectContaining({ kind, amount: 12_500, currency: 'KRW' }));
    const refusal = (asking: Promise<GatewayPayment>): Promise<unknown> =>
      asking.then(
        (answer) => {
          throw new Error(`answered ${answer.status}`);
        },
        (error: unknown) => error,
      );

    test('what was authorised is taken, whole, and given back, whole', async () => {
      expect(await authorise('tok_approve')).toEqual(stands('authorised'));
      expect(await gateway.capture(reference)).toEqual(stands('captured'));
      expect(await gateway.refund(reference)).toEqual(stands('refunded'));
      expect(await underTest.booksOf(reference)).toEqual(booked('authorisation', 'capture', 'refund'));
    });

    test('what was authorised is let go', async () => {
      await authorise('tok_approve');
      expect(await gateway.void(reference)).toEqual(stands('voided'));
      expect(await gateway.capture(reference)).toEqual(stands('voided'));
      expect(await underTest.booksOf(reference)).toEqual(booked('authorisation', 'void'));
    });

    test.each(['tok_decline', 'tok_of_nobody'])('what is declined is so with a reason, for good: %s', async (token) => {
      const declined = await authorise(token);
      expect(declined).toEqual({ reference, status: 'declined', reason: expect.stringMatching(/\w/) });
      expect(await authorise(token)).toEqual(declined);
      for (const step of ['capture', 'void', 'refund'] as const) {
        expect(await gateway[step](reference)).toMatchObject({ status: 'declined' });
      }
      expect(await underTest.booksOf(reference)).toEqual([]);
    });

    test('what is asked again is answered again and done once', async () => {
      for (const token of ['tok_approve', 'tok_double']) {
        reference = randomUUID();
        for (let time = 0; time < 3; time += 1) expect(await authorise(token)).toEqual(stands('authorised'));
        for (let time = 0; time < 3; time += 1) expect(await gateway.capture(reference)).toEqual(stands('captured'));
        for (let time = 0; time < 3; time += 1) expect(await gateway.refund(reference)).toEqual(stands('refunded'));
        expect(await authorise(token)).toEqual(stands('refunded'));
        expect(await underTest.booksOf(reference)).toEqual(booked('authorisation', 'capture', 'refund'));
      }
    });

    test('a hundred who ask for the same at once get the same, and it is done once', async () => {
      const answers = await Promise.all(Array.from({ length: 100 }, () => authorise('tok_approve')));
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set(['authorised']));
      const captured = await Promise.all(Array.from({ length: 100 }, () => gateway.capture(reference)));
      expect(new Set(captured.map(({ status }) => status))).toEqual(new Set(['captured']));
      expect(await underTest.booksOf(reference)).toEqual(booked('authorisation', 'capture'));
    });

    test('what fails at first works when it is asked again', async () => {
      const answer = await authorise('tok_fail_once').catch(() => authorise('tok_fail_once'));
      expect(answer).toEqual(stands('authorised'));
      expect(await underTest.booksOf(reference)).toEqual(booked('authorisation'));
    });

    test('what is pending is not taken, and decided later', async () => {
      expect(await authorise('tok_slow')).toEqual(stands('pending'));
      expect(await gateway.capture(reference)).toEqual(stands('pending'));
      expect(await authorise('tok_slow')).toEqual(stands('pending'));
      await underTest.decide();
      expect(await authorise('tok_slow')).toEqual(stands('authorised'));
      expect(await underTest.booksOf(reference)).toEqual(booked('authorisation'));
    });

    test('what is let go while it is pending is never decided', async () => {
      await authorise('tok_slow');
      expect(await gateway.void(reference)).toEqual(stands('voided'));
      await underTest.decide();
      expect(await authorise('tok_slow')).toEqual(stands('voided'));
      expect(await underTest.booksOf(reference)).toEqual([]);
    });

    test('a void of what the gateway has never heard of is remembered', async () => {
      expect(await gateway.void(reference)).toEqual(stands('voided'));
      for (const token of ['tok_approve', 'tok_hang']) expect(await authorise(token)).toEqual(stands('voided'));
      expect(await gateway.capture(reference)).toEqual(stands('voided'));
      expect(await underTest.booksOf(reference)).toEqual([]);
    });

    test('a step that the one before it is missing for changes nothing, and the answer says so', async () => {
      await authorise('tok_approve');
      expect(await gateway.refund(reference)).toEqual(stands('authorised'));
      await gateway.capture(reference);
      expect(await gateway.void(reference)).toEqual(stands('captured'));
      expect(await underTest.booksOf(reference)).toEqual(booked('authorisation', 'capture'));
    });

    test.each<GatewayCall>(['capture', 'refund'])(
      '%s of what the gateway has never heard of will not help again',
      async (step) => {
        expect(await refusal(gateway[step as 'capture' | 'refund'](reference))).not.toBeInstanceOf(Unavailable);
      },
    );

    test.each<[string, Partial<Authorisation>]>([
      ['amount', { amount: 12_501 }],
      ['currency', { currency: 'EUR' }],
    ])('another %s for the same reference is refused', async (_, change) => {
      await authorise('tok_approve');
      expect(await refusal(authorise('tok_approve', change))).not.toBeInstanceOf(Unavailable);
      expect(await underTest.booksOf(reference)).toEqual(booked('authorisation'));
    });

    test('a gateway that never answers is unavailable, in time; asked to let go, it does', async () => {
      expect(await refusal(underTest.hasty.authorise(payment('tok_hang')))).toBeInstanceOf(Unavailable);
      expect(await gateway.void(reference)).toEqual(stands('voided'));
    });

    test('a gateway that is not there is unavailable', async () => {
      await underTest.vanish();
      expect(await refusal(authorise('tok_approve'))).toBeInstanceOf(Unavailable);
    });

    test('closing waits for what is under way', async () => {
      let isSettled = false;
      const settled = (): void => void (isSettled = true);
      authorise('tok_approve').then(settled, settled);
      await gateway.close();
      expect(isSettled).toBe(true);
    });

    test('whatever is asked in whatever order, at once or not, the books balance', async () => {
      const steps = fc.constantFrom<GatewayCall>('authorise', 'capture', 'void', 'refund');
      const rounds = fc.array(fc.array(steps, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 5 });
      await fc.assert(
        fc.asyncProperty(rounds, async (asked) => {
          reference = randomUUID();
          const ask = (step: GatewayCall) =>
            step === 'authorise' ? authorise('tok_approve') : gateway[step](reference);
          for (const round of asked) await Promise.allSettled(round.map(ask));
          const { status } = await gateway.void(reference);
          const kinds = (await underTest.booksOf(reference)).map(({ kind }) => kind);
          const expected: Partial<Record<GatewayPayment['status'], readonly (readonly string[])[]>> = {
            voided: [[], ['authorisation', 'void']],
            captured: [['authorisation', 'capture']],
            refunded: [['authorisation', 'capture', 'refund']],
          };
          expect(expected[status]).toContainEqual(kinds);
        }),
        { numRuns: runs(10, 60) },
      );
    });
  });
}
