import { beforeEach, describe, expect, test } from '@jest/globals';
import { cancelled, confirmed, happening, onPayment, type Happening } from '@waybill/projections/testing/history.js';
import { orders } from '@waybill/projections/read-models/orders.js';
import type { Sealed } from '@waybill/shared-kernel/personal-data.js';
import { deliveryIdOf } from '@waybill/shared-kernel/stream.js';
import { ada, bob, lumen, otto } from './testing/callers.js';
import { home, place, schedule } from './testing/orders.js';
import { type ReadSide, start } from './testing/read-side.js';
import { readSideForEach } from './testing/read-side-for-each.js';

/** After this the version that is read now is read, milliseconds. */
const aWhile = 1_000;

let side: ReadSide;
readSideForEach((opened) => {
  side = opened;
});

const authorised = (orderId: string): Happening =>
  onPayment(orderId, { type: 'PaymentAuthorised', data: { orderId, amount: 18000, currency: 'KRW' } });

const delivery = `delivery-${deliveryIdOf('o1')}`;

/** What can be done to a stream in the event store, and the first revision that is left. */
const cuts = [
  ['truncated', (stream: string) => side.truncate(stream, 1), 1],
  ['truncated with all that it held', (stream: string) => side.truncate(stream, 2), null],
  ['soft-deleted', (stream: string) => side.truncate(stream, Infinity), null],
  ['tombstoned', (stream: string) => side.tombstone(stream), null],
] as const;

describe.each(cuts)('an order whose stream was %s', (_, cut, firstRevision) => {
  const reason =
    firstRevision === null
      ? 'Events of order-o1 are gone from the event store: none is left. This is the last state that is known.'
      : 'Events of order-o1 are gone from the event store: the first that is left has revision 1. This is the last state that is known.';
  const problem = { type: 'urn:waybill:problem:stream-cut', status: 410, stream: 'order-o1', firstRevision };

  beforeEach(async () => {
    await side.history(await place(side, 'o1'), confirmed('o1'), await place(side, 'o2'));
    cut('order-o1');
    await side.history(confirmed('o2'));
  });

  test('is shown in its last state, and marked; others are as ever', async () => {
    const shown = { orderId: 'o1', status: 'confirmed', degraded: { since: start, reason } };
    const one = await side.get('/v1/orders/o1', ada);
    expect([one.status, one.body]).toEqual([200, expect.objectContaining(shown)]);
    const { body } = await side.get<{ items: readonly unknown[] }>('/v1/orders', lumen);
    expect(body.items).toEqual([
      expect.not.objectContaining({ degraded: expect.anything() }),
      expect.objectContaining(shown),
    ]);
    expect((await side.get('/v1/orders/o2/timeline')).status).toBe(200);
  });

  test.each(['/timeline', `?asOf=${start}`, `?knownAt=${start}`])('has no past: %s', async (past) => {
    for (const caller of [ada, lumen, otto, {}]) {
      const { status, body, headers } = await side.get(`/v1/orders/o1${past}`, caller);
      expect([status, body]).toEqual([410, expect.objectContaining(problem)]);
      expect(headers.has('retry-after')).toBe(false);
    }
    expect((await side.get(`/v1/orders/o1${past}`, bob)).status).toBe(404);
  });

  test('that was never projected is told of to operators and auditors alone', async () => {
    await side.history(await place(side, 'o3'));
    side.tombstone('order-o4');
    await side.project();
    for (const caller of [{}, otto]) {
      const { status, body } = await side.get('/v1/orders/o4', caller);
      expect([status, body]).toEqual([
        410,
        expect.objectContaining({ ...problem, stream: 'order-o4', firstRevision: null }),
      ]);
    }
    expect((await side.get('/v1/orders/o4', ada)).status).toBe(404);
    expect((await side.get('/v1/orders/o4/timeline', ada)).status).toBe(404);
  });

  test('does not keep the data of its customer from her', async () => {
    const values = await Promise.all(['Ada', '+82 2 1', home].map((value) => side.sealed('ada', value)));
    const [name, phone, address] = values as [Sealed, Sealed, Sealed];
    await side.history(
      happening('customer-ada', 'ada', {
        type: 'CustomerRegistered',
        data: { customerId: 'ada', name, phone, address },
      }),
    );
    const { body } = await side.get<{ orders: readonly object[] }>('/v1/customers/ada/data', ada);
    expect(body.orders).toEqual([
      {
        order: expect.not.objectContaining({ degraded: expect.anything() }),
        events: [expect.anything(), expect.anything()],
      },
      { order: expect.objectContaining({ status: 'confirmed', degraded: { since: start, reason } }), events: [] },
    ]);
  });
});

test.each(['orders/x', 'deliveries/x', 'products/x', 'customers/x'])(
  'of %s there is no document: operators and auditors are told that its stream was cut, while the log answers',
  async (path) => {
    for (const category of ['order', 'delivery', 'product', 'customer']) side.tombstone(`${category}-x`);
    await side.project();
    for (const caller of [{}, otto]) {
      const { body } = await side.get(`/v1/${path}`, caller);
      expect(body).toMatchObject({ status: 410, stream: expect.stringMatching(/-x$/), firstRevision: null });
    }
    expect((await side.get(`/v1/${path}`, bob)).status).toBe(404);
    side.down.add('event store');
    expect((await side.get(`/v1/${path}`)).status).toBe(404);
  },
);

describe.each(['payment-o1', delivery])('an order whose stream %s is cut', (stream) => {
  test.each(cuts.slice(1).map(([what, cut]) => [what, cut] as const))(
    '%s: its document is marked, and its past is gone',
    async (_, cut: (of: string) => void) => {
      await side.history(await place(side, 'o1'), confirmed('o1'), authorised('o1'), await schedule(side, 'o1'));
      cut(stream);
      await side.project();
      await side.history(cancelled('o1'));
      const { status, body } = await side.get('/v1/orders/o1', ada);
      expect([status, body]).toEqual([
        200,
        expect.objectContaining({ status: 'confirmed', degraded: expect.anything() }),
      ]);
      expect((await side.get('/v1/orders/o1/timeline', ada)).body).toMatchObject({
        type: 'urn:waybill:problem:stream-cut',
        stream,
      });
    },
  );
});

test('an order that is placed where one was deleted is no order', async () => {
  await side.history(await place(side, 'o1'), confirmed('o1'));
  side.truncate('order-o1', Infinity);
  await side.project();
  await expect(side.happenAnew(await place(side, 'o1'))).rejects.toMatchObject({ kind: 'stream-cut' });
  await side.project();
  expect((await side.get('/v1/orders/o1', ada)).body).toMatchObject({
    status: 'confirmed',
    degraded: { since: start },
  });
});

test('what was placed where an order had been deleted stays out of it, also when all is given back', async () => {
  await side.history(await place(side, 'o1'), confirmed('o1'));
  side.truncate('order-o1', Infinity);
  await side.project();
  await expect(side.happenAnew(await place(side, 'o1', { customerId: 'bob' }))).rejects.toMatchObject({
    kind: 'stream-cut',
  });
  side.truncate('order-o1', 0);
  await side.project();
  expect(await side.release('o1')).toMatchObject({ degraded: { event: { revision: 2 } } });
  expect((await side.get('/v1/orders/o1', ada)).body).toMatchObject({ customerId: 'ada', status: 'confirmed' });
});

test('a release takes no mark off whose stream still is cut, though nothing of it was ever seen', async () => {
  await side.history(await place(side, 'o1'));
  side.tombstone('payment-o1');
  await side.project();
  expect((await side.get('/v1/orders/o1', ada)).body).toMatchObject({ degraded: {} });
  expect(await side.release('o1')).toMatchObject({ degraded: { cut: { stream: 'payment-o1' } } });
});

test('what came in the same moment as the cut is in the last state', async () => {
  await side.history(await place(side, 'o1'), confirmed('o1'));
  await side.happen(cancelled('o1'));
  side.tombstone('order-o1');
  await side.project();
  expect((await side.get('/v1/orders/o1', ada)).body).toMatchObject({ status: 'cancelled', degraded: {} });
});

test('a customer of whom nothing is left is told so, and not that there is none', async () => {
  const values = await Promise.all(['Ada', '+82 2 1', home].map((value) => side.sealed('ada', value)));
  const [name, phone, address] = values as [Sealed, Sealed, Sealed];
  const data = { customerId: 'ada', name, phone, address };
  await side.history(happening('customer-ada', 'ada', { type: 'CustomerRegistered', data }));
  side.truncate('customer-ada', Infinity);
  await side.project();
  expect((await side.get('/v1/customers/ada', ada)).body).toMatchObject({ name: 'Ada', degraded: {} });
  expect((await side.get('/v1/customers/ada/data', ada)).body).toMatchObject({ status: 410, stream: 'customer-ada' });
});

test('streams that were given all back are shown as ever when they are released', async () => {
  await side.history(await place(side, 'o1'), confirmed('o1'));
  side.truncate('order-o1', 1);
  await side.project();
  await side.history(cancelled('o1'));
  expect((await side.get('/v1/orders/o1')).body).toMatchObject({ status: 'confirmed', degraded: {} });
  expect(await side.release('o1')).toMatchObject({ degraded: {} });
  side.truncate('order-o1', 0);
  expect(await side.release('o1')).not.toHaveProperty('degraded');
  const { body } = await side.get('/v1/orders/o1');
  expect(body).toMatchObject({ status: 'cancelled' });
  expect(body).not.toHaveProperty('degraded');
});

test('a rebuild keeps no mark of what was given back', async () => {
  await side.history(await place(side, 'o1'), confirmed('o1'));
  side.truncate('order-o1', 1);
  await side.project();
  side.truncate('order-o1', 0);
  await side.history(cancelled('o1'));
  await side.rebuild(orders);
  side.pass(aWhile);
  const { body } = await side.get('/v1/orders/o1', ada);
  expect(body).toMatchObject({ status: 'cancelled' });
  expect(body).not.toHaveProperty('degraded');
});

test('a rebuild keeps the last state of what was cut', async () => {
  await side.history(await place(side, 'o1'), confirmed('o1'), await place(side, 'o2'));
  side.truncate('order-o1', 1);
  await side.project();
  await side.rebuild(orders);
  side.pass(aWhile);
  expect((await side.get('/v1/orders/o1', ada)).body).toMatchObject({
    status: 'confirmed',
    degraded: { since: start },
  });
});
