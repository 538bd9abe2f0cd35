import { beforeEach, describe, expect, test } from '@jest/globals';
import {
  assigned,
  broken,
  happening,
  listed,
  onDelivery,
  onOrder,
  pickedUp,
  positionAt,
  type Happening,
} from '@waybill/projections/testing/history.js';
import type { StreamedAnswer, TokenRoute } from '@waybill/infra/http/route.js';
import { deliveryIdOf, streamName } from '@waybill/shared-kernel/stream.js';
import { ordersAtOnce } from './customer-data.js';
import { ada } from './testing/callers.js';
import { home, place, schedule } from './testing/orders.js';
import { start, type CallAs, type ReadSide } from './testing/read-side.js';
import { readSideForEach } from './testing/read-side-for-each.js';

const path = '/v1/customers/ada/data';
const former = { street: 'Gangnam-daero 2', city: 'Seoul', postalCode: '06611' };

interface Data {
  readonly customer: object;
  readonly events: readonly { readonly type: string; readonly data: object }[];
  readonly orders: readonly { readonly order: { readonly orderId: string }; readonly events: readonly object[] }[];
  readonly next?: string;
}

let side: ReadSide;

/** What becomes of a customer: they register with `former` as their address, and move home. */
async function settled(customerId: string, name: string): Promise<readonly Happening[]> {
  const values = [name, '+82 2 123 4567', former, home];
  const [sealed, phone, before, address] = await Promise.all(values.map((value) => side.sealed(customerId, value)));
  const of = (event: { readonly type: string; readonly data: object }): Happening =>
    happening(streamName('customer', customerId), customerId, event as Parameters<typeof happening>[2]);
  return [
    of({ type: 'CustomerRegistered', data: { customerId, name: sealed, phone, address: before } }),
    of({ type: 'CustomerAddressChanged', data: { customerId, address } }),
  ];
}

readSideForEach((opened) => {
  side = opened;
});
beforeEach(async () => {
  await side.history(
    listed('lamp-1'),
    ...(await settled('ada', 'Ada')),
    ...(await settled('bob', 'Bob')),
    await place(side, 'one'),
    await place(side, 'two', {}, { at: '2026-03-01T11:00:00.000Z' }),
    await schedule(side, 'two'),
    assigned('two', 'cleo'),
    await place(side, 'other', { customerId: 'bob' }),
  );
});

const read = async (as: CallAs = ada, query = ''): Promise<Data> => {
  const { status, body, headers } = await side.get(path + query, as);
  expect([status, headers.get('Content-Disposition')]).toEqual([200, 'attachment; filename="ada.json"']);
  return body as unknown as Data;
};

test.each([
  ['the customer', ada],
  ['an operator', { sub: 'olive', roles: ['operator'] } satisfies CallAs],
])('%s gets all of it, and nothing of others', async (_who, as) => {
  const { customer, events, orders, next } = await read(as);
  expect(customer).toMatchObject({
    customerId: 'ada',
    name: 'Ada',
    phone: '+82 2 123 4567',
    address: home,
    revision: 1,
  });
  expect(events).toMatchObject([
    { type: 'CustomerRegistered', data: { name: 'Ada', phone: '+82 2 123 4567', address: former } },
    { type: 'CustomerAddressChanged', data: { address: home } },
  ]);
  const byId = new Map(orders.map((one) => [one.order.orderId, one]));
  expect([...byId.keys()].toSorted()).toEqual(['one', 'two']);
  expect(byId.get('two')).toMatchObject({
    order: { customerId: 'ada', deliveryAddress: home, delivery: { status: 'assigned', courierId: 'cleo' } },
    events: [
      { type: 'OrderPlaced', data: { deliveryAddress: home, paymentToken: null } },
      { type: 'DeliveryScheduled', data: { address: home } },
      { type: 'DeliveryAssigned' },
    ],
  });
  expect(next).toBeUndefined();
});

test('nobody else does, or learns whether there is one', async () => {
  const bob: CallAs = { sub: 'bob', roles: ['customer'] };
  expect((await side.get(path, bob)).status).toBe(404);
  for (const role of ['merchant', 'courier', 'auditor'] as const) {
    expect((await side.get(path, { sub: 'ada', roles: [role] })).status).toBe(403);
  }
  expect((await side.get('/v1/customers/eve/data', { sub: 'eve', roles: ['customer'] })).status).toBe(404);
});

test('after an erasure nothing personal is in it, and what happened still is', async () => {
  await side.keys.destroy('ada');
  const gone = { type: 'CustomerErased', data: { customerId: 'ada' } } as const;
  await side.happen(happening('customer-ada', 'ada', gone));
  const data = await read();
  expect(data.customer).toMatchObject({ name: null, phone: null, address: null, erased: true });
  expect(data.events).toMatchObject([
    { data: { name: null, phone: null, address: null } },
    { data: { address: null } },
    { type: 'CustomerErased' },
  ]);
  expect(data.orders).toHaveLength(2);
  for (const personal of ['Ada', '123 4567', ...Object.values(home), ...Object.values(former), 'sealed.']) {
    expect(JSON.stringify(data)).not.toContain(personal);
  }
});

test('what is made of it once the key is destroyed has nothing personal, and what was made before is not to be sent', async () => {
  const route = '/v1/customers/:customerId/data';
  const found = side.routes().find(({ path: of }) => of === route) as TokenRoute;
  const answer = await found.handle({
    method: 'GET',
    path,
    route,
    params: { customerId: 'ada' },
    search: '',
    headers: {},
    body: undefined,
    caller: { sub: 'ada', roles: ['customer'] },
    access: { customer: { own: 'personal' }, others: 404 },
    requestId: 'r',
    traceparent: undefined,
  });
  const { pieces, mayStillBeSent } = answer as StreamedAnswer;
  let [before, after] = ['', ''];
  let mayBeSent: readonly (boolean | undefined)[] = [];
  for await (const piece of pieces) {
    if (mayBeSent.length > 0) after += piece;
    else before += piece;
    if (mayBeSent.length > 0 || !piece.includes('Gangnam')) continue;
    const whileItIsThere = await mayStillBeSent?.();
    await side.keys.destroy('ada');
    mayBeSent = [whileItIsThere, await mayStillBeSent?.()];
  }
  expect(mayBeSent).toEqual([true, false]);
  // Of what came since all may be sent.
  expect(await mayStillBeSent?.()).toBe(true);
  const { customer, orders } = JSON.parse(before + after) as Data;
  expect(customer).toMatchObject({ name: null, phone: null, address: null });
  expect(orders).toHaveLength(2);
  for (const personal of ['Ada', '123 4567', ...Object.values(home)]) expect(after).not.toContain(personal);
});

test('an order that was just placed is waited for', async () => {
  const token = await side.happen(await place(side, 'new'));
  side.whileWaiting = () => side.project();
  const { orders } = await read({ ...ada, headers: { 'Consistency-Token': token } });
  expect(orders.map(({ order }) => order.orderId)).toContain('new');
});

describe('what is long', () => {
  const moves = 1_100;
  const positions = 600;
  const second = (number: number) => new Date(Date.UTC(2026, 2, 1, 13, 0, number)).toISOString();

  beforeEach(async () => {
    const address = await side.sealed('ada', home);
    const moved = { type: 'CustomerAddressChanged', data: { customerId: 'ada', address } } as const;
    await side.history(
      ...Array.from({ length: moves }, () => happening('customer-ada', 'ada', moved)),
      ...Array.from({ length: positions }, (_, at) => positionAt('two', 37.5, second(at))),
    );
    side.reads.length = 0;
  });

  test('comes whole, and is read page by page', async () => {
    const { customer, events, orders } = await read();
    expect(Math.max(...side.reads)).toBeLessThanOrEqual(251);
    expect(customer).toMatchObject({ address: home, revision: moves + 1 });
    expect(events).toHaveLength(moves + 2);
    expect(new Set(events.map(({ data }) => JSON.stringify(data))).size).toBe(2);
    const timeline = await side.get<{ readonly events: readonly object[] }>('/v1/orders/two/timeline', ada);
    const two = orders.find(({ order }) => order.orderId === 'two');
    expect(two?.events).toEqual(timeline.body.events);
    const now = await side.get<{ readonly freshness: object }>('/v1/orders/two', ada);
    expect(two?.order).toEqual({ ...now.body, freshness: expect.anything() as unknown });
    expect(two?.events).toHaveLength(positions + 3);
  });

  test('is shown with what the log alone has of it by now', async () => {
    const values = { orderId: 'two', deliveryId: deliveryIdOf('two'), courierId: 'cleo' };
    await side.happen(onDelivery('two', { type: 'DeliveryPickedUp', data: values }), await place(side, 'unseen'));
    const { orders } = await read();
    expect(orders.map(({ order }) => order)).toContainEqual(
      expect.objectContaining({ orderId: 'two', status: 'out_for_delivery' }),
    );
  });

  describe.each([
    ['truncated', (stream: string) => side.truncate(stream, 590), 'the first that is left has revision 590'],
    ['deleted', (stream: string) => side.truncate(stream, Infinity), 'none is left'],
    ['tombstoned', (stream: string) => side.tombstone(stream), 'none is left'],
  ])('and whose stream is %s as it is read', (_how, cut, left) => {
    /** Cuts a stream as soon as two whole pages of this many events were read. */
    const cutAfterTwo = (stream: string, size: number) => {
      let pages = 0;
      side.whenRead = (count) => {
        if (count === size && (pages += 1) === 2) cut(stream);
      };
    };
    const degraded = { since: start, reason: expect.stringContaining(left) as unknown };

    test('comes as far as it was read, marked, and the other orders follow', async () => {
      await side.happen(await place(side, 'early', {}, { at: '2026-02-01T09:00:00.000Z' }));
      await side.project();
      cutAfterTwo(streamName('delivery', deliveryIdOf('two')), 251);
      const { orders, ...rest } = await read();
      expect(orders.map(({ order }) => order.orderId)).toEqual(['one', 'two', 'early']);
      const [one, two, early] = orders;
      expect(two).toMatchObject({ order: { degraded, delivery: { status: 'assigned' } } });
      expect(two!.events).toHaveLength(500);
      for (const other of [one!, early!]) expect(other.order).not.toHaveProperty('degraded');
      expect(rest).toMatchObject({ customer: expect.not.objectContaining({ degraded }), freshness: {} });
    });

    test('comes as far as it was read, marked, and the orders follow where it is the customer’s own', async () => {
      cutAfterTwo('customer-ada', 250);
      const { customer, events, orders } = await read();
      expect(customer).toMatchObject({ name: 'Ada', revision: moves + 1, degraded });
      expect(events).toHaveLength(500);
      expect(orders).toHaveLength(2);
    });
  });

  test('and has an event that cannot be applied is shown as it was before that', async () => {
    await side.happen(broken(pickedUp('two')), onOrder('two', { type: 'OrderConfirmed', data: { orderId: 'two' } }));
    for (const project of [false, true]) {
      if (project) await side.project();
      const two = (await read()).orders.find(({ order }) => order.orderId === 'two');
      expect(two?.order).toMatchObject({ status: 'placed', degraded: { reason: expect.stringContaining('PickedUp') } });
      expect(two?.events).toHaveLength(positions + 5);
    }
  });
});

describe('with an event that cannot be read', () => {
  const degraded = { since: start, reason: expect.stringContaining('cannot be read') as unknown };

  test('an order comes with all that can, marked', async () => {
    await side.project();
    await side.happenUnreadably('order-two');
    await side.happen(onOrder('two', { type: 'OrderConfirmed', data: { orderId: 'two' } }));
    const two = (await read()).orders.find(({ order }) => order.orderId === 'two');
    expect(two).toMatchObject({
      order: { status: 'placed', degraded },
      events: [{ type: 'OrderPlaced' }, { type: 'DeliveryScheduled' }, { type: 'DeliveryAssigned' }],
    });
  });

  test('the customer’s own come as far as they can, marked, and the orders follow', async () => {
    await side.project();
    await side.happenUnreadably('customer-ada');
    const { customer, events, orders } = await read();
    expect(customer).toMatchObject({ name: 'Ada', degraded });
    expect(events).toMatchObject([{ type: 'CustomerRegistered' }, { type: 'CustomerAddressChanged' }]);
    expect(orders).toHaveLength(2);
  });
});

test('no state is older than the events beside it, however long those take', async () => {
  const address = await side.sealed('ada', home);
  const moved = { type: 'CustomerAddressChanged', data: { customerId: 'ada', address } } as const;
  await side.history(...Array.from({ length: 300 }, () => happening('customer-ada', 'ada', moved)));
  let pages = 0;
  side.whenRead = (count) => {
    if (count !== 250 || (pages += 1) !== 1) return;
    side.pass(600_000);
    void side.happen(happening('customer-ada', 'ada', moved));
  };
  const { customer, events } = await read();
  expect(customer).toMatchObject({ revision: events.length - 1, freshness: { lagMs: 0 } });
});

test('more orders than come at once follow, each once', async () => {
  const ids = Array.from({ length: ordersAtOnce + 1 }, (_, index) => `more-${index}`);
  for (const id of ids) await side.happen(await place(side, id));
  await side.project();
  const seen: string[] = [];
  let query = '';
  for (let pages = 0; pages < 2; pages += 1) {
    const { orders, next } = await read(ada, query);
    expect(orders.length).toBeLessThanOrEqual(ordersAtOnce);
    seen.push(...orders.map(({ order }) => order.orderId));
    expect(next === undefined).toBe(pages === 1);
    query = `?cursor=${next}`;
  }
  expect(seen.toSorted()).toEqual(['one', 'two', ...ids].toSorted());
  expect((await side.get(`${path}?cursor=nonsense`, ada)).status).toBe(400);
});
