import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import pino from 'pino';
import { Registry } from 'prom-client';
import { Unauthenticated } from '@waybill/shared-kernel/errors.js';
import { virtualClock } from '../clock/seeded.js';
import { systemRandomness } from '../clock/system.js';
import { webhookSignature } from './webhook-signature.js';
import type { AccessTable } from './access.js';
import { createApi } from './api.js';
import { listen, type Listening } from './server/listen.js';
import type { Problem } from './problem.js';
import { RateLimit } from './rate-limit.js';
import { longestBody } from './server/read-body.js';
import type { SignedRequest, SignedRoute } from './route.js';
import { thingsDocument } from './testing/things-document.js';

const secret = 'shared with the other side';
const path = '/v1/notices';

let server: Listening;
let seen: SignedRequest[];

const route: SignedRoute = {
  method: 'POST',
  path,
  secret,
  handle: (request) => {
    seen.push(request);
    return { status: 204 };
  },
};

function apiOf(access: AccessTable, perMinute?: number) {
  return createApi({
    routes: [route],
    access,
    document: thingsDocument,
    metrics: new Registry(),
    verify: () => {
      throw new Unauthenticated('Nobody has a token.');
    },
    ready: () => Promise.resolve({ ready: true, checks: {} }),
    log: pino({ level: 'silent' }),
    randomness: systemRandomness,
    rateLimit: perMinute === undefined ? undefined : new RateLimit(perMinute, virtualClock(0)),
  });
}

const start = (perMinute?: number) =>
  listen(apiOf({ [`POST ${path}`]: 'signed' }, perMinute), { host: '127.0.0.1', port: 0, portVariable: 'PORT' });

beforeEach(async () => {
  seen = [];
  server = await start();
});
afterEach(() => server.close());

function post(body: string | Uint8Array, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${server.url}${path}`, {
    method: 'POST',
    body: new Uint8Array(Buffer.from(body)),
    headers: { 'Content-Type': 'application/json', ...headers },
  });
}

function signed(body: string | Uint8Array, headers: Record<string, string> = {}): Promise<Response> {
  return post(body, { 'X-Waybill-Signature': webhookSignature(secret, body), ...headers });
}

async function refusal(response: Response): Promise<unknown> {
  expect(response.headers.get('Content-Type')).toBe('application/problem+json; charset=utf-8');
  const { status, type } = (await response.json()) as Problem;
  expect(seen).toEqual([]);
  return [status, type.replace('urn:waybill:problem:', '')];
}

test('whoever signs is let in, without a token', async () => {
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
  const response = await signed('{"at": "sea"}', { traceparent, 'X-Request-Id': 'mine' });
  expect(response.status).toBe(204);
  expect(await response.text()).toBe('');
  expect(response.headers.get('X-Request-Id')).toBe('mine');
  expect(seen).toEqual([{ body: { at: 'sea' }, requestId: 'mine', traceparent }]);
});

describe('nobody else is', () => {
  const text = '{"at":"sea"}';

  test.each<[string, Record<string, string>]>([
    ['without a signature', {}],
    ['with a token', { Authorization: 'Bearer a.b.c' }],
    ['with a signature that is none', { 'X-Waybill-Signature': 'sha256=' }],
    ['with one by another secret', { 'X-Waybill-Signature': webhookSignature('another', text) }],
    ['with that of the same said otherwise', { 'X-Waybill-Signature': webhookSignature(secret, '{"at": "sea"}') }],
  ])('%s', async (_how, headers) => {
    const response = await post(text, headers);
    expect(response.headers.get('WWW-Authenticate')).toBe('X-Waybill-Signature realm="waybill"');
    expect(await refusal(response)).toEqual([401, 'unauthenticated']);
  });

  test.each<[string, string | Uint8Array, Record<string, string>]>([
    ['is longer than is ever read', JSON.stringify('x'.repeat(longestBody)), {}],
    ['is packed, which would be refused', new Uint8Array(gzipSync(text)), { 'Content-Encoding': 'gzip' }],
  ])('and of what they send nothing is read, even where it %s', async (_how, body, headers) => {
    expect(await refusal(await post(body, headers))).toEqual([401, 'unauthenticated']);
  });

  test('nor is its end waited for', async () => {
    const { hostname, port } = new URL(server.url);
    const headers = { 'Content-Type': 'application/json', 'Transfer-Encoding': 'chunked' };
    const sending = request({ hostname, port, path, method: 'POST', headers });
    const answered = once(sending, 'response') as Promise<[IncomingMessage]>;
    sending.write(text);
    const [response] = await answered;
    expect(response.statusCode).toBe(401);
    sending.destroy();
  });

  test('and where the table does not say so, not even they', () => {
    expect(() => apiOf({})).toThrow('signed');
    expect(() => apiOf({ [`POST ${path}`]: { operator: { any: 'personal' }, others: 403 } })).toThrow('signed');
  });
});

describe('what is signed', () => {
  test.each<[string, string | Uint8Array]>([
    ['nothing', ''],
    ['no JSON', '{"at":'],
    ['no UTF-8', Uint8Array.of(0x22, 0xff, 0x22)],
  ])('may be no body: %s', async (_what, body) => {
    expect(await refusal(await signed(body))).toEqual([400, 'malformed-json']);
  });

  test('is JSON', async () => {
    const response = await signed('{}', { 'Content-Type': 'text/plain' });
    expect(await refusal(response)).toEqual([415, 'unsupported-media-type']);
  });

  test('is what was sent, and not what it was packed into', async () => {
    const response = await signed(new Uint8Array(gzipSync('{}')), { 'Content-Encoding': 'gzip' });
    expect(await refusal(response)).toEqual([415, 'unsupported-media-type']);
  });

  test('has an end', async () => {
    const response = await signed(JSON.stringify('x'.repeat(longestBody)));
    expect(await refusal(response)).toEqual([413, 'body-too-large']);
  });

  test('is posted', async () => {
    const response = await fetch(`${server.url}${path}`);
    expect(response.headers.get('Allow')).toBe('POST');
    expect(await refusal(response)).toEqual([405, 'method-not-allowed']);
  });
});

test('those who do not sign are counted by address, and those who do are let in whatever comes from it', async () => {
  await server.close();
  server = await start(2);
  expect((await post('{}')).status).toBe(401);
  expect((await post('{}', { 'X-Waybill-Signature': 'sha256=00' })).status).toBe(401);
  const refused = await post('{}');
  expect(refused.headers.get('Retry-After')).toBe('30');
  expect(await refusal(refused)).toEqual([429, 'too-many-requests']);
  for (let time = 0; time < 5; time += 1) expect((await signed('{}')).status).toBe(204);
});
