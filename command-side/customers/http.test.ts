import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { subjectOf, unseal } from '@waybill/shared-kernel/personal-data.js';
import { stores } from '../testing/stores.js';
import { address, pointers, WriteApi } from '../testing/write-api.js';
import { mostAddressChangesADay } from './customer.js';

describe.each(stores)('customers over HTTP, %s', (_, open) => {
  let api: WriteApi;
  beforeAll(async () => {
    api = await WriteApi.start(open);
  });
  afterAll(() => api.close());
  const ann = { name: 'Ann Kim', phone: '+82 10 1234 5678', address };

  test('a customer registers under their sub and moves', async () => {
    const registered = await api.post('/v1/customers', { as: 'customer:ann', body: ann });
    expect(registered.status).toBe(201);
    expect(registered.body).toEqual({ customerId: 'ann', revision: 0 });
    expect(registered.headers.get('Location')).toBe('http://read.example/v1/customers/ann');
    const elsewhere = { ...address, city: 'Seoul' };
    const move = { as: 'customer:ann', body: { address: elsewhere } };
    expect((await api.done('/v1/customers/ann/address', move)).revision).toBe(1);
    expect((await api.done('/v1/customers/ann/address', move)).revision).toBe(1);
  });

  test('a customer moves so often a day; what was done before is answered again, and tomorrow is another day', async () => {
    const as = 'customer:lou';
    await api.done('/v1/customers', { as, body: ann });
    const move = (count: number) => ({
      as,
      key: `move ${count}`,
      body: { address: { ...address, city: `City ${count}` } },
    });
    for (let count = 1; count <= mostAddressChangesADay; count += 1) {
      expect((await api.done('/v1/customers/lou/address', move(count))).revision).toBe(count);
    }
    const next = move(mostAddressChangesADay + 1);
    const { status, headers, body } = await api.post('/v1/customers/lou/address', next);
    expect([status, headers.get('Retry-After'), body['limit']]).toEqual([
      429,
      String(14 * 3600),
      'address-changes-of-day',
    ]);
    expect((await api.done('/v1/customers/lou/address', move(1))).revision).toBe(1);
    const hours = 3_600_000;
    api.clock.advance(14 * hours);
    try {
      expect((await api.done('/v1/customers/lou/address', next)).revision).toBe(mostAddressChangesADay + 1);
    } finally {
      api.clock.advance(-14 * hours);
    }
  });

  test('an operator registers anybody', async () => {
    const as = 'operator:op';
    expect((await api.done('/v1/customers', { as, body: { ...ann, customerId: 'bob' } })).customerId).toBe('bob');
    const { customerId } = await api.done('/v1/customers', { as, body: ann });
    expect(customerId).toMatch(/-7/);
    await api.done(`/v1/customers/${customerId}/address`, { as, body: { address } });
  });

  test('what is personal is sealed with the customer’s key before it is an event', async () => {
    await api.done('/v1/customers', { as: 'customer:eve', body: ann });
    const [event] = await api.events('customer-eve');
    const text = JSON.stringify(event);
    for (const secret of ['Ann', 'Kim', '1234', 'Harbour', 'Busan', '48058']) expect(text).not.toContain(secret);
    const key = (await api.keys.find('eve'))!;
    const { name, phone, address: sealed } = event!.data as Record<string, string>;
    expect(subjectOf(name!)).toBe('eve');
    expect([unseal(name!, key), unseal(phone!, key), unseal(sealed!, key)]).toEqual([ann.name, ann.phone, address]);
  });

  test('what is personal is sealed in a snapshot too', async () => {
    const as = 'customer:kim';
    await api.done('/v1/customers', { as, body: ann });
    for (const city of ['Seoul', 'Busan', 'Daegu']) {
      await api.done('/v1/customers/kim/address', { as, body: { address: { ...address, city } } });
    }
    await api.snapshots.settled();
    const { text } = (await api.snapshotStore.load('customer-kim'))!;
    expect(text).toContain('sealed.1.kim.');
    for (const secret of ['Ann', '1234', 'Harbour', 'Seoul', 'Busan', 'Daegu', '48058']) {
      expect(text).not.toContain(secret);
    }
  });

  test('nobody registers or moves somebody else', async () => {
    await api.done('/v1/customers', { as: 'customer:zoe', body: ann });
    await api.refused('/v1/customers', { as: 'customer:zoe', body: { ...ann, customerId: 'max' } }, 403, 'forbidden');
    await api.refused('/v1/customers/zoe/address', { as: 'customer:max', body: { address } }, 404, 'not-found');
    await api.refused('/v1/customers/nobody/address', { as: 'operator:op', body: { address } }, 404, 'not-found');
    await api.refused('/v1/customers', { as: 'customer:zoe', body: ann }, 409, 'id-taken');
    await api.refused('/v1/customers', { body: ann }, 401, 'unauthenticated');
    for (const role of ['courier', 'merchant', 'auditor']) {
      await api.refused('/v1/customers', { as: `${role}:zoe`, body: ann }, 403, 'forbidden');
      await api.refused('/v1/customers/zoe/address', { as: `${role}:zoe`, body: { address } }, 403, 'forbidden');
    }
  });

  test('a destroyed key stays so', async () => {
    await api.done('/v1/customers', { as: 'customer:gone', body: ann });
    await api.keys.destroy('gone');
    const problem = await api.refused(
      '/v1/customers/gone/address',
      { as: 'customer:gone', body: { address } },
      409,
      'rule-violated',
    );
    expect(problem['rule']).toBe('customer-erased');
  });

  test('bad input is refused, with pointers', async () => {
    const body = { customerId: 'a b', name: '', phone: '1'.repeat(41), address: { street: 'x', city: 5, zip: '1' } };
    const problem = await api.refused('/v1/customers', { as: 'operator:op', body }, 400, 'invalid-input');
    expect([...pointers(problem)].sort()).toEqual([
      '/address/city',
      '/address/postalCode',
      '/address/zip',
      '/customerId',
      '/name',
      '/phone',
    ]);
    for (const bad of [null, [], 'x', [address]]) {
      const about = await api.refused(
        '/v1/customers/zoe/address',
        { as: 'operator:op', body: { address: bad } },
        400,
        'invalid-input',
      );
      expect(new Set(pointers(about))).toEqual(new Set(['/address']));
    }
  });
});
