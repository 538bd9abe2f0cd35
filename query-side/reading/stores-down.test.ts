import { beforeEach, describe, expect, test } from '@jest/globals';
import type { Problem } from '@waybill/infra/http/problem.js';
import { orders } from '@waybill/projections/read-models/orders.js';
import { confirmed, listed } from '@waybill/projections/testing/history.js';
import { deliveryIdOf } from '@waybill/shared-kernel/stream.js';
import { ada, olive } from '../testing/callers.js';
import { place, schedule } from '../testing/orders.js';
import type { CallAs, ReadSide } from '../testing/read-side.js';
import { readSideForEach } from '../testing/read-side-for-each.js';

let side: ReadSide;
readSideForEach((opened) => {
  side = opened;
});

const ofReadModels = [
  '/v1/orders',
  '/v1/orders/o1',
  '/v1/orders/o1/tracking',
  '/v1/deliveries',
  `/v1/deliveries/${deliveryIdOf('o1')}`,
  '/v1/products',
  '/v1/products/P-1',
  '/v1/reports/daily',
];
const ofLog = ['/v1/orders/o1/timeline', '/v1/orders/o1?asOf=2027-01-01T00:00:00Z'];

interface Fresh {
  readonly freshness: { readonly lagMs: number };
}

async function lagOf(path: string, as: CallAs = olive): Promise<number> {
  const { status, body } = await side.get<Fresh>(path, as);
  expect({ path, status }).toEqual({ path, status: 200 });
  return body.freshness.lagMs;
}

async function expectRefused(path: string, what: string, as: CallAs = olive): Promise<void> {
  const { status, headers, body } = await side.get<Problem>(path, as);
  expect({ path, status }).toEqual({ path, status: 503 });
  expect(headers.get('content-type')).toContain('application/problem+json');
  expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
  expect(body).toMatchObject({ type: 'urn:waybill:problem:unavailable', detail: expect.stringContaining(what) });
  expect(side.logged.splice(0)).toHaveLength(1);
}

let token: string;
beforeEach(async () => {
  token = await side.happen(await place(side, 'o1'));
  await side.history(await schedule(side, 'o1'), listed('P-1'));
  for (const path of ofReadModels) expect(await lagOf(path)).toBe(0);
});

describe('while the event store is down', () => {
  beforeEach(() => {
    side.down.add('event store');
    side.pass(700);
  });

  test('what is projected is read, and may be so old', async () => {
    for (const path of ofReadModels) expect(await lagOf(path)).toBe(700);
    side.pass(300);
    for (const path of ofReadModels) expect(await lagOf(path)).toBe(1_000);
  });

  test('an answer of before is not given again as if nothing could have happened, nor one of then afterwards', async () => {
    for (const path of ofReadModels) expect(await lagOf(path)).toBe(700);
    side.down.clear();
    side.pass(1_000);
    // Who asks first has the log looked at, and does not wait for it.
    for (const path of ofReadModels) await lagOf(path);
    for (const path of ofReadModels) expect(await lagOf(path)).toBe(0);
    side.down.add('event store');
    side.pass(400);
    for (const path of ofReadModels) expect(await lagOf(path)).toBe(400);
  });

  test('whoever asks for a write that is projected gets it', async () => {
    const headers = { 'consistency-token': token };
    for (const path of ['/v1/orders/o1', `/v1/deliveries/${deliveryIdOf('o1')}`]) {
      expect(await lagOf(path, { ...ada, headers })).toBe(700);
    }
  });

  test('nothing is said of what only the log may know', async () => {
    for (const path of ofLog) await expectRefused(path, 'event store');
    await expectRefused('/v1/orders/o2', 'event store', { ...ada, headers: { 'consistency-token': token } });
  });

  test('a version that is switched to is read all the same', async () => {
    side.down.clear();
    await side.rebuild(orders);
    side.down.add('event store');
    side.pass(1_000);
    await lagOf('/v1/orders/o1');
    expect(side.waited).toBe(1_000);
    await side.history(confirmed('o1'));
    expect((await side.get('/v1/orders/o1')).body).toMatchObject({ status: 'confirmed' });
    expect(side.waited).toBe(1_000);
  });
});

describe('while the read store is down', () => {
  beforeEach(() => {
    side.down.add('read store');
    side.pass(1_000);
  });

  test('reads of it are refused for now, and go on when it is back', async () => {
    for (const path of ofReadModels) await expectRefused(path, 'read store');
    const headers = { 'consistency-token': token, prefer: 'wait=10' };
    await expectRefused('/v1/orders/o1', 'read store', { headers });
    expect(side.waited).toBe(0);
    side.down.clear();
    for (const path of ofReadModels) expect(await lagOf(path)).toBe(0);
  });

  test('what the log alone knows is told', async () => {
    for (const path of ofLog) expect(await side.get(path)).toMatchObject({ status: 200 });
  });
});
