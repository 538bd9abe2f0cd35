import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { until } from '@waybill/shared-kernel/testing/until.js';
import { openDatabase } from '../../sqlite/database.js';
import { isWebhookSignature, webhookSignatureHeader } from '../../http/webhook-signature.js';
import { scriptedServer, type ScriptedServer } from '../testing/scripted-server.js';
import { simulatorUnderTest, webhookSecret, type SimulatorUnderTest } from '../testing/simulator-under-test.js';
import { schema, type Webhook } from './ledger.js';
import { slowness } from './payment.js';

let simulator: SimulatorUnderTest;
beforeEach(async () => {
  simulator = await simulatorUnderTest();
});
afterEach(() => simulator.remove());

const json = { 'Content-Type': 'application/json' };
const payment = (token: string, reference = token) => ({ reference, amount: 12_500, currency: 'KRW', token });
const post = (path: string, body: unknown = {}, url = simulator.url) =>
  fetch(`${url}${path}`, {
    method: 'POST',
    headers: json,
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
const authorise = (token: string, reference = token) => post('/v1/payments', payment(token, reference));
const answerOf = async (asking: Promise<Response>) => {
  const response = await asking;
  return [response.status, await response.json()] as const;
};

describe('a token decides what becomes of a payment:', () => {
  test.each([
    ['tok_approve', 200, 'authorised'],
    ['tok_double', 200, 'authorised'],
    ['tok_slow', 202, 'pending'],
    ['tok_decline', 200, 'declined'],
    ['tok_other', 200, 'declined'],
  ])('%s', async (token, status, standing) => {
    const answer = await answerOf(authorise(token));
    expect(answer).toEqual([status, expect.objectContaining({ reference: token, status: standing })]);
    expect(await answerOf(fetch(`${simulator.url}/v1/payments/${token}`))).toEqual(answer);
  });

  test('tok_fail_once, for each payment', async () => {
    for (const reference of ['one', 'other']) {
      const [status, problem] = await answerOf(authorise('tok_fail_once', reference));
      expect([status, problem]).toEqual([503, expect.objectContaining({ type: 'urn:waybill:problem:unavailable' })]);
      expect(await answerOf(authorise('tok_fail_once', reference))).toEqual([200, { reference, status: 'authorised' }]);
    }
    expect(simulator.faults).toEqual([]);
  });

  test('tok_hang, until the one who asks hangs up', async () => {
    const leaving = new AbortController();
    const asking = fetch(`${simulator.url}/v1/payments`, {
      method: 'POST',
      headers: json,
      body: JSON.stringify(payment('tok_hang')),
      signal: leaving.signal,
    });
    const looked = () => fetch(`${simulator.url}/v1/payments/tok_hang`);
    await until(async () => (await looked()).status === 202);
    leaving.abort();
    await expect(asking).rejects.toThrow();
    expect(await answerOf(looked())).toEqual([202, { reference: 'tok_hang', status: 'pending' }]);
  });

  test('tok_hang, until the simulator closes', async () => {
    const asking = authorise('tok_hang').catch((error: unknown) => error);
    await until(async () => (await fetch(`${simulator.url}/v1/payments/tok_hang`)).status === 202);
    await simulator.close();
    expect(await asking).toMatchObject({ message: 'fetch failed' });
  });
});

describe('what cannot be read or is not there is a problem', () => {
  const good = payment('tok_approve');
  test.each<[number, string, string, unknown]>([
    [400, '/amount', 'an amount of 0', { ...good, amount: 0 }],
    [400, '/amount', 'an amount in fractions', { ...good, amount: 1.5 }],
    [400, '/amount', 'an amount as text', { ...good, amount: '1' }],
    [400, '/currency', 'a currency that is none', { ...good, currency: 'won' }],
    [400, '/reference', 'a reference that is none', { ...good, reference: 'a b' }],
    [400, '/token', 'no token', { ...good, token: undefined }],
    [400, '/tip', 'a field too many', { ...good, tip: 5 }],
    [400, '', 'a list', [good]],
  ])('%i %s: %s', async (status, pointer, _, body) => {
    const [answered, problem] = await answerOf(post('/v1/payments', body));
    expect([answered, problem]).toMatchObject([status, { errors: [{ pointer }] }]);
  });

  test.each<[number, string, () => Promise<Response>]>([
    [400, 'what is no JSON', () => post('/v1/payments', '{')],
    [413, 'a body that is too large', () => post('/v1/payments', { ...good, token: 'x'.repeat(70_000) })],
    [415, 'another type', () => fetch(`${simulator.url}/v1/payments`, { method: 'POST', body: 'hello' })],
    [404, 'another path', () => fetch(`${simulator.url}/v1/cards`)],
    [404, 'a path that is no reference', () => post('/v1/payments/a%20b/capture')],
    [404, 'a payment that nobody asked for', () => post('/v1/payments/unknown/capture')],
    [405, 'another method', () => fetch(`${simulator.url}/v1/payments`)],
  ])('%i: %s', async (status, _, ask) => {
    const response = await ask();
    expect(response.headers.get('content-type')).toContain('application/problem+json');
    expect([response.status, await response.json()]).toMatchObject([status, { status }]);
  });

  test('and nothing of it is booked', async () => {
    await post('/v1/payments', { ...good, amount: 0 });
    expect(await simulator.ledger()).toEqual([]);
  });
});

test('says that it lives, and what it booked, of all payments or of one', async () => {
  expect(await answerOf(fetch(`${simulator.url}/healthz`))).toEqual([200, { status: 'ok' }]);
  await authorise('tok_approve', 'one');
  await authorise('tok_approve', 'other');
  await post('/v1/payments/one/capture');
  const entry = { at: '2026-01-01T00:00:00.000Z', amount: 12_500, currency: 'KRW' };
  const capture = { ...entry, reference: 'one', kind: 'capture' };
  const [first, second] = ['one', 'other'].map((reference) => ({ ...entry, reference, kind: 'authorisation' }));
  expect(await simulator.ledger()).toEqual([first, second, capture]);
  expect(await simulator.ledger('one')).toEqual([first, capture]);
});

test('several on one file agree: what is asked of all of them at once is booked once', async () => {
  const others = [await simulator.another(), await simulator.another()];
  const urls = [simulator, ...others].map(({ url }) => url);
  const all = (path: string, body?: unknown) =>
    Promise.all(Array.from({ length: 99 }, (_, index) => post(path, body, urls[index % urls.length])));
  for (const response of await all('/v1/payments', payment('tok_approve', 'one'))) expect(response.status).toBe(200);
  await all('/v1/payments/one/capture');
  expect((await simulator.ledger()).map(({ kind }) => kind)).toEqual(['authorisation', 'capture']);
});

describe('a webhook', () => {
  let shop: ScriptedServer;
  beforeEach(async () => {
    shop = await scriptedServer((_, response) => void response.writeHead(204).end());
  });
  afterEach(() => shop.close());

  const arrived = (): readonly Webhook[] => shop.seen.map(({ body }) => JSON.parse(body) as Webhook);
  /** All waits pass until so many have arrived. */
  const untilArrived = (count: number) =>
    until(() => {
      simulator.timer.elapse();
      return shop.seen.length >= count;
    });

  test('tells of a decision that no answer could tell, once, signed', async () => {
    simulator.notifyAt(`${shop.url}/hook`);
    await authorise('tok_slow');
    simulator.clock.advance(slowness);
    await untilArrived(1);
    const [{ path, headers, body }] = shop.seen as [(typeof shop.seen)[number]];
    expect(path).toBe('/hook');
    expect(isWebhookSignature(webhookSecret, body, headers[webhookSignatureHeader] as string)).toBe(true);
    expect(JSON.parse(body)).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      type: 'payment.authorised',
      reference: 'tok_slow',
      status: 'authorised',
      amount: 12_500,
      currency: 'KRW',
      at: '2026-01-01T00:00:02.000Z',
    });
  });

  test('comes twice for tok_double, the same, and for nothing that was answered', async () => {
    simulator.notifyAt(shop.url);
    await authorise('tok_approve');
    await authorise('tok_decline');
    await post('/v1/payments/tok_approve/capture');
    await authorise('tok_double');
    await untilArrived(2);
    expect(shop.seen[0]!.body).toBe(shop.seen[1]!.body);
    expect(arrived()).toMatchObject([{ reference: 'tok_double', status: 'authorised' }, { reference: 'tok_double' }]);
    expect(await simulator.ledger('tok_double')).toHaveLength(1);
  });

  test('tells whoever was gone before the answer', async () => {
    simulator.notifyAt(shop.url);
    // While another has the file, the simulator has to wait.
    const other = openDatabase(simulator.ledgerFile, { what: 'payment simulator', schema });
    other.exec('BEGIN IMMEDIATE');
    const leaving = new AbortController();
    const asking = fetch(`${simulator.url}/v1/payments`, {
      method: 'POST',
      headers: json,
      body: JSON.stringify(payment('tok_decline')),
      signal: leaving.signal,
    });
    // It has read what was sent before this.
    await fetch(`${simulator.url}/healthz`);
    leaving.abort();
    await expect(asking).rejects.toThrow();
    await fetch(`${simulator.url}/healthz`);
    other.exec('ROLLBACK');
    other.close();
    await untilArrived(1);
    expect(arrived()).toMatchObject([{ type: 'payment.declined', reference: 'tok_decline', reason: /\w/ }]);
  });

  test('is sent again until it is taken', async () => {
    let failures = 2;
    shop.play((_, response) => {
      failures -= 1;
      response.writeHead(failures >= 0 ? 503 : 204).end();
    });
    simulator.notifyAt(shop.url);
    await authorise('tok_slow');
    simulator.clock.advance(slowness);
    await untilArrived(3);
    expect(new Set(shop.seen.map(({ body }) => body)).size).toBe(1);
  });

  test('is given up in the end, and that is said', async () => {
    shop.play((_, response) => void response.writeHead(401).end());
    simulator.notifyAt(shop.url);
    await authorise('tok_slow');
    simulator.clock.advance(slowness);
    await until(() => {
      simulator.timer.elapse();
      return simulator.faults.length > 0;
    });
    expect(shop.seen).toHaveLength(6);
    expect(simulator.faults[0]!.message).toContain('given up: it was answered 401');
  });

  test('never holds up an answer', async () => {
    shop.play(() => {});
    simulator.notifyAt(shop.url);
    expect((await authorise('tok_double')).status).toBe(200);
    await until(() => shop.seen.length === 2);
    expect((await authorise('tok_approve')).status).toBe(200);
  });

  test('that was not sent when a simulator ended is sent by the next, and so is a decision made', async () => {
    await authorise('tok_slow');
    await authorise('tok_double');
    await simulator.close();
    simulator.clock.advance(slowness);
    const next = await simulator.another();
    next.notifyAt(shop.url);
    await untilArrived(3);
    expect(
      arrived()
        .map(({ reference }) => reference)
        .toSorted(),
    ).toEqual(['tok_double', 'tok_double', 'tok_slow']);
  });
});
