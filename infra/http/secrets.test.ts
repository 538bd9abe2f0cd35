import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import pino from 'pino';
import { Registry } from 'prom-client';
import { BadDataFile, Unavailable } from '@waybill/shared-kernel/errors.js';
import { seal } from '@waybill/shared-kernel/personal-data.js';
import { steadyClock } from '../clock/steady.js';
import { systemClock, systemRandomness } from '../clock/system.js';
import { logOptions } from '../process/process-dependencies.js';
import { createApi } from './api.js';
import { issueDevelopmentToken, openDevelopmentKey } from './identity/development-key.js';
import { listen, type Listening } from './server/listen.js';
import { json, route } from './route.js';
import { thingsDocument } from './testing/things-document.js';
import { createTokenVerifier } from './identity/tokens.js';

const key = randomBytes(32).toString('base64');
const sealed = seal('ann', randomBytes(32), { street: '1 Harbour Road' }, systemRandomness);
let folder: string;
let server: Listening;
let token: string;
let logged: string[] = [];

/** What a driver might throw in the middle of a request: all that it was given. */
function loaded(message: string): Error {
  const inside = { authorization: `Bearer ${token}`, document: { address: sealed }, key };
  return Object.assign(new Error(`${message} ${token} ${sealed} ${key} mongodb://waybill:hunter2@mongodb`), inside);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-secrets-'));
  const development = await openDevelopmentKey(join(folder, 'development-key.json'));
  token = await issueDevelopmentToken(development, { sub: 'ann', roles: ['customer'] }, systemClock);
  const anyOfCustomers = { customer: { any: 'personal' }, others: 403 } as const;
  const api = createApi({
    routes: [
      route('GET', '/v1/broken', () => Promise.reject(loaded('broken'))),
      route('GET', '/v1/down', () => {
        throw new Unavailable('read store', loaded('down').message, { cause: loaded('cause') });
      }),
      route('GET', '/v1/bad-file', () => {
        throw new BadDataFile(loaded('bad').message);
      }),
      route('POST', '/v1/taken', (request) => json(200, { took: typeof request.body })),
    ],
    access: {
      'GET /v1/broken': anyOfCustomers,
      'GET /v1/down': anyOfCustomers,
      'GET /v1/bad-file': anyOfCustomers,
      'POST /v1/taken': anyOfCustomers,
    },
    document: thingsDocument,
    metrics: new Registry(),
    verify: createTokenVerifier(development.trusted, { wallClock: systemClock, steadyClock }),
    ready: () => Promise.resolve({ ready: true, checks: {} }),
    log: pino({ ...logOptions, level: 'trace' }, { write: (line) => logged.push(line) }),
    randomness: systemRandomness,
  });
  server = await listen(api, { host: '127.0.0.1', port: 0, portVariable: 'PORT' });
});
afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});
beforeEach(() => {
  logged = [];
});

function expectClean(said: string): void {
  for (const secret of [token, token.slice(0, 30), sealed, key, 'hunter2', 'Harbour'])
    expect(said).not.toContain(secret);
}

test.each([['/v1/broken'], ['/v1/down'], ['/v1/bad-file'], ['/v1/nothing?access_token=']])(
  'a request of %s leaves no secret in its answer or in the log',
  async (path) => {
    const address = `${server.url}${path}${path.endsWith('=') ? token : ''}`;
    const answer = await fetch(address, { headers: { Authorization: `Bearer ${token}` } });
    const text = await answer.text();
    expect(JSON.parse(text)).toMatchObject({ status: answer.status });
    if (answer.status >= 500) expect(logged).not.toEqual([]);
    expectClean(text);
    expectClean(logged.join(''));
  },
);

test.each([
  ['a body that is no JSON', 400, '', () => `{"token": "${token} ${sealed} ${key}`],
  ['a token that does not hold', 401, 'x', () => '{}'],
])('%s is not said again', async (_what, status, changed, body) => {
  const headers = { Authorization: `Bearer ${token}${changed}`, 'Content-Type': 'application/json' };
  const answer = await fetch(`${server.url}/v1/taken`, { method: 'POST', headers, body: body() });
  expect(answer.status).toBe(status);
  expectClean(await answer.text());
  expectClean(logged.join(''));
});
