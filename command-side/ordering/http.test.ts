import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { decodeConsistencyToken } from '@waybill/shared-kernel/consistency-token.js';
import { unseal } from '@waybill/shared-kernel/personal-data.js';
import { stores } from '../testing/stores.js';
import { address, pointers, won, WriteApi } from '../testing/write-api.js';

describe.each(stores)('orders over HTTP, %s', (_, open) => {
  let api: WriteApi;
  beforeAll(async () => {
    api = await WriteApi.start(open);
    const as = 'merchant:m1';
    await api.done('/v1/products', { as, body: { productId: 'tea', name: 'Tea', unitPrice: won(500) } });
    await api.done('/v1/products', {
      as: 'merchant:m2',
      body: { productId: 'rice', name: 'Rice', unitPrice: won(90) },
    });
    await api.done('/v1/products', { as, body: { productId: 'gold', name: 'Gold', unitPrice: won(1e12) } });
    await api.done('/v1/products', { as, body: { productId: 'gone', name: 'Gone', unitPrice: won(1) } });
    await api.done('/v1/products/gone/withdrawal', { as });
    const unitPrice = { amount: 5, currency: 'EUR' };
    await api.done('/v1/products', { as, body: { productId: 'beer', name: 'Beer', unitPrice } });
    for (const sub of ['ann', 'bob']) {
      await api.done('/v1/customers', { as: `customer:${sub}`, body: { name: sub, phone: '1', address } });
    }
  });
  afterAll(() => api.close());

  const as = 'customer:ann';
  const lines = [
    { productId: 'tea', quantity: 2 },
    { productId: 'rice', quantity: 10 },
  ];
  const payment = { token: 'tok_approve' };
  const cart = { customerId: 'ann', lines, payment };

  test('a customer orders at the prices of the catalogue', async () => {
    const { status, headers, body } = await api.post('/v1/orders', {
      as,
      body: cart,
      headers: { 'X-Request-Id': 'r1' },
    });
    const { orderId } = body;
    expect(status).toBe(201);
    expect(body).toEqual({
      orderId: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7/) as unknown,
      status: 'placed',
      revision: 0,
    });
    expect(headers.get('Location')).toBe(`http://read.example/v1/orders/${orderId}`);
    expect(headers.get('ETag')).toBe('"0"');
    const [event] = await api.events(`order-${orderId}`);
    expect(decodeConsistencyToken(headers.get('Consistency-Token')!)).toEqual({
      stream: `order-${orderId}`,
      revision: 0,
      position: event!.position,
      partitionKey: orderId,
    });
    const [registered] = await api.events('customer-ann');
    expect(event).toMatchObject({
      type: 'OrderPlaced',
      partitionKey: orderId,
      occurredAt: '2026-01-01T10:00:00.000Z',
      correlationId: 'r1',
      actor: { sub: 'ann', role: 'customer' },
      data: {
        orderId,
        customerId: 'ann',
        lines: [
          { productId: 'tea', merchantId: 'm1', name: 'Tea', quantity: 2, unitPrice: 500, freight: null },
          { productId: 'rice', merchantId: 'm2', name: 'Rice', quantity: 10, unitPrice: 90, freight: null },
        ],
        currency: 'KRW',
        total: 1900,
        deliveryAddress: registered!.data['address'],
        paymentToken: 'tok_approve',
        promisedBy: null,
      },
    });
  });

  test('elsewhere than to the own address, which is sealed like it', async () => {
    const deliveryAddress = { street: 'Mountain Lane 7', city: 'Daegu', postalCode: '41000' };
    const { orderId } = await api.done('/v1/orders', { as, body: { ...cart, deliveryAddress } });
    const [event] = await api.events(`order-${orderId}`);
    expect(JSON.stringify(event)).not.toContain('Mountain');
    const sealed = event!.data['deliveryAddress'] as string;
    expect(unseal(sealed, (await api.keys.find('ann'))!)).toEqual(deliveryAddress);
  });

  test('an operator orders for a customer, under an id of their own choice', async () => {
    const body = { ...cart, orderId: 'chosen' };
    expect(await api.done('/v1/orders', { as: 'operator:op', body })).toEqual({
      orderId: 'chosen',
      status: 'placed',
      revision: 0,
    });
    await api.refused('/v1/orders', { as, body }, 409, 'id-taken');
  });

  test('nobody orders for somebody else', async () => {
    await api.refused('/v1/orders', { as: 'customer:bob', body: cart }, 403, 'forbidden');
    await api.refused('/v1/orders', { body: cart }, 401, 'unauthenticated');
    for (const role of ['courier', 'merchant', 'auditor']) {
      await api.refused('/v1/orders', { as: `${role}:ann`, body: cart }, 403, 'forbidden');
    }
  });

  test.each<[string, object, readonly string[]]>([
    [
      'products that are not there or withdrawn',
      { lines: [lines[0], { productId: 'gone', quantity: 1 }, { productId: 'none', quantity: 1 }] },
      ['/lines/1/productId', '/lines/2/productId'],
    ],
    ['two currencies', { lines: [lines[0], { productId: 'beer', quantity: 1 }] }, ['/lines/1/productId']],
    ['more money than there is', { lines: Array(100).fill({ productId: 'gold', quantity: 1000 }) }, ['/lines']],
    [
      'absurd quantities',
      { lines: [0, -1, 1001, 1.5, '2', null].map((quantity) => ({ productId: 'tea', quantity })) },
      [0, 1, 2, 3, 4, 5].map((line) => `/lines/${line}/quantity`),
    ],
    ['no lines', { lines: [] }, ['/lines']],
    ['too many lines', { lines: Array(101).fill(lines[0]) }, ['/lines']],
    ['lines that are none', { lines: [lines[0], null, 7, []] }, ['/lines/1', '/lines/2', '/lines/3']],
    ['lines that are no list', { lines: lines[0] }, ['/lines']],
    ['a price from the client', { lines: [{ ...lines[0], unitPrice: 1 }] }, ['/lines/0/unitPrice']],
    ['no payment', { payment: null }, ['/payment']],
    ['a payment without a token', { payment: {} }, ['/payment/token']],
    ['half an address', { deliveryAddress: { street: 'x' } }, ['/deliveryAddress/city', '/deliveryAddress/postalCode']],
    ['bad ids', { orderId: 'a/b' }, ['/orderId']],
  ])('%s: refused, with pointers', async (_case, change, expected) => {
    const problem = await api.refused('/v1/orders', { as, body: { ...cart, ...change } }, 400, 'invalid-input');
    expect([...pointers(problem)].sort()).toEqual(expected);
  });

  test('a customer who is not there cannot order', async () => {
    const body = { ...cart, customerId: 'nobody' };
    for (const who of ['customer:nobody', 'operator:op']) {
      expect(pointers(await api.refused('/v1/orders', { as: who, body }, 400, 'invalid-input'))).toEqual([
        '/customerId',
      ]);
    }
  });

  test.each(['customer:ann', 'merchant:m1', 'merchant:m2', 'operator:op'])('%s cancels', async (who) => {
    const { orderId } = await api.done('/v1/orders', { as, body: cart });
    const cancellation = `/v1/orders/${orderId}/cancellation`;
    const cancelled = await api.done(cancellation, { as: who, body: { reason: 'changed my mind' } });
    expect(cancelled).toEqual({ orderId, status: 'cancelled', revision: 1 });
    expect(await api.done(cancellation, { as: who, body: { reason: 'again' } })).toEqual(cancelled);
    expect((await api.events(`order-${orderId}`)).slice(1)).toMatchObject([
      { type: 'OrderCancelled', data: { reason: 'changed my mind', by: who.split(':')[0], timeEstimated: false } },
    ]);
  });

  test('an order that is not theirs is as one that is not there', async () => {
    const { orderId } = await api.done('/v1/orders', { as, body: cart });
    const body = { reason: 'envy' };
    for (const who of ['customer:bob', 'merchant:m3', 'customer:m1', 'merchant:ann']) {
      await api.refused(`/v1/orders/${orderId}/cancellation`, { as: who, body }, 404, 'not-found');
    }
    await api.refused('/v1/orders/none/cancellation', { as: 'operator:op', body }, 404, 'not-found');
    for (const who of ['courier:ann', 'auditor:ann']) {
      await api.refused(`/v1/orders/${orderId}/cancellation`, { as: who, body }, 403, 'forbidden');
    }
    await api.refused(`/v1/orders/${orderId}/cancellation`, { as, body: {} }, 400, 'invalid-input');
  });

  test('imported history takes no commands', async () => {
    const { orderId } = await api.done('/v1/orders', { as, body: { ...cart, orderId: 'sample' } });
    const [{ stream: _stream, revision: _revision, position: _position, recordedAt: _at, ...event }] =
      (await api.events(`order-${orderId}`)) as [Awaited<ReturnType<typeof api.events>>[number]];
    await api.store.append('order-old', -1, [{ ...event, id: '6c7b8a3e-0000-4000-8000-000000000001', imported: true }]);
    const problem = await api.refused(
      '/v1/orders/old/cancellation',
      { as, body: { reason: 'late' } },
      409,
      'rule-violated',
    );
    expect(problem['rule']).toBe('imported-history');
  });
});
