import { beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { openMemoryRequestReply } from '@waybill/infra/broker/memory/request-reply.js';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import { slowness } from '@waybill/infra/payment-gateway/simulator/payment.js';
import type { PaymentStep } from '@waybill/shared-kernel/events/fulfilment.js';
import { runs } from '@waybill/shared-kernel/testing/length.js';
import { until } from '@waybill/shared-kernel/testing/until.js';
import type { Fate } from '../testing/faulty-store.js';
import { askPayments } from './ask-payments.js';
import { paymentService } from './payment-request.js';
import { PaymentBench, requestFor } from './testing/payment-bench.js';

let bench: PaymentBench;
beforeEach(async () => {
  bench = new PaymentBench();
  await bench.start();
});

const authorised = { status: 'authorised' };
const pending = { status: 'pending' };

describe('a step', () => {
  test('is done at the gateway, is in the log, and is answered', async () => {
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    expect(await bench.ask('authorise', { traceparent })).toEqual(authorised);
    expect(bench.gateway.ledger).toEqual([{ reference: 'o1', kind: 'authorisation', amount: 500, currency: 'KRW' }]);
    const [event] = await bench.events();
    expect(event).toMatchObject({
      type: 'PaymentAuthorised',
      data: { orderId: 'o1', amount: 500, currency: 'KRW' },
      partitionKey: 'o1',
      occurredAt: '2026-01-01T10:00:00.000Z',
      correlationId: 'story-1',
      causationId: 'b2f5ff47-43d3-4f42-9f2f-6f1f6f2b9b11',
      traceparent,
    });
    expect(event).not.toHaveProperty('actor');
    expect(bench.counted).toEqual(['authorise authorised']);
  });

  test('that nobody asked for before is not looked for in the log; told so again it is done once', async () => {
    const { readStream } = bench.store;
    bench.store.readStream = () => Promise.reject(new Error('It was looked for.'));
    expect(await bench.ask('authorise', { isFirst: true })).toEqual(authorised);
    bench.store.readStream = readStream;
    expect(await bench.ask('authorise', { isFirst: true })).toEqual(authorised);
    await bench.ask('capture');
    // Overtaken by what came since.
    expect(await bench.ask('authorise', { isFirst: true })).toEqual({ status: 'captured' });
    expect(await bench.ask('release')).toEqual({ status: 'refunded' });
    expect(await bench.ask('authorise', { isFirst: true })).toEqual({ status: 'refunded' });
    expect(await bench.types()).toEqual(['PaymentAuthorised', 'PaymentCaptured', 'PaymentRefunded']);
    expect(bench.gateway.ledger.map(({ kind }) => kind)).toEqual(['authorisation', 'capture', 'refund']);
  });

  test('leads on from the one before', async () => {
    await bench.ask('authorise');
    expect(await bench.ask('capture')).toEqual({ status: 'captured' });
    expect(await bench.ask('release')).toEqual({ status: 'refunded' });
    expect(await bench.types()).toEqual(['PaymentAuthorised', 'PaymentCaptured', 'PaymentRefunded']);
    expect(bench.gateway.kept('o1')).toBe(0);
  });

  test('may be declined, with a reason', async () => {
    expect(await bench.ask('authorise', { token: 'tok_decline' })).toEqual({ status: 'declined' });
    expect((await bench.events())[0]?.data).toEqual({ orderId: 'o1', reason: 'The card was declined.' });
    expect(await bench.ask('release')).toEqual({ status: 'declined' });
  });

  test('may be pending until the gateway knows', async () => {
    expect(await bench.ask('authorise', { token: 'tok_slow' })).toEqual(pending);
    expect(await bench.types()).toEqual([]);
    bench.clock.advance(slowness);
    expect(await bench.ask('authorise', { token: 'tok_slow' })).toEqual(authorised);
  });

  test('that is not for a payment as it stands asks the gateway for nothing', async () => {
    expect(await bench.ask('capture')).toEqual(pending);
    await bench.ask('authorise', { token: 'tok_decline' });
    const calls: string[] = [];
    bench.gateway.fate = (call) => (calls.push(call), 'done');
    expect(await bench.ask('capture')).toEqual({ status: 'declined' });
    expect(await bench.ask('release')).toEqual({ status: 'declined' });
    expect(calls).toEqual([]);
  });

  test('of release forestalls an authorisation that was never heard of', async () => {
    expect(await bench.ask('release')).toEqual({ status: 'voided' });
    expect(await bench.ask('authorise')).toEqual({ status: 'voided' });
    expect(await bench.types()).toEqual(['PaymentVoided']);
  });

  test('of release gives back what turns out to have been taken', async () => {
    await bench.ask('authorise');
    await bench.gateway.capture('o1');
    expect(await bench.ask('release')).toEqual({ status: 'refunded' });
    expect(await bench.types()).toEqual(['PaymentAuthorised', 'PaymentCaptured', 'PaymentRefunded']);
  });
});

describe('the gateway', () => {
  test.each<Fate>(['lost', 'cut off'])(
    'is away, a call is %s: pending, and nothing twice when asked again',
    async (fate) => {
      bench.gateway.fate = () => fate;
      expect(await bench.ask('authorise')).toEqual(pending);
      expect(await bench.types()).toEqual([]);
      bench.gateway.fate = () => 'done';
      expect(await bench.ask('authorise')).toEqual(authorised);
      expect(bench.gateway.ledger).toHaveLength(1);
      expect(bench.faults).toEqual([]);
      expect(bench.counted).toEqual(['authorise unavailable', 'authorise authorised']);
    },
  );

  test('refuses: pending, and somebody hears of it', async () => {
    bench.gateway.fate = () => Promise.reject(new Error('no such merchant account'));
    expect(await bench.ask('authorise')).toEqual(pending);
    expect(bench.faults).toEqual(['no such merchant account']);
    expect(bench.counted).toEqual(['authorise failed']);
  });
});

describe('the log', () => {
  test.each<Fate>(['lost', 'cut off'])(
    'is away after the gateway answered, an append is %s: asked again, nothing is done twice',
    async (fate) => {
      await bench.ask('authorise');
      bench.store.fate = () => fate;
      expect(await bench.ask('capture')).toEqual(pending);
      expect(bench.faults).toHaveLength(1);
      expect(bench.gateway.kept('o1')).toBe(500);
      bench.store.fate = () => 'done';
      expect(await bench.ask('capture')).toEqual({ status: 'captured' });
      expect(bench.gateway.kept('o1')).toBe(500);
      expect(await bench.types()).toEqual(['PaymentAuthorised', 'PaymentCaptured']);
    },
  );
});

/** Stands before what it is asked for until it is opened. */
class Gate {
  #open!: () => void;
  readonly opened = new Promise<void>((resolve) => (this.#open = resolve));
  #reach!: () => void;
  /** Resolves when somebody stands before it. */
  readonly reached = new Promise<void>((resolve) => (this.#reach = resolve));

  open(): void {
    this.#open();
  }

  async pass(): Promise<'done'> {
    this.#reach();
    await this.opened;
    return 'done';
  }
}

describe('at once', () => {
  test('a doubled request shares the answer of the one under way', async () => {
    const gate = new Gate();
    let calls = 0;
    bench.gateway.fate = () => {
      calls += 1;
      return gate.pass();
    };
    const answers = [bench.ask('authorise'), bench.ask('authorise')];
    await gate.reached;
    answers.push(bench.ask('authorise'));
    gate.open();
    expect(await Promise.all(answers)).toEqual([authorised, authorised, authorised]);
    expect(calls).toBe(1);
    expect(bench.counted).toHaveLength(1);
  });

  test('one order waits for itself, others do not wait for it', async () => {
    const gate = new Gate();
    const calls: string[] = [];
    bench.gateway.fate = (call, reference) => {
      calls.push(`${call} ${reference}`);
      return reference === 'o1' ? gate.pass() : 'done';
    };
    const first = bench.ask('authorise');
    await gate.reached;
    const second = bench.ask('release');
    expect(await bench.ask('authorise', { orderId: 'o2' })).toEqual(authorised);
    expect(calls).toEqual(['authorise o1', 'authorise o2']);
    gate.open();
    expect(await first).toEqual(authorised);
    expect(await second).toEqual({ status: 'voided' });
    expect(await bench.types()).toEqual(['PaymentAuthorised', 'PaymentVoided']);
  });

  test('an authorisation is not wanted any more once a release of the order is asked for', async () => {
    const gate = new Gate();
    const { gateway } = bench;
    const authorise = gateway.authorise.bind(gateway);
    let isWanted = (): boolean => false;
    gateway.authorise = async (asked, _payer?: string, wanted = isWanted) => {
      isWanted = wanted;
      await gate.pass();
      return authorise(asked);
    };
    const first = bench.ask('authorise');
    await gate.reached;
    expect(isWanted()).toBe(true);
    const second = bench.ask('release');
    await until(() => !isWanted());
    gate.open();
    await Promise.all([first, second]);
    expect(isWanted()).toBe(true);
  });

  test('one that hangs is answered pending after a while, worked on to its end, and asked of the gateway once', async () => {
    const gate = new Gate();
    const calls: string[] = [];
    bench.gateway.fate = (call, reference) => (calls.push(`${call} ${reference}`), gate.pass());
    const first = bench.ask('authorise');
    await gate.reached;
    bench.timer.elapse();
    expect(await first).toEqual(pending);
    const again = bench.ask('authorise');
    gate.open();
    expect(await again).toEqual(authorised);
    expect(calls).toEqual(['authorise o1']);
    expect(bench.timer.waits).toEqual([]);
  });

  test('a service that closes waits for what it has answered as pending', async () => {
    const gate = new Gate();
    bench.gateway.fate = () => gate.pass();
    const asked = bench.ask('authorise');
    await gate.reached;
    bench.timer.elapse();
    await asked;
    const closing = bench.close();
    gate.open();
    await closing;
    expect(await bench.types()).toEqual(['PaymentAuthorised']);
  });

  test('the gateway is told whose payment each is, and the customer alone need not be known', async () => {
    const payers: unknown[] = [];
    const { gateway } = bench;
    const authorise = gateway.authorise.bind(gateway);
    gateway.authorise = (asked, payer?: string) => (payers.push(payer), authorise(asked));
    const [capture, refund] = [gateway.capture.bind(gateway), gateway.refund.bind(gateway)];
    gateway.capture = (reference, payer?: string) => (payers.push(payer), capture(reference));
    gateway.refund = (reference, payer?: string) => (payers.push(payer), refund(reference));
    for (const step of ['authorise', 'capture', 'release'] as const) await bench.ask(step, { customerId: 'ann' });
    await bench.ask('authorise', { orderId: 'o2' });
    expect(payers).toEqual(['ann', 'ann', 'ann', undefined]);
  });

  test('two services record the same once', async () => {
    const other = await bench.start(openMemoryRequestReply());
    const gate = new Gate();
    let waiting = 0;
    bench.store.fate = () => {
      waiting += 1;
      if (waiting === 2) gate.open();
      return gate.pass();
    };
    expect(await Promise.all([bench.ask('authorise'), bench.ask('authorise', {}, other)])).toEqual([
      authorised,
      authorised,
    ]);
    expect(waiting).toBe(2);
    expect(bench.gateway.ledger).toHaveLength(1);
    expect(await bench.types()).toEqual(['PaymentAuthorised']);
  });

  test('whoever hears of something records the same event of it', async () => {
    const another = new PaymentBench();
    await bench.ask('authorise');
    await another.take({ reference: 'o1', status: 'authorised' });
    expect((await another.events()).map(({ id }) => id)).toEqual((await bench.events()).map(({ id }) => id));
  });

  const fates = fc.array(fc.constantFrom<Fate>('done', 'done', 'lost', 'unheard', 'cut off'), { maxLength: 12 });
  const requests = fc.array(
    fc.record({
      step: fc.constantFrom<PaymentStep>('authorise', 'capture', 'release'),
      of: fc.constantFrom(0, 1),
      after: fc.constantFrom('at once', 'the one before'),
    }),
    { minLength: 1, maxLength: 6 },
  );
  const tokens = fc.constantFrom(
    'tok_approve',
    'tok_approve',
    'tok_double',
    'tok_decline',
    'tok_slow',
    'tok_fail_once',
  );

  test('in any interleaving of two services and the notices, whatever gets lost, the money is what the log says', async () => {
    let taken = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        requests,
        tokens,
        fates,
        fates,
        async (scheduler, asked, token, calls, appends) => {
          const each = new PaymentBench();
          const services = [await each.start(), await each.start(openMemoryRequestReply())];
          const [fatesOfCalls, fatesOfAppends] = [calls.values(), appends.values()];
          each.gateway.fate = () => scheduler.schedule(Promise.resolve(fatesOfCalls.next().value ?? 'done'));
          each.store.fate = () => scheduler.schedule(Promise.resolve(fatesOfAppends.next().value ?? 'done'));
          const answers: Promise<unknown>[] = [];
          each.gateway.notify = (notice) => {
            const arrival = scheduler.schedule(Promise.resolve()).then(() => each.take(notice));
            answers.push(arrival.catch(() => undefined));
          };
          for (const { step, of, after } of asked) {
            const asking = each.ask(step, step === 'authorise' ? { token } : {}, services[of]);
            answers.push(asking);
            if (after === 'the one before') await scheduler.waitFor(asking);
          }
          while (answers.length > 0) await scheduler.waitFor(Promise.all(answers.splice(0)));

          each.gateway.notify = () => {};
          each.gateway.fate = () => 'done';
          each.store.fate = () => 'done';
          // Whoever was not answered asks again, in the order of an order's life.
          const steps = new Set(asked.map(({ step }) => step));
          for (const step of ['authorise', 'capture', 'release'] as const) {
            if (steps.has(step)) await each.ask(step, step === 'authorise' ? { token } : {}, services[1]);
          }
          expect(await each.kept()).toBe(each.gateway.kept('o1'));
          if (steps.has('release')) expect(each.gateway.kept('o1')).toBe(0);
          else if (steps.has('capture') && steps.has('authorise') && token === 'tok_approve') {
            expect(each.gateway.kept('o1')).toBe(500);
            taken += 1;
          }
          const types = await each.types();
          expect(new Set(types).size).toBe(types.length);
          const bookings = each.gateway.ledger.map(({ kind }) => kind);
          expect(new Set(bookings).size).toBe(bookings.length);
        },
      ),
      { numRuns: runs(300, 1_000) },
    );
    expect(taken).toBeGreaterThan(5);
  });
});

describe('what comes over the broker', () => {
  test.each<[string, object]>([
    ['nothing', {}],
    ['no id', requestFor('capture', { orderId: '../o1' })],
    ['no step', { ...requestFor('capture'), step: 'take' }],
    ['no amount', requestFor('capture', { amount: 0 })],
    ['part of an amount', requestFor('capture', { amount: 0.5 })],
    ['no currency', requestFor('capture', { currency: 'won' })],
    ['no token to authorise by', requestFor('authorise', { token: null })],
    ['more than there is', { ...requestFor('capture'), force: true }],
  ])('is refused where it is no request: %s', async (_what, body) => {
    const asking = bench.requestReply.request(paymentService, { ...body }, 'c-1', 20_000);
    await expect(asking).rejects.toThrow(Unavailable);
    expect(bench.gateway.ledger).toEqual([]);
    expect(await bench.ask('authorise')).toEqual(authorised);
  });
});

describe('asking', () => {
  test('does not wait, and what comes of it is in the log', async () => {
    const noted = new Promise<void>((resolve) => {
      bench.store.fate = () => {
        resolve();
        return 'done';
      };
    });
    askPayments(bench.requestReply, { timeout: 20_000, report: () => {} })(requestFor('authorise'));
    expect(bench.gateway.ledger).toEqual([]);
    await noted;
    // It has its turn after the one under way.
    await bench.ask('release');
    expect(await bench.types()).toEqual(['PaymentAuthorised', 'PaymentVoided']);
  });

  test.each<[string, () => ReturnType<typeof bench.requestReply.request>]>([
    ['nobody answers', () => Promise.reject(new Unavailable('service', 'Nobody answers.'))],
    [
      'the broker fails',
      () => {
        throw new Error('Nobody answers.');
      },
    ],
  ])('never throws: when %s, it is said', async (_what, request) => {
    const said = await new Promise<string>((resolve) => {
      askPayments(
        { request },
        { timeout: 1, report: ({ message }, of) => resolve(`${of}: ${message}`) },
      )(requestFor('authorise'));
    });
    expect(said).toBe('payments: Nobody answers.');
  });
});
