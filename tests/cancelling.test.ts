import { setImmediate } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { aggregatesIn } from '@waybill/command-side/handling/aggregates.js';
import type { PaymentDesk } from '@waybill/command-side/payments/testing/payment-desk.js';
import type { Fate } from '@waybill/command-side/testing/faulty-store.js';
import { fulfilmentOf, paymentsOf } from '@waybill/command-side/testing/fulfilment.js';
import { stores } from '@waybill/command-side/testing/stores.js';
import { address, won, WriteApi, type Answered } from '@waybill/command-side/testing/write-api.js';
import { deliveryIdOf } from '@waybill/shared-kernel/stream.js';

// What cancelling an order comes to, whoever does it and whenever: of what was set aside, reserved and scheduled for it
// nothing is left, or it is too late and everything goes on.

type Answer = Awaited<ReturnType<WriteApi['post']>>;

const pieces = 2;
const total = 1090;

const parties = ['customer:ann', 'merchant:m1', 'merchant:m2', 'operator:op'] as const;

/** What became of an order. */
interface Outcome {
  readonly order: string;
  readonly delivery: string;
  /** Pieces that are set aside for it, or gone with it. */
  readonly pieces: number;
  /** What was booked of its payment, in that order. */
  readonly booked: readonly string[];
}

/** How far an order has come, and what becomes of it when it is cancelled then; `rule`: why it cannot be. */
interface Stage {
  readonly name: string;
  readonly token?: string;
  readonly quantity?: number;
  /** What couriers do once it is confirmed, `fulfilled` in between. */
  readonly calls?: readonly (readonly [call: string, body?: object])[];
  readonly rule?: string;
  readonly comesTo: Outcome;
}

const undone = { order: 'cancelled', pieces: 0 } as const;
const claimed = [['assignment', { courierId: 'k1' }]] as const;
const pickedUp = [...claimed, ['pickup']] as const;
const toReturn = [...pickedUp, ['failure', { reason: 'nobody home', next: 'return' }]] as const;

const stages: readonly Stage[] = [
  { name: 'placed, its payment hanging', token: 'tok_hang', comesTo: { ...undone, delivery: 'none', booked: [] } },
  { name: 'placed, its payment pending', token: 'tok_slow', comesTo: { ...undone, delivery: 'none', booked: [] } },
  {
    name: 'confirmed, its delivery open',
    comesTo: { ...undone, delivery: 'cancelled', booked: ['authorisation', 'void'] },
  },
  {
    name: 'assigned to a courier',
    calls: claimed,
    comesTo: { ...undone, delivery: 'cancelled', booked: ['authorisation', 'void'] },
  },
  {
    name: 'given back by a courier',
    calls: [...claimed, ['release']],
    comesTo: { ...undone, delivery: 'cancelled', booked: ['authorisation', 'void'] },
  },
  {
    name: 'picked up',
    calls: pickedUp,
    rule: 'order-dispatched',
    comesTo: { order: 'out_for_delivery', delivery: 'picked_up', pieces, booked: ['authorisation'] },
  },
  {
    name: 'delivered',
    calls: [...pickedUp, ['completion']],
    rule: 'order-dispatched',
    comesTo: { order: 'delivered', delivery: 'delivered', pieces, booked: ['authorisation', 'capture'] },
  },
  {
    name: 'on its way back',
    calls: toReturn,
    rule: 'order-dispatched',
    comesTo: { order: 'delivery_failed', delivery: 'failed', pieces, booked: ['authorisation', 'void'] },
  },
  {
    name: 'returned',
    calls: [...toReturn, ['return']],
    rule: 'order-dispatched',
    comesTo: { order: 'delivery_failed', delivery: 'returned', pieces: 0, booked: ['authorisation', 'void'] },
  },
  {
    name: 'rejected: not paid',
    token: 'tok_decline',
    rule: 'order-rejected',
    comesTo: { order: 'rejected', delivery: 'none', pieces: 0, booked: [] },
  },
  {
    name: 'rejected: too few pieces',
    quantity: 1000,
    rule: 'order-rejected',
    comesTo: { order: 'rejected', delivery: 'none', pieces: 0, booked: [] },
  },
];

describe.each(stores)('cancelling an order, %s', (_, open) => {
  let api: WriteApi;
  let payments: PaymentDesk;
  let fulfil: () => Promise<void>;

  beforeAll(async () => {
    api = await WriteApi.start(open);
    payments = paymentsOf(api);
    fulfil = fulfilmentOf(api, payments);
    const tea = { productId: 'tea', name: 'Tea', unitPrice: won(500), stock: 900 };
    await api.done('/v1/products', { as: 'merchant:m1', body: tea });
    const rice = { productId: 'rice', name: 'Rice', unitPrice: won(90) };
    await api.done('/v1/products', { as: 'merchant:m2', body: rice });
    const ann = { customerId: 'ann', name: 'Ann', phone: '1', address };
    await api.done('/v1/customers', { as: 'customer:ann', body: ann });
  });
  afterAll(() => api.close());
  afterEach(() => {
    api.store.fate = () => 'done';
    payments.gateway.fate = () => 'done';
  });

  /** An order of two merchants, which only one of them counts. */
  async function place({ token = 'tok_approve', quantity = pieces }: Partial<Stage> = {}): Promise<string> {
    const lines = [
      { productId: 'tea', quantity },
      { productId: 'rice', quantity: 1 },
    ];
    const body = { customerId: 'ann', lines, payment: { token } };
    return (await api.done('/v1/orders', { as: 'customer:ann', body })).orderId!;
  }

  async function bringTo(stage: Partial<Stage> = {}): Promise<string> {
    const orderId = await place(stage);
    await fulfil();
    for (const [call, body] of stage.calls ?? []) {
      await api.done(`/v1/deliveries/${deliveryIdOf(orderId)}/${call}`, { as: 'courier:k1', ...(body && { body }) });
      await fulfil();
    }
    return orderId;
  }

  const cancellation = (orderId: string) => `/v1/orders/${orderId}/cancellation`;
  const cancel = (orderId: string, as = 'customer:ann') =>
    api.post(cancellation(orderId), { as, body: { reason: 'changed my mind' } });

  async function stock(): Promise<number> {
    const { state } = await aggregatesIn(api.store).products.load('tea');
    if (state.status === 'none' || state.stock === null) throw new Error('Tea is counted.');
    return state.stock;
  }

  /** `before`: the stock before it was placed. */
  async function outcome(orderId: string, before: number): Promise<Outcome> {
    const { orders, deliveries } = aggregatesIn(api.store);
    const [order, delivery] = await Promise.all([orders.load(orderId), deliveries.load(deliveryIdOf(orderId))]);
    const booked = payments.gateway.ledger.filter(({ reference }) => reference === orderId);
    for (const { amount, currency } of booked) expect({ amount, currency }).toEqual(won(total));
    return {
      order: order.state.status,
      delivery: delivery.state.status,
      pieces: before - (await stock()),
      booked: booked.map(({ kind }) => kind),
    };
  }

  /** Whatever came of it on the way: nobody has or owes anything. */
  async function expectUndone(orderId: string, before: number): Promise<void> {
    const { order, delivery, pieces, booked } = await outcome(orderId, before);
    expect({ order, pieces, isOpen: ['none', 'cancelled'].includes(delivery) ? 'no' : delivery }).toEqual({
      order: 'cancelled',
      pieces: 0,
      isOpen: 'no',
    });
    expect([[], ['authorisation', 'void']]).toContainEqual(booked);
    expect((await api.types(`fulfilment-${orderId}`)).filter((type) => type === 'FulfilmentCancelled')).toHaveLength(1);
  }

  describe.each(stages.filter(({ rule }) => rule === undefined))('$name', (stage) => {
    test.each(parties)('%s does it, and it is undone', async (who) => {
      const before = await stock();
      const orderId = await bringTo(stage);
      expect(before - (await stock())).toBe(pieces);
      const answer = await cancel(orderId, who);
      expect(answer).toMatchObject({ status: 200, body: { orderId, status: 'cancelled' } });
      await fulfil();
      expect(await outcome(orderId, before)).toEqual(stage.comesTo);

      const head = await api.store.head();
      const again = await cancel(orderId, 'operator:op');
      expect(again).toMatchObject({ status: 200, body: answer.body });
      await fulfil();
      expect(await api.store.head()).toBe(head);
      const told = (await api.events(`order-${orderId}`)).at(-1);
      const [by, sub] = who.split(':');
      expect(told).toMatchObject({ type: 'OrderCancelled', actor: { sub, role: by }, data: { by } });
    });
  });

  describe.each(stages.filter(({ rule }) => rule !== undefined))('$name', (stage) => {
    test.each(parties)('it is too late for %s, who is told why', async (who) => {
      const before = await stock();
      const orderId = await bringTo(stage);
      expect(await outcome(orderId, before)).toEqual(stage.comesTo);
      const asked = { as: who, body: { reason: 'changed my mind' } };
      const problem = await api.refused(cancellation(orderId), asked, 409, 'rule-violated');
      expect(problem).toMatchObject({ rule: stage.rule, detail: expect.stringContaining(orderId) as unknown });
      await fulfil();
      expect(await outcome(orderId, before)).toEqual(stage.comesTo);
    });
  });

  test('with whatever append of fulfilment it coincides, all is undone', async () => {
    for (let nth = 1, coincided = true; coincided; nth += 1) {
      const before = await stock();
      const orderId = await place();
      let appends = 0;
      let cancelled: Answered | undefined;
      api.store.fate = async (): Promise<Fate> => {
        appends += 1;
        if (appends === nth) cancelled = (await cancel(orderId)).body;
        return 'done';
      };
      await fulfil();
      api.store.fate = () => 'done';
      coincided = appends > nth;
      if (cancelled === undefined) {
        // It has no more appends than that.
        expect(nth).toBeGreaterThan(8);
        cancelled = (await cancel(orderId)).body;
        await fulfil();
      }
      expect({ nth, status: cancelled.status }).toEqual({ nth, status: 'cancelled' });
      await expectUndone(orderId, before);
    }
  });

  test.each(['done', 'lost', 'unheard'] as const)(
    'while the gateway is asked, and its answer is %s, nothing stays reserved',
    async (fate) => {
      const before = await stock();
      const orderId = await place();
      payments.gateway.fate = async (call, reference) => {
        if (call !== 'authorise' || reference !== orderId) return 'done';
        await cancel(orderId);
        return fate;
      };
      await fulfil();
      await expectUndone(orderId, before);
    },
  );

  /** Cancels an order and has it picked up, at once; what each is answered. */
  async function cancelAndPickUp(orderId: string): Promise<readonly [cancelled: Answer, pickedUp: Answer]> {
    const pickUp = api.post(`/v1/deliveries/${deliveryIdOf(orderId)}/pickup`, { as: 'courier:k1' });
    return Promise.all([cancel(orderId), pickUp]);
  }

  async function expectCancelled(orderId: string, before: number, [cancelled, pickedUp]: readonly Answer[]) {
    expect(cancelled).toMatchObject({ status: 200, body: { status: 'cancelled' } });
    expect(pickedUp).toMatchObject({ status: 409, body: { rule: 'order-cancelled' } });
    await fulfil();
    const booked = ['authorisation', 'void'];
    expect(await outcome(orderId, before)).toEqual({ ...undone, delivery: 'cancelled', booked });
  }

  async function expectPickedUp(orderId: string, before: number, [cancelled, pickedUp]: readonly Answer[]) {
    expect(cancelled).toMatchObject({ status: 409, body: { rule: 'order-dispatched' } });
    expect(pickedUp).toMatchObject({ status: 200, body: { status: 'picked_up' } });
    await fulfil();
    await api.done(`/v1/deliveries/${deliveryIdOf(orderId)}/completion`, { as: 'courier:k1' });
    await fulfil();
    const booked = ['authorisation', 'capture'];
    expect(await outcome(orderId, before)).toEqual({ order: 'delivered', delivery: 'delivered', pieces, booked });
  }

  /** Has two appends to the order's stream wait until both are on their way, then the one of `first` go first. */
  function meet(orderId: string, first: string): void {
    const stream = `order-${orderId}`;
    let onTheirWay = 0;
    api.store.fate = async (to, events): Promise<Fate> => {
      if (to !== stream) return 'done';
      const { length } = await api.events(stream);
      onTheirWay += 1;
      while (onTheirWay < 2) await setImmediate();
      while (events[0]?.type !== first && (await api.events(stream)).length === length) await setImmediate();
      return 'done';
    };
  }

  test.each(['OrderCancelled', 'OrderDispatched'])(
    'decided on at once with the pick-up, whoever is first in the order’s stream wins: %s',
    async (first) => {
      for (let round = 0; round < 10; round += 1) {
        const before = await stock();
        const orderId = await bringTo({ calls: claimed });
        meet(orderId, first);
        const answers = await cancelAndPickUp(orderId);
        api.store.fate = () => 'done';
        await (first === 'OrderCancelled' ? expectCancelled : expectPickedUp)(orderId, before, answers);
      }
    },
  );

  test('of many that are cancelled and picked up at once, each is one or the other', async () => {
    for (let round = 0; round < 20; round += 1) {
      const before = await stock();
      const orderId = await bringTo({ calls: claimed });
      const answers = await cancelAndPickUp(orderId);
      await (answers[0].status === 200 ? expectCancelled : expectPickedUp)(orderId, before, answers);
    }
  });

  test('a pick-up that dies once the order has left wins all the same, and is finished', async () => {
    const before = await stock();
    const orderId = await bringTo({ calls: claimed });
    const delivery = `/v1/deliveries/${deliveryIdOf(orderId)}`;
    api.store.fate = (stream) => (stream === `delivery-${deliveryIdOf(orderId)}` ? 'lost' : 'done');
    expect((await api.post(`${delivery}/pickup`, { as: 'courier:k1', key: 'mine' })).status).toBe(503);
    expect(await cancel(orderId)).toMatchObject({ status: 409, body: { rule: 'order-dispatched' } });
    api.store.fate = () => 'done';
    await fulfil();
    const comesTo = { order: 'out_for_delivery', delivery: 'picked_up', pieces, booked: ['authorisation'] };
    expect(await outcome(orderId, before)).toEqual(comesTo);
    const repeated = await api.post(`${delivery}/pickup`, { as: 'courier:k1', key: 'mine' });
    expect([repeated.status, repeated.headers.get('Idempotency-Replayed')]).toEqual([200, 'true']);
    expect(await outcome(orderId, before)).toEqual(comesTo);
  });

  test('a product that is withdrawn can be ordered no more; what was ordered before is carried out, or cancelled', async () => {
    const merchant = 'merchant:m1';
    await api.done('/v1/products', {
      as: merchant,
      body: { productId: 'oolong', name: 'Oolong', unitPrice: won(700), stock: 5 },
    });
    const lines = ['tea', 'oolong'].map((productId) => ({ productId, quantity: 2 }));
    const cart = { as: 'customer:ann', body: { customerId: 'ann', lines, payment: { token: 'tok_approve' } } };
    const [kept, changed] = [
      (await api.done('/v1/orders', cart)).orderId!,
      (await api.done('/v1/orders', cart)).orderId!,
    ];
    await api.done('/v1/products/oolong/withdrawal', { as: merchant });
    const problem = await api.refused('/v1/orders', cart, 400, 'invalid-input');
    expect(problem['errors']).toEqual([{ pointer: '/lines/1/productId', detail: 'Product oolong was withdrawn.' }]);

    await fulfil();
    const left = async () => (await aggregatesIn(api.store).products.load('oolong')).state;
    expect(await left()).toMatchObject({ status: 'withdrawn', stock: 1 });
    await cancel(changed);
    await fulfil();
    expect(await left()).toMatchObject({ status: 'withdrawn', stock: 3 });
    expect(await api.types(`order-${kept}`)).toEqual(['OrderPlaced', 'OrderConfirmed']);
  });

  test('a merchant of another order, another customer and a courier cannot, and the order does not know', async () => {
    const orderId = await bringTo();
    const body = { reason: 'envy' };
    for (const who of ['merchant:m3', 'customer:bob']) {
      await api.refused(cancellation(orderId), { as: who, body }, 404, 'not-found');
    }
    await api.refused(cancellation(orderId), { as: 'courier:k1', body }, 403, 'forbidden');
  });
});
