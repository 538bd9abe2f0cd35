import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { rolesOf, type Access, type Visibility } from '@waybill/infra/http/access.js';
import { roles, type Role } from '@waybill/infra/http/identity/caller.js';
import { assigned, happening, listed } from '@waybill/projections/testing/history.js';
import { deliveryIdOf, streamName } from '@waybill/shared-kernel/stream.js';
import { readAccess } from './access.js';
import { home, place, schedule } from './testing/orders.js';
import { ReadSide } from './testing/read-side.js';

type Operation = keyof typeof readAccess;

/** An order of `ada` with a line of `lumen`, which `cleo` brings, and a delivery that waits for a courier. */
let side: ReadSide;
beforeAll(async () => {
  side = await ReadSide.open();
  const [name, phone, address] = await Promise.all(['Ada', '1', home].map((value) => side.sealed('ada', value)));
  const data = { customerId: 'ada', name: name!, phone: phone!, address: address! };
  await side.history(
    listed('lamp-1'),
    happening(streamName('customer', 'ada'), 'ada', { type: 'CustomerRegistered', data }),
    await place(side, 'own'),
    await schedule(side, 'own'),
    assigned('own', 'cleo'),
    await place(side, 'waiting'),
    await schedule(side, 'waiting'),
  );
});
afterAll(async () => {
  expect(side.logged).toEqual([]);
  await side.close();
});

/** To whom what is asked for below is their own. */
const owners: Readonly<Record<Role, string>> = {
  customer: 'ada',
  merchant: 'lumen',
  courier: 'cleo',
  operator: 'olive',
  auditor: 'otto',
};
const ownerFilters: Partial<Record<Role, string>> = {
  customer: 'customerId=ada',
  merchant: 'merchantId=lumen',
  courier: 'courierId=cleo',
};
const lists: readonly Operation[] = ['GET /v1/orders', 'GET /v1/deliveries', 'GET /v1/reports/daily'];
const withPeople = /^GET \/v1\/(orders|deliveries|customers)(\/:\w+)?(\/timeline|\/data)?$/;

/** An address at which an operation asks for a thing that is the owner's, or nobody's yet. */
function addressOf(operation: Operation, role: Role, whose: 'own' | 'open' = 'own'): string {
  const path = operation
    .replace('GET ', '')
    .replace(':orderId', 'own')
    .replace(':deliveryId', deliveryIdOf(whose === 'own' ? 'own' : 'waiting'))
    .replace(':customerId', 'ada')
    .replace(':productId', 'lamp-1');
  if (!lists.includes(operation)) return path;
  const access: Access = readAccess[operation];
  const filter = whose === 'open' ? 'status=open' : access[role] && ownerFilters[role];
  return filter === undefined ? path : `${path}?${filter}`;
}

const operations = Object.entries(readAccess) as [Operation, Access][];
const cells = operations.flatMap(([operation, access]) => roles.map((role) => [operation, role, access] as const));

async function expectAnswer(
  operation: Operation,
  access: Access,
  asked: { readonly address: string; readonly sub: string; readonly roles: readonly Role[] },
  visibility: Visibility | undefined,
): Promise<void> {
  const { address, ...as } = asked;
  const { status, text } = await side.get(address, as);
  const isNamed = as.roles.some((role) => rolesOf(access).includes(role));
  expect([address, as, status]).toEqual([address, as, visibility !== undefined ? 200 : isNamed ? access.others : 403]);
  const showsPeople = visibility === 'personal' && withPeople.test(operation);
  if (visibility !== undefined) expect([address, as, text.includes(home.street)]).toEqual([address, as, showsPeople]);
}

describe.each(cells)('%s as %s', (operation, role, access: Access) => {
  const grant = access[role];

  test('of what is their own', async () => {
    const asked = { address: addressOf(operation, role), sub: owners[role], roles: [role] };
    await expectAnswer(operation, access, asked, grant?.any ?? grant?.own);
  });

  test("of somebody else's", async () => {
    const asked = { address: addressOf(operation, role), sub: 'stranger', roles: [role] };
    await expectAnswer(operation, access, asked, grant?.any);
  });

  if (operation.startsWith('GET /v1/deliveries')) {
    test("of what is nobody's yet", async () => {
      const asked = { address: addressOf(operation, role, 'open'), sub: 'stranger', roles: [role] };
      await expectAnswer(operation, access, asked, grant?.any ?? grant?.open);
    });
  }
});

describe.each(operations)('%s', (operation, access: Access) => {
  test('without a token', async () => {
    expect((await side.get(addressOf(operation, 'operator'), { token: 'a.b.c' })).status).toBe(401);
    const answer = await fetch(`${side.url}${addressOf(operation, 'operator')}`);
    expect(answer.status).toBe(401);
  });

  test('in several roles shows the most that any of them does', async () => {
    for (const role of roles) {
      const visibilities = [access.auditor?.any, access[role]?.any ?? access[role]?.own];
      const most = visibilities.includes('personal')
        ? 'personal'
        : visibilities.find((visibility) => visibility !== undefined);
      const address = addressOf(operation, role);
      for (const both of [['auditor', role] as const, [role, 'auditor'] as const]) {
        await expectAnswer(operation, access, { address, sub: owners[role], roles: [...new Set(both)] }, most);
      }
    }
  });
});
