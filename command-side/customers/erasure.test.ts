import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { systemRandomness, systemTimer } from '@waybill/infra/clock/system.js';
import { openMemoryKeyStore } from '@waybill/infra/keys/memory/key-store.js';
import { aggregatesIn } from '../handling/aggregates.js';
import { envelopes } from '../handling/envelope.js';
import type { Fate } from '../testing/faulty-store.js';
import { storesLookedAt } from '../testing/stores.js';
import { address, won, WriteApi, type Answered } from '../testing/write-api.js';
import { finishErasures } from './finish-erasures.js';

describe.each(storesLookedAt)('erasing a customer, %s', (_, open, looks) => {
  let api: WriteApi;
  beforeEach(async () => {
    api = await WriteApi.start(open, looks);
    const product = { productId: 'tea', name: 'Tea', unitPrice: won(500) };
    await api.done('/v1/products', { as: 'merchant:m1', body: product });
    await api.done('/v1/customers', { as: ann, body: { name: 'Ann Kim', phone: '+82 10', address } });
  });
  afterEach(() => api.close());

  const ann = 'customer:ann';
  const erasure = '/v1/customers/ann/erasure';
  const cart = { customerId: 'ann', lines: [{ productId: 'tea', quantity: 1 }], payment: { token: 'tok_approve' } };
  const order = async (orderId: string): Promise<Answered> =>
    api.done('/v1/orders', { as: ann, body: { ...cart, orderId } });

  /** What fulfilment and couriers would bring about. */
  async function happens(orderId: string, ...types: string[]): Promise<void> {
    const { orders } = aggregatesIn(api.store);
    for (const type of types) {
      const id = systemRandomness.uuid();
      const cause = { id, correlationId: id, traceparent: undefined, actor: undefined, request: undefined };
      const data = { orderId, deliveryId: 'd', courierId: 'rider', reason: 'nobody at home' };
      const events = envelopes(
        [{ type, data }],
        orderId,
        { ...cause, occurredAt: '2026-01-01T10:00:00.000Z' },
        systemRandomness,
      );
      await orders.append(orderId, await orders.load(orderId), events);
    }
  }

  test.each([ann, 'operator:op'])('by %s: the log says so, and the key is no more', async (as) => {
    expect(await api.done(erasure, { as })).toEqual({ customerId: 'ann', revision: 1 });
    expect(await api.types('customer-ann')).toEqual(['CustomerRegistered', 'CustomerErased']);
    const [, erased] = await api.events('customer-ann');
    expect(erased).toMatchObject({ data: { customerId: 'ann' }, partitionKey: 'ann' });
    expect(await api.keys.find('ann')).toBeUndefined();
  });

  test('nobody else may, and nobody who is not there is', async () => {
    await api.refused(erasure, { as: 'customer:bob' }, 404, 'not-found');
    await api.refused('/v1/customers/nobody/erasure', { as: 'operator:op' }, 404, 'not-found');
    for (const role of ['merchant', 'courier', 'auditor']) {
      await api.refused(erasure, { as: `${role}:ann` }, 403, 'forbidden');
    }
    await api.refused(erasure, { as: ann, body: { really: true } }, 400, 'invalid-input');
    expect(await api.keys.find('ann')).toBeDefined();
  });

  test('is refused while orders are under way, whoever has seen them, and says which', async () => {
    await order('o1');
    await order('o2');
    await order('o3');
    await happens('o2', 'OrderConfirmed', 'OrderDispatched');
    const refused = async (...named: string[]): Promise<void> => {
      const problem = await api.refused(erasure, { as: ann, key: 'erase' }, 409, 'rule-violated');
      expect(problem).toMatchObject({ rule: 'orders-under-way' });
      expect(problem['detail']).toContain(`These are: ${named.join(', ')}.`);
    };
    await refused('o1', 'o2', 'o3');
    await happens('o2', 'OrderDelivered');
    await api.restart();
    await refused('o1', 'o3');
    await api.done('/v1/orders/o1/cancellation', { as: ann, body: { reason: 'enough' } });
    await refused('o3');
    await happens('o3', 'OrderRejected');
    expect((await api.post(erasure, { as: ann, key: 'erase' })).status).toBe(200);
  });

  test('after it no order is taken, the address stays, and the id is used for ever', async () => {
    await api.done(erasure, { as: ann });
    const refused = async (path: string, body: object): Promise<void> => {
      const as = 'operator:op';
      expect(await api.refused(path, { as, body }, 409, 'rule-violated')).toMatchObject({ rule: 'customer-erased' });
    };
    await refused('/v1/orders', cart);
    await refused('/v1/orders', { ...cart, deliveryAddress: address });
    await refused('/v1/customers/ann/address', { address });
    await refused('/v1/customers', { customerId: 'ann', name: 'Another', phone: '1', address });
  });

  test('asked again it answers as it did, and under another key it finds nothing to do', async () => {
    const first = await api.post(erasure, { as: ann, key: 'once' });
    await api.restart();
    const again = await api.post(erasure, { as: ann, key: 'once' });
    expect([again.status, again.text]).toEqual([first.status, first.text]);
    expect(again.headers.get('Idempotency-Replayed')).toBe('true');
    const head = await api.store.head();
    expect(await api.done(erasure, { as: ann, key: 'twice' })).toEqual({ customerId: 'ann', revision: 1 });
    expect(await api.store.head()).toBe(head);
  });

  test('what was asked before is answered as it was, whatever else is asked for that order now that nobody knows', async () => {
    const asked = { as: ann, key: 'order', body: { ...cart, orderId: 'o1' } };
    const first = await api.post('/v1/orders', asked);
    await api.done('/v1/orders/o1/cancellation', { as: ann, body: { reason: 'Too late' } });
    await api.done(erasure, { as: ann });
    const again = await api.post('/v1/orders', { ...asked, body: { ...asked.body, payment: { token: 'tok_other' } } });
    expect([again.status, again.text]).toEqual([first.status, first.text]);
    expect(again.headers.get('Location')).toBe(first.headers.get('Location'));
    const another = { ...asked, body: { ...asked.body, orderId: 'o2' } };
    await api.refused('/v1/orders', another, 422, 'idempotency-key-reused');
  });

  /** A crash after the event and before the key was destroyed. */
  async function eraseHalf(): Promise<void> {
    const stops = jest.spyOn(api.keys, 'destroy').mockRejectedValue(new Error('crash'));
    expect((await api.post(erasure, { as: ann, key: 'half' })).status).toBe(500);
    stops.mockRestore();
    expect(await api.types('customer-ann')).toEqual(['CustomerRegistered', 'CustomerErased']);
    expect(await api.keys.find('ann')).toBeDefined();
  }

  test('what a crash left undone the same request does', async () => {
    await eraseHalf();
    expect((await api.post(erasure, { as: ann, key: 'half' })).headers.get('Idempotency-Replayed')).toBe('true');
    expect(await api.keys.find('ann')).toBeUndefined();
  });

  test('or the next process that can, and the one after it has nothing to read', async () => {
    await eraseHalf();
    const faults: string[] = [];
    const report = (fault: Error): void => void faults.push(fault.message);
    const { store, keys, clock } = api;
    const dependencies = {
      store,
      keys,
      clock,
      steadyClock: clock,
      randomness: systemRandomness,
      timer: systemTimer,
      report,
    };
    jest.spyOn(keys, 'find').mockRejectedValueOnce(new Error('It is down.'));
    await finishErasures(dependencies).done;
    expect(await keys.find('ann')).toBeUndefined();
    expect(faults).toEqual(['It is down.']);

    const read: number[] = [];
    const watched = {
      append: store.append.bind(store),
      readStream: store.readStream.bind(store),
      cutOf: store.cutOf.bind(store),
      readStreamBackwards: store.readStreamBackwards.bind(store),
      head: store.head.bind(store),
      recordAt: store.recordAt.bind(store),
      readAll: async (after: number, limit: number) => {
        const page = await store.readAll(after, limit);
        read.push(page.events.length);
        return page;
      },
    };
    await finishErasures({ ...dependencies, store: watched }).done;
    expect(read).toEqual([0]);
  });

  test('a person whom keys from an older copy do not know gets none from them any more', async () => {
    await api.done(erasure, { as: ann, key: 'once' });
    const { store, clock } = api;
    const report = (fault: Error): never => {
      throw fault;
    };
    const older = openMemoryKeyStore(systemRandomness);
    const dependencies = {
      store,
      keys: older,
      clock,
      steadyClock: clock,
      randomness: systemRandomness,
      timer: systemTimer,
      report,
    };
    await finishErasures(dependencies).done;
    expect(await older.create('ann')).toBeUndefined();
  });

  describe('and an order at the same moment', () => {
    /** Runs `work` just before the first append to a stream. */
    function before(stream: string, work: () => Promise<unknown>): void {
      api.store.fate = async (appended): Promise<Fate> => {
        if (appended !== stream) return 'done';
        api.store.fate = () => 'done';
        await work();
        return 'done';
      };
    }

    test('that comes as the erasure has looked for orders is cancelled by it', async () => {
      before('customer-ann', () => order('late'));
      await api.done(erasure, { as: ann });
      expect(await api.types('order-late')).toEqual(['OrderPlaced', 'OrderCancelled']);
      expect((await api.events('order-late'))[1]!.data).toMatchObject({ by: 'system' });
    });

    test('that comes when all is erased is cancelled by whoever places it, in another process too', async () => {
      const other = await api.another();
      before('order-later', async () => expect((await api.post(erasure, { as: ann }, other.url)).status).toBe(200));
      const placed = await api.post('/v1/orders', { as: ann, key: 'o', body: { ...cart, orderId: 'later' } });
      expect([placed.status, placed.body.status]).toEqual([201, 'placed']);
      expect(await api.types('order-later')).toEqual(['OrderPlaced', 'OrderCancelled']);
      const again = await api.post('/v1/orders', { as: ann, key: 'o', body: { ...cart, orderId: 'later' } });
      expect([again.status, again.text]).toEqual([placed.status, placed.text]);
      expect(await api.types('order-later')).toHaveLength(2);
      await other.close();
    });
  });
});
