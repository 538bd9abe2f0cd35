import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { MemoryEventStore } from '@waybill/infra/event-store/memory/memory-event-store.js';
import { address, won, WriteApi } from '../testing/write-api.js';

let log: MemoryEventStore;
let api: WriteApi;

const operator = 'operator:olive';
const shop = 'merchant:m1';
const ann = 'customer:ann';

beforeEach(async () => {
  api = await WriteApi.start(async (clock) => {
    log = new MemoryEventStore(clock);
    return { store: log, dispose: () => log.close() };
  });
  await api.done('/v1/products', { as: shop, body: { productId: 'tea', name: 'Tea', unitPrice: won(500), stock: 5 } });
  await api.done('/v1/products', { as: shop, body: { productId: 'cup', name: 'Cup', unitPrice: won(900) } });
  await api.done('/v1/customers', { as: ann, body: { customerId: 'ann', name: 'Ann', phone: '1', address } });
  await api.done('/v1/orders', { as: ann, key: 'first', body: { ...order('tea'), orderId: 'o1' } });
});
afterEach(() => api.close());

function order(productId: string) {
  return { customerId: 'ann', lines: [{ productId, quantity: 1 }], payment: { token: 'tok_approve' } };
}

const cancellation = { as: operator, body: { reason: 'no' } };

/** The problem that says that a stream is cut; nothing is recorded. */
async function refusesAsCut(
  path: string,
  asked: Parameters<WriteApi['post']>[1],
  stream: string,
  firstRevision: number | null,
): Promise<void> {
  const before = await log.head();
  const { status, body, headers } = await api.post(path, asked);
  const problem = { type: 'urn:waybill:problem:stream-cut', stream, firstRevision };
  expect([status, body]).toEqual([410, expect.objectContaining(problem)]);
  expect(headers.has('retry-after')).toBe(false);
  expect(await log.head()).toBe(before);
}

/** What can be done to a stream of two events in the event store. */
const cuts = [
  ['truncated', (stream: string) => log.truncate(stream, 1), 1],
  ['soft-deleted', (stream: string) => log.truncate(stream, Infinity), null],
  ['tombstoned', (stream: string) => log.tombstone(stream), null],
] as const;

describe.each(cuts)('an aggregate whose stream was %s', (what, cut, firstRevision) => {
  test('takes no command, after a restart, and only operators are told why', async () => {
    await api.done('/v1/orders/o1/cancellation', cancellation);
    cut('order-o1');
    await api.restart();
    await refusesAsCut('/v1/orders/o1/cancellation', cancellation, 'order-o1', firstRevision);
    for (const as of [ann, 'customer:bob']) {
      await api.refused('/v1/orders/o1/cancellation', { ...cancellation, as }, 404, 'not-found');
    }
  });

  test('takes commands as long as its state is known and borne out', async () => {
    await api.done('/v1/products/tea/price', { as: shop, body: { unitPrice: won(600) } });
    cut('product-tea');
    const asked = { as: shop, body: { unitPrice: won(700) } };
    if (what === 'truncated') await api.done('/v1/products/tea/price', asked);
    else await refusesAsCut('/v1/products/tea/price', asked, 'product-tea', firstRevision);
    await api.refused('/v1/products/tea/price', { ...asked, as: 'merchant:m2' }, 403, 'forbidden');
  });

  test('is no product that anybody can order, and no customer who can order', async () => {
    await api.done('/v1/products/tea/price', { as: shop, body: { unitPrice: won(600) } });
    await api.done('/v1/customers/ann/address', { as: ann, body: { address: { ...address, city: 'Seoul' } } });
    cut('product-tea');
    await api.restart();
    for (const stream of ['product-tea', 'customer-ann']) await api.snapshotStore.remove(stream);
    await refusesAsCut('/v1/orders', { as: ann, body: order('tea') }, 'product-tea', firstRevision);
    const priced = { as: shop, body: { unitPrice: won(700) } };
    await refusesAsCut('/v1/products/tea/price', priced, 'product-tea', firstRevision);
    await api.done('/v1/orders', { as: ann, body: order('cup') });
    cut('customer-ann');
    await api.restart();
    await api.snapshotStore.remove('customer-ann');
    await refusesAsCut('/v1/orders', { as: operator, body: order('cup') }, 'customer-ann', firstRevision);
  });
});

test.each([Infinity, 99])('an id of which nothing is left (%d) is not born again', async (before) => {
  log.truncate('order-o1', before);
  await api.restart();
  await refusesAsCut('/v1/orders', { as: ann, body: { ...order('cup'), orderId: 'o1' } }, 'order-o1', null);
  await refusesAsCut('/v1/orders/o1/cancellation', cancellation, 'order-o1', null);
});

test.each([Infinity, 99])('a request whose pointer was deleted (%d) does not make a second thing', async (before) => {
  const [pointer] = (await log.readAll(0, 1000)).events.filter(({ stream }) => stream.startsWith('request-')).slice(-1);
  log.truncate(pointer!.stream, before);
  log.truncate('order-o1', Infinity);
  await api.restart();
  const again = await api.post('/v1/orders', { as: ann, key: 'first', body: { ...order('tea'), orderId: 'o2' } });
  expect([again.status, again.body['stream']]).toEqual([410, pointer!.stream]);
  expect(await log.readStream('order-o2', 0, 1)).toEqual([]);
});
