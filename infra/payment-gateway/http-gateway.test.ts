import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import type { PaymentGateway } from '@waybill/shared-kernel/ports/payment-gateway.js';
import { manualTimer } from '@waybill/shared-kernel/testing/manual-timer.js';
import { turns } from '@waybill/shared-kernel/testing/turns.js';
import { until } from '@waybill/shared-kernel/testing/until.js';
import { systemRandomness } from '../clock/system.js';
import { openHttpGateway, type GatewayTuning, type HttpGatewayOptions } from './http-gateway.js';
import { scriptedServer, type Script, type ScriptedServer } from './testing/scripted-server.js';

const payment = { reference: 'order-1', amount: 12_500, currency: 'KRW', token: 'tok_approve' };
const authorisedAs = (reference: string) => ({ reference, status: 'authorised' });
const authorised = authorisedAs('order-1');

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

test('of an answer without end no more is read than an answer may be long', async () => {
  let written = 0;
  let hungUp = false;
  server.play((_, response) => {
    response.writeHead(200);
    response.on('close', () => (hungUp = true));
    const write = (): void => {
      while (!response.destroyed && response.write('x'.repeat(16 * 1024))) written += 16 * 1024;
      if (!response.destroyed) response.once('drain', write);
    };
    write();
  });
  open({ retries: 0 });
  expect(await faultOf(authorise())).toBeInstanceOf(Unavailable);
  await until(() => hungUp);
  // What the sockets hold besides.
  expect(written).toBeLessThan(16 * 1024 * 1024);
});

test('an authorisation that is not wanted any more when it has its turn is not asked for', async () => {
  open({ concurrent: 1, timeout: 60_000 });
  let answerFirst = (): void => {};
  server.play((_, response) => {
    answerFirst = () => response.writeHead(200).end(JSON.stringify(authorised));
  });
  const first = gateway.authorise(payment);
  await until(() => server.seen.length === 1);
  let isWanted = true;
  const second = faultOf(gateway.authorise({ ...payment, reference: 'order-2' }, 'another', () => isWanted));
  isWanted = false;
  server.play(answer(200));
  answerFirst();
  await first;
  expect(await second).toBeInstanceOf(Unavailable);
  expect(server.seen).toHaveLength(1);
});

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
  let now = 0;
  const timer = manualTimer();

  /** Someone else than all before. */
  let payers = 0;
  const another = (): Promise<unknown> => {
    payers += 1;
    return gateway.authorise(payment, `payer-${payers}`);
  };
  const openTimed = (tuning: Partial<GatewayTuning> = {}): void => {
    states.length = 0;
    open(tuning, { clock: { now: () => now }, timer });
  };

  async function failUntilOpen(): Promise<void> {
    while (states.at(-1) !== 'open') await faultOf(another());
  }

  test('opens when most payers are not answered, and not before there are ten', async () => {
    openTimed({ retries: 0 });
    server.play(answer(500, {}));
    for (let payer = 0; payer < 9; payer += 1) await faultOf(another());
    expect(states.at(-1)).toBe('closed');
    await faultOf(another());
    expect(states.at(-1)).toBe('open');
  });

  test('forgets what is older than half a minute', async () => {
    openTimed({ retries: 0 });
    server.play(answer(500, {}));
    for (let payer = 0; payer < 9; payer += 1) await faultOf(another());
    now += 30_001;
    await faultOf(another());
    expect(states.at(-1)).toBe('closed');
  });

  test('has all who come wait, lets one through after ten seconds, and all when that is answered', async () => {
    openTimed();
    server.play(answer(500, {}));
    await failUntilOpen();
    const asked = server.seen.length;
    const waiting = Array.from({ length: 30 }, another);
    await turns(20);
    expect(server.seen).toHaveLength(asked);
    expect(timer.waits).toEqual([10_000]);

    let reply = (): void => {};
    server.play((request, response) => {
      reply = () => answer(200)(request, response);
    });
    timer.elapse();
    await until(() => server.seen.length === asked + 1);
    await turns(20);
    expect(server.seen).toHaveLength(asked + 1);
    server.play(answer(200));
    reply();
    expect(await Promise.all(waiting)).toEqual(Array(30).fill(authorised));
    expect(server.seen).toHaveLength(asked + 30);
    expect(states).toEqual(['closed', 'open', 'half-open', 'closed']);
    expect(timer.waits).toEqual([]);
  });

  test('stays open when the one that it lets through fails; that one is told, and the next has its turn', async () => {
    openTimed();
    server.play(answer(500, {}));
    await failUntilOpen();
    const asked = server.seen.length;
    const [first, second] = [another(), another()];
    timer.elapse();
    expect(await faultOf(first)).toBeInstanceOf(Unavailable);
    expect(server.seen).toHaveLength(asked + 1);
    expect(states).toEqual(['closed', 'open', 'half-open', 'open']);
    server.play(answer(200));
    timer.elapse();
    expect(await second).toEqual(authorised);
    expect(states.slice(-2)).toEqual(['half-open', 'closed']);
  });

  test('is not opened by one payer, however many orders of theirs hang or fail, and however often', async () => {
    openTimed({ timeout: 50 });
    server.play((request, response) => {
      const { reference } = JSON.parse(request.body) as { reference: string };
      if (reference.startsWith('hangs')) hang(request, response);
      else answer(500, {})(request, response);
    });
    const those = (what: string, of: string) =>
      Array.from({ length: 40 }, (_, order) =>
        faultOf(gateway.authorise({ ...payment, reference: `${what}-${order}` }, of)),
      );
    const faults = await Promise.all([...those('hangs', 'ann'), ...those('fails', 'bob')]);
    for (const fault of faults) expect(fault).toBeInstanceOf(Unavailable);
    expect(states).toEqual(['closed']);
  });

  test('does not count what a gateway refuses', async () => {
    openTimed();
    server.play(answer(422, {}));
    for (let time = 0; time < 30; time += 1) await faultOf(another());
    expect(server.seen).toHaveLength(30);
    expect(states.at(-1)).toBe('closed');
  });
});

describe('turns', () => {
  const replies: { readonly reference: string; readonly reply: () => void }[] = [];
  beforeEach(() => {
    replies.length = 0;
    server.play((request, response) => {
      const { reference } = JSON.parse(request.body) as { reference: string };
      replies.push({ reference, reply: () => answer(200, authorisedAs(reference))(request, response) });
    });
  });
  const order = (reference: string, payer: string) => gateway.authorise({ ...payment, reference }, payer);

  test('so many are asked for at once, so many wait, and all others are refused at once', async () => {
    open({ concurrent: 2, waiting: 3 });
    const asking = Array.from({ length: 6 }, (_, nth) => order(`o${nth}`, `payer-${nth}`));
    expect(await faultOf(asking[5]!)).toMatchObject({
      name: 'Unavailable',
      message: expect.stringContaining('Too many'),
    });
    expect(calls).toEqual(['authorise crowded']);
    let answered = 0;
    while (answered < 5) {
      await until(() => replies.length > 0);
      expect(replies.length).toBeLessThanOrEqual(2);
      for (const { reply } of replies.splice(0)) {
        reply();
        answered += 1;
      }
    }
    expect(await Promise.all(asking.slice(0, 5))).toEqual(['o0', 'o1', 'o2', 'o3', 'o4'].map(authorisedAs));
    expect(server.seen).toHaveLength(5);
  });

  test('sixty orders of one payer that hang hold a third of the places: everybody else is asked for as ever', async () => {
    server.play((request, response) => {
      const { reference } = JSON.parse(request.body) as { reference: string };
      if (reference.startsWith('hangs')) return;
      answer(200, authorisedAs(reference))(request, response);
    });
    const hanging = Array.from({ length: 60 }, (_, nth) => faultOf(order(`hangs-${nth}`, 'ann')));
    await until(() => server.seen.length === 11);
    for (let nth = 0; nth < 100; nth += 1) {
      expect(await order(`o${nth}`, `payer-${nth}`)).toEqual(authorisedAs(`o${nth}`));
    }
    expect(server.seen).toHaveLength(111);
    await server.close();
    await gateway.close();
    for (const fault of await Promise.all(hanging)) expect(fault).toBeInstanceOf(Unavailable);
  });

  test('captures, voids and refunds count to the share of their payer', async () => {
    // Of three places one payer has one.
    open({ concurrent: 3 });
    server.play(
      (request, response) =>
        void replies.push({ reference: request.path, reply: () => answer(200)(request, response) }),
    );
    const asking = [
      gateway.capture('order-1', 'ann'),
      gateway.void('order-1', 'ann'),
      gateway.refund('order-1', 'ann'),
    ];
    for (const step of ['capture', 'void', 'refund']) {
      await until(() => replies.length === 1);
      const [{ reference, reply }] = replies.splice(0) as [(typeof replies)[number]];
      expect(reference).toBe(`/v1/payments/order-1/${step}`);
      reply();
    }
    await Promise.all(asking);
  });

  test('those who wait are asked for payer by payer', async () => {
    open({ concurrent: 1 });
    const asking = ['ann', 'ann', 'ann', 'bob', 'bob', 'cid'].map((payer, nth) => order(`o${nth}-${payer}`, payer));
    const begun: string[] = [];
    for (let nth = 0; nth < 6; nth += 1) {
      await until(() => replies.length === 1);
      const [{ reference, reply }] = replies.splice(0) as [(typeof replies)[number]];
      begun.push(reference);
      reply();
    }
    await Promise.all(asking);
    expect(begun).toEqual(['o0-ann', 'o1-ann', 'o3-bob', 'o5-cid', 'o2-ann', 'o4-bob']);
  });

  test('where too many wait, the last of whoever has most waiting gives way', async () => {
    open({ concurrent: 1, waiting: 3 });
    const ann = Array.from({ length: 4 }, (_, nth) => order(`ann-${nth}`, 'ann'));
    const bob = order('bob-0', 'bob');
    expect(await faultOf(ann[3]!)).toMatchObject({ message: expect.stringContaining('Too many') });
    // Now ann has two waiting, and bob one.
    expect(await faultOf(order('bob-1', 'bob'))).toMatchObject({ message: expect.stringContaining('Too many') });
    for (let nth = 0; nth < 4; nth += 1) {
      await until(() => replies.length > 0);
      replies.shift()!.reply();
    }
    await Promise.all([...ann.slice(0, 3), bob]);
    expect(calls.filter((call) => call === 'authorise crowded')).toHaveLength(2);
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
