import { expect, test } from '@jest/globals';
import { partitionCount } from '@waybill/shared-kernel/partitions/partition.js';
import { openSqliteReadStore } from '@waybill/infra/read-store/sqlite/read-store.js';
import { fulfilmentConsumer } from '../fulfilment/run-fulfilment.js';
import { handledThroughIn } from '../fulfilment/handled-through.js';
import type { Fate } from '../testing/faulty-store.js';
import { stores } from '../testing/stores.js';
import { address, won, WriteApi } from '../testing/write-api.js';
import { OrderAdmission } from './admission.js';

test.each(stores)(
  'more than is carried: new orders alone are refused, and are taken when there is room, %s',
  async (_, open) => {
    const api = await WriteApi.start(open);
    const positions = openSqliteReadStore(':memory:');
    const counted: string[] = [];
    const admission = new OrderAdmission({
      handledThrough: handledThroughIn(positions),
      steadyClock: api.clock,
      tuning: { burst: 0, leastWaiting: 3 },
    });
    const crowded = await api.another({ admission, count: (route, outcome) => counted.push(`${route} ${outcome}`) });
    const { url } = crowded;
    try {
      const as = 'customer:ann';
      await api.done('/v1/products', { as: 'merchant:m1', body: { productId: 'tea', name: 'Tea', unitPrice: won(5) } });
      for (const sub of ['ann', 'bob']) {
        await api.done('/v1/customers', { as: `customer:${sub}`, body: { name: sub, phone: '1', address } });
      }
      const order = {
        customerId: 'ann',
        lines: [{ productId: 'tea', quantity: 1 }],
        payment: { token: 'tok_approve' },
      };
      const place = async (key: string) => {
        api.clock.advance(150);
        const reply = await api.post('/v1/orders', { as, key, body: order }, url);
        // What was asked about the positions is known with the next order.
        await Promise.resolve();
        return reply;
      };
      const first = await place('key-0');
      let refused = first;
      let taken = 0;
      for (let n = 1; refused.status === 201; n += 1) {
        taken += 1;
        refused = await place(`key-${n}`);
      }
      expect(taken).toBeGreaterThanOrEqual(3);
      expect(refused.status).toBe(429);
      expect(refused.body['type']).toBe('urn:waybill:problem:overloaded');
      expect(Number(refused.headers.get('Retry-After'))).toBeGreaterThanOrEqual(1);
      expect(counted).toContain('/v1/orders overloaded');
      // Nothing of it is in the log: the same key may come with anything.
      const head = await api.store.head();
      expect((await place('key-none')).status).toBe(429);
      expect(await api.store.head()).toBe(head);

      const again = await place('key-0');
      expect([again.status, again.text]).toEqual([201, first.text]);
      const { orderId } = first.body;
      const cancelled = await api.post(`/v1/orders/${orderId}/cancellation`, { as, body: { reason: 'late' } }, url);
      expect(cancelled.status).toBe(200);
      const ofBob = await api.post('/v1/orders', { as: 'customer:bob', body: { ...order, customerId: 'bob' } }, url);
      expect([ofBob.status, ofBob.text]).toEqual([201, ofBob.text]);

      for (let partition = 0; partition < partitionCount; partition += 1) {
        const through = await api.store.head();
        await positions.saveConsumerPosition(fulfilmentConsumer, partition, { through, anchors: [] });
      }
      await place('key-look');
      expect((await place('key-none')).status).toBe(201);
    } finally {
      await crowded.close();
      await positions.close();
      await api.close();
    }
  },
);

test.each(stores)(
  'orders that are being placed have their places, and give them back when they are refused, %s',
  async (_, open) => {
    const api = await WriteApi.start(open);
    const handledThrough = async () => Array.from({ length: partitionCount }, () => -1);
    const tuning = { burst: 0, leastWaiting: 3 };
    const admission = new OrderAdmission({ handledThrough, steadyClock: api.clock, tuning });
    const crowded = await api.another({ admission });
    try {
      const as = 'customer:ann';
      await api.done('/v1/products', { as: 'merchant:m1', body: { productId: 'tea', name: 'Tea', unitPrice: won(5) } });
      await api.done('/v1/customers', { as, body: { name: 'Ann', phone: '1', address } });
      const place = async (productId: string) => {
        const body = {
          customerId: 'ann',
          lines: [{ productId, quantity: 1 }],
          payment: { token: 'tok_approve' },
        };
        return (await api.post('/v1/orders', { as, body }, crowded.url)).status;
      };
      // The first asks how far things are, and is taken as it comes.
      api.clock.advance(150);
      for (let n = 0; n < 10; n += 1) expect(await place('nothing')).toBe(400);
      api.store.fate = () => 'lost';
      for (let n = 0; n < 10; n += 1) expect(await place('tea')).toBe(503);

      // None gets on with its append before all are there, or refused.
      let goOn!: () => void;
      const all = new Promise<void>((resolve) => (goOn = resolve));
      let come = 0;
      const isThere = () => (come += 1) === 8 && goOn();
      api.store.fate = async (): Promise<Fate> => {
        isThere();
        await all;
        return 'done';
      };
      const placed = Array.from({ length: 8 }, async () => {
        const status = await place('tea');
        if (status === 429) isThere();
        return status;
      });
      expect((await Promise.all(placed)).toSorted()).toEqual([201, 201, 201, 429, 429, 429, 429, 429]);
    } finally {
      await crowded.close();
      await api.close();
    }
  },
);
