import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { webhookSecret } from '@waybill/infra/payment-gateway/testing/simulator-under-test.js';
import { webhookSignature, webhookSignatureHeader } from '@waybill/infra/http/webhook-signature.js';
import { beginning, noStream } from '@waybill/shared-kernel/ports/event-store.js';
import { stores } from '../testing/stores.js';
import { address, pointers, won, WriteApi } from '../testing/write-api.js';

const path = '/v1/payments/webhook';
const notice = { reference: 'o1', status: 'authorised' };

describe.each(stores)('a notice of the gateway, on %s', (_name, open) => {
  let api: WriteApi;
  beforeEach(async () => {
    api = await WriteApi.start(open);
    const asMerchant = { as: 'merchant:m1' };
    await api.done('/v1/products', { ...asMerchant, body: { productId: 'tea', name: 'Tea', unitPrice: won(250) } });
    await api.done('/v1/products', { ...asMerchant, body: { productId: 'gift', name: 'A gift', unitPrice: won(0) } });
    await api.done('/v1/customers', { as: 'customer:ann', body: { name: 'Ann', phone: '1', address } });
    await order('o1', 'tea');
  });
  afterEach(() => api.close());

  const order = (orderId: string, productId: string) => {
    const lines = [{ productId, quantity: 2 }];
    const body = { orderId, customerId: 'ann', lines, payment: { token: 'tok_slow' } };
    return api.done('/v1/orders', { as: 'customer:ann', body });
  };
  const signed = (body: object) => {
    const headers = { [webhookSignatureHeader]: webhookSignature(webhookSecret, JSON.stringify(body)) };
    return { key: null, body, headers };
  };
  const notify = async (body: object, url?: string): Promise<void> => {
    const reply = await api.post(path, signed(body), url);
    expect([reply.status, reply.text]).toEqual([204, '']);
  };
  const heads = () => api.store.head();

  test('is in the log, as part of the story of its order', async () => {
    api.clock.advance(60_000);
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    const { headers, ...call } = signed({ ...notice, at: '2026-01-01T10:00:30Z' });
    expect((await api.post(path, { ...call, headers: { ...headers, traceparent } })).status).toBe(204);
    const [placed] = await api.events('order-o1');
    const [event, ...more] = await api.events('payment-o1');
    expect(more).toEqual([]);
    expect(event).toMatchObject({
      type: 'PaymentAuthorised',
      data: { orderId: 'o1', amount: 500, currency: 'KRW' },
      occurredAt: '2026-01-01T10:00:30.000Z',
      actor: { sub: 'gateway', role: 'gateway' },
      correlationId: placed?.correlationId,
      partitionKey: 'o1',
      traceparent,
    });
  });

  test('says all that the simulator says', async () => {
    const more = { id: 'n1', type: 'payment.declined', amount: 500, currency: 'KRW', at: '2026-01-01T10:00:00Z' };
    await notify({ ...more, reference: 'o1', status: 'declined', reason: 'insufficient funds' });
    expect((await api.events('payment-o1'))[0]?.data).toEqual({ orderId: 'o1', reason: 'insufficient funds' });
    await notify({ ...more, type: 'payment.voided', reference: 'o1', status: 'voided', amount: null, currency: null });
    expect(await api.types('payment-o1')).toEqual(['PaymentDeclined', 'PaymentVoided']);
  });

  test('that comes twice, late, or before anything is known changes nothing', async () => {
    await notify(notice);
    await notify({ ...notice, status: 'captured' });
    const before = await heads();
    await notify({ ...notice, status: 'captured' });
    await notify(notice);
    await notify({ ...notice, status: 'pending' });
    await api.restart();
    await notify({ ...notice, status: 'captured' });
    expect(await heads()).toBe(before);
  });

  test('that comes twice at once, to two processes, is in the log once', async () => {
    const other = await api.another();
    await Promise.all([notify(notice), notify(notice, other.url), notify(notice), notify(notice, other.url)]);
    await other.close();
    expect(await api.types('payment-o1')).toEqual(['PaymentAuthorised']);
  });

  test.each([
    ['of the future', '2030-01-01T00:00:00Z', '2026-01-01T10:01:00.000Z'],
    ['of a time before the order', '2020-01-01T00:00:00Z', '2026-01-01T10:00:00.000Z'],
    ['without a time', undefined, '2026-01-01T10:01:00.000Z'],
  ])('%s happened when it can have', async (_what, at, occurredAt) => {
    api.clock.advance(60_000);
    await notify({ ...notice, at });
    expect((await api.events('payment-o1'))[0]?.occurredAt).toBe(occurredAt);
  });

  test('happened no earlier than the order, also where the clock was set back since', async () => {
    api.clock.advance(-3_600_000);
    await notify(notice);
    expect((await api.events('payment-o1'))[0]?.occurredAt).toBe('2026-01-01T10:00:00.000Z');
  });

  test('of no order of ours, of one that costs nothing, and of history notes nothing', async () => {
    await order('free', 'gift');
    const [event] = (await api.store.readAll(beginning, 1)).events;
    const imported = (await api.events('order-o1')).map(({ type, schemaVersion, data }) => ({
      ...{ type, schemaVersion, data: { ...data, orderId: 'old' } },
      ...{ id: '6c8f3f0e-3c5c-4f43-9b3b-0d6f2f0c1a11', partitionKey: 'old', imported: true as const },
      ...{ occurredAt: event!.occurredAt, correlationId: 'c', causationId: 'c' },
    }));
    await api.store.append('order-old', noStream, imported);
    const before = await heads();
    for (const reference of ['elsewhere', 'free', 'old']) await notify({ ...notice, reference });
    expect(await heads()).toBe(before);
  });

  test.each([
    ['another amount', { amount: 499 }],
    ['another currency', { currency: 'EUR' }],
  ])('of %s than was asked for is refused', async (_what, more) => {
    const problem = await api.refused(path, signed({ ...notice, ...more }), 409, 'rule-violated');
    expect(problem['rule']).toBe('payment-amount');
  });

  test.each<[string, object, string[]]>([
    ['nothing', {}, ['/reference', '/status']],
    ['no id', { ...notice, reference: 'o/1' }, ['/reference']],
    ['no status', { ...notice, status: 'paid' }, ['/status']],
    ['two different things', { ...notice, type: 'payment.declined' }, ['/type']],
    ['no time', { ...notice, at: 'noon' }, ['/at']],
    ['part of an amount', { ...notice, amount: 0.5 }, ['/amount']],
    ['more than there is', { ...notice, card: '1' }, ['/card']],
    ['a list', [notice], ['']],
  ])('that says %s is refused', async (_what, body, where) => {
    const problem = await api.refused(path, signed(body), 400, 'invalid-input');
    expect(pointers(problem).toSorted()).toEqual(where);
  });

  test('that is not signed, or not by the gateway, is nobody’s', async () => {
    await api.refused(path, { body: notice }, 401, 'unauthenticated');
    const headers = { [webhookSignatureHeader]: webhookSignature('another secret', JSON.stringify(notice)) };
    await api.refused(path, { body: notice, headers }, 401, 'unauthenticated');
  });

  test('waits for the log', async () => {
    api.store.fate = () => 'lost';
    await api.refused(path, signed(notice), 503, 'unavailable');
    api.store.fate = () => 'cut off';
    expect((await api.post(path, signed(notice))).status).toBe(503);
    api.store.fate = () => 'done';
    await notify(notice);
    expect(await api.types('payment-o1')).toEqual(['PaymentAuthorised']);
  });
});
