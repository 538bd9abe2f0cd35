import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { stores } from '../testing/stores.js';
import { pointers, won, WriteApi } from '../testing/write-api.js';

describe.each(stores)('products over HTTP, %s', (_, open) => {
  let api: WriteApi;
  beforeAll(async () => {
    api = await WriteApi.start(open);
  });
  afterAll(() => api.close());
  const as = 'merchant:m1';
  const tea = { productId: 'tea', name: 'Tea', unitPrice: won(500), stock: 3 };

  test('a merchant lists a product, changes price and stock, and withdraws it', async () => {
    const listed = await api.post('/v1/products', { as, body: tea });
    expect(listed.status).toBe(201);
    expect(listed.body).toEqual({ productId: 'tea', revision: 0 });
    expect(listed.headers.get('Location')).toBe('http://read.example/v1/products/tea');
    expect(await api.done('/v1/products/tea/price', { as, body: { unitPrice: won(600) } })).toEqual({
      productId: 'tea',
      revision: 1,
    });
    expect((await api.done('/v1/products/tea/price', { as, body: { unitPrice: won(600) } })).revision).toBe(1);
    expect((await api.done('/v1/products/tea/stock', { as, body: { change: -2 } })).revision).toBe(2);
    const problem = await api.refused('/v1/products/tea/stock', { as, body: { change: -2 } }, 409, 'rule-violated');
    expect(problem['rule']).toBe('stock-below-zero');
    expect((await api.done('/v1/products/tea/withdrawal', { as })).revision).toBe(3);
    expect((await api.done('/v1/products/tea/withdrawal', { as, body: {} })).revision).toBe(3);
    await api.refused('/v1/products/tea/price', { as, body: { unitPrice: won(1) } }, 409, 'rule-violated');
    const [first] = await api.events('product-tea');
    expect(first).toMatchObject({
      type: 'ProductListed',
      partitionKey: 'tea',
      actor: { sub: 'm1', role: 'merchant' },
      data: { productId: 'tea', merchantId: 'm1', name: 'Tea', unitPrice: 500, currency: 'KRW', stock: 3 },
    });
  });

  test('an id that is not chosen is a UUID of version 7', async () => {
    const { productId } = await api.done('/v1/products', { as, body: { name: 'Rice', unitPrice: won(1) } });
    expect(productId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect((await api.events(`product-${productId}`))[0]?.data['stock']).toBeNull();
  });

  test('an id that is taken is refused', async () => {
    const body = { ...tea, productId: 'taken' };
    await api.done('/v1/products', { as, body });
    await api.refused('/v1/products', { as, body: { ...body, name: 'Other' } }, 409, 'id-taken');
    await api.refused('/v1/products', { as: 'merchant:m2', body }, 409, 'id-taken');
  });

  test('what is not theirs, or not there, is refused', async () => {
    await api.done('/v1/products', { as, body: { ...tea, productId: 'mine' } });
    await api.refused('/v1/products/mine/withdrawal', { as: 'merchant:m2' }, 403, 'forbidden');
    await api.refused('/v1/products/none/withdrawal', { as }, 404, 'not-found');
    await api.refused('/v1/products', { body: tea }, 401, 'unauthenticated');
    for (const role of ['customer', 'courier', 'operator', 'auditor']) {
      await api.refused('/v1/products', { as: `${role}:m1`, body: tea }, 403, 'forbidden');
      await api.refused('/v1/products/mine/withdrawal', { as: `${role}:m1` }, 403, 'forbidden');
    }
  });

  test.each<[string, unknown, readonly string[]]>([
    ['nothing', {}, ['/name', '/unitPrice']],
    ['a list', [], ['']],
    ['a text', 'tea', ['']],
    ['wrong types', { name: 5, unitPrice: '5', stock: '5' }, ['/name', '/stock', '/unitPrice']],
    ['blank and long texts', { name: ' ', unitPrice: won(1), productId: 'x'.repeat(65) }, ['/name', '/productId']],
    ['absurd numbers', { name: 'A', unitPrice: won(1e12 + 1), stock: -1 }, ['/stock', '/unitPrice/amount']],
    [
      'a broken amount',
      { name: 'A', unitPrice: { amount: 0.5, currency: 'krw' } },
      ['/unitPrice/amount', '/unitPrice/currency'],
    ],
    ['a null', { name: 'A', unitPrice: won(1), stock: null, productId: null }, ['/productId', '/stock']],
    ['unknown fields', { name: 'A', unitPrice: { ...won(1), tax: 1 }, 'a/b~c': 1 }, ['/a~1b~0c', '/unitPrice/tax']],
    [
      'names of every object',
      JSON.parse(
        '{"__proto__": {}, "constructor": 1, "toString": 2, "name": 3, "other": 4, "unitPrice": {"__proto__": 5}}',
      ),
      [
        '/__proto__',
        '/constructor',
        '/name',
        '/other',
        '/toString',
        '/unitPrice/__proto__',
        '/unitPrice/amount',
        '/unitPrice/currency',
      ],
    ],
    ['a deep nest', { name: JSON.parse(`${'['.repeat(20)}${']'.repeat(20)}`) as unknown }, [`/name${'/0'.repeat(8)}`]],
  ])('%s is refused, with pointers', async (_case, body, expected) => {
    const problem = await api.refused('/v1/products', { as, body }, 400, 'invalid-input');
    expect([...pointers(problem)].sort()).toEqual(expected);
  });

  test('a change of stock is a number of pieces', async () => {
    for (const change of [0, 0.5, 1e10, '1', null]) {
      const problem = await api.refused('/v1/products/x/stock', { as, body: { change } }, 400, 'invalid-input');
      expect(pointers(problem)).toEqual(['/change']);
    }
    const problem = await api.refused('/v1/products/x/withdrawal', { as, body: { why: 1 } }, 400, 'invalid-input');
    expect(pointers(problem)).toEqual(['/why']);
    await api.refused('/v1/products/x/withdrawal', { as, body: [] }, 400, 'invalid-input');
  });
});
