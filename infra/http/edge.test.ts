import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import pino from 'pino';
import { Registry } from 'prom-client';
import { virtualClock } from '../clock/seeded.js';
import { steadyClock } from '../clock/steady.js';
import { systemClock, systemRandomness } from '../clock/system.js';
import { readConfig } from '../process/config.js';
import { createApi } from './api.js';
import { issueDevelopmentToken, openDevelopmentKey, type DevelopmentKey } from './identity/development-key.js';
import { edgeOf } from './edge.js';
import { listen, type Listening } from './server/listen.js';
import { RateLimit } from './rate-limit.js';
import { json, route } from './route.js';
import { thingsDocument } from './testing/things-document.js';
import { createTokenVerifier } from './identity/tokens.js';

const shop = 'https://shop.example';
let folder: string;
let key: DevelopmentKey;
let server: Listening;
const clock = virtualClock('2026-01-01T00:00:00Z');

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-edge-'));
  key = await openDevelopmentKey(join(folder, 'development-key.json'));
  const api = createApi({
    routes: [
      route('GET', '/v1/things', () => json(200, {}, { Vary: 'Authorization' })),
      route('POST', '/v1/things', () => json(201, {}, { ETag: '"0"', Location: '/v1/things/t1' })),
    ],
    access: {
      'GET /v1/things': { customer: { any: 'personal' }, others: 403 },
      'POST /v1/things': { customer: { any: 'personal' }, others: 403 },
    },
    document: thingsDocument,
    metrics: new Registry(),
    verify: createTokenVerifier(key.trusted, { wallClock: systemClock, steadyClock }),
    rateLimit: new RateLimit(3, clock),
    corsOrigins: [shop, 'http://localhost:5173'],
    ready: () => Promise.resolve({ ready: true, checks: {} }),
    log: pino({ enabled: false }),
    randomness: systemRandomness,
  });
  server = await listen(api, { host: '127.0.0.1', port: 0, portVariable: 'PORT' });
});
afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});
beforeEach(() => clock.advance(60_000));

async function call(path: string, sub?: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  if (sub !== undefined) {
    const token = await issueDevelopmentToken(key, { sub, roles: ['customer'] }, systemClock);
    headers.set('Authorization', `Bearer ${token}`);
  }
  return fetch(`${server.url}${path}`, { ...init, headers });
}

const statuses = async (times: number, ask: () => Promise<Response>): Promise<readonly number[]> => {
  const answered: number[] = [];
  for (let time = 0; time < times; time += 1) answered.push((await ask()).status);
  return answered;
};

describe('past the rate limit', () => {
  test('a subject is told when to come again, and is let in then', async () => {
    expect(await statuses(3, () => call('/v1/things', 'ann'))).toEqual([200, 200, 200]);
    const refused = await call('/v1/things', 'ann', { method: 'POST' });
    expect([refused.status, refused.headers.get('Retry-After')]).toEqual([429, '20']);
    expect(refused.headers.get('Content-Type')).toBe('application/problem+json; charset=utf-8');
    expect(await refused.json()).toMatchObject({ type: 'urn:waybill:problem:too-many-requests', status: 429 });
    clock.advance(20_000);
    expect(await statuses(2, () => call('/v1/things', 'ann'))).toEqual([200, 429]);
  });

  test('others are not', async () => {
    expect(await statuses(4, () => call('/v1/things', 'bob'))).toEqual([200, 200, 200, 429]);
    expect((await call('/v1/things', 'eve')).status).toBe(200);
  });

  test('what brings no good token is counted by its address, and a good one is let in from there', async () => {
    const bad = () => call('/v1/things', undefined, { headers: { Authorization: 'Bearer a.b.c' } });
    expect(await statuses(2, bad)).toEqual([401, 401]);
    expect(await statuses(2, () => call('/v1/things'))).toEqual([401, 429]);
    expect((await bad()).headers.get('Retry-After')).toBe('20');
    expect((await call('/v1/things', 'kim')).status).toBe(200);
  });

  test('what takes no token is let through', async () => {
    for (const path of ['/healthz', '/readyz', '/metrics', '/openapi.json', '/docs']) {
      expect(await statuses(5, () => call(path))).toEqual([200, 200, 200, 200, 200]);
    }
  });

  test('it is seen in the metrics', async () => {
    await statuses(4, () => call('/v1/things', 'zoe'));
    expect(await (await call('/metrics')).text()).toMatch(
      /http_request_duration_seconds_count\{method="GET",route="\/v1\/things",status="429"\} [1-9]/,
    );
  });
});

describe('a page', () => {
  const from = (origin: string) => ({ headers: { Origin: origin } });

  test('of an origin of the list may call, and reads what answers say beside their bodies', async () => {
    const answer = await call('/v1/things', 'pat', { method: 'POST', ...from(shop) });
    expect(answer.status).toBe(201);
    expect(answer.headers.get('Access-Control-Allow-Origin')).toBe(shop);
    expect(answer.headers.get('Access-Control-Expose-Headers')?.split(', ')).toEqual(
      expect.arrayContaining([
        ...['ETag', 'Consistency-Token', 'Idempotency-Replayed', 'Location', 'Retry-After', 'X-Request-Id'],
      ]),
    );
  });

  test('is told of refusals too', async () => {
    for (const path of ['/v1/things', '/v1/nothing', '/openapi.json']) {
      const answer = await call(path, undefined, from('http://localhost:5173'));
      expect(answer.headers.get('Access-Control-Allow-Origin')).toBe('http://localhost:5173');
    }
  });

  test.each([['https://other.example'], [`${shop}.evil.example`], ['null'], ['http://shop.example']])(
    'of %s is told nothing',
    async (origin) => {
      const answer = await call('/v1/things', 'pat', from(origin));
      expect(answer.headers.get('Access-Control-Allow-Origin')).toBeNull();
      expect(answer.headers.get('Access-Control-Expose-Headers')).toBeNull();
    },
  );

  test('never gets what a cache kept for another', async () => {
    expect((await call('/v1/things', 'lee')).headers.get('Vary')?.split(', ').toSorted()).toEqual([
      'Authorization',
      'Origin',
    ]);
  });

  test('asks before with which methods and headers it may', async () => {
    const preflight = (origin: string) =>
      call('/v1/things', undefined, {
        method: 'OPTIONS',
        headers: { Origin: origin, 'Access-Control-Request-Method': 'POST' },
      });
    const answer = await preflight(shop);
    expect(answer.status).toBe(204);
    expect(answer.headers.get('Access-Control-Allow-Methods')).toContain('POST');
    for (const name of ['Authorization', 'Content-Type', 'Idempotency-Key', 'If-Match', 'Consistency-Token']) {
      expect(answer.headers.get('Access-Control-Allow-Headers')).toContain(name);
    }
    expect(answer.headers.get('Access-Control-Max-Age')).toBe('600');
    expect((await preflight('https://other.example')).headers.get('Access-Control-Allow-Headers')).toBeNull();
  });
});

test('nobody is limited or let in from elsewhere unless the configuration says so', () => {
  expect(edgeOf(readConfig({}))).toEqual({ rateLimit: undefined, corsOrigins: [] });
  expect(edgeOf(readConfig({ WAYBILL_RATE_LIMIT: '2' })).rateLimit?.take('ann')).toBe(0);
});
