import { setImmediate } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { fulfilmentOf } from '@waybill/command-side/testing/fulfilment.js';
import { stores } from '@waybill/command-side/testing/stores.js';
import { address, won, WriteApi, type Asked } from '@waybill/command-side/testing/write-api.js';
import { deliveries, deliveryView, type DeliveryView } from '@waybill/projections/read-models/deliveries.js';
import { foldDocument } from '@waybill/projections/read-models/fold-document.js';
import { upcast } from '@waybill/shared-kernel/events/upcast.js';
import { deliveryIdOf } from '@waybill/shared-kernel/stream.js';
import { runs } from '@waybill/shared-kernel/testing/length.js';
import { deadPickUp, fulfilled, outcomesOf, scheduled, type CourierCall, type World } from './support/courier-model.js';

// Whatever couriers, operators and a customer do at once to an order that is to be delivered, what they are answered and
// what becomes of it is as if one part of it had been done after another.

/** What happens next: calls at the same moment, a process that dies, or fulfilment catching up. */
type Move = AtOnce | { readonly dies: string } | { readonly fulfils: true };

interface AtOnce {
  readonly calls: readonly CourierCall[];
  /** For how many answers to others each append waits, so that they come in between. */
  readonly answerTimeoutMs: readonly number[];
}

const couriers = ['k1', 'k2', 'k3'] as const;
const courier = fc.constantFrom(...couriers);
const somebody = fc.constantFrom(...couriers, 'op');
const time = fc.nat(9).map((minute) => `2026-01-01T09:0${minute}:00.000Z`);
const call: fc.Arbitrary<CourierCall> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constant('claim' as const), by: courier }) },
  { weight: 6, arbitrary: fc.record({ type: fc.constant('pickup' as const), by: somebody }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('release' as const), by: somebody }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('completion' as const), by: somebody }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('return' as const), by: somebody }) },
  { weight: 5, arbitrary: fc.record({ type: fc.constant('positions' as const), by: somebody, at: time }) },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('failure' as const),
      by: somebody,
      next: fc.constantFrom('retry', 'return'),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ type: 'cancellation' as const }) },
);
const atOnce: fc.Arbitrary<AtOnce> = fc.record({
  calls: fc.array(call, { minLength: 1, maxLength: 3 }),
  answerTimeoutMs: fc.array(fc.nat(2), { maxLength: 4 }),
});
const move: fc.Arbitrary<Move> = fc.oneof(
  { weight: 8, arbitrary: atOnce },
  { weight: 1, arbitrary: fc.record({ dies: somebody }) },
  { weight: 1, arbitrary: fc.constant({ fulfils: true as const }) },
);

describe.each(stores)('couriers at work, %s', (_, open) => {
  let api: WriteApi;
  let fulfil: () => Promise<void>;

  beforeAll(async () => {
    api = await WriteApi.start(open);
    fulfil = fulfilmentOf(api);
    await api.done('/v1/products', { as: 'merchant:m1', body: { productId: 'tea', name: 'Tea', unitPrice: won(500) } });
    await api.done('/v1/customers', {
      as: 'customer:ann',
      body: { customerId: 'ann', name: 'Ann', phone: '1', address },
    });
  });
  afterAll(() => api.close());

  async function confirmedOrder(): Promise<string> {
    const lines = [{ productId: 'tea', quantity: 1 }];
    const body = { customerId: 'ann', lines, payment: { token: 'tok_approve' } };
    const { orderId } = await api.done('/v1/orders', { as: 'customer:ann', body });
    await fulfil();
    return orderId!;
  }

  /** The answer's status; what is refused must be told in the terms of the contract. */
  async function make(orderId: string, call: CourierCall): Promise<number> {
    const { status, body, text } = await api.post(...requestOf(orderId, call));
    if (status !== 200) {
      expect({ text, status: [403, 409].includes(status) }).toEqual({ text, status: true });
      const kind = status === 403 ? 'forbidden' : 'rule-violated';
      expect(body).toMatchObject({ status, type: `urn:waybill:problem:${kind}` });
    }
    return status;
  }

  /** The answers to calls that are made at once. */
  async function makeAll(orderId: string, { calls, answerTimeoutMs }: AtOnce): Promise<readonly number[]> {
    let [unanswered, held, appends] = [calls.length, 0, 0];
    api.store.fate = async () => {
      const answers = answerTimeoutMs[appends] ?? 0;
      appends += 1;
      held += 1;
      while (calls.length - unanswered < answers && held < unanswered) await setImmediate();
      held -= 1;
      return 'done' as const;
    };
    return Promise.all(
      calls.map(async (call) => {
        const answer = await make(orderId, call);
        unanswered -= 1;
        return answer;
      }),
    );
  }

  async function die(orderId: string, by: string): Promise<number> {
    const stream = `delivery-${deliveryIdOf(orderId)}`;
    api.store.fate = (appended) => (appended === stream ? 'lost' : 'done');
    try {
      return (await api.post(...requestOf(orderId, { type: 'pickup', by }))).status;
    } finally {
      api.store.fate = () => 'done';
    }
  }

  async function view(orderId: string): Promise<DeliveryView> {
    const events = (await api.events(`delivery-${deliveryIdOf(orderId)}`)).map((event) => upcast(event));
    const { sections, revisions } = foldDocument(deliveries, events);
    return deliveryView(sections, revisions)!;
  }

  /** The world after a move, of those that the model allows the one that has come about. */
  async function after(move: Move, orderId: string, before: World): Promise<World> {
    if ('fulfils' in move) {
      await fulfil();
      return fulfilled(before);
    }
    if ('dies' in move) {
      const { answers, world } = deadPickUp(move.dies, before);
      expect([await die(orderId, move.dies)]).toEqual(answers);
      return world;
    }
    const answers = await makeAll(orderId, move);
    const { status, revision } = await view(orderId);
    const possible = outcomesOf(move.calls, before);
    const actual = possible.find(
      (outcome) =>
        JSON.stringify(outcome.answers) === JSON.stringify(answers) &&
        outcome.world.status === status &&
        outcome.world.events === revision + 1,
    );
    expect({ answers, status, revision, possible: actual ? [] : possible }).toMatchObject({ possible: [] });
    return actual!.world;
  }

  test('what comes of it is what a small model says', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(move, { minLength: 4, maxLength: 14 }), async (moves) => {
        const orderId = await confirmedOrder();
        let world = scheduled;
        let seenUntil = '';
        for (const move of [...moves, { fulfils: true as const }]) {
          world = await after(move, orderId, world);
          const { status, courierId, position, revision } = await view(orderId);
          const shown = world.latest?.holder === world.holder ? world.latest.at : undefined;
          expect({ status, courierId, at: position?.at, events: revision + 1 }).toEqual({
            status: world.status,
            courierId: world.holder ?? undefined,
            at: shown,
            events: world.events,
          });
          expect((position?.at ?? seenUntil) >= seenUntil).toBe(true);
          seenUntil = position?.at ?? seenUntil;
        }
        const [order, delivery] = await Promise.all([
          api.types(`order-${orderId}`),
          api.types(`delivery-${deliveryIdOf(orderId)}`),
        ]);
        const pickUps = delivery.filter((type) => type === 'DeliveryPickedUp').length;
        expect(pickUps).toBe(order.filter((type) => type === 'OrderDispatched').length);
        expect(pickUps + order.filter((type) => type === 'OrderCancelled').length).toBeLessThanOrEqual(1);
      }),
      { numRuns: runs(8, 100) },
    );
  });
});

function requestOf(orderId: string, call: CourierCall): [path: string, asked: Asked] {
  if (call.type === 'cancellation') {
    return [`/v1/orders/${orderId}/cancellation`, { as: 'customer:ann', body: { reason: 'changed my mind' } }];
  }
  const path = `/v1/deliveries/${deliveryIdOf(orderId)}`;
  const as = call.by === 'op' ? 'operator:op' : `courier:${call.by}`;
  switch (call.type) {
    case 'claim':
      return [`${path}/assignment`, { as, body: { courierId: call.by } }];
    case 'positions':
      return [`${path}/positions`, { as, key: null, body: { latitude: 37.5, longitude: 127, at: call.at } }];
    case 'failure':
      return [`${path}/failure`, { as, body: { reason: 'nobody home', next: call.next } }];
    default:
      return [`${path}/${call.type}`, { as }];
  }
}
