import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { OrderView } from '@waybill/projections/read-models/orders.js';
import {
  assigned,
  cancelled,
  completed,
  confirmed,
  dispatched,
  onOrder,
  onPayment,
  pickedUp,
  positionAt,
  type Happening,
} from '@waybill/projections/testing/history.js';
import { runs } from '@waybill/shared-kernel/testing/length.js';
import { ada, cleo, lumen, otto } from '../testing/callers.js';
import { home, place, schedule } from '../testing/orders.js';
import { ReadSide, start, type CallAs } from '../testing/read-side.js';
import { readSideForEach } from '../testing/read-side-for-each.js';

interface Timeline {
  readonly orderId: string;
  readonly events: readonly {
    readonly stream: string;
    readonly position: string;
    readonly type: string;
    readonly occurredAt: string;
    readonly recordedAt: string;
    readonly data: Readonly<Record<string, unknown>>;
  }[];
}

const day = (number: number) => `2026-02-0${number}T00:00:00.000Z`;

let side: ReadSide;
readSideForEach((opened) => {
  side = opened;
});

/** Recorded when the clock of the log shows `number` days after its start. */
async function recordOnDay(number: number, ...happenings: readonly Happening[]): Promise<void> {
  const due = Date.parse(start) + number * 24 * 3600 * 1000;
  side.pass(Math.max(0, due - side.clock.now()));
  await side.happen(...happenings);
}

const recordedOn = (number: number) => new Date(Date.parse(start) + number * 24 * 3600 * 1000).toISOString();

describe('the past of an order', () => {
  beforeEach(async () => {
    await recordOnDay(0, await place(side, 'o1', {}, { at: day(1) }));
    await recordOnDay(2, confirmed('o1', { at: day(3) }));
    // Known late, and of a time before the confirmation.
    await recordOnDay(4, cancelled('o1', { at: day(2) }));
  });

  test.each([
    ['as of its placing', `asOf=${day(1)}`, 'placed'],
    ['as of the confirmation, by what had happened', `asOf=${day(3)}`, 'cancelled'],
    ['before the cancellation was recorded', `knownAt=${recordedOn(3)}`, 'confirmed'],
    ['when it had been recorded', `knownAt=${recordedOn(4)}`, 'cancelled'],
    ['as of day 2 as then known', `asOf=${day(2)}&knownAt=${recordedOn(3)}`, 'placed'],
    ['as of day 2 as now known', `asOf=${day(2)}&knownAt=${recordedOn(9)}`, 'cancelled'],
  ])('%s (%s) is %s', async (_what, query, status) => {
    const { body } = await side.get<OrderView>(`/v1/orders/o1?${query}`, ada);
    expect(body).toMatchObject({ status, deliveryAddress: home, freshness: { lagMs: 0 } });
  });

  test.each([['asOf=2026-01-31T23:59:59.999Z'], [`knownAt=${new Date(Date.parse(start) - 1).toISOString()}`]])(
    'before it was (%s) there is none',
    async (query) => {
      expect((await side.get(`/v1/orders/o1?${query}`, ada)).status).toBe(404);
    },
  );

  test('shows personal data to whom the present does, and to nobody after erasure', async () => {
    const path = `/v1/orders/o1?asOf=${day(1)}`;
    expect((await side.get<OrderView>(path, otto)).body.deliveryAddress).toBeNull();
    await side.keys.destroy('ada');
    expect((await side.get<OrderView>(path, ada)).body.deliveryAddress).toBeNull();
  });

  test.each([['asOf=2026-02-30T00:00:00Z'], ['knownAt=monday'], [`asOf=${day(1)}&asOf=${day(2)}`], ['asof=x']])(
    'refuses %s',
    async (query) => {
      expect((await side.get(`/v1/orders/o1?${query}`, ada)).status).toBe(400);
    },
  );
});

test('a timeline shows no revision before the one it follows, whatever their times say', async () => {
  const happenings = [
    await place(side, 'behind', {}, { at: day(2) }),
    confirmed('behind', { at: day(1) }),
    cancelled('behind', { at: day(3) }),
  ];
  await side.happen(...happenings);
  const { body } = await side.get<Timeline>('/v1/orders/behind/timeline', ada);
  expect(body.events.map(({ type }) => type)).toEqual(['OrderPlaced', 'OrderConfirmed', 'OrderCancelled']);
});

describe('an order from when the clock was an hour ahead', () => {
  const hourMs = 3600 * 1000;
  const at = (afterMs: number) => new Date(Date.parse(start) + afterMs).toISOString();

  beforeEach(async () => {
    await side.happen(await place(side, 'ahead', {}, { at: at(hourMs) }));
    side.clock.advance(hourMs);
    await side.happen(
      onPayment(
        'ahead',
        { type: 'PaymentAuthorised', data: { orderId: 'ahead', amount: 1800, currency: 'EUR' } },
        { at: at(hourMs) },
      ),
    );
    side.clock.advance(5_000 - hourMs);
    await side.happen(cancelled('ahead', { at: at(hourMs) }));
    await side.project();
  });

  test.each([
    ['a moment ago', 4_000],
    ['this moment', 5_000],
    ['in a moment', 6_000],
    ['before the log says that it was placed', hourMs - 1],
    ['after all', 2 * hourMs],
  ])('is as it is now, as of and as known %s', async (_what, askedMs) => {
    const present = 'cancelled';
    expect((await side.get('/v1/orders/ahead', ada)).body.status).toBe(present);
    expect((await side.get(`/v1/orders/ahead?asOf=${at(askedMs)}`, ada)).body.status).toBe(present);
    expect((await side.get(`/v1/orders/ahead?knownAt=${at(askedMs)}`, ada)).body.status).toBe(present);
  });

  test('is at other times as the log dates it', async () => {
    side.pass(2 * hourMs);
    expect((await side.get(`/v1/orders/ahead?asOf=${at(hourMs - 1)}`, ada)).status).toBe(404);
    expect((await side.get(`/v1/orders/ahead?asOf=${at(hourMs)}`, ada)).body.status).toBe('cancelled');
  });
});

describe('any history', () => {
  let run: ReadSide;
  let made = 0;
  beforeAll(async () => {
    run = await ReadSide.open();
  });
  afterAll(() => run.close());

  const steps = ['confirmed', 'cancelled', 'rejected', 'dispatched', 'delivered'] as const;
  type Step = (typeof steps)[number];

  function happeningOf(step: Step, orderId: string, at: string): Happening {
    switch (step) {
      case 'confirmed':
        return confirmed(orderId, { at });
      case 'cancelled':
        return cancelled(orderId, { at });
      case 'rejected':
        return onOrder(
          orderId,
          { type: 'OrderRejected', data: { orderId, reason: 'no', timeEstimated: false } },
          { at },
        );
      case 'dispatched':
        return dispatched(orderId, { at });
      case 'delivered':
        return completed(orderId, { at });
    }
  }

  /** The strongest of what is known, without any fold. */
  function expectedStatus(known: ReadonlySet<Step | 'placed'>): string | undefined {
    if (!known.has('placed')) return undefined;
    if (known.has('cancelled')) return 'cancelled';
    if (known.has('rejected')) return 'rejected';
    if (known.has('delivered')) return 'delivered';
    if (known.has('dispatched')) return 'out_for_delivery';
    return known.has('confirmed') ? 'confirmed' : 'placed';
  }

  /** What is yet to come as the clock says, which shows `now`, is there at any time that is not past. */
  const isBy = (time: number, bound: number | undefined, now: number): boolean =>
    bound === undefined || time <= bound || (bound >= now && time > now);

  test('stands at any two times as what had happened and had been recorded says', async () => {
    const minute = 60_000;
    await fc.assert(
      fc.asyncProperty(
        fc.nat(8),
        fc.array(fc.record({ step: fc.constantFrom(...steps), occurred: fc.nat(8), pause: fc.nat(2) }), {
          maxLength: 6,
        }),
        fc.option(fc.nat(9), { nil: undefined }),
        fc.option(fc.nat(14), { nil: undefined }),
        async (placedAt, taken, asOf, knownAt) => {
          fc.pre(asOf !== undefined || knownAt !== undefined);
          const orderId = `any${(made += 1)}`;
          const begin = run.clock.now();
          const time = (minutes: number) => new Date(begin + minutes * minute).toISOString();
          const facts: { step: Step | 'placed'; occurred: number; recorded: number }[] = [];
          let recorded = 0;
          await run.happen(await place(run, orderId, {}, { at: time(placedAt) }));
          facts.push({ step: 'placed', occurred: placedAt, recorded });
          for (const { step, occurred, pause } of taken) {
            run.pass(pause * minute);
            recorded += pause;
            await run.happen(happeningOf(step, orderId, time(occurred)));
            facts.push({ step, occurred, recorded });
          }
          const known = facts.filter(
            (fact) => isBy(fact.occurred, asOf, recorded) && isBy(fact.recorded, knownAt, recorded),
          );
          const expected = expectedStatus(new Set(known.map(({ step }) => step)));
          const query = new URLSearchParams({
            ...(asOf !== undefined && { asOf: time(asOf) }),
            ...(knownAt !== undefined && { knownAt: time(knownAt) }),
          });
          const { status, body } = await run.get<OrderView>(`/v1/orders/${orderId}?${query.toString()}`);
          if (expected === undefined) expect(status).toBe(404);
          else expect(body.status).toBe(expected);
        },
      ),
      { numRuns: runs(50, 400) },
    );
  });
});

describe('the timeline', () => {
  beforeEach(async () => {
    await recordOnDay(
      0,
      await place(side, 'o1', {}, { at: day(1) }),
      await schedule(side, 'o1', { at: day(3) }),
      assigned('o1', 'cleo', { at: day(4) }),
      pickedUp('o1', { at: day(5) }),
      onPayment(
        'o1',
        { type: 'PaymentAuthorised', data: { orderId: 'o1', amount: 1, currency: 'KRW' } },
        { at: day(2) },
      ),
      cancelled('o1', { at: day(5) }),
    );
  });
  const timeline = async (as: CallAs) => (await side.get<Timeline>('/v1/orders/o1/timeline', as)).body;

  test('has every event of every stream in the order in which it happened', async () => {
    const { orderId, events } = await timeline(ada);
    expect(orderId).toBe('o1');
    expect(events.map(({ type }) => type)).toEqual([
      'OrderPlaced',
      'PaymentAuthorised',
      'DeliveryScheduled',
      'DeliveryAssigned',
      'DeliveryPickedUp',
      'OrderCancelled',
    ]);
    expect(events[1]).toMatchObject({
      stream: 'payment-o1',
      position: '5',
      occurredAt: day(2),
      recordedAt: recordedOn(0),
    });
  });

  test('opens personal data for those who may see it', async () => {
    const { events } = await timeline(ada);
    expect(events[0]?.data).toMatchObject({ deliveryAddress: home, paymentToken: null });
    expect(events[2]?.data).toMatchObject({ address: home });
    for (const as of [otto, lumen]) {
      const hidden = (await timeline(as)).events;
      expect([hidden[0]?.data['deliveryAddress'], hidden[2]?.data['address']]).toEqual([null, null]);
    }
    await side.keys.destroy('ada');
    expect((await timeline(ada)).events[0]?.data['deliveryAddress']).toBeNull();
  });

  test('says where couriers were while it is on its way, then to those who may know where it went', async () => {
    const where = async (as: CallAs) => {
      const { events } = await timeline(as);
      const { data } = events.find(({ type }) => type === 'DeliveryPositionReported')!;
      return [data['latitude'], data['longitude'], data['at']];
    };
    const at = day(6);
    await side.happen(positionAt('o1', 37.5, at));
    for (const as of [ada, cleo, lumen, otto]) expect(await where(as)).toEqual([37.5, 4.9, at]);
    await side.happen(completed('o1', { at: day(7) }));
    expect(await where(ada)).toEqual([37.5, 4.9, at]);
    for (const as of [cleo, lumen, otto]) expect(await where(as)).toEqual([null, null, at]);
    await side.keys.destroy('ada');
    expect(await where(ada)).toEqual([null, null, at]);
  });

  test('takes a reason that looks like sealed data for the text that it is', async () => {
    const data = { orderId: 'o1', reason: 'sealed.1.ada.AAAA' };
    await side.happen(onOrder('o1', { type: 'OrderDeliveryFailed', data }, { at: day(6) }));
    expect((await timeline(ada)).events.at(-1)?.data).toEqual(data);
  });
});
