import { beforeEach, expect, test } from '@jest/globals';
import { happening, type Happening } from '@waybill/projections/testing/history.js';
import { streamName } from '@waybill/shared-kernel/stream.js';
import { ada } from './testing/callers.js';
import { home } from './testing/orders.js';
import type { ReadSide, CallAs } from './testing/read-side.js';
import { readSideForEach } from './testing/read-side-for-each.js';

let side: ReadSide;

async function registered(customerId: string): Promise<Happening> {
  const [name, phone, address] = await Promise.all(
    ['Ada', '+82 2 123 4567', home].map((value) => side.sealed(customerId, value)),
  );
  const data = { customerId, name: name!, phone: phone!, address: address! };
  return happening(streamName('customer', customerId), customerId, { type: 'CustomerRegistered', data });
}

readSideForEach((opened) => {
  side = opened;
});
beforeEach(async () => {
  await side.history(await registered('ada'));
});

const open = { name: 'Ada', phone: '+82 2 123 4567', address: home };
const closed = { name: null, phone: null, address: null };

test.each([
  ['herself', ada, open],
  ['an operator', { sub: 'olive', roles: ['operator'] } satisfies CallAs, open],
  ['an auditor', { sub: 'otto', roles: ['auditor'] } satisfies CallAs, closed],
])('a customer is shown to %s', async (_who, as, shown) => {
  const { status, body } = await side.get('/v1/customers/ada', as);
  expect(status).toBe(200);
  expect(body).toEqual({
    customerId: 'ada',
    ...shown,
    erased: false,
    revision: 0,
    freshness: expect.anything() as unknown,
  });
});

test('nobody else learns whether there is one', async () => {
  const bob: CallAs = { sub: 'bob', roles: ['customer'] };
  const hidden = await side.get('/v1/customers/ada', bob);
  const missing = await side.get('/v1/customers/eve', bob);
  expect(hidden.status).toBe(404);
  expect(hidden.text.replaceAll('ada', 'eve')).toBe(missing.text);
});

test('without the key there is nothing personal', async () => {
  await side.get('/v1/customers/ada', ada);
  await side.keys.destroy('ada');
  expect((await side.get('/v1/customers/ada', ada)).body).toMatchObject(closed);
});

test('a change of address is waited for, by those who may see it', async () => {
  const address = await side.sealed('ada', { ...home, street: 'Gangnam-daero 2' });
  const data = { customerId: 'ada', address };
  const token = await side.happen(happening('customer-ada', 'ada', { type: 'CustomerAddressChanged', data }));
  const headers = { 'Consistency-Token': token };
  expect((await side.get('/v1/customers/ada', { sub: 'bob', roles: ['customer'], headers })).status).toBe(404);
  expect(side.waited).toBe(0);
  side.whileWaiting = () => side.project();
  const { body } = await side.get('/v1/customers/ada', { ...ada, headers });
  expect(body).toMatchObject({ address: { street: 'Gangnam-daero 2' }, revision: 1 });
});
