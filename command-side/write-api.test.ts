import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { differences } from '@waybill/infra/http/pages/openapi.js';
import { writeApiDocument } from './openapi.js';
import { stores } from './testing/stores.js';
import { won, WriteApi } from './testing/write-api.js';

describe('the write API', () => {
  let api: WriteApi;
  beforeAll(async () => {
    api = await WriteApi.start(stores[0]![1]);
  });
  afterAll(() => api.close());
  const as = 'merchant:m1';
  const product = { name: 'Tea', unitPrice: won(500) };

  test('serves what its document describes, and nothing else', () => {
    expect(differences(writeApiDocument, api.routes())).toEqual([]);
  });

  test('publishes its document', async () => {
    const response = await fetch(`${api.url}/openapi.json`);
    expect(await response.json()).toEqual(JSON.parse(JSON.stringify(writeApiDocument)));
  });

  test('refuses what is no JSON, no JSON by its type, or too long', async () => {
    await api.refused('/v1/products', { as, text: '{"name":' }, 400, 'malformed-json');
    await api.refused('/v1/products', { as }, 400, 'invalid-input');
    await api.refused('/v1/products', { as, text: 'null' }, 400, 'invalid-input');
    const typed = (type: string) => ({
      as,
      body: product,
      headers: { 'Content-Type': type },
    });
    await api.refused('/v1/products', typed('text/plain'), 415, 'unsupported-media-type');
    await api.refused('/v1/products', typed('application/json; charset=latin1'), 415, 'unsupported-media-type');
    await api.refused('/v1/products', { as, body: { ...product, name: 'x'.repeat(70_000) } }, 413, 'body-too-large');
    const deep = `{"name":${'['.repeat(30_000)}${']'.repeat(30_000)}}`;
    await api.refused('/v1/products', { as, text: deep }, 400, 'invalid-input');
  });

  test('refuses bad ids in paths', async () => {
    for (const id of ['a%20b', 'x'.repeat(65), '%2e%2e%2f', 'ü']) {
      await api.refused(`/v1/products/${id}/withdrawal`, { as }, 400, 'invalid-input');
    }
  });

  test('takes no other method', async () => {
    const response = await fetch(`${api.url}/v1/orders`, {
      headers: { Authorization: `Bearer ${await api.token(as)}` },
    });
    expect([response.status, response.headers.get('Allow')]).toEqual([405, 'POST']);
  });

  test('a body of unknown type is refused before it is read', async () => {
    const token = await api.token(as);
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const headers = { Authorization: `Bearer ${token}`, 'Idempotency-Key': 'untyped', 'Content-Length': 2 };
      const sent = request(`${api.url}/v1/products`, { method: 'POST', headers }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      sent.on('error', reject);
      sent.end('{}');
    });
    expect(status).toBe(415);
  });

  test('a store that is down is 503, and what was asked can be asked again', async () => {
    api.store.fate = () => 'lost';
    const asked = { as, key: 'down', body: product };
    const { status, headers } = await api.post('/v1/products', asked);
    expect([status, headers.get('Retry-After')]).toEqual([503, '5']);
    api.store.fate = () => 'done';
    expect((await api.post('/v1/products', asked)).status).toBe(201);
  });

  test('carries the trace and the request’s id into the log', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const headers = { traceparent, 'X-Request-Id': 'request-7' };
    const { productId } = await api.done('/v1/products', { as, body: product, headers });
    const [event] = await api.events(`product-${productId}`);
    expect(event).toMatchObject({ traceparent, correlationId: 'request-7', request: { subject: '.system' } });
    expect(event!.causationId).toBe(event!.request!.id);
  });
});
