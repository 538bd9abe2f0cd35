import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { roles } from '@waybill/infra/http/caller.js';
import { callableBy, differences, openApiPath } from '@waybill/infra/http/openapi.js';
import type { Problem } from '@waybill/infra/http/problem.js';
import { readApiDocument } from './openapi.js';
import { readApiRoutes } from './read-api.js';
import type { Means } from './model.js';
import { place } from './testing/orders.js';
import { ReadSide } from './testing/read-side.js';

/** Only to be looked at, never called. */
const routes = readApiRoutes({ readStore: {}, events: {}, keys: {}, clock: {}, timer: {} } as Means);

let side: ReadSide;
beforeAll(async () => {
  side = await ReadSide.open();
  await side.history(await place(side, 'some'));
});
afterAll(() => side.close());

test('the document describes the routes, and who may call them', () => {
  expect(differences(readApiDocument, routes)).toEqual([]);
  for (const route of routes) {
    expect(readApiDocument.paths[openApiPath(route.path)]?.get?.description).toContain(callableBy(...route.roles));
  }
});

describe.each(routes.map(({ path, roles: allowed }) => [path, allowed] as const))('GET %s', (path, allowed) => {
  const address = path.replace(/:\w+/, 'some');

  test('takes a token', async () => {
    expect((await side.get(address, { token: 'a.b.c' })).status).toBe(401);
  });

  test('is for its roles alone', async () => {
    for (const role of roles) {
      const { status } = await side.get(address, { sub: 'x', roles: [role] });
      if (allowed.includes(role)) expect(status).not.toBe(403);
      else expect(status).toBe(403);
    }
  });

  test('refuses parameters that it does not know', async () => {
    const { status, body } = await side.get<Problem>(`${address}?limits=5`);
    expect(status).toBe(400);
    expect(body.errors).toMatchObject([{ parameter: 'limits' }]);
  });

  test('refuses a Consistency-Token that is none', async () => {
    const { status, body } = await side.get<Problem>(address, { headers: { 'Consistency-Token': 'nonsense' } });
    expect(status).toBe(400);
    expect(body.errors).toMatchObject([{ parameter: 'Consistency-Token' }]);
  });

  if (path.includes(':')) {
    test('refuses what is no id', async () => {
      const { status } = await side.get(path.replace(/:\w+/, 'no%20id'));
      expect(status).toBe(400);
    });

    test('has nothing to say of what is not there', async () => {
      const { status, body } = await side.get<Problem>(path.replace(/:\w+/, 'nothing'));
      expect(status).toBe(404);
      expect(body.type).toBe('urn:waybill:problem:not-found');
    });
  }
});

test('nothing above was a fault of ours', () => {
  expect(side.logged).toEqual([]);
});
