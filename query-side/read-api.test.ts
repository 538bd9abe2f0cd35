import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { differences } from '@waybill/infra/http/pages/openapi.js';
import type { Problem } from '@waybill/infra/http/problem.js';
import { readAccess } from './access.js';
import { readApiDocument } from './openapi.js';
import { readApiRoutes } from './read-api.js';
import type { Dependencies } from './reading/model.js';
import { place } from './testing/orders.js';
import { ReadSide } from './testing/read-side.js';

/** Only to be looked at, never called. */
const routes = readApiRoutes({
  readStore: {},
  events: {},
  keys: {},
  clock: {},
  steadyClock: {},
  timer: {},
} as Dependencies);

let side: ReadSide;
beforeAll(async () => {
  side = await ReadSide.open();
  await side.history(await place(side, 'some'));
});
afterAll(() => side.close());

test('the document describes the routes', () => {
  expect(differences(readApiDocument, routes)).toEqual([]);
});

test('the table says of each route, and of nothing else, who may call it', () => {
  expect(routes.map(({ method, path }) => `${method} ${path}`).toSorted()).toEqual(Object.keys(readAccess).toSorted());
});

describe.each(routes.map(({ path }) => path))('GET %s', (path) => {
  const address = path.replace(/:\w+/, 'some');

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
