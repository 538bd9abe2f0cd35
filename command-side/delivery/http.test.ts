import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { deliveryIdOf } from '@waybill/shared-kernel/stream.js';
import { fulfilmentOf } from '../testing/fulfilment.js';
import { stores } from '../testing/stores.js';
import { address, pointers, won, WriteApi } from '../testing/write-api.js';
import { remembered } from './reports.js';

describe.each(stores)('deliveries over HTTP, %s', (_, open) => {
  let api: WriteApi;
  let orderId: string;
  let deliveryId: string;
  let path: string;
  let fulfil: () => Promise<void>;

  beforeAll(async () => {
    api = await WriteApi.start(open);
    fulfil = fulfilmentOf(api);
    await api.done('/v1/products', { as: 'merchant:m1', body: { productId: 'tea', name: 'Tea', unitPrice: won(500) } });
    await api.done('/v1/customers', { as: 'customer:ann', body: { name: 'Ann', phone: '1', address } });
  });
  afterAll(() => api.close());
  beforeEach(async () => {
    api.store.fate = () => 'done';
    const lines = [{ productId: 'tea', quantity: 1 }];
    const body = { customerId: 'ann', lines, payment: { token: 'tok_approve' } };
    orderId = (await api.done('/v1/orders', { as: 'customer:ann', body })).orderId!;
    deliveryId = deliveryIdOf(orderId);
    path = `/v1/deliveries/${deliveryId}`;
    await fulfil();
  });

  const as = 'courier:k1';
  const claim = { as, body: { courierId: 'k1' } };
  const here = { latitude: 35.1, longitude: 129, at: '2026-01-01T09:59:00Z' };

  test('a courier claims it, picks it up, is seen on the way and delivers it', async () => {
    expect(await api.done(`${path}/assignment`, claim)).toEqual({ deliveryId, status: 'assigned', revision: 1 });
    expect((await api.done(`${path}/pickup`, { as })).status).toBe('picked_up');
    expect(await api.done(`${path}/positions`, { as, key: null, body: here })).toEqual({
      deliveryId,
      status: 'picked_up',
      revision: 3,
    });
    const completed = await api.done(`${path}/completion`, { as, body: { proof: 'signed' } });
    expect(completed).toEqual({ deliveryId, status: 'delivered', revision: 4 });
    await fulfil();
    expect(await api.types(`order-${orderId}`)).toEqual([
      'OrderPlaced',
      'OrderConfirmed',
      'OrderDispatched',
      'OrderDelivered',
    ]);
    expect(await api.types(`fulfilment-${orderId}`)).toEqual([
      ...['FulfilmentStarted', 'FulfilmentPaymentRequested', 'FulfilmentPaymentSettled'],
      ...['FulfilmentDeliveryRequested', 'FulfilmentDispatched'],
      ...['FulfilmentPaymentRequested', 'FulfilmentPaymentSettled', 'FulfilmentCompleted'],
    ]);
    const log = await api.events(`delivery-${deliveryId}`);
    expect(log.every((event) => event.partitionKey === orderId)).toBe(true);
    expect(log[3]).toMatchObject({
      data: { latitude: 35.1, longitude: 129, at: '2026-01-01T09:59:00.000Z' },
      actor: { sub: 'k1', role: 'courier' },
    });
  });

  test('a parcel that cannot be delivered is tried again, then goes back', async () => {
    await api.done(`${path}/assignment`, claim);
    await api.done(`${path}/pickup`, { as });
    const failure = (next: string) => ({ as, body: { reason: 'nobody home', next } });
    expect((await api.done(`${path}/failure`, failure('retry'))).status).toBe('picked_up');
    await api.refused(`${path}/return`, { as }, 409, 'rule-violated');
    expect((await api.done(`${path}/failure`, failure('return'))).status).toBe('failed');
    expect((await api.done(`${path}/return`, { as })).status).toBe('returned');
    await fulfil();
    expect((await api.types(`order-${orderId}`)).at(-1)).toBe('OrderDeliveryFailed');
  });

  test('a courier gives it back and another takes it', async () => {
    await api.done(`${path}/assignment`, claim);
    const other = { as: 'courier:k2', body: { courierId: 'k2' } };
    const problem = await api.refused(`${path}/assignment`, other, 409, 'rule-violated');
    expect(problem['rule']).toBe('delivery-assigned');
    expect((await api.done(`${path}/release`, { as })).status).toBe('open');
    expect((await api.done(`${path}/assignment`, other)).status).toBe('assigned');
  });

  test('of two couriers who claim it at once one wins', async () => {
    const couriers = Array.from({ length: 8 }, (_unused, index) => `k${index}`);
    const replies = await Promise.all(
      couriers.map((sub) => api.post(`${path}/assignment`, { as: `courier:${sub}`, body: { courierId: sub } })),
    );
    expect(replies.map(({ status }) => status).sort()).toEqual([200, ...Array<number>(7).fill(409)]);
  });

  test('what is another courier’s, or nobody’s role, is refused', async () => {
    await api.done(`${path}/assignment`, claim);
    const calls: readonly (readonly [string, object | undefined])[] = [
      ['release', undefined],
      ['pickup', undefined],
      ['positions', here],
      ['completion', {}],
      ['failure', { reason: 'lost', next: 'return' }],
      ['return', undefined],
    ];
    for (const [call, body] of calls) {
      await api.refused(`${path}/${call}`, { as: 'courier:k2', body }, 403, 'forbidden');
      await api.refused(`/v1/deliveries/none/${call}`, { as, body }, 404, 'not-found');
      await api.refused(`${path}/${call}`, { body }, 401, 'unauthenticated');
      for (const role of ['customer', 'merchant', 'auditor']) {
        await api.refused(`${path}/${call}`, { as: `${role}:k1`, body }, 403, 'forbidden');
      }
    }
    await api.refused(`${path}/assignment`, { as, body: { courierId: 'k2' } }, 403, 'forbidden');
    await api.refused(`${path}/assignment`, { as: 'customer:k1', body: { courierId: 'k1' } }, 403, 'forbidden');
    const operator = 'operator:op';
    await api.done(`${path}/release`, { as: operator });
    await api.done(`${path}/assignment`, { as: operator, body: { courierId: 'k3' } });
    await api.done(`${path}/pickup`, { as: operator });
    expect((await api.done(`${path}/completion`, { as: 'courier:k3' })).status).toBe('delivered');
  });

  test('positions need no key and are known by their time', async () => {
    await api.done(`${path}/assignment`, claim);
    const report = (at: string) => api.done(`${path}/positions`, { as, key: null, body: { ...here, at } });
    expect((await report('2026-01-01T10:00:59Z')).revision).toBe(2);
    expect((await report('2026-01-01T09:00:00+00:00')).revision).toBe(3);
    expect((await report('2026-01-01T10:00:59.000Z')).revision).toBe(2);
    expect((await report('2026-01-01T18:00:00.000+09:00')).revision).toBe(3);
  });

  test('of positions in one second the first is kept, also long after', async () => {
    await api.done(`${path}/assignment`, claim);
    const report = (at: string) => api.post(`${path}/positions`, { as, key: null, body: { ...here, at } });
    const first = await report('2026-01-01T09:00:00.200Z');
    expect([first.status, first.body.revision]).toEqual([200, 2]);
    const denser = await report('2026-01-01T09:00:00.700Z');
    expect([denser.status, denser.body.revision, denser.headers.get('Idempotency-Replayed')]).toEqual([200, 2, null]);
    for (let minute = 10; minute < 59; minute += 1) await report(`2026-01-01T09:${minute}:00Z`);
    for (let second = 10; second < 20; second += 1) await report(`2026-01-01T09:59:${second}Z`);
    const late = await report('2026-01-01T09:00:00.000Z');
    expect([late.status, late.body.revision, late.headers.get('Idempotency-Replayed')]).toEqual([200, 61, null]);
    const again = await report('2026-01-01T09:00:00.200Z');
    expect([again.text, again.headers.get('Idempotency-Replayed')]).toEqual([first.text, 'true']);
  });

  describe('a position that is reported again', () => {
    const positions = (who: string, body: object = here, headers: Record<string, string> = {}) =>
      api.post(`${path}/positions`, { as: who, key: null, body, headers });
    let first: Awaited<ReturnType<typeof positions>>;
    beforeEach(async () => {
      await api.done(`${path}/assignment`, claim);
      first = await positions(as, here, { 'If-Match': '"1"' });
      expect([first.status, first.headers.get('Idempotency-Replayed')]).toEqual([200, null]);
    });
    const expectFirst = (reply: typeof first) => {
      expect([reply.status, reply.text]).toEqual([200, first.text]);
      for (const name of ['ETag', 'Consistency-Token']) expect(reply.headers.get(name)).toBe(first.headers.get(name));
      expect(reply.headers.get('Idempotency-Replayed')).toBe('true');
    };

    test('gets the first answer, whatever else the request says, also after a restart', async () => {
      expectFirst(await positions(as, here, { 'If-Match': '"1"' }));
      await api.restart();
      expectFirst(await positions(as, { ...here, latitude: 1 }, { 'If-Match': '"77"' }));
    });

    test('also when it is off the courier’s hands by now', async () => {
      await api.done(`${path}/release`, { as });
      await api.done(`${path}/assignment`, { as: 'courier:k2', body: { courierId: 'k2' } });
      expectFirst(await positions(as));
      await api.done(`${path}/pickup`, { as: 'courier:k2' });
      await api.done(`${path}/completion`, { as: 'courier:k2' });
      expectFirst(await positions(as));
      const later = { ...here, at: '2026-01-01T09:59:30Z' };
      await api.refused(`${path}/positions`, { as, key: null, body: later }, 403, 'forbidden');
    });

    test('by somebody else is none of theirs: they must have it, If-Match holds, and it changes nothing', async () => {
      await api.refused(`${path}/positions`, { as: 'courier:k2', key: null, body: here }, 403, 'forbidden');
      const operator = { as: 'operator:k1', key: null, body: here };
      const stale = { ...operator, headers: { 'If-Match': '"1"' } };
      await api.refused(`${path}/positions`, stale, 412, 'revision-mismatch');
      await api.done(`${path}/release`, { as });
      const { status, body, headers } = await api.post(`${path}/positions`, operator);
      expect([status, body.revision, headers.get('Idempotency-Replayed')]).toEqual([200, 3, null]);
    });

    test('by another courier who has it by now is another, however often either comes again', async () => {
      await api.done(`${path}/release`, { as });
      const other = 'courier:k2';
      await api.done(`${path}/assignment`, { as: other, body: { courierId: 'k2' } });
      const another = await positions(other);
      expect([another.body.revision, another.headers.get('Idempotency-Replayed')]).toEqual([5, null]);
      expectFirst(await positions(as));
      const again = await positions(other);
      expect([again.text, again.headers.get('Idempotency-Replayed')]).toEqual([another.text, 'true']);
      await api.restart();
      expectFirst(await positions(as));
      expect((await positions(other)).text).toBe(another.text);
    });

    test('is given back: it is no other courier’s to report on, who had it hears that it is open', async () => {
      await api.done(`${path}/release`, { as });
      await api.refused(`${path}/positions`, { as: 'courier:k2', key: null, body: here }, 403, 'forbidden');
      const later = { ...here, at: '2026-01-01T09:59:30Z' };
      await api.refused(`${path}/positions`, { as: 'courier:k2', key: null, body: later }, 403, 'forbidden');
      const problem = await api.refused(`${path}/positions`, { as, key: null, body: later }, 409, 'rule-violated');
      expect(problem['rule']).toBe('delivery-open');
    });

    test('is the same though the clock was set back: the future is refused for what is new', async () => {
      const hour = 3_600_000;
      const later = { ...here, at: '2026-01-01T09:59:30Z' };
      api.clock.advance(-hour);
      try {
        expectFirst(await positions(as));
        expect((await positions(as, later)).status).toBe(400);
      } finally {
        api.clock.advance(hour);
      }
    });

    test('twice at once is recorded once', async () => {
      const later = { ...here, at: '2026-01-01T09:59:30Z' };
      const replies = await Promise.all([positions(as, later), positions(as, later)]);
      expect(replies.map(({ status, text }) => [status, text])).toEqual(replies.map(() => [200, replies[0].text]));
      expect((await api.types(`delivery-${deliveryId}`)).filter((type) => type.endsWith('Reported'))).toHaveLength(2);
    });
  });

  describe('with a snapshot of it', () => {
    const timeOf = (minute: number): string => new Date(Date.UTC(2026, 0, 1) + minute * 60_000).toISOString();
    const report = (minute: number) =>
      api.done(`${path}/positions`, { as, key: null, body: { ...here, at: timeOf(minute) } });

    /** More reports than are remembered, as the first process to use it afterwards finds them. */
    async function reported(): Promise<number> {
      for (let minute = 2; minute < 2 * remembered; minute += 1) await report(minute);
      await api.snapshots.settled();
      await api.restart();
      const snapshot = await api.snapshotStore.load(`delivery-${deliveryId}`);
      expect(snapshot!.revision).toBeGreaterThan(remembered);
      return (await api.store.readStreamBackwards(`delivery-${deliveryId}`, Infinity, 1))[0]!.revision;
    }

    test('a request from before it is answered as it was', async () => {
      await api.done(`${path}/assignment`, claim);
      await api.done(`${path}/pickup`, { as });
      // Silence by its key alone: as another request it would be one more attempt that failed.
      const failed = { as, key: `failure ${deliveryId}`, body: { reason: 'nobody there', next: 'retry' } };
      const first = await api.post(`${path}/failure`, failed);
      const head = await reported();
      const again = await api.post(`${path}/failure`, failed);
      expect([again.status, again.text]).toEqual([200, first.text]);
      for (const header of ['ETag', 'Consistency-Token']) {
        expect(again.headers.get(header)).toBe(first.headers.get(header));
      }
      expect(again.headers.get('Idempotency-Replayed')).toBe('true');
      const body = { ...failed.body, reason: 'no such house' };
      await api.refused(`${path}/failure`, { ...failed, body }, 422, 'idempotency-key-reused');
      expect((await api.events(`delivery-${deliveryId}`)).at(-1)!.revision).toBe(head);
      expect(api.faults).toEqual([]);
    });

    test('a position that came long ago is known, one that did not is kept', async () => {
      await api.done(`${path}/assignment`, claim);
      const head = await reported();
      expect((await report(2)).revision).toBe(2);
      expect((await report(1)).revision).toBe(head + 1);
      expect((await report(1)).revision).toBe(head + 1);
      expect((await report(2 * remembered)).revision).toBe(head + 2);
    });
  });

  describe('with many positions', () => {
    const timeOf = (minute: number): string => new Date(Date.UTC(2026, 0, 1) + minute * 60_000).toISOString();
    const long = { ...here, at: '1970-01-01T00:00:00Z' };
    const report = (who: string, body: object) => api.post(`${path}/positions`, { as: who, key: null, body });
    beforeEach(async () => {
      await api.done(`${path}/assignment`, claim);
      for (let minute = 1; minute < 2 * remembered; minute += 1) {
        expect((await report(as, { ...here, at: timeOf(minute) })).status).toBe(200);
      }
      await report(as, { ...here, at: timeOf(2 * remembered) });
    });

    /** Events of it that are read meanwhile. */
    async function readsOf(work: () => Promise<unknown>): Promise<number> {
      const { readStream } = api.store;
      let read = 0;
      api.store.readStream = async (stream, from, limit) => {
        const events = await readStream(stream, from, limit);
        read += stream === `delivery-${deliveryId}` ? events.length : 0;
        return events;
      };
      try {
        await work();
      } finally {
        api.store.readStream = readStream;
      }
      return read;
    }

    test('no more than the last is read for a courier who never had it', async () => {
      const refused = async () => expect((await report('courier:k2', long)).status).toBe(403);
      expect(await readsOf(refused)).toBeLessThanOrEqual(1);
    });

    test('all are read once, however many come again', async () => {
      const read = await readsOf(async () => {
        for (let minute = 1; minute <= 20; minute += 1) {
          const { status, body, headers } = await report(as, { ...here, at: timeOf(minute) });
          expect([status, body.revision, body.status]).toEqual([200, 1 + minute, 'assigned']);
          expect(headers.get('Idempotency-Replayed')).toBe('true');
        }
      });
      expect(read).toBeLessThan(3 * remembered);
    });
  });

  test.each<[string, object, readonly string[]]>([
    ['beyond the poles', { ...here, latitude: 90.1, longitude: -180.1 }, ['/latitude', '/longitude']],
    ['no numbers', { ...here, latitude: '35', longitude: null }, ['/latitude', '/longitude']],
    ['in the future', { ...here, at: '2026-01-01T10:01:01Z' }, ['/at']],
    ['no time', { ...here, at: '2026-02-30T10:00:00Z' }, ['/at']],
    ['more than a position', { ...here, speed: 5 }, ['/speed']],
  ])('a position that is %s is refused', async (_case, body, expected) => {
    const problem = await api.refused(`${path}/positions`, { as, key: null, body }, 400, 'invalid-input');
    expect([...pointers(problem)].sort()).toEqual(expected);
  });

  test('bad input is refused, with pointers', async () => {
    const fault = async (call: string, body: unknown) =>
      [...pointers(await api.refused(`${path}/${call}`, { as, body }, 400, 'invalid-input'))].sort();
    expect(await fault('assignment', {})).toEqual(['/courierId']);
    expect(await fault('failure', { reason: ' ', next: 'maybe' })).toEqual(['/next', '/reason']);
    expect(await fault('completion', { proof: '' })).toEqual(['/proof']);
    expect(await fault('pickup', { now: true })).toEqual(['/now']);
  });

  test('a picked-up order is no longer cancelled', async () => {
    await api.done(`${path}/assignment`, claim);
    await api.done(`${path}/pickup`, { as });
    const cancel = { as: 'customer:ann', body: { reason: 'too late' } };
    const problem = await api.refused(`/v1/orders/${orderId}/cancellation`, cancel, 409, 'rule-violated');
    expect(problem['rule']).toBe('order-dispatched');
  });

  test('a cancelled order is not picked up, even before its delivery knows', async () => {
    await api.done(`${path}/assignment`, claim);
    await api.done(`/v1/orders/${orderId}/cancellation`, { as: 'customer:ann', body: { reason: 'in time' } });
    const problem = await api.refused(`${path}/pickup`, { as }, 409, 'rule-violated');
    expect(problem['rule']).toBe('order-cancelled');
    await fulfil();
    expect((await api.types(`delivery-${deliveryId}`)).at(-1)).toBe('DeliveryCancelled');
    const late = await api.refused(`${path}/pickup`, { as }, 409, 'rule-violated');
    expect(late['rule']).toBe('delivery-cancelled');
  });

  test('of cancelling and picking up at once exactly one wins', async () => {
    await api.done(`${path}/assignment`, claim);
    const [cancelled, pickedUp] = await Promise.all([
      api.post(`/v1/orders/${orderId}/cancellation`, { as: 'customer:ann', body: { reason: 'now' } }),
      api.post(`${path}/pickup`, { as }),
    ]);
    expect([cancelled.status, pickedUp.status].sort()).toEqual([200, 409]);
    await fulfil();
    expect((await api.types(`delivery-${deliveryId}`)).at(-1)).toBe(
      cancelled.status === 200 ? 'DeliveryCancelled' : 'DeliveryPickedUp',
    );
  });

  describe('a pick-up that something comes in between, once the order has left,', () => {
    const operator = 'operator:op';
    beforeEach(() => api.done(`${path}/assignment`, claim));

    /** Lets it happen once, right before the delivery hears that it was picked up. */
    function between(happening: () => Promise<unknown>): void {
      api.store.fate = async (_stream, events) => {
        if (events.some(({ type }) => type === 'DeliveryPickedUp')) {
          api.store.fate = () => 'done';
          await happening();
        }
        return 'done' as const;
      };
    }

    test('is done, though it was given back and claimed by another', async () => {
      between(async () => {
        await api.done(`${path}/release`, { as: operator });
        await api.done(`${path}/assignment`, { as: 'courier:k2', body: { courierId: 'k2' } });
      });
      expect((await api.done(`${path}/pickup`, { as })).status).toBe('picked_up');
      await fulfil();
      expect((await api.events(`delivery-${deliveryId}`)).at(-1)).toMatchObject({
        type: 'DeliveryPickedUp',
        data: { courierId: 'k1' },
      });
      await api.refused(`${path}/completion`, { as: 'courier:k2' }, 403, 'forbidden');
    });

    test('is done, though it is no longer at the revision at which it was to be', async () => {
      between(() => api.done(`${path}/positions`, { as, key: null, body: here }));
      const { status } = await api.post(`${path}/pickup`, { as, headers: { 'If-Match': '"1"' } });
      expect(status).toBe(200);
      await api.refused(`${path}/pickup`, { as, headers: { 'If-Match': '"1"' } }, 412, 'revision-mismatch');
    });
  });

  describe('a pick-up that died between the order and the delivery', () => {
    const key = 'half-way';
    beforeEach(async () => {
      await api.done(`${path}/assignment`, claim);
      api.store.fate = (stream) => (stream === `delivery-${deliveryId}` ? 'lost' : 'done');
      expect((await api.post(`${path}/pickup`, { as, key })).status).toBe(503);
      expect((await api.types(`order-${orderId}`)).at(-1)).toBe('OrderDispatched');
      api.store.fate = () => 'done';
    });

    test('is finished by the courier who tries again', async () => {
      const { status, headers } = await api.post(`${path}/pickup`, { as, key });
      expect([status, headers.get('Idempotency-Replayed')]).toEqual([200, null]);
      await fulfil();
      expect((await api.types(`order-${orderId}`)).filter((type) => type === 'OrderDispatched')).toHaveLength(1);
      expect((await api.types(`delivery-${deliveryId}`)).filter((type) => type === 'DeliveryPickedUp')).toHaveLength(1);
    });

    test('or by the process manager, as the very event that the courier’s request would have led to', async () => {
      await fulfil();
      const event = (await api.events(`delivery-${deliveryId}`)).at(-1);
      expect(event).toMatchObject({ type: 'DeliveryPickedUp', actor: { sub: 'k1', role: 'courier' } });
      const again = await api.post(`${path}/pickup`, { as, key });
      expect([again.status, again.body.revision]).toEqual([200, event!.revision]);
      expect(again.headers.get('Idempotency-Replayed')).toBe('true');
    });

    test('even if the courier gave it back meanwhile', async () => {
      await api.done(`${path}/release`, { as });
      await fulfil();
      expect((await api.events(`delivery-${deliveryId}`)).at(-1)).toMatchObject({
        type: 'DeliveryPickedUp',
        data: { courierId: 'k1' },
      });
    });
  });
});
