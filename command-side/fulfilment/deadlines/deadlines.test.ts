import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { worklist, itemOf } from '../worklist/worklist.js';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import { runs } from '@waybill/shared-kernel/testing/length.js';
import { manualTimer } from '@waybill/shared-kernel/testing/manual-timer.js';
import { turns } from '@waybill/shared-kernel/testing/turns.js';
import { until } from '@waybill/shared-kernel/testing/until.js';
import { deliveryIdOf } from '@waybill/shared-kernel/stream.js';
import { seededRandomness } from '@waybill/infra/clock/seeded.js';
import type { PaymentRequest } from '../../payments/payment-request.js';
import { FaultyStore, type Fate } from '../../testing/faulty-store.js';
import { keepDeadlines } from './keep-deadlines.js';
import { timeLimits, extendedTimeLimits } from './time-limits.js';
import { CloudedStore } from '../testing/clouded-store.js';
import { Bench, Driven, types } from '../testing/fulfilment-bench.js';

const minute = 60_000;
const lost: Fate = 'lost';

/** A process manager at work on one order. */
async function begun(prepare: (bench: Bench) => void = () => {}) {
  const bench = new Bench();
  prepare(bench);
  const driven = new Driven(bench);
  await bench.place('o1');
  await driven.work(100);
  const ofFulfilment = async () => types(await bench.histories(), 'fulfilment-o1')!;
  const ofOrder = async () => types(await bench.histories(), 'order-o1')!;
  return { bench, driven, ofFulfilment, ofOrder };
}

/** The fulfilment of the one order stands still from now on. */
async function suspend(bench: Bench): Promise<void> {
  const stream = 'fulfilment-o1';
  const { length } = await bench.log.readStream(stream, 0, 100);
  await bench.log.append(stream, length - 1, [
    {
      id: '8c1e3a52-0000-4000-8000-000000000001',
      type: 'FulfilmentSuspended',
      schemaVersion: 1,
      occurredAt: '2026-01-01T10:00:00.000Z',
      correlationId: 'c',
      causationId: 'c',
      partitionKey: 'o1',
      data: { orderId: 'o1', eventId: 'e', eventType: 'OrderConfirmed', stream: 'order-o1', revision: 1, error: 'E' },
    },
  ]);
}

/** A gateway that does not answer. */
const away = ({ payments }: Bench): void => {
  payments.gateway.fate = () => lost;
};

describe('a payment that nobody answers', () => {
  test('is asked for again until somebody does, and not before its time', async () => {
    const { bench, driven, ofOrder, ofFulfilment } = await begun(away);
    bench.clock.advance(19_999);
    await driven.look();
    expect(await ofFulfilment()).toEqual(['FulfilmentStarted', 'FulfilmentPaymentRequested']);
    bench.clock.advance(1);
    await driven.look();
    expect(await ofOrder()).toEqual(['OrderPlaced']);
    bench.payments.gateway.fate = () => 'done';
    bench.clock.advance(2 * minute);
    await driven.look();
    expect(await ofOrder()).toEqual(['OrderPlaced', 'OrderConfirmed']);
    const asked = (await ofFulfilment()).filter((type) => type === 'FulfilmentPaymentRequested');
    expect(asked).toHaveLength(3);
    expect(bench.payments.gateway.ledger).toMatchObject([{ reference: 'o1', kind: 'authorisation', amount: 5 }]);
  });

  test('is asked for again at once by a process that carries payments itself, and begins: once, and nothing is noted', async () => {
    const { bench, driven, ofFulfilment, ofOrder } = await begun(away);
    await driven.save();
    bench.payments.restart();
    const calls: string[] = [];
    bench.payments.gateway.fate = (call, reference) => (calls.push(`${call} ${reference}`), 'lost');
    const again = (carriesPayments: boolean) => new Driven(bench, bench.store, { carriesPayments });

    await again(false).look();
    expect(calls).toEqual([]);
    const begins = again(true);
    await begins.look();
    await begins.look();
    expect(calls).toEqual(['authorise o1']);
    expect(await ofFulfilment()).toEqual(['FulfilmentStarted', 'FulfilmentPaymentRequested']);
    bench.payments.gateway.fate = () => 'done';
    await again(true).look();
    expect(await ofOrder()).toEqual(['OrderPlaced', 'OrderConfirmed']);
  });

  test('is asked for in the name of who pays', async () => {
    const asked: unknown[] = [];
    const bench = new Bench();
    await bench.place('o1');
    const askPayment = ({ orderId, customerId }: PaymentRequest): void => void asked.push([orderId, customerId]);
    await new Driven(bench, bench.store, { askPayment }).work(100);
    expect(asked).toEqual([['o1', 'c1']]);
  });

  test('is not asked for again by who begins while the fulfilment is suspended', async () => {
    const { bench, driven } = await begun(away);
    await driven.save();
    bench.payments.restart();
    await suspend(bench);
    const calls: string[] = [];
    bench.payments.gateway.fate = (call) => (calls.push(call), 'lost');
    await new Driven(bench, bench.store, { carriesPayments: true }).look();
    expect(calls).toEqual([]);
  });

  test('is given up in the end: the order is rejected, and nothing of it can be taken any more', async () => {
    const { bench, driven, ofOrder, ofFulfilment } = await begun(away);
    for (let passed = 0; passed <= timeLimits.payment; passed += minute) {
      bench.clock.advance(minute);
      await driven.look();
    }
    expect(await ofOrder()).toEqual(['OrderPlaced', 'OrderRejected']);
    expect((await ofFulfilment()).at(-1)).toBe('FulfilmentPaymentRequested');
    bench.payments.gateway.fate = () => 'done';
    bench.clock.advance(10 * minute);
    await driven.look();
    expect((await ofFulfilment()).at(-1)).toBe('FulfilmentPaymentSettled');
    const late = { reference: 'o1', amount: 5, currency: 'KRW', token: 'tok_approve' };
    expect(await bench.payments.gateway.authorise(late)).toMatchObject({ status: 'voided' });
    expect(bench.payments.gateway.kept('o1')).toBe(0);
  });
});

describe('a delivery', () => {
  test('that no courier picks up in time is cancelled with its order, and everything is given back', async () => {
    const { bench, driven, ofOrder } = await begun();
    bench.clock.advance(timeLimits.courier);
    await driven.look();
    expect(await ofOrder()).toEqual(['OrderPlaced', 'OrderConfirmed', 'OrderCancelled']);
    const histories = await bench.histories();
    expect(histories['order-o1']?.at(-1)?.data).toMatchObject({
      by: 'system',
      reason: 'No courier picked it up in time.',
    });
    expect(types(histories, `delivery-${deliveryIdOf('o1')}`)).toEqual(['DeliveryScheduled', 'DeliveryCancelled']);
    expect(types(histories, 'payment-o1')).toEqual(['PaymentAuthorised', 'PaymentVoided']);
  });

  test('that is overdue is said to be, once a day, and goes on', async () => {
    const { bench, driven, ofFulfilment, ofOrder } = await begun();
    await bench.dispatch('o1');
    await driven.work(100);
    const missed = async () => (await ofFulfilment()).filter((type) => type === 'FulfilmentDeadlineMissed').length;
    bench.clock.advance(timeLimits.delivery);
    await driven.look();
    await driven.look();
    expect(await missed()).toBe(1);
    bench.clock.advance(extendedTimeLimits.delivery);
    await driven.look();
    expect(await missed()).toBe(2);
    await bench.onDelivery('o1', { type: 'CompleteDelivery', deliveryId: deliveryIdOf('o1'), proof: null });
    await driven.work(100);
    expect((await ofOrder()).at(-1)).toBe('OrderDelivered');
    bench.clock.advance(timeLimits.return);
    await driven.look();
    expect(await missed()).toBe(2);
  });
});

describe('a deadline', () => {
  test('that fell due while everything was down is found after the restart, once', async () => {
    const { bench, driven, ofOrder, ofFulfilment } = await begun();
    await driven.save();
    bench.clock.advance(30 * timeLimits.courier);
    const [next, another] = [new Driven(bench), new Driven(bench)];
    await Promise.all([next.look(), another.look()]);
    await next.look();
    expect((await ofFulfilment()).filter((type) => type === 'FulfilmentDeadlineMissed')).toHaveLength(1);
    expect((await ofOrder()).filter((type) => type === 'OrderCancelled')).toHaveLength(1);
  });

  test('misses nothing that came before it: what is in the log is worked on first', async () => {
    const { bench, driven, ofOrder } = await begun();
    await bench.cancel('o1');
    bench.clock.advance(2 * timeLimits.courier);
    await driven.look();
    expect((await ofOrder()).filter((type) => type === 'OrderCancelled')).toHaveLength(1);
  });

  test('is not looked at while the fulfilment is suspended', async () => {
    const { bench, driven, ofFulfilment } = await begun();
    await suspend(bench);
    bench.clock.advance(2 * timeLimits.courier);
    await driven.look();
    expect((await ofFulfilment()).at(-1)).toBe('FulfilmentSuspended');
  });

  test('of a fulfilment that cannot be read suspends it, and holds up no other', async () => {
    const bench = new Bench();
    const store = new CloudedStore(bench.log);
    const driven = new Driven(bench, store);
    for (const orderId of ['o1', 'o2']) await bench.place(orderId);
    await driven.work(100);
    await driven.save();
    store.clouds.set('fulfilment-o1@0', 'version');
    driven.restart();
    bench.clock.advance(timeLimits.courier);
    await driven.look();
    const histories = await bench.histories();
    expect(types(histories, 'fulfilment-o1')?.at(-1)).toBe('FulfilmentSuspended');
    expect(types(histories, 'order-o2')?.at(-1)).toBe('OrderCancelled');
    const { data, revision } = histories['fulfilment-o1']!.at(-1)!;
    expect(data).toMatchObject({ stream: 'fulfilment-o1', revision: revision - 1, error: 'Error' });
  });

  test.each([
    {
      of: 'the courier',
      passes: timeLimits.courier,
      prepare: (): void => {},
      order: ['OrderPlaced', 'OrderConfirmed', 'OrderCancelled'],
      payment: ['PaymentAuthorised', 'PaymentVoided'],
    },
    {
      of: 'the payment',
      passes: timeLimits.payment,
      prepare: away,
      order: ['OrderPlaced', 'OrderRejected'],
      payment: ['PaymentVoided'],
    },
  ])('of $of whose consequences died half-way has them all the same', async ({ passes, prepare, order, payment }) => {
    const anyFates = fc.array(fc.constantFrom<Fate>('done', 'lost', 'unheard', 'cut off'), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(anyFates, async (fates) => {
        const { bench, driven, ofFulfilment } = await begun(prepare);
        await driven.save();
        bench.clock.advance(passes);
        bench.payments.gateway.fate = () => 'done';
        const ahead = [...fates];
        bench.store.fate = () => ahead.shift() ?? 'done';
        // No time passes: it is not found again by another deadline.
        for (let round = 0; round <= fates.length; round += 1) await driven.look().catch(() => driven.restart());
        const histories = await bench.histories();
        expect(types(histories, 'order-o1')).toEqual(order);
        expect(types(histories, 'payment-o1')).toEqual(payment);
        expect((await ofFulfilment()).filter((type) => type === 'FulfilmentDeadlineMissed')).toHaveLength(1);
        expect((await ofFulfilment()).at(-1)).toBe('FulfilmentPaymentSettled');
      }),
      { numRuns: runs(15, 150) },
    );
  });
});

describe('the worklist', () => {
  const dueOf = async ({ readStore }: Bench): Promise<unknown> => {
    const [document] = await readStore.load(worklist, ['o1']);
    return document === undefined ? undefined : itemOf(document).dueAt;
  };
  const retryOf = async (bench: Bench): Promise<unknown> =>
    (await bench.histories())['fulfilment-o1']?.findLast(({ type }) => type === 'FulfilmentPaymentRequested')?.data[
      'retryAt'
    ];

  test.each([
    ['goes on', 1],
    ['goes on', 2],
    ['is killed', 1],
    ['is killed', 2],
  ])('has the times of the log when the end of an append is unknown to one who %s (append %i)', async (what, nth) => {
    const bench = new Bench();
    away(bench);
    const driven = new Driven(bench);
    await driven.work(100);
    await bench.place('o1');
    let appends = 0;
    bench.store.fate = (stream) => (stream === 'fulfilment-o1' && (appends += 1) === nth ? 'cut off' : 'done');
    await expect(driven.work(100)).rejects.toThrow();
    bench.clock.advance(minute);
    if (what === 'is killed') driven.restart();
    await driven.work(100);
    await driven.save();
    expect(await retryOf(bench)).toBeDefined();
    expect(await dueOf(bench)).toBe(await retryOf(bench));
    const [document] = await bench.readStore.load(worklist, ['o1']);
    const begun = (await bench.log.readStream('fulfilment-o1', 0, 1))[0]!.occurredAt;
    expect(begun).toBe(nth === 1 ? '2026-01-01T10:00:00.000Z' : itemOf(document!).since);
  });
});

describe('two at work on one partition for a moment, who note the same at other times,', () => {
  test.each([1, 2])('both go on from what the log has (append %i)', async (nth) => {
    const bench = new Bench();
    away(bench);
    const held = new FaultyStore(bench.log);
    let appends = 0;
    let letGo!: () => void;
    let isHeld = false;
    const isLetGo = new Promise<void>((resolve) => (letGo = resolve));
    held.fate = async (stream) => {
      if (stream === 'fulfilment-o1' && (appends += 1) === nth) {
        isHeld = true;
        await isLetGo;
      }
      return 'done' as const;
    };
    const [slow, quick] = [new Driven(bench, held), new Driven(bench)];
    for (const driven of [slow, quick]) await driven.work(100);
    await bench.place('o1');
    const working = slow.work(100);
    await until(() => isHeld);
    bench.clock.advance(1_000);
    await quick.work(100);
    letGo();
    await working;
    const asked = (await bench.histories())['fulfilment-o1']!;
    expect(asked.map(({ type }) => type)).toEqual(['FulfilmentStarted', 'FulfilmentPaymentRequested']);
    await slow.save();
    const [document] = await bench.readStore.load(worklist, ['o1']);
    expect(itemOf(document!).dueAt).toBe(asked[1]!.data['retryAt']);
  });
});

describe('keeping deadlines', () => {
  test('looks again and again by what is handled, once that is known, tells what went wrong, and ends when it is stopped', async () => {
    const timer = manualTimer();
    const faults: string[] = [];
    const consumer: { handledUntilMs?: number } = {};
    let looks = 0;
    const look = (until: number): Promise<void> => {
      looks += 1;
      expect(until).toBe(consumer.handledUntilMs);
      return looks === 1 ? Promise.reject(new Unavailable('read store', 'gone')) : Promise.resolve();
    };
    const report = ({ message }: Error, of: string): void => void faults.push(`${of}: ${message}`);
    const dependencies = { timer, randomness: seededRandomness('keep'), report };
    const keeping = keepDeadlines('fulfilment/deadlines', look, () => consumer.handledUntilMs, dependencies);
    const next = async (): Promise<void> => {
      timer.elapse();
      await turns(2);
    };
    await turns(2);
    expect(looks).toBe(0);
    consumer.handledUntilMs = 7;
    await next();
    expect(looks).toBe(1);
    expect(faults).toEqual(['fulfilment/deadlines: gone']);
    await next();
    expect(looks).toBe(2);
    await keeping.stop();
    timer.elapse();
    await turns(2);
    expect(looks).toBe(2);
  });
});
