import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { until } from '@waybill/shared-kernel/testing/until.js';
import { systemRandomness } from '../clock/system.js';
import type { RequestSpan } from '../telemetry/tracing.js';
import type { AccessTable } from './access.js';
import { createApi } from './api.js';
import { listen, type Listening } from './server/listen.js';
import { json, route, type ApiRequest } from './route.js';
import { thingsDocument } from './testing/things-document.js';

const traceId = 'a'.repeat(32);
const traceparent = `00-${traceId}-${'b'.repeat(16)}-01`;
const access: AccessTable = { 'POST /v1/people/:personId': { customer: { any: 'personal' }, others: 403 } };

let server: Listening;
let lines: Record<string, unknown>[];
let seen: ApiRequest[];
let spans: unknown[];
let traceRequest: ((method: string, traceparent: string | undefined) => RequestSpan) | undefined;

async function start(): Promise<void> {
  const api = createApi({
    routes: [
      route('POST', '/v1/people/:personId', (request) => {
        seen.push(request);
        return json(200, {});
      }),
    ],
    access,
    document: thingsDocument,
    metrics: new Registry(),
    verify: () => ({ sub: 'ann', roles: ['customer'] }),
    ready: async () => ({ ready: true, checks: {} }),
    log: pino({ base: null }, { write: (line) => lines.push(JSON.parse(line) as Record<string, unknown>) }),
    randomness: systemRandomness,
    traceRequest,
  });
  server = await listen(api, { host: '127.0.0.1', port: 0, portVariable: 'PORT' });
}

beforeEach(() => {
  [lines, seen, spans, traceRequest] = [[], [], [], undefined];
});
afterEach(() => server.close());

function post(path: string): Promise<Response> {
  return fetch(server.url + path, {
    method: 'POST',
    headers: {
      authorization: 'Bearer secret.token.text',
      'content-type': 'application/json',
      traceparent,
      'x-request-id': 'r-1',
    },
    body: JSON.stringify({ name: 'Ann Secretly' }),
  });
}

test('each request of an operation is one line, with its ids and nothing that it said', async () => {
  await start();
  await (await post('/v1/people/ann?q=Secretly')).text();
  await fetch(`${server.url}/healthz`);
  expect(lines).toEqual([
    {
      level: 30,
      time: expect.anything(),
      requestId: 'r-1',
      traceId,
      method: 'POST',
      route: '/v1/people/:personId',
      status: 200,
      seconds: expect.anything(),
      msg: 'answered',
    },
  ]);
});

test('while tracing is on a request has a span, and what it causes belongs below that', async () => {
  const own = `00-${traceId}-${'c'.repeat(16)}-01`;
  traceRequest = (method, of) => {
    spans.push(['begin', method, of]);
    return { traceparent: own, end: (path, status) => void spans.push(['end', path, status]) };
  };
  await start();
  await (await post('/v1/people/ann')).text();
  await (await post('/v1/nothing')).text();
  await fetch(`${server.url}/healthz`);
  await until(() => spans.length === 4);
  expect(spans).toEqual([
    ['begin', 'POST', traceparent],
    ['end', '/v1/people/:personId', 200],
    ['begin', 'POST', traceparent],
    ['end', 'none', 404],
  ]);
  expect(seen.map((request) => request.traceparent)).toEqual([own]);
});
