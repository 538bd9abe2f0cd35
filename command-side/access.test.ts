import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { rolesOf, type Access } from '@waybill/infra/http/access.js';
import { roles, type Role } from '@waybill/infra/http/identity/caller.js';
import { webhookSecret } from '@waybill/infra/payment-gateway/testing/simulator-under-test.js';
import { webhookSignature, webhookSignatureHeader } from '@waybill/infra/http/webhook-signature.js';
import { deliveryIdOf } from '@waybill/shared-kernel/stream.js';
import { writeAccess } from './access.js';
import { writeApiDocument } from './openapi.js';
import { fulfilmentOf } from './testing/fulfilment.js';
import { stores } from './testing/stores.js';
import { address, won, WriteApi } from './testing/write-api.js';

/** The one that no token opens. */
const notice = 'POST /v1/payments/webhook';
type Operation = Exclude<keyof typeof writeAccess, typeof notice>;

/** To whom what is asked for below is their own. */
const owners: Readonly<Record<Role, string>> = {
  customer: 'ann',
  merchant: 'm1',
  courier: 'k1',
  operator: 'op',
  auditor: 'au',
};

/** What is asked, of a thing of its owners: of a customer, of a merchant's line, with a courier. */
const bodies: Readonly<Record<Operation, (made: string) => object | undefined>> = {
  'POST /v1/products': (made) => ({ productId: made, name: 'Tea', unitPrice: won(500) }),
  'POST /v1/products/:productId/price': () => ({ unitPrice: won(510) }),
  'POST /v1/products/:productId/stock': () => ({ change: 5 }),
  'POST /v1/products/:productId/withdrawal': () => undefined,
  'POST /v1/customers': () => ({ customerId: 'ann', name: 'Ann', phone: '1', address }),
  'POST /v1/customers/:customerId/address': () => ({ address }),
  'POST /v1/customers/:customerId/erasure': () => undefined,
  'POST /v1/orders': (made) => order(made),
  'POST /v1/orders/:orderId/cancellation': () => ({ reason: 'changed my mind' }),
  'POST /v1/deliveries/:deliveryId/assignment': () => ({ courierId: 'k1' }),
  'POST /v1/deliveries/:deliveryId/release': () => undefined,
  'POST /v1/deliveries/:deliveryId/pickup': () => undefined,
  'POST /v1/deliveries/:deliveryId/positions': () => ({ latitude: 35, longitude: 129, at: '2026-01-01T09:59:00Z' }),
  'POST /v1/deliveries/:deliveryId/completion': () => undefined,
  'POST /v1/deliveries/:deliveryId/failure': () => ({ reason: 'nobody home', next: 'retry' }),
  'POST /v1/deliveries/:deliveryId/return': () => undefined,
};

const order = (orderId: string) => ({
  orderId,
  customerId: 'ann',
  lines: [{ productId: 'tea', quantity: 1 }],
  payment: { token: 'tok_approve' },
});

let api: WriteApi;
let fulfil: () => Promise<void>;
let made = 0;

/** A delivery of its own for each question, with `k1` or nobody: what was asked before leaves no trace. */
async function deliver(orderId: string, isAssigned: boolean): Promise<void> {
  await fulfil();
  const claim = { as: 'courier:k1', body: { courierId: 'k1' } };
  if (isAssigned) await api.done(`/v1/deliveries/${deliveryIdOf(orderId)}/assignment`, claim);
}

/** The address of a thing that was made for this question alone. */
async function addressOf(operation: Operation, isOpen: boolean): Promise<string> {
  const orderId = `o${(made += 1)}`;
  const path = operation.replace('POST ', '');
  if (path.includes(':productId')) {
    await api.done('/v1/products', { as: 'merchant:m1', body: bodies['POST /v1/products'](orderId) });
  }
  // With an order under way a customer is not erased, and is there for what is asked next.
  if (path.includes(':orderId') || path.includes(':deliveryId') || path.endsWith('/erasure')) {
    await api.done('/v1/orders', { as: 'customer:ann', body: order(orderId) });
  }
  if (path.includes(':deliveryId')) await deliver(orderId, !isOpen && !path.endsWith('/assignment'));
  return path
    .replace(':productId', orderId)
    .replace(':customerId', 'ann')
    .replace(':orderId', orderId)
    .replace(':deliveryId', deliveryIdOf(orderId));
}

beforeAll(async () => {
  api = await WriteApi.start(stores[0]![1]);
  fulfil = fulfilmentOf(api);
  await api.done('/v1/products', { as: 'merchant:m1', body: { productId: 'tea', name: 'Tea', unitPrice: won(500) } });
  await api.done('/v1/customers', { as: 'customer:ann', body: { name: 'Ann', phone: '1', address } });
});
afterAll(() => api.close());

/** Whoever gets in is done or refused by the state of things: that is not for here. */
async function statusOf(operation: Operation, as: string | undefined, isOpen = false): Promise<number> {
  const path = await addressOf(operation, isOpen);
  const body = bodies[operation](`new${made}`);
  const asked = { ...(as !== undefined && { as }), ...(body !== undefined && { body }) };
  const { status } = await api.post(path, asked);
  return [200, 201, 409].includes(status) ? 200 : status;
}

const operations = Object.entries(writeAccess).filter(([, access]) => access !== 'signed') as [Operation, Access][];
const cells = operations.flatMap(([operation, access]) => roles.map((role) => [operation, role, access] as const));

/** What is made for whoever asks is always their own. */
const isTheirsWhoMakesIt = (operation: Operation): boolean => operation === 'POST /v1/products';

describe.each(cells)('%s as %s', (operation, role, access: Access) => {
  const grant = access[role];
  const refused = grant === undefined ? 403 : access.others;

  test('of what is their own', async () => {
    const isTheirs = grant?.any !== undefined || grant?.own !== undefined;
    expect(await statusOf(operation, `${role}:${owners[role]}`)).toBe(isTheirs ? 200 : refused);
  });

  test("of somebody else's", async () => {
    const isTheirs = grant?.any !== undefined || (grant?.own !== undefined && isTheirsWhoMakesIt(operation));
    expect(await statusOf(operation, `${role}:stranger`)).toBe(isTheirs ? 200 : refused);
  });

  if (grant?.open !== undefined) {
    test("of what is nobody's yet", async () => {
      expect(await statusOf(operation, `${role}:stranger`, true)).toBe(200);
    });
  }
});

describe.each(operations)('%s', (operation, access: Access) => {
  test('without a token', async () => {
    expect(await statusOf(operation, undefined)).toBe(401);
  });

  test('in several roles is for whoever may in one of them', async () => {
    for (const role of rolesOf(access)) expect(await statusOf(operation, `auditor+${role}:${owners[role]}`)).toBe(200);
    const everyOwner = `${roles.filter((role) => role !== 'operator').join('+')}:stranger`;
    expect(await statusOf(operation, everyOwner)).toBe(isTheirsWhoMakesIt(operation) ? 200 : access.others);
  });

  test('is described as the table says', () => {
    const path = operation.replace('POST ', '').replace(/:(\w+)/g, '{$1}');
    const described = writeApiDocument.paths[path]?.post;
    expect(Object.keys(described?.['x-roles'] ?? {})).toEqual(rolesOf(access));
    expect(described?.security).toEqual([{ bearer: [] }]);
  });
});

describe(notice, () => {
  const path = notice.replace('POST ', '');
  const body = { reference: 'nobody', status: 'authorised' };
  const headers = { [webhookSignatureHeader]: webhookSignature(webhookSecret, JSON.stringify(body)) };

  test.each(roles)('as %s', async (role) => {
    expect(await api.post(path, { as: `${role}:${owners[role]}`, body })).toMatchObject({ status: 401 });
  });

  test('without a token', async () => {
    expect(await api.post(path, { body })).toMatchObject({ status: 401 });
  });

  test('signed, whoever brings it', async () => {
    expect(await api.post(path, { body, headers })).toMatchObject({ status: 204 });
    expect(await api.post(path, { as: 'customer:stranger', body, headers })).toMatchObject({ status: 204 });
  });

  test('is described as the table says', () => {
    expect(writeAccess[notice]).toBe('signed');
    expect(writeApiDocument.paths[path]?.post).toMatchObject({ security: [{ signature: [] }], 'x-roles': {} });
  });
});

test('the table says of each route, and of nothing else, who may call it', () => {
  const served = api.routes().map(({ method, path }) => `${method} ${path}`);
  expect(served.toSorted()).toEqual(Object.keys(writeAccess).toSorted());
});
