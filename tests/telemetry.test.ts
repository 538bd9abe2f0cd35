import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { read } from './house/checkout.js';
import { operatorToken } from './support/command-line.js';
import { OtlpReceiver, type ReceivedSpan } from './support/otlp-receiver.js';
import { startServer, type Server } from './support/server.js';
import { waitUntil } from './support/wait-until.js';

// What a whole server tells of its work: traces, metrics and its log.

let folder: string;
let receiver: OtlpReceiver;
let server: Server;
let token: string;

/** What nobody may find in anything that is told. */
const personal = ['Ann Marie Secretly', '+49 30 5550199', 'Verborgener Weg 17', 'Hinterbrandenburg', '99887'];
const address = { street: personal[2], city: personal[3], postalCode: personal[4] };

const traceId = randomBytes(16).toString('hex');
const callerSpan = randomBytes(8).toString('hex');
const traceparent = `00-${traceId}-${callerSpan}-01`;

async function post(path: string, body: object, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${server.writeUrl}${path}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: `Bearer ${token}`,
      'idempotency-key': `${path} ${JSON.stringify(body)}`,
      ...headers,
    },
    body: JSON.stringify(body),
  });
}

async function scrape(url: string): Promise<string> {
  return (await fetch(`${url}/metrics`)).text();
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-telemetry-'));
  receiver = await OtlpReceiver.start();
  server = await startServer(folder, receiver.environment);
  await waitUntil('the read models are followed', async () => (await fetch(`${server.readUrl}/readyz`)).ok);
  token = await operatorToken(folder);

  const unitPrice = { amount: 900, currency: 'EUR' };
  await post('/v1/products', { productId: 'tea', name: 'Green Tea', unitPrice });
  await post('/v1/customers', { customerId: 'ann', name: personal[0], phone: personal[1], address });
  const order = {
    orderId: 'o1',
    customerId: 'ann',
    lines: [{ productId: 'tea', quantity: 2 }],
    payment: { token: 'tok_approve' },
  };
  const placed = await post('/v1/orders', order, { traceparent });
  expect(placed.status).toBe(201);
  expect((await post('/v1/orders', order, { traceparent: '' })).status).toBe(201);
  expect((await post('/v1/customers/ann/address', { address: { ...address, name: personal[0] } })).status).toBe(400);
  await waitUntil('the order is confirmed', async () => {
    const response = await fetch(`${server.readUrl}/v1/orders/o1`, {
      headers: {
        authorization: `Bearer ${token}`,
        traceparent,
        'consistency-token': placed.headers.get('consistency-token') ?? '',
      },
    });
    return ((await response.json()) as { status?: string }).status === 'confirmed';
  });
}, 120_000);

afterAll(async () => {
  await server.stop('SIGKILL');
  await receiver.close();
  await rm(folder, { recursive: true, force: true });
});

describe('traces', () => {
  const names = [
    'POST /v1/orders',
    'append order',
    'publish waybill.event-batches',
    'project orders.v2',
    'fulfil fulfilment',
    'append fulfilment',
    'append payment',
    'append delivery',
    'GET /v1/orders/:orderId',
  ];
  let spans: readonly ReceivedSpan[];

  beforeAll(async () => {
    spans = await waitUntil('every span of the trace has come', () => {
      const found = receiver.of(traceId);
      return names.every((name) => found.some((span) => span.name === name)) && found;
    });
  });

  test('one leads from the command over log, broker, read model and fulfilment to the query', () => {
    const command = spans.find(({ name }) => name === 'POST /v1/orders');
    const query = spans.find(({ name }) => name === 'GET /v1/orders/:orderId');
    expect([command?.parentSpanId, query?.parentSpanId]).toEqual([callerSpan, callerSpan]);
    for (const name of names.slice(1, -1)) {
      const found = spans.filter((span) => span.name === name);
      expect([name, ...new Set(found.map(({ parentSpanId }) => parentSpanId))]).toEqual([name, command?.spanId]);
    }
  });

  test('with the attributes of the semantic conventions', () => {
    const attributesOf = (name: string) => spans.find((span) => span.name === name)?.attributes;
    expect(attributesOf('POST /v1/orders')).toEqual({
      'http.request.method': 'POST',
      'http.route': '/v1/orders',
      'http.response.status_code': 201,
    });
    expect(attributesOf('append order')).toEqual({
      'db.system.name': 'sqlite',
      'db.operation.name': 'append',
      'db.collection.name': 'order',
    });
    expect(attributesOf('publish waybill.event-batches')).toMatchObject({
      'messaging.system': 'memory',
      'messaging.operation.type': 'send',
      'messaging.destination.name': 'waybill.event-batches',
    });
    expect(attributesOf('project orders.v2')).toMatchObject({
      'messaging.operation.type': 'process',
      'messaging.consumer.group.name': 'orders.v2',
    });
  });

  test('and nothing that is about a person or an order', () => {
    for (const secret of [...personal, 'ann', 'o1', token]) {
      expect([secret, receiver.text.includes(`"${secret}"`)]).toEqual([secret, false]);
    }
    for (const secret of personal) expect([secret, receiver.text.includes(secret)]).toEqual([secret, false]);
  });
});

describe('metrics', () => {
  /** Name → type, as `# TYPE` says. */
  async function ours(): Promise<ReadonlyMap<string, string>> {
    const text = `${await scrape(server.writeUrl)}\n${await scrape(server.readUrl)}`;
    const types = [...text.matchAll(/^# TYPE (\w+) (\w+)$/gm)].map(([, name, type]) => [name!, type!] as const);
    return new Map(types.filter(([name]) => /^(waybill|http)_/.test(name)));
  }

  test('each is in docs/operating.md, and each that is there is to be had', async () => {
    const documented = [...read('docs/operating.md').matchAll(/^\| `((?:waybill|http)_\w+)/gm)].map(
      ([, name]) => name!,
    );
    expect(documented.toSorted()).toEqual([...(await ours()).keys()].toSorted());
  });

  test('each is named as Prometheus asks: counters end in _total, all else in what it counts, or is 1 for a state', async () => {
    for (const [name, type] of await ours()) {
      expect([name, /^[a-z][a-z0-9_]*$/.test(name)]).toEqual([name, true]);
      expect([name, name.endsWith('_total')]).toEqual([name, type === 'counter']);
      if (type !== 'counter') expect(name).toMatch(/_(seconds|bytes|events|messages|documents|orders|ratio|state)$/);
    }
  });

  test('a family stands once on a page, though two threads count', async () => {
    const families = [...(await scrape(server.writeUrl)).matchAll(/^# TYPE (\w+)/gm)].map(([, name]) => name!);
    expect(families).toEqual([...new Set(families)]);
    expect(families).toContain('nodejs_eventloop_lag_seconds');
  });

  test('commands count by how they ended, appends and batches by whose they are, with no id in any label', async () => {
    const text = await scrape(server.writeUrl);
    const lines = text.split('\n');
    const line = (start: string): string | undefined => lines.find((one) => one.startsWith(start));
    expect(line('waybill_commands_total{route="/v1/orders",outcome="recorded"}')).toMatch(/ 1$/);
    expect(line('waybill_commands_total{route="/v1/orders",outcome="replayed"}')).toMatch(/ 1$/);
    expect(line('waybill_append_duration_seconds_count{category="order"}')).toMatch(/ [2-9]$/);
    expect(line('waybill_append_duration_seconds_count{category="fulfilment"}')).toMatch(/ [1-9]$/);
    expect(line('waybill_consumer_batch_events_sum{consumer="orders.v2"}')).toMatch(/ [1-9]\d*$/);
    expect(line('waybill_relay_messages_total')).toMatch(/ [1-9]\d*$/);
    expect(line('waybill_relay_unconfirmed_messages')).toMatch(/ 0$/);
    expect(lines.filter((one) => /"(o1|ann|tea|shop)"/.test(one))).toEqual([]);
  });
});

test('the log says nothing about a person', () => {
  for (const secret of [...personal, token])
    expect([secret, server.output().includes(secret)]).toEqual([secret, false]);
});
