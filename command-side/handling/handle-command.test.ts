import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { systemRandomness } from '@waybill/infra/clock/system.js';
import {
  aggregateIdOf,
  formerAggregateIdOf,
  formerRequestIdOf,
  payloadHash,
  requestIdOf,
} from '@waybill/shared-kernel/idempotency.js';
import type { NewEvent } from '@waybill/shared-kernel/message.js';
import { serviceSubject } from '@waybill/shared-kernel/ports/keys.js';
import { stores } from '../testing/stores.js';
import { address, won, WriteApi, type Asked } from '../testing/write-api.js';

const as = 'customer:ann';
const cart = { customerId: 'ann', lines: [{ productId: 'tea', quantity: 1 }], payment: { token: 'tok_approve' } };
/** Others than those of the cart. */
const lines = [{ productId: 'rice', quantity: 1 }];

describe.each(stores)('commands that come again, %s', (_, open) => {
  let api: WriteApi;
  beforeAll(async () => {
    api = await WriteApi.start(open);
    for (const productId of ['tea', 'rice']) {
      await api.done('/v1/products', { as: 'merchant:m1', body: { productId, name: productId, unitPrice: won(500) } });
    }
    await api.done('/v1/customers', { as: 'customer:ann', body: { name: 'Ann', phone: '1', address } });
    await api.done('/v1/customers', { as: 'customer:bob', body: { name: 'Bob', phone: '2', address } });
  });
  afterAll(() => api.close());
  beforeEach(() => {
    api.store.fate = () => 'done';
  });

  let keys = 0;
  const newKey = () => `again-${(keys += 1)}`;

  /** What must be the same, byte for byte. */
  const essence = ({ status, text, headers }: Awaited<ReturnType<WriteApi['post']>>) => [
    status,
    text,
    headers.get('ETag'),
    headers.get('Consistency-Token'),
    headers.get('Location'),
    headers.get('Content-Type'),
  ];

  test.each([null, '', 'x'.repeat(256), 'größe'])('without a key that is one (%j) nothing is done', async (key) => {
    const headers: Record<string, string> =
      key === 'größe' ? { 'Idempotency-Key': Buffer.from(key).toString('latin1') } : {};
    const asked: Asked = { as, body: cart, key: key === 'größe' ? null : key, headers };
    await api.refused('/v1/orders', asked, 400, 'idempotency-key-missing');
  });

  test.each([
    ['its id derived', {}],
    ['its id chosen', { orderId: 'chosen' }],
  ])('the first answer comes again, byte for byte, also after a restart: %s', async (_case, id) => {
    const asked = { as, key: newKey(), body: { ...cart, ...id } };
    const first = await api.post('/v1/orders', asked);
    expect([first.status, first.headers.get('Idempotency-Replayed')]).toEqual([201, null]);
    const head = await api.store.head();
    for (const restarted of [false, true]) {
      if (restarted) await api.restart();
      const again = await api.post('/v1/orders', asked);
      expect(essence(again)).toEqual(essence(first));
      expect(again.headers.get('Idempotency-Replayed')).toBe('true');
    }
    expect(await api.store.head()).toBe(head);
  });

  test('the first answer comes again after the thing has moved on, whatever If-Match and the rules say now', async () => {
    const key = newKey();
    const place = { as, key, body: cart };
    const placed = await api.post('/v1/orders', place);
    const { orderId } = placed.body;
    const cancellation = `/v1/orders/${orderId}/cancellation`;
    const cancel = { as, key: newKey(), body: { reason: 'no' }, headers: { 'If-Match': '"0"' } };
    const cancelled = await api.post(cancellation, cancel);
    expect(cancelled.status).toBe(200);
    expect(essence(await api.post(cancellation, cancel))).toEqual(essence(cancelled));
    expect(essence(await api.post('/v1/orders', place))).toEqual(essence(placed));
    await api.restart();
    expect(essence(await api.post('/v1/orders', { ...place, headers: { 'If-Match': '"7"' } }))).toEqual(
      essence(placed),
    );
  });

  test('the first answer comes again although the product was withdrawn since', async () => {
    const unitPrice = won(1);
    const product = { as: 'merchant:m1', body: { productId: 'soon-gone', name: 'Soon', unitPrice } };
    await api.done('/v1/products', product);
    const place = { as, key: newKey(), body: { ...cart, lines: [{ productId: 'soon-gone', quantity: 1 }] } };
    const placed = await api.post('/v1/orders', place);
    await api.done('/v1/products/soon-gone/withdrawal', { as: 'merchant:m1' });
    expect(essence(await api.post('/v1/orders', place))).toEqual(essence(placed));
  });

  test('the payload is compared as JSON, not as text', async () => {
    const key = newKey();
    const first = await api.post('/v1/orders', { as, key, body: cart });
    const { payment, lines, customerId } = cart;
    const text = JSON.stringify({ payment, customerId, lines }, undefined, 2);
    expect(essence(await api.post('/v1/orders', { as, key, text, body: cart }))).toEqual(essence(first));
  });

  test.each<[string, object, object]>([
    ['another line', {}, { lines }],
    ['an id where there was none', {}, { orderId: 'late-id' }],
    ['no id where there was one', { orderId: 'early-id' }, {}],
    ['another id', { orderId: 'one-id' }, { orderId: 'other-id' }],
  ])('the same key with another payload is refused, also after a restart: %s', async (_case, first, second) => {
    const key = newKey();
    await api.done('/v1/orders', { as, key, body: { ...cart, ...first } });
    for (const restarted of [false, true]) {
      if (restarted) await api.restart();
      await api.refused('/v1/orders', { as, key, body: { ...cart, ...second } }, 422, 'idempotency-key-reused');
    }
  });

  test('once the key of the hash is destroyed, whatever comes counts as the same', async () => {
    await api.done('/v1/customers', { as: 'customer:eve', body: { name: 'Eve', phone: '3', address } });
    const asked = { as: 'customer:eve', key: newKey(), body: { ...cart, customerId: 'eve' } };
    const first = await api.post('/v1/orders', asked);
    await api.keys.destroy('eve');
    expect(essence(await api.post('/v1/orders', { ...asked, body: { ...asked.body, lines } }))).toEqual(essence(first));
  });

  test.each([
    ['recorded', 'done'],
    ['pointed to', 'lost'],
  ] as const)('and yet not another id, nor what is about somebody else: %s', async (_case, fate) => {
    const customerId = `gone-${fate}`;
    await api.done('/v1/customers', { as: `customer:${customerId}`, body: { name: 'Eve', phone: '3', address } });
    const body = { ...cart, customerId, orderId: `of-${customerId}` };
    const asked = { as: 'operator:op', key: newKey(), body };
    api.store.fate = (stream) => (stream.startsWith('order-') ? fate : 'done');
    expect((await api.post('/v1/orders', asked)).status).toBe(fate === 'done' ? 201 : 503);
    api.store.fate = () => 'done';
    await api.keys.destroy(customerId);
    for (const other of [{ orderId: 'of-another' }, { customerId: 'bob' }, { customerId: 'bob', orderId: undefined }]) {
      const reused = { ...asked, body: { ...body, ...other } };
      await api.refused('/v1/orders', reused, 422, 'idempotency-key-reused');
    }
  });

  test('a key is the caller’s, the method’s and the path’s', async () => {
    const key = newKey();
    const { orderId } = await api.done('/v1/orders', { as, key, body: cart });
    const other = await api.done('/v1/orders', { as: 'customer:bob', key, body: { ...cart, customerId: 'bob' } });
    expect(other.orderId).not.toBe(orderId);
    await api.done(`/v1/orders/${orderId}/cancellation`, { as, key, body: { reason: 'no' } });
    await api.done(`/v1/orders/${other.orderId}/cancellation`, { as: 'operator:ann', key, body: { reason: 'no' } });
  });

  test('what was refused is decided anew', async () => {
    const body = { ...cart, lines: [{ productId: 'not-yet', quantity: 1 }] };
    const asked = { as, key: newKey(), body };
    await api.refused('/v1/orders', asked, 400, 'invalid-input');
    const product = { as: 'merchant:m1', body: { productId: 'not-yet', name: 'New', unitPrice: won(1) } };
    await api.done('/v1/products', product);
    const { status, headers } = await api.post('/v1/orders', asked);
    expect([status, headers.get('Idempotency-Replayed')]).toEqual([201, null]);
  });

  test('what changed nothing is decided anew, under whatever payload', async () => {
    const path = '/v1/products/tea/price';
    const key = newKey();
    const unchanged = await api.post(path, { as: 'merchant:m1', key, body: { unitPrice: won(500) } });
    expect(unchanged.body.revision).toBe(0);
    const changed = await api.post(path, { as: 'merchant:m1', key, body: { unitPrice: won(501) } });
    expect([changed.status, changed.body.revision, changed.headers.get('Idempotency-Replayed')]).toEqual([
      200,
      1,
      null,
    ]);
  });

  test('what is refused is decided once, and none of what it takes is read twice', async () => {
    const asked = { as, key: newKey(), body: { ...cart, lines: [{ productId: 'no-such', quantity: 1 }] } };
    const read: string[] = [];
    const { readStream } = api.store;
    api.store.readStream = (stream, from, limit) => {
      read.push(stream);
      return readStream(stream, from, limit);
    };
    try {
      await api.refused('/v1/orders', asked, 400, 'invalid-input');
    } finally {
      api.store.readStream = readStream;
    }
    expect(read).toContain('product-no-such');
    expect(new Set(read).size).toBe(read.length);
  });

  test('of two at once in one process one records, and the other is told to wait', async () => {
    const asked = { as, key: newKey(), body: cart };
    const replies = await Promise.all([1, 2, 3, 4].map(() => api.post('/v1/orders', asked)));
    const recorded = replies.filter(({ status }) => status === 201);
    const waiting = replies.filter(({ status }) => status === 409);
    expect(recorded.length).toBeGreaterThan(0);
    expect(recorded.length + waiting.length).toBe(4);
    expect(new Set(recorded.map(({ text }) => text)).size).toBe(1);
    expect(waiting.map(({ body }) => body['type'])).toEqual(
      waiting.map(() => 'urn:waybill:problem:concurrent-request'),
    );
    expect(await api.types(`order-${recorded[0]!.body.orderId}`)).toEqual(['OrderPlaced']);
  });

  test.each([
    ['the same payload', cart, [201, 201]],
    ['other payloads', { ...cart, lines }, [201, 422]],
  ])('of two at once in two processes one records: %s', async (_case, second, statuses) => {
    const other = await api.another();
    try {
      const asked = { as, key: newKey() };
      const replies = await Promise.all([
        api.post('/v1/orders', { ...asked, body: cart }),
        api.post('/v1/orders', { ...asked, body: second }, other.url),
      ]);
      const recorded = replies.filter(({ status }) => status === 201);
      expect(new Set(recorded.map(({ text }) => text)).size).toBe(1);
      expect(replies.map(({ status }) => status).sort()).toEqual(statuses);
    } finally {
      await other.close();
    }
  });

  test.each(['order-', 'request-'])('an append to %s… of which nobody heard is found again', async (category) => {
    for (const [fate, id] of [
      ['unheard', {}],
      ['unheard', { orderId: `${category}unheard` }],
      ['cut off', {}],
      ['cut off', { orderId: `${category}cut-off` }],
      ['lost', {}],
      ['lost', { orderId: `${category}lost` }],
    ] as const) {
      const asked = { as, key: newKey(), body: { ...cart, ...id } };
      api.store.fate = (stream) => (stream.startsWith(category) ? fate : 'done');
      const first = await api.post('/v1/orders', asked);
      expect([fate, first.status]).toEqual([fate, fate === 'unheard' ? 201 : 503]);
      api.store.fate = () => 'done';
      await api.restart();
      const { status, headers, body } = await api.post('/v1/orders', asked);
      const isRecorded = fate === 'unheard' || (fate === 'cut off' && category === 'order-');
      expect([status, headers.get('Idempotency-Replayed')]).toEqual([201, isRecorded ? 'true' : null]);
      expect(await api.types(`order-${body.orderId}`)).toEqual(['OrderPlaced']);
    }
  });

  describe('once its pointer stands, a key is bound to one id and one payload for good,', () => {
    const reused = (key: string, body: object) =>
      api.refused('/v1/orders', { as, key, body }, 422, 'idempotency-key-reused');

    test.each([
      ['chosen', { orderId: 'abandoned' }],
      ['made here', {}],
    ])('also where a crash left nothing but the pointer: the id %s', async (_case, id) => {
      const key = newKey();
      const body = { ...cart, ...id };
      api.store.fate = (stream) => (stream.startsWith('order-') ? 'lost' : 'done');
      expect((await api.post('/v1/orders', { as, key, body })).status).toBe(503);
      api.store.fate = () => 'done';
      await api.restart();
      await reused(key, { ...cart, orderId: 'another' });
      await reused(key, { ...body, lines });
      const first = await api.post('/v1/orders', { as, key, body });
      expect([first.status, first.headers.get('Idempotency-Replayed')]).toEqual([201, null]);
      expect(essence(await api.post('/v1/orders', { as, key, body }))).toEqual(essence(first));
      await reused(key, { ...cart, orderId: 'another' });
    });

    test('also where it was refused, because somebody took the id just then', async () => {
      const key = newKey();
      const body = { ...cart, orderId: 'contended' };
      api.store.fate = async (stream) => {
        if (stream === 'order-contended') {
          api.store.fate = () => 'done';
          await api.done('/v1/orders', { as: 'customer:bob', body: { ...body, customerId: 'bob' } });
        }
        return 'done' as const;
      };
      expect((await api.post('/v1/orders', { as, key, body })).status).toBe(409);
      await api.refused('/v1/orders', { as, key, body }, 409, 'id-taken');
      await reused(key, { ...cart, orderId: 'another' });
      await reused(key, cart);
    });

    test('but not by a refusal that recorded nothing', async () => {
      const key = newKey();
      await api.done('/v1/orders', { as, body: { ...cart, orderId: 'first-come' } });
      await api.refused('/v1/orders', { as, key, body: { ...cart, orderId: 'first-come' } }, 409, 'id-taken');
      await api.done('/v1/orders', { as, key, body: { ...cart, orderId: 'second-come' } });
    });
  });

  describe('keys are per caller and acting role', () => {
    const reason = { reason: 'no' };

    test('one who is called as a customer is does not get her answer', async () => {
      const { orderId } = await api.done('/v1/orders', { as, body: cart });
      const asked = { key: newKey(), body: reason };
      await api.done(`/v1/orders/${orderId}/cancellation`, { as, ...asked });
      await api.refused(`/v1/orders/${orderId}/cancellation`, { as: 'merchant:ann', ...asked }, 404, 'not-found');
    });

    test('of a caller with several roles, the answer in each of them is found, if the token has it still', async () => {
      const asked = { key: newKey(), body: cart };
      const first = await api.post('/v1/orders', { as: 'customer+operator:ann', ...asked });
      for (const who of ['operator+customer:ann', 'customer:ann']) {
        expect(essence(await api.post('/v1/orders', { as: who, ...asked }))).toEqual(essence(first));
      }
      const other = await api.post('/v1/orders', { as: 'operator:ann', ...asked });
      expect([other.status, other.headers.get('Idempotency-Replayed')]).toEqual([201, null]);
      expect(other.body.orderId).not.toBe(first.body.orderId);
    });
  });

  describe('the id of what is made', () => {
    test('is no other’s to foresee, and so not theirs to take', async () => {
      const key = 'first-order';
      const foreseen = ['customer', undefined].map((role) =>
        role === undefined
          ? formerAggregateIdOf(formerRequestIdOf('ann', 'POST', '/v1/orders', key))
          : formerAggregateIdOf(requestIdOf('ann', role, 'POST', '/v1/orders', key)),
      );
      for (const orderId of foreseen) {
        await api.done('/v1/orders', { as: 'customer:bob', body: { ...cart, customerId: 'bob', orderId } });
      }
      const { orderId } = await api.done('/v1/orders', { as, key, body: cart });
      expect(foreseen).not.toContain(orderId);
      const serviceKey = await api.keys.find(serviceSubject);
      expect(orderId).toBe(aggregateIdOf(serviceKey!, requestIdOf('ann', 'customer', 'POST', '/v1/orders', key)));
    });

    test('that is taken is answered in the same way whoever has it, and with nothing of what is there', async () => {
      const theirs = { ...cart, customerId: 'bob', orderId: 'theirs' };
      await api.done('/v1/orders', { as: 'customer:bob', body: theirs });
      await api.done('/v1/orders/theirs/cancellation', { as: 'customer:bob', body: { reason: 'no' } });
      await api.done('/v1/orders', { as, body: { ...cart, orderId: 'mine' } });
      const refusals = ['theirs', 'mine'].map((orderId) =>
        api.refused('/v1/orders', { as, body: { ...cart, orderId } }, 409, 'id-taken'),
      );
      const [ofTheirs, ofMine] = await Promise.all(refusals);
      expect(Object.keys(ofTheirs!)).toEqual(['type', 'title', 'status', 'detail']);
      expect(ofTheirs).toEqual({ ...ofMine, detail: String(ofMine!['detail']).replace('mine', 'theirs') });
    });
  });

  describe('If-Match', () => {
    test.each(['"0"', '*', '"5", "0"', '"0" , W/"1"'])('%s is the revision that is there', async (ifMatch) => {
      const { orderId } = await api.done('/v1/orders', { as, body: cart });
      const cancel = { as, body: { reason: 'no' }, headers: { 'If-Match': ifMatch } };
      expect((await api.post(`/v1/orders/${orderId}/cancellation`, cancel)).status).toBe(200);
    });

    test.each(['"1"', 'W/"0"', '0', '', '"x"'])('%j is not, and the answer says which is', async (ifMatch) => {
      const { orderId } = await api.done('/v1/orders', { as, body: cart });
      const cancel = { as, body: { reason: 'no' }, headers: { 'If-Match': ifMatch } };
      const problem = await api.refused(`/v1/orders/${orderId}/cancellation`, cancel, 412, 'revision-mismatch');
      expect(problem['currentRevision']).toBe(0);
    });

    test('of what is made now, there is none: it is told so, and nothing of one who has the id', async () => {
      const theirs = { ...cart, customerId: 'bob', orderId: 'of-bob' };
      await api.done('/v1/orders', { as: 'customer:bob', body: theirs });
      for (const ifMatch of ['*', '"0"', '"7"', '']) {
        for (const id of [{}, { orderId: 'of-bob' }]) {
          const asked = { as, body: { ...cart, ...id }, headers: { 'If-Match': ifMatch } };
          const { errors } = await api.refused('/v1/orders', asked, 400, 'invalid-input');
          expect(errors).toMatchObject([{ pointer: '/If-Match', parameter: 'If-Match' }]);
        }
      }
    });

    test('holds also against a writer who comes in between', async () => {
      await api.done('/v1/products', { as: 'merchant:m1', body: { productId: 'hot', name: 'Hot', unitPrice: won(1) } });
      const stock = (change: number, headers = {}) => ({ as: 'merchant:m1', body: { change }, headers });
      const replies = await Promise.all(
        [1, 2, 3].map((change) => api.post('/v1/products/hot/stock', stock(change, { 'If-Match': '"0"' }))),
      );
      expect(replies.map(({ status }) => status).sort()).toEqual([200, 412, 412]);
    });
  });

  test('writers who meet on one stream all get through, each once', async () => {
    await api.done('/v1/products', { as: 'merchant:m1', body: { productId: 'busy', name: 'Busy', unitPrice: won(1) } });
    const other = await api.another();
    try {
      const replies = await Promise.all(
        Array.from({ length: 6 }, (_unused, index) =>
          api.post(
            '/v1/products/busy/stock',
            { as: 'merchant:m1', body: { change: 1 } },
            index % 2 === 0 ? api.url : other.url,
          ),
        ),
      );
      expect(replies.map(({ status }) => status)).toEqual(replies.map(() => 200));
      const events = await api.events('product-busy');
      expect(events.slice(1).map(({ data }) => data['stock'])).toEqual([1, 2, 3, 4, 5, 6]);
    } finally {
      await other.close();
    }
  });

  test('whatever is repeated whenever: each key records once, and answers the same ever after', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ key: fc.nat(2), quantity: fc.integer({ min: 1, max: 2 }), restart: fc.boolean() }), {
          maxLength: 8,
        }),
        fc.uuid(),
        async (requests, run) => {
          const first = new Map<number, { quantity: number; text: string }>();
          for (const { key, quantity, restart } of requests) {
            if (restart) await api.restart();
            const body = { ...cart, lines: [{ productId: 'tea', quantity }] };
            const { status, text } = await api.post('/v1/orders', { as, key: `${run}-${key}`, body });
            const before = first.get(key);
            if (before === undefined) first.set(key, { quantity, text });
            else if (before.quantity === quantity) expect(text).toBe(before.text);
            expect(status).toBe(before === undefined || before.quantity === quantity ? 201 : 422);
          }
        },
      ),
      { numRuns: 15 },
    );
  });
});

describe.each(stores)('a log of before, %s', (_, open) => {
  let api: WriteApi;
  beforeAll(async () => {
    api = await WriteApi.start(open);
    // What was made then had no pointer of now.
    await append('request-old', 'tea', { type: 'RequestDirected', data: { stream: 'product-tea' } });
    for (const productId of ['tea', 'rice']) {
      const product = { productId, name: productId, unitPrice: won(500) };
      await api.done('/v1/products', { as: 'merchant:m1', body: product });
    }
    await api.done('/v1/customers', { as, body: { name: 'Ann', phone: '1', address } });
  });
  afterAll(() => api.close());

  const role = 'customer';
  let keys = 0;
  const newKey = () => `before-${(keys += 1)}`;
  const mark = async (key: string, body: object) => ({
    id: formerRequestIdOf('ann', 'POST', '/v1/orders', key),
    hash: payloadHash((await api.keys.find('ann'))!, body),
    subject: 'ann',
  });
  const recorded = { schemaVersion: 1, occurredAt: '2026-01-01T09:00:00.000Z', correlationId: 'c', causationId: 'c' };
  const append = (stream: string, partitionKey: string, event: Pick<NewEvent, 'type' | 'data' | 'request'>) =>
    api.store.append(stream, -1, [
      { ...recorded, id: systemRandomness.uuid(), partitionKey, actor: { sub: 'ann', role }, ...event },
    ]);
  const placed = async (orderId: string, key: string, body: object) =>
    append(`order-${orderId}`, orderId, {
      type: 'OrderPlaced',
      request: await mark(key, body),
      data: {
        orderId,
        ...cart,
        currency: 'KRW',
        total: 500,
        deliveryAddress: '',
        paymentToken: 't',
        promisedBy: null,
      },
    });
  const pointed = async (key: string, to: string) =>
    append(`request-${(await mark(key, {})).id}`, to, { type: 'RequestDirected', data: { stream: `order-${to}` } });

  test('a repeat finds what was recorded, at the id that was made or chosen then', async () => {
    const [made, chosen] = [newKey(), newKey()];
    const madeId = formerAggregateIdOf((await mark(made, {})).id);
    await placed(madeId, made, cart);
    const body = { ...cart, orderId: 'old-chosen' };
    await pointed(chosen, 'old-chosen');
    await placed('old-chosen', chosen, body);
    for (const [key, asked, id] of [
      [made, cart, madeId],
      [chosen, body, 'old-chosen'],
    ] as const) {
      const { status, headers, body: answered } = await api.post('/v1/orders', { as, key, body: asked });
      expect([status, headers.get('Idempotency-Replayed'), answered.orderId]).toEqual([201, 'true', id]);
      await api.refused('/v1/orders', { as, key, body: { ...asked, lines } }, 422, 'idempotency-key-reused');
      // In another role it is another key.
      const other = await api.post('/v1/orders', { as: 'operator:ann', key, body: { ...cart, lines } });
      expect([other.status, other.headers.get('Idempotency-Replayed')]).toEqual([201, null]);
    }
  });

  test('a pointer binds to its target, with any payload', async () => {
    const key = newKey();
    await pointed(key, 'old-abandoned');
    const body = { ...cart, orderId: 'old-another' };
    await api.refused('/v1/orders', { as, key, body }, 422, 'idempotency-key-reused');
    const { orderId } = await api.done('/v1/orders', { as, key, body: { ...cart, lines } });
    expect(orderId).toBe('old-abandoned');
  });
});
