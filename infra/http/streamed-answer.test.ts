import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import pino from 'pino';
import { Registry } from 'prom-client';
import { until } from '@waybill/shared-kernel/testing/until.js';
import { turns } from '@waybill/shared-kernel/testing/turns.js';
import { steadyClock } from '../clock/steady.js';
import { systemClock, systemRandomness } from '../clock/system.js';
import { createApi } from './api.js';
import { issueDevelopmentToken, openDevelopmentKey } from './identity/development-key.js';
import { listen, type Listening } from './server/listen.js';
import { mostDownloads } from './open-downloads.js';
import { route } from './route.js';
import { createTokenVerifier } from './identity/tokens.js';

/** More than any buffer between here and the client holds: 2,000 pieces of 64 KiB. */
const most = 2_000;
const piece = JSON.stringify('x'.repeat(65_534));

let folder: string;
let server: Listening;
let token: string;
let otherToken: string;
let made = 0;
let isClosed = false;
let breaksAt = Infinity;
let logged: string[] = [];

async function* pieces(): AsyncGenerator<string> {
  try {
    yield '[';
    for (made = 0; made < most; made += 1) {
      if (made === breaksAt) throw new Error('no more can be read');
      await turns();
      yield made === 0 ? piece : `,${piece}`;
    }
    yield ']';
  } finally {
    isClosed = true;
  }
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-streamed-'));
  const key = await openDevelopmentKey(join(folder, 'development-key.json'));
  const tokenOf = (sub: string) =>
    issueDevelopmentToken(key, { sub, roles: ['customer'], expiresIn: 3600 }, systemClock);
  [token, otherToken] = await Promise.all([tokenOf('ada'), tokenOf('bob')]);
  const api = createApi({
    routes: [
      route('GET', '/v1/long', () => Promise.resolve({ status: 200, headers: { ETag: '"1"' }, pieces: pieces() })),
    ],
    access: { 'GET /v1/long': { customer: { any: 'personal' }, others: 403 } },
    document: {
      openapi: '3.1.0',
      info: { title: 'A test API', version: '1' },
      paths: {},
      components: { schemas: {}, securitySchemes: {} },
    },
    metrics: new Registry(),
    verify: createTokenVerifier(key.trusted, { wallClock: systemClock, steadyClock }),
    ready: () => Promise.resolve({ ready: true, checks: {} }),
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
  [made, isClosed, breaksAt, logged] = [0, false, Infinity, []];
});

/** The head of an answer of which nothing is read yet. */
async function ask(method = 'GET', as = token): Promise<IncomingMessage> {
  const request = httpRequest(`${server.url}/v1/long`, { method, headers: { authorization: `Bearer ${as}` } });
  request.end();
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return response;
}

/** When no piece has been asked for over many turns, the client being idle. */
async function whenStill(): Promise<void> {
  let before = -1;
  await until(async () => {
    const isStill = before === made && made > 0;
    before = made;
    await turns(500);
    return isStill && before === made;
  });
}

test('a body that is made piece by piece comes whole, as JSON with the headers of any other', async () => {
  const response = await ask();
  expect(response.headers).toMatchObject({
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'no-store',
    etag: '"1"',
    'transfer-encoding': 'chunked',
  });
  expect(response.headers['x-request-id']).toBeDefined();
  let body = '';
  for await (const chunk of response) body += String(chunk);
  expect(JSON.parse(body)).toHaveLength(most);
  expect(isClosed).toBe(true);
});

test('no more of it is made than its client takes', async () => {
  const response = await ask();
  await whenStill();
  const whileIdle = made;
  expect(whileIdle).toBeLessThan(most / 2);
  let length = 0;
  for await (const chunk of response) length += (chunk as Buffer).length;
  expect(length).toBeGreaterThan(most * 65_536);
  expect(made).toBe(most);
});

test('it ends when its client goes, and nobody calls that a fault', async () => {
  const response = await ask();
  await whenStill();
  response.destroy();
  await until(() => isClosed);
  expect(made).toBeLessThan(most);
  expect(logged).toEqual([]);
});

test('where a piece cannot be made it breaks off, which is told of', async () => {
  breaksAt = 3;
  const response = await ask();
  const read = async () => {
    for await (const chunk of response) expect(chunk).toBeDefined();
  };
  await expect(read()).rejects.toThrow('aborted');
  expect(logged.map((line) => JSON.parse(line) as object)).toEqual([
    expect.objectContaining({
      msg: 'an answer broke off',
      err: expect.objectContaining({ message: 'no more can be read' }),
    }),
  ]);
});

test('a caller has so many under way at once; others have theirs, and whoever ends one may have another', async () => {
  const open = await Promise.all(Array.from({ length: mostDownloads }, () => ask()));
  expect(open.map(({ statusCode }) => statusCode)).toEqual(open.map(() => 200));
  const refused = await ask();
  expect([refused.statusCode, refused.headers['retry-after']]).toEqual([429, expect.stringMatching(/^[1-9]/)]);
  let body = '';
  for await (const chunk of refused) body += String(chunk);
  expect(JSON.parse(body)).toMatchObject({ type: 'urn:waybill:problem:limit-reached', limit: 'downloads' });

  const ofOther = await ask('GET', otherToken);
  expect(ofOther.statusCode).toBe(200);
  ofOther.destroy();
  open.pop()!.destroy();
  await until(async () => {
    const again = await ask();
    open.push(again);
    return again.statusCode === 200;
  });
  for (const response of open) response.destroy();
});

test('what has ended counts no more, of HEAD too', async () => {
  for (let n = 0; n < 2 * mostDownloads; n += 1) {
    const response = await ask('HEAD');
    expect(response.statusCode).toBe(200);
    response.resume();
    await once(response, 'end');
  }
  breaksAt = 0;
  for (let n = 0; n < 2 * mostDownloads; n += 1) {
    const response = await ask();
    expect(response.statusCode).toBe(200);
    await expect(once(response.resume(), 'end')).rejects.toThrow('aborted');
  }
});

test('of a HEAD nothing is made', async () => {
  const response = await ask('HEAD');
  response.resume();
  await once(response, 'end');
  expect([response.statusCode, made, isClosed]).toEqual([200, 0, false]);
});
