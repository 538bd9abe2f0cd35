import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import type { PaymentGateway } from '@waybill/shared-kernel/ports/payment-gateway.js';
import { until } from '@waybill/shared-kernel/testing/until.js';
import { systemRandomness } from '../clock/system.js';
import { openHttpGateway, type GatewayTuning, type HttpGatewayOptions } from './http-gateway.js';
import { scriptedServer, type Script, type ScriptedServer } from './testing/scripted-server.js';

const payment = { reference: 'order-1', amount: 12_500, currency: 'KRW', token: 'tok_approve' };
const authorised = { reference: 'order-1', status: 'authorised' };

const answer =
  (status: number, body: unknown = authorised, headers: Record<string, string> = {}): Script =>
  (_, response) => {
    response.writeHead(status, headers).end(JSON.stringify(body));
  };
/** For each request the next of them, the last for all that follow. */
const inTurn = (...scripts: readonly Script[]): Script => {
  let next = 0;
  return (request, response) => {
    const script = scripts[Math.min(next, scripts.length - 1)]!;
    next += 1;
    script(request, response);
  };
};
const hang: Script = () => {};
const hangUp: Script = (_, response) => void response.destroy();
const breakOff: Script = (_, response) => {
  response.writeHead(200, { 'Content-Length': '1000' });
  response.write('{"reference":');
  setImmediate(() => response.destroy());
};

let server: ScriptedServer;
let gateway: PaymentGateway;
const calls: string[] = [];
const states: string[] = [];

const quick: Partial<GatewayTuning> = { timeout: 2_000, backOff: { first: 1, most: 2 } };
function open(tuning: Partial<GatewayTuning> = {}, change: Partial<HttpGatewayOptions> = {}): void {
  gateway = openHttpGateway({
    url: server.url,
    randomness: systemRandomness,
    tuning: { ...quick, ...tuning },
    watch: {
      called: (step, outcome) => calls.push(`${step} ${outcome}`),
      breaker: (state) => states.push(state),
    },
    ...change,
  });
}

beforeEach(async () => {
  server = await scriptedServer(answer(200));
  open();
});
afterEach(async () => {
  jest.useRealTimers();
  await server.close();
  await gateway.close();
  calls.length = 0;
  states.length = 0;
});

const authorise = () => gateway.authorise(payment);
const faultOf = (asking: Promise<unknown>): Promise<unknown> =>
  asking.then(
    () => {
      throw new Error('answered');
    },
    (error: unknown) => error,
  );

describe('a request', () => {
  test('says what is asked, and by which key it is the same when it comes again', async () => {
    await authorise();
    for (const step of ['capture', 'void', 'refund'] as const) await gateway[step]('order-1');
    expect(server.seen.map(({ path, headers, body }) => [path, headers['idempotency-key'], body])).toEqual([
      ['/v1/payments', 'order-1:authorise', JSON.stringify(payment)],
      ['/v1/payments/order-1/capture', 'order-1:capture', '{}'],
      ['/v1/payments/order-1/void', 'order-1:void', '{}'],
      ['/v1/payments/order-1/refund', 'order-1:refund', '{}'],
    ]);
  });

  test('goes below the base of the address, with the name and password of the address', async () => {
    const url = `${server.url.replace('http://', 'http://shop:p%40ss@')}/sandbox/`;
    open({}, { url });
    await authorise();
    expect(server.seen[0]).toMatchObject({
      path: '/sandbox/v1/payments',
      headers: { authorization: `Basic ${Buffer.from('shop:p@ss').toString('base64')}` },
    });
  });

  test('is followed nowhere', async () => {
    const elsewhere = await scriptedServer(answer(200));
    server.play(answer(307, {}, { Location: `${elsewhere.url}/v1/payments` }));
    expect(await faultOf(authorise())).toMatchObject({ name: 'Unavailable', message: expect.stringContaining('307') });
    expect([server.seen.length, elsewhere.seen.length]).toEqual([1, 0]);
    await elsewhere.close();
  });
});

describe('what may pass is tried again', () => {
  test.each<[string, Script]>([
    ['500', answer(500, {})],
    ['502', answer(502, 'a page of a proxy')],
    ['503', answer(503, {})],
    ['429', answer(429, {})],
    ['408', answer(408, {})],
    ['a connection that is lost', hangUp],
    ['an answer that breaks off', breakOff],
    ['an answer that is none', answer(200, 'Welcome!')],
    ['an answer of another payment', answer(200, { reference: 'order-2', status: 'authorised' })],
    ['a status that nobody knows', answer(200, { reference: 'order-1', status: 'perhaps' })],
  ])('%s, with the same key', async (_, fault) => {
    server.play(inTurn(fault, fault, answer(200)));
    expect(await authorise()).toEqual(authorised);
    expect(server.seen.map(({ headers }) => headers['idempotency-key'])).toEqual(Array(3).fill('order-1:authorise'));
    expect(new Set(server.seen.map(({ body }) => body)).size).toBe(1);
    expect(calls).toEqual(['authorise authorised']);
  });

  test('but not for ever', async () => {
    server.play(answer(503, {}));
    expect(await faultOf(authorise())).toBeInstanceOf(Unavailable);
    expect(server.seen).toHaveLength(3);
    expect(calls).toEqual(['authorise unavailable']);
  });

  test('and not before the gateway wants it: who asks for long is left alone', async () => {
    server.play(answer(429, {}, { 'Retry-After': '3600' }));
    expect(await faultOf(authorise())).toBeInstanceOf(Unavailable);
    expect(server.seen).toHaveLength(1);
  });

  test('an attempt that gets no answer is cut off, and its connection closed', async () => {
    open({ timeout: 50 });
    let closed = 0;
    server.play((_, response) => void response.once('close', () => (closed += 1)));
    expect(await faultOf(authorise())).toMatchObject({ name: 'Unavailable', what: 'payment gateway' });
    expect(server.seen).toHaveLength(3);
    await until(() => closed === 3);
  });
});

describe('what will not pass is not tried again', () => {
  test.each([400, 404, 409, 413, 422])('%i: asking again will not help', async (status) => {
    server.play(answer(status, { detail: 'The amount is too small.' }));
    const fault = await faultOf(authorise());
    expect(fault).not.toBeInstanceOf(Unavailable);
    expect(fault).toMatchObject({ rule: 'payment-refused', message: expect.stringContaining('amount is too small') });
    expect(server.seen).toHaveLength(1);
    expect(calls).toEqual(['authorise refused']);
  });

  test.each([401, 403])('%i: of us, not of the payment, so somebody can mend it', async (status) => {
    server.play(answer(status, {}));
    expect(await faultOf(authorise())).toMatchObject({
      name: 'Unavailable',
      message: expect.stringContaining('WAYBILL_PAYMENT_URL'),
    });
    expect(server.seen).toHaveLength(1);
  });
});

describe('the breaker', () => {
  /** Only the clock that the breaker looks at; everything else takes its time. */
  function stopTheClock(): void {
    jest.useFakeTimers({
      now: Date.parse('2026-01-01T00:00:00Z'),
      doNotFake: [
        'hrtime',
        'nextTick',
        'performance',
        'queueMicrotask',
        'setImmediate',
        'clearImmediate',
        'setInterval',
        'clearInterval',
        'setTimeout',
        'clearTimeout',
      ],
    });
  }
  function passes(milliseconds: number): void {
    jest.setSystemTime(Date.now() + milliseconds);
  }

  async function failUntilOpen(): Promise<void> {
    while (states.at(-1) !== 'open') await faultOf(authorise());
  }

  test('when it closes, all who waited go on, and none of them leaves an ear at a signal that they share', async () => {
    stopTheClock();
    server.play(answer(500, {}));
    await failUntilOpen();
    passes(10_000);
    server.play(answer(200));
    const ears = new Map<unknown, number>();
    const listen = jest.spyOn(EventTarget.prototype, 'addEventListener').mockImplementation(function (this: unknown) {
      ears.set(this, (ears.get(this) ?? 0) + 1);
    });
    const answers = await Promise.all(Array.from({ length: 30 }, authorise));
    listen.mockRestore();
    expect(answers).toEqual(Array(30).fill(authorised));
    expect(Math.max(0, ...ears.values())).toBeLessThan(4);
  });

  test('opens when most attempts fail, lets one through after ten seconds, and closes when that is answered', async () => {
    stopTheClock();
    server.play(answer(500, {}));
    await failUntilOpen();
    const asked = server.seen.length;
    expect(asked).toBe(20);

    passes(9_999);
    expect(await faultOf(authorise())).toBeInstanceOf(Unavailable);
    expect(calls.at(-1)).toBe('authorise not-asked');
    expect(server.seen).toHaveLength(asked);

    passes(1);
    server.play(answer(200));
    expect(await authorise()).toEqual(authorised);
    expect(server.seen).toHaveLength(asked + 1);
    expect(states).toEqual(['closed', 'open', 'half-open', 'closed']);
  });

  test('stays open when the one that it lets through fails', async () => {
    stopTheClock();
    server.play(answer(500, {}));
    await failUntilOpen();
    const asked = server.seen.length;
    passes(10_000);
    expect(await faultOf(authorise())).toBeInstanceOf(Unavailable);
    expect(server.seen).toHaveLength(asked + 1);
    expect(states).toEqual(['closed', 'open', 'half-open', 'open']);
  });

  test('is not opened for everybody by a few payments that hang', async () => {
    open({ timeout: 1_000, retries: 0 });
    server.play((request, response) => {
      const { reference } = JSON.parse(request.body) as { reference: string };
      if (reference === 'hangs') hang(request, response);
      else answer(200, { reference, status: 'authorised' })(request, response);
    });
    const hanging = Array.from({ length: 6 }, () => faultOf(gateway.authorise({ ...payment, reference: 'hangs' })));
    for (let order = 0; order < 20; order += 1) {
      const reference = `order-${order}`;
      expect(await gateway.authorise({ ...payment, reference })).toEqual({ reference, status: 'authorised' });
    }
    for (const fault of await Promise.all(hanging)) expect(fault).toBeInstanceOf(Unavailable);
    expect(await authorise()).toEqual(authorised);
    expect(states.at(-1)).toBe('closed');
  });

  test('does not count what a gateway refuses', async () => {
    server.play(answer(422, {}));
    for (let time = 0; time < 30; time += 1) await faultOf(authorise());
    expect(server.seen).toHaveLength(30);
    expect(states.at(-1)).toBe('closed');
  });
});

describe('the bulkhead', () => {
  test('asks so many at once, lets so many wait, and refuses all others at once', async () => {
    open({ concurrent: 2, waiting: 3 });
    const pending: (() => void)[] = [];
    server.play((request, response) => void pending.push(() => answer(200)(request, response)));
    const asking = Array.from({ length: 6 }, () => authorise());
    expect(await faultOf(asking[5]!)).toMatchObject({
      name: 'Unavailable',
      message: expect.stringContaining('Too many'),
    });
    expect(calls).toEqual(['authorise crowded']);
    let answered = 0;
    while (answered < 5) {
      await until(() => pending.length > 0);
      expect(pending.length).toBeLessThanOrEqual(2);
      for (const reply of pending.splice(0)) {
        reply();
        answered += 1;
      }
    }
    expect(await Promise.all(asking.slice(0, 5))).toEqual(Array(5).fill(authorised));
    expect(server.seen).toHaveLength(5);
  });
});

test('a thousand who pay at once are all asked for', async () => {
  const asking = await Promise.all(Array.from({ length: 1_000 }, () => authorise()));
  expect(new Set(asking.map(({ status }) => status))).toEqual(new Set(['authorised']));
  expect(calls).not.toContain('authorise crowded');
});

describe('closing', () => {
  test('begins no further attempt, and lets the ones under way end', async () => {
    open({ concurrent: 1, backOff: { first: 1, most: 1 } });
    let reply = (): void => {};
    server.play((_, response) => {
      reply = () => void response.writeHead(503).end();
    });
    const [asking, waiting] = [faultOf(authorise()), faultOf(authorise())];
    await until(() => server.seen.length === 1);
    const closing = gateway.close();
    reply();
    await closing;
    expect(await asking).toBeInstanceOf(Unavailable);
    expect(await waiting).toBeInstanceOf(Unavailable);
    expect(server.seen).toHaveLength(1);
  });
});
