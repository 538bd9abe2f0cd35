import { mkdtemp, rm } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import pino from 'pino';
import { Gauge, Registry } from 'prom-client';
import { NotFound, Unavailable } from '@waybill/shared-kernel/errors.js';
import { steadyClock } from '../clock/steady.js';
import { systemClock, systemRandomness } from '../clock/system.js';
import type { AccessTable } from './access.js';
import { createApi } from './api.js';
import { roles, type Role } from './identity/caller.js';
import { issueDevelopmentToken, openDevelopmentKey, type DevelopmentKey } from './identity/development-key.js';
import { listen, type Listening } from './server/listen.js';
import type { OpenApiDocument } from './pages/openapi.js';
import type { Problem } from './problem.js';
import type { Readiness } from './pages/public-pages.js';
import { json, route, type ApiRequest } from './route.js';
import { createTokenVerifier } from './identity/tokens.js';

const document: OpenApiDocument = {
  openapi: '3.1.0',
  info: { title: 'A <test> API', version: '1' },
  paths: {},
  components: { schemas: {}, securitySchemes: {} },
};

let folder: string;
let key: DevelopmentKey;
let server: Listening;
let seen: ApiRequest[] = [];
let logged: string[] = [];
let readiness: Readiness;
let customer: string;

const anyOfCustomers = { customer: { any: 'personal' }, others: 403 } as const;
const access: AccessTable = {
  'GET /v1/things/:thingId': { customer: { any: 'personal' }, operator: { any: 'personal' }, others: 403 },
  'POST /v1/things/:thingId/name': anyOfCustomers,
  'GET /v1/missing': anyOfCustomers,
  'GET /v1/broken': anyOfCustomers,
  'GET /v1/down': anyOfCustomers,
  'GET /v1/unchanged': anyOfCustomers,
};

const routes = [
  route('GET', '/v1/things/:thingId', (request) => {
    seen.push(request);
    return json(200, { id: request.params.thingId }, { ETag: 'W/"1"' });
  }),
  route('POST', '/v1/things/:thingId/name', (request) => {
    seen.push(request);
    return json(200, { took: request.body ?? null });
  }),
  route('GET', '/v1/missing', () => {
    throw new NotFound('thing', 't9');
  }),
  route('GET', '/v1/broken', () => Promise.reject(new Error('secret inside'))),
  route('GET', '/v1/down', () => {
    throw new Unavailable('read store', 'It is away.', { cause: new Error('somewhere inside') });
  }),
  route('GET', '/v1/unchanged', () => ({ status: 304, headers: { ETag: 'W/"1"' } })),
  route('GET', '/v1/unlisted', (request) => {
    seen.push(request);
    return json(200, {});
  }),
];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-api-'));
  key = await openDevelopmentKey(join(folder, 'development-key.json'));
  customer = await tokenOf('customer');
  const metrics = new Registry();
  new Gauge({ name: 'answers', help: 'To everything.', registers: [metrics] }).set(42);
  const api = createApi({
    routes,
    access,
    document,
    metrics,
    verify: createTokenVerifier(key.trusted, { wallClock: systemClock, steadyClock }),
    ready: () => Promise.resolve(readiness),
    log: pino({ base: null, level: 'warn' }, { write: (line) => logged.push(line) }),
    randomness: systemRandomness,
  });
  server = await listen(api, { host: '127.0.0.1', port: 0, portVariable: 'PORT' });
});
afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});
beforeEach(() => {
  seen = [];
  logged = [];
  readiness = { ready: true, checks: { log: 'ok' } };
});

const tokenOf = (...roles: Role[]) => issueDevelopmentToken(key, { sub: 's1', roles }, systemClock);

function call(path: string, init: RequestInit & { token?: string | undefined } = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  const token = 'token' in init ? init.token : customer;
  if (token !== undefined) headers.set('Authorization', `Bearer ${token}`);
  return fetch(`${server.url}${path}`, { ...init, headers });
}

async function problemOf(response: Response): Promise<Problem> {
  expect(response.headers.get('Content-Type')).toBe('application/problem+json; charset=utf-8');
  return (await response.json()) as Problem;
}

function post(body: NonNullable<RequestInit['body']>, headers: Record<string, string> = {}): Promise<Response> {
  return call('/v1/things/t1/name', {
    method: 'POST',
    body,
    headers: { 'Content-Type': 'application/json', ...headers },
  });
}

describe('a request', () => {
  test('reaches its route with all that is known of it', async () => {
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    const response = await call('/v1/things/t1?a=b&c', { headers: { traceparent, 'X-Request-Id': 'mine' } });
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ id: 't1' });
    expect(response.headers.get('ETag')).toBe('W/"1"');
    expect(response.headers.get('X-Request-Id')).toBe('mine');
    expect(seen[0]).toMatchObject({
      path: '/v1/things/t1',
      search: 'a=b&c',
      caller: { sub: 's1', roles: ['customer'] },
      requestId: 'mine',
      traceparent,
      body: undefined,
    });
  });

  test('has one path, however its ids were escaped', async () => {
    await call('/v1/things/%74%31');
    expect(seen[0]?.path).toBe('/v1/things/t1');
  });

  test('gets a request id when it brings none', async () => {
    const response = await call('/v1/things/t1');
    expect(response.headers.get('X-Request-Id')).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('brings JSON, also compressed, or nothing', async () => {
    expect(await (await post('{"name":"x"}')).json()).toEqual({ took: { name: 'x' } });
    const compressed = await post(new Uint8Array(gzipSync('[1]')), { 'Content-Encoding': 'gzip' });
    expect(await compressed.json()).toEqual({ took: [1] });
    expect(await (await call('/v1/things/t1/name', { method: 'POST' })).json()).toEqual({ took: null });
  });

  test('of an unchanged thing gets a head alone', async () => {
    const response = await call('/v1/unchanged');
    expect(response.status).toBe(304);
    expect(await response.text()).toBe('');
  });

  test('HEAD is GET without the body', async () => {
    const response = await call('/v1/things/t1', { method: 'HEAD' });
    expect(response.status).toBe(200);
    expect(response.headers.get('Content-Length')).toBe('11');
  });
});

describe('who may call', () => {
  test('nobody without a token', async () => {
    const response = await call('/v1/things/t1', { token: undefined });
    expect(response.status).toBe(401);
    expect(response.headers.get('WWW-Authenticate')).toBe('Bearer realm="waybill"');
    expect(await problemOf(response)).toMatchObject({ type: 'urn:waybill:problem:unauthenticated' });
    expect(seen).toEqual([]);
  });

  test('nobody with credentials of another kind, who is told of no token', async () => {
    const response = await call('/v1/things/t1', { token: undefined, headers: { Authorization: 'Basic YTpi' } });
    expect(response.status).toBe(401);
    expect(response.headers.get('WWW-Authenticate')).toBe('Bearer realm="waybill"');
  });

  test('nobody with a token that does not hold', async () => {
    const response = await call('/v1/things/t1', { token: 'a.b.c' });
    expect(response.status).toBe(401);
    expect(response.headers.get('WWW-Authenticate')).toContain('error="invalid_token"');
  });

  test('nobody whose roles the route does not name', async () => {
    const response = await call('/v1/things/t1', { token: await tokenOf('courier', 'auditor') });
    expect(response.status).toBe(403);
    expect(await problemOf(response)).toMatchObject({ type: 'urn:waybill:problem:forbidden' });
    expect(seen).toEqual([]);
  });

  test('nobody where the table has no row', async () => {
    const everything = await tokenOf(...roles);
    const response = await call('/v1/unlisted', { token: everything });
    expect(response.status).toBe(403);
    expect((await call('/v1/unlisted', { token: undefined })).status).toBe(401);
    expect(seen).toEqual([]);
  });

  test('whoever has one of its roles', async () => {
    expect((await call('/v1/things/t1', { token: await tokenOf('auditor', 'operator') })).status).toBe(200);
  });
});

describe('refuses', () => {
  test.each([['{"name":'], ['{"name":"x"}}'], ["{'name':1}"]])('the malformed body %s with 400', async (body) => {
    const response = await post(body);
    expect(response.status).toBe(400);
    expect(await problemOf(response)).toMatchObject({ type: 'urn:waybill:problem:malformed-json' });
  });

  test.each([
    ['plain', {}],
    ['in disguise', { 'Content-Encoding': 'gzip' }],
  ])('a huge body, %s, with 413', async (_what, headers: Record<string, string>) => {
    const text = JSON.stringify({ name: 'x'.repeat(70_000) });
    const response = await post('Content-Encoding' in headers ? new Uint8Array(gzipSync(text)) : text, headers);
    expect(response.status).toBe(413);
    expect(await problemOf(response)).toMatchObject({ type: 'urn:waybill:problem:body-too-large' });
  });

  test.each([
    ['form', { 'Content-Type': 'application/x-www-form-urlencoded' }],
    ['a text', { 'Content-Type': 'text/plain' }],
    ['JSON in another charset', { 'Content-Type': 'application/json; charset=ebcdic' }],
    ['JSON in another encoding', { 'Content-Encoding': 'zstd' }],
  ])('%s with 415', async (_what, headers: Record<string, string>) => {
    const response = await post('{}', headers);
    expect(response.status).toBe(415);
    expect(await problemOf(response)).toMatchObject({ type: 'urn:waybill:problem:unsupported-media-type' });
  });

  test('a body that is not the gzip it says with 400', async () => {
    expect((await post('{}', { 'Content-Encoding': 'gzip' })).status).toBe(400);
  });

  test.each([['/v1/things/a%20b'], ['/v1/things/a.b'], [`/v1/things/${'x'.repeat(65)}`], ['/v1/things/%00']])(
    '%s with 400, for that is no id',
    async (path) => {
      const response = await call(path);
      expect(response.status).toBe(400);
      expect((await problemOf(response)).errors).toMatchObject([{ parameter: 'thingId' }]);
      expect(seen).toEqual([]);
    },
  );

  test('an escape that is none with 400', async () => {
    const status = await new Promise((resolve) => {
      const options = { path: '/v1/things/%zz', port: server.port, headers: { Authorization: `Bearer ${customer}` } };
      httpRequest(options, (response) => resolve(response.resume().statusCode)).end();
    });
    expect(status).toBe(400);
  });

  test.each([['/v1/nothing'], ['/'], ['/v1/things/t1/'], ['/V1/things/t1'], ['/v1/things']])(
    '%s with 404',
    async (path) => {
      const response = await call(path, { token: undefined });
      expect(response.status).toBe(404);
      expect(await problemOf(response)).toMatchObject({ type: 'urn:waybill:problem:no-such-path' });
    },
  );

  test.each([
    ['DELETE', '/v1/things/t1', 'GET, HEAD'],
    ['GET', '/v1/things/t1/name', 'POST'],
    ['POST', '/healthz', 'GET, HEAD'],
  ])('%s %s with 405', async (method, path, allow) => {
    const response = await call(path, { method });
    expect(response.status).toBe(405);
    expect(response.headers.get('Allow')).toBe(allow);
    expect(await problemOf(response)).toMatchObject({ type: 'urn:waybill:problem:method-not-allowed' });
  });
});

test('OPTIONS says what a path takes', async () => {
  const response = await call('/v1/things/t1', { method: 'OPTIONS', token: undefined });
  expect(response.status).toBe(204);
  expect(response.headers.get('Allow')).toBe('GET, HEAD');
});

test('a refusal of a handler is a problem, and not worth a line in the log', async () => {
  const response = await call('/v1/missing');
  expect(response.status).toBe(404);
  expect(await problemOf(response)).toMatchObject({ type: 'urn:waybill:problem:not-found' });
  expect(logged).toEqual([]);
});

test('a fault is logged with the id that the caller is told, and nothing else is told', async () => {
  const response = await call('/v1/broken', { headers: { 'X-Request-Id': 'r-7' } });
  expect(response.status).toBe(500);
  const text = await response.text();
  expect(text).not.toMatch(/secret|stack/);
  expect(JSON.parse(text)).toMatchObject({ requestId: 'r-7' });
  expect(logged.join()).toContain('secret inside');
  expect(logged.join()).toContain('"requestId":"r-7"');
});

test('what is down is logged in a sentence', async () => {
  expect((await call('/v1/down', { headers: { 'X-Request-Id': 'r-8' } })).status).toBe(503);
  expect(logged.map((line) => JSON.parse(line) as object)).toEqual([
    { level: 40, time: expect.anything(), requestId: 'r-8', method: 'GET', route: '/v1/down', msg: 'It is away.' },
  ]);
});

test('every answer forbids what a browser need not do with it', async () => {
  for (const response of [await call('/v1/things/t1'), await call('/v1/nothing'), await call('/healthz')]) {
    expect(response.headers.get('X-Content-Type-Options')).toBe('nosniff');
    expect(response.headers.get('Content-Security-Policy')).toContain("default-src 'none'");
    expect(response.headers.get('Cache-Control')).toBe('no-store');
    expect(response.headers.get('X-Powered-By')).toBeNull();
  }
});

test('two routes of one method and path are a mistake of ours', () => {
  const twice = [routes[0]!, routes[0]!];
  const parts = {
    access,
    document,
    metrics: new Registry(),
    ready: () => Promise.resolve(readiness),
    log: pino({ enabled: false }),
  };
  expect(() =>
    createApi({ ...parts, routes: twice, verify: () => ({ sub: 'x', roles: [] }), randomness: systemRandomness }),
  ).toThrow('declared twice');
});

describe('without a token', () => {
  const open = (path: string) => call(path, { token: undefined });

  test('/healthz says that it lives', async () => {
    expect((await open('/healthz')).status).toBe(200);
  });

  test('/readyz says whether what it needs is there', async () => {
    expect((await open('/readyz')).status).toBe(200);
    readiness = { ready: false, checks: { log: 'The log does not answer.' } };
    const response = await open('/readyz');
    expect(response.status).toBe(503);
    expect(response.headers.get('Retry-After')).not.toBeNull();
    expect(await response.json()).toEqual({ status: 'unavailable', checks: readiness.checks });
  });

  test('/metrics counts requests by route, not by path, beside the metrics of the process', async () => {
    await call('/v1/things/t5');
    await call('/v1/nowhere');
    const text = await (await open('/metrics')).text();
    expect(text).toContain('answers 42');
    expect(text).toMatch(
      /http_request_duration_seconds_count\{method="GET",route="\/v1\/things\/:thingId",status="200"\}/,
    );
    expect(text).toMatch(/route="none",status="404"/);
    expect(text).not.toContain('t5');
  });

  test('/openapi.json is the document', async () => {
    expect(await (await open('/openapi.json')).json()).toEqual(document);
  });

  test('/docs is a page that takes everything from here', async () => {
    const page = await open('/docs');
    expect(page.headers.get('Content-Type')).toContain('text/html');
    expect(page.headers.get('Content-Security-Policy')).toContain("script-src 'self'");
    const html = await page.text();
    expect(html).toContain('A &#60;test&#62; API');
    expect(html).not.toMatch(/https?:\/\//);
    const sources = [...html.matchAll(/(?:src|spec-url)="([^"]+)"/g)].map(([, source]) => source!);
    expect(sources).toHaveLength(2);
    for (const source of sources) {
      expect((await fetch(new URL(source, `${server.url}/docs`))).status).toBe(200);
    }
    const script = await fetch(`${server.url}/docs/rapidoc.js`);
    expect(script.headers.get('Content-Type')).toContain('javascript');
  });
});
