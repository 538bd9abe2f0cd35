import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { problemKinds } from '@waybill/infra/http/problem.js';
import { longestBody } from '@waybill/infra/http/server/read-body.js';
import { checkout, read } from '../house/checkout.js';
import { runCommandLine } from '../support/command-line.js';
import { checkGateway, describeWithNginx, startGateway, type Gateway, type Upstreams } from '../support/nginx.js';
import { PartProcess } from '../support/part-process.js';
import { post } from '../support/write-client.js';

const configuration = read('infra/deploy/gateway/nginx.conf');

test('the gateway takes bodies as long as the APIs do', () => {
  expect(configuration).toContain(`client_max_body_size ${longestBody / 1024}k;`);
});

test('the problems it answers with are JSON, and among those that the APIs name', () => {
  const problems = [...configuration.matchAll(/return (\d+) '(\{"type".*\})';/g)].map(([, status, text]) => ({
    answered: Number(status),
    problem: JSON.parse(text!) as { type: string; title: string; status: number },
  }));
  expect(problems.length).toBeGreaterThan(5);
  for (const { answered, problem } of problems) {
    expect(problem.status).toBe(answered);
    const kind = problem.type.replace('urn:waybill:problem:', '');
    const ours = Object.entries(problemKinds).find(([name]) => name === kind)?.[1];
    expect(problem).toMatchObject({ status: ours?.status, title: ours?.title });
  }
});

describeWithNginx('the gateway', () => {
  const stops: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  });

  async function gatewayTo(upstreams: Upstreams): Promise<Gateway> {
    const gateway = await startGateway(upstreams);
    stops.push(() => gateway.stop());
    return gateway;
  }

  /** Something in the place of an API, for what no API of ours does. Its address. */
  async function backend(answer: RequestListener, upgrade?: Parameters<typeof upgradeOf>[1]): Promise<string> {
    const server = createServer(answer);
    if (upgrade !== undefined) upgradeOf(server, upgrade);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const sockets = new Set<Socket>();
    server.on('connection', (socket) => sockets.add(socket));
    stops.push(async () => {
      // Those that became WebSockets are no longer the server's.
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    });
    return `127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  test.each(['infra/deploy/gateway/upstreams.conf', 'infra/deploy/kubernetes/base/upstreams.conf'])(
    'is configured well with %s',
    async (file) => {
      const { code, said } = await checkGateway(join(checkout, file));
      expect(said).toContain('test is successful');
      expect(said).not.toContain('[warn]');
      expect(code).toBe(0);
    },
  );

  describeWithNginx('before two write APIs and two read APIs', () => {
    let folder: string;
    let gateway: Gateway | undefined;
    let token: string;
    let writeApis: readonly PartProcess[] = [];
    let readApis: readonly PartProcess[] = [];

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'waybill-balanced-'));
      // The log says all that is asked here; nobody listens at the broker's address.
      const environment = {
        WAYBILL_DATA: folder,
        WAYBILL_BROKER: 'amqp://127.0.0.1:1',
        WAYBILL_WRITE_PORT: '0',
        WAYBILL_READ_PORT: '0',
      };
      const start = (name: 'write-api' | 'read-api') => PartProcess.start(name, environment);
      const roles = ['--role', 'operator', '--role', 'merchant'];
      token = (await runCommandLine(folder, ['token', ...roles, '--sub', 'shop'])).stdout.trim();
      writeApis = [await start('write-api'), await start('write-api')];
      readApis = [await start('read-api'), await start('read-api')];
      gateway = await startGateway({ write: writeApis.map(({ url }) => url), read: readApis.map(({ url }) => url) });
    }, 120_000);
    afterAll(async () => {
      await gateway?.stop();
      for (const api of [...writeApis, ...readApis]) await api.kill();
      await rm(folder, { recursive: true, force: true });
    });

    const running = (): Gateway => {
      if (gateway === undefined) throw new Error('the gateway did not start');
      return gateway;
    };
    const get = (path: string, headers: Readonly<Record<string, string>> = {}) =>
      fetch(running().url + path, { headers: { authorization: `Bearer ${token}`, ...headers } });

    async function servedBy(method: string): Promise<ReadonlySet<string>> {
      const lines = (await running().accessLog()).filter(
        (line) => line.method === method && line.path.startsWith('/v1/'),
      );
      return new Set(lines.map(({ upstream }) => `http://${upstream}`));
    }

    test('what writes goes to both write APIs, what reads to both read APIs, with all its headers', async () => {
      for (let number = 0; number < 8; number += 1) {
        const product = { productId: `p${number}`, name: 'Tea', unitPrice: { amount: 900, currency: 'EUR' } };
        const created = await post(running().url, '/v1/products', token, `key-${number}`, product);
        expect(created.status).toBe(201);
        expect(created.headers.get('etag')).toBe('"0"');
        expect(created.headers.get('consistency-token')).not.toBeNull();
        const again = await post(running().url, '/v1/products', token, `key-${number}`, product);
        expect(again.headers.get('idempotency-replayed')).toBe('true');
        expect(again.text).toBe(created.text);
        const list = await get('/v1/products');
        expect(list.status).toBe(200);
      }
      expect(await servedBy('POST')).toEqual(new Set(writeApis.map(({ url }) => url)));
      expect(await servedBy('GET')).toEqual(new Set(readApis.map(({ url }) => url)));
    });

    test('a browser that asks leave to write is answered by who would write', async () => {
      const asked = {
        method: 'OPTIONS',
        headers: { origin: 'https://a.example', 'access-control-request-method': 'POST' },
      };
      const answer = await fetch(`${running().url}/v1/products/p1/price`, asked);
      expect([answer.status, answer.headers.get('allow')]).toEqual([204, 'POST']);
      const read = await fetch(`${running().url}/v1/products/p1`, { method: 'OPTIONS' });
      expect([read.status, read.headers.get('allow')]).toEqual([204, 'GET, HEAD']);
    });

    test('the request id of a client reaches the API, comes back, and is in the log; a bad one is replaced', async () => {
      const sane = await get('/v1/products', { 'x-request-id': 'trace.me~1' });
      expect(sane.headers.get('x-request-id')).toBe('trace.me~1');
      const bad = await get('/v1/products', { 'x-request-id': 'not sane' });
      expect(bad.headers.get('x-request-id')).toMatch(/^[0-9a-f]{32}$/);
      await running().logged('trace.me~1');
      await running().logged(bad.headers.get('x-request-id')!);
    });

    test('the documents of both APIs are there; metrics and readiness are not for the outside', async () => {
      const titles = await Promise.all(
        ['/openapi.json', '/write/openapi.json'].map(async (path) => {
          const document = (await (await get(path)).json()) as { info: { title: string } };
          return document.info.title;
        }),
      );
      expect(new Set(titles).size).toBe(2);
      for (const path of ['/docs', '/docs/rapidoc.js', '/write/docs', '/write/docs/rapidoc.js']) {
        expect((await get(path)).status).toBe(200);
      }
      for (const path of ['/metrics', '/readyz', '/write/metrics', '/']) {
        const answer = await get(path);
        expect([answer.status, answer.headers.get('content-type')]).toEqual([404, 'application/problem+json']);
      }
    });

    test('a body that is too long is refused before an API sees it, one that is not reaches one', async () => {
      const headers = {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        'idempotency-key': 'long',
      };
      const send = (name: string, bytes: number) =>
        fetch(`${running().url}/v1/products`, {
          method: 'POST',
          headers: { ...headers, 'x-request-id': name },
          body: ' '.repeat(bytes),
        });
      const refused = await send('too-long', longestBody + 1);
      expect([refused.status, refused.headers.get('content-type')]).toEqual([413, 'application/problem+json']);
      expect(await refused.json()).toMatchObject({ type: 'urn:waybill:problem:body-too-large', status: 413 });
      expect((await send('fits', longestBody)).status).toBe(400);
      expect((await running().logged('too-long')).upstream).toBe('');
      expect((await running().logged('fits')).upstream).not.toBe('');
    });

    // The last one, because it kills.
    test('one read API and one write API killed under load, every read and every write is answered', async () => {
      const statuses: number[] = [];
      const killed = [readApis[0]!, writeApis[0]!];
      const client = async (name: number): Promise<void> => {
        for (let round = 0; round < 15; round += 1) {
          statuses.push((await get('/v1/products')).status);
          if (name === 0 && round === 3) await Promise.all(killed.map((api) => api.kill()));
        }
      };
      await Promise.all([0, 1, 2, 3, 4, 5].map(client));
      expect(statuses).toEqual(Array.from({ length: 90 }, () => 200));
      for (let number = 0; number < 6; number += 1) {
        const product = { productId: `q${number}`, name: 'Tea', unitPrice: { amount: 900, currency: 'EUR' } };
        const created = await post(running().url, '/v1/products', token, `after-${number}`, product);
        expect(created.status).toBe(201);
      }
    }, 120_000);
  });

  test('a write is sent once, whatever becomes of it; a read is tried once more', async () => {
    const seen: string[] = [];
    const dies: RequestListener = (request, response) => {
      seen.push(request.method ?? '');
      request.resume().once('end', () => response.destroy());
    };
    const both = [await backend(dies), await backend(dies)];
    const gateway = await gatewayTo({ write: both, read: both });
    const written = await fetch(`${gateway.url}/v1/orders`, { method: 'POST', body: '{}' });
    expect(seen).toEqual(['POST']);
    expect([written.status, written.headers.get('retry-after')]).toEqual([503, '5']);
    expect(await written.json()).toMatchObject({ type: 'urn:waybill:problem:unavailable' });
    const got = await fetch(`${gateway.url}/v1/orders`);
    expect(seen).toEqual(['POST', 'GET', 'GET']);
    expect(got.status).toBe(503);
    expect(got.headers.get('content-security-policy')).toContain("default-src 'none'");
  });

  test("an API's own refusals pass as they are", async () => {
    const body = '{"type":"urn:waybill:problem:read-model-behind"}';
    let asked = 0;
    const refuses: RequestListener = (_request, response) => {
      asked += 1;
      response.writeHead(503, { 'Retry-After': '1', 'Content-Type': 'application/problem+json' }).end(body);
    };
    const both = [await backend(refuses), await backend(refuses)];
    const gateway = await gatewayTo({ write: both, read: both });
    for (let number = 1; number <= 6; number += 1) {
      const answer = await fetch(`${gateway.url}/v1/orders`);
      expect([answer.status, answer.headers.get('retry-after'), await answer.text()]).toEqual([503, '1', body]);
      expect(asked).toBe(number);
    }
  });

  test('who asks too often is told to come again later', async () => {
    const api = await backend((request, response) => request.resume().once('end', () => response.end('{}')));
    const gateway = await gatewayTo({ write: [api], read: [api] });
    const send = () => fetch(`${gateway.url}/v1/orders`, { method: 'POST', body: '{}' });
    for (;;) {
      const answers = await Promise.all(Array.from({ length: 50 }, send));
      const refused = answers.find(({ status }) => status === 429);
      const bodies = await Promise.all(answers.map((answer) => answer.text()));
      if (refused === undefined) continue;
      expect([refused.headers.get('retry-after'), refused.headers.get('content-type')]).toEqual([
        '1',
        'application/problem+json',
      ]);
      expect(JSON.parse(bodies[answers.indexOf(refused)]!)).toMatchObject({ status: 429 });
      break;
    }
    expect((await fetch(`${gateway.url}/v1/orders`)).status).toBe(200);
  });

  test('webhooks of the payment gateway, which come from one address, are not counted with what that writes', async () => {
    const api = await backend((request, response) => request.resume().once('end', () => response.writeHead(204).end()));
    const gateway = await gatewayTo({ write: [api], read: [api] });
    const send = () => fetch(`${gateway.url}/v1/payments/webhook`, { method: 'POST', body: '{}' });
    const answers = await Promise.all(Array.from({ length: 300 }, send));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([204]));
  });

  test('live push passes as it comes: events one by one, and the upgrade to a WebSocket', async () => {
    let more = (): void => undefined;
    const reader = await backend(
      (_request, response) => {
        response.writeHead(200, { 'Content-Type': 'text/event-stream' });
        response.write('data: one\n\n');
        more = () => response.end('data: two\n\n');
      },
      (socket, head) =>
        socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: ${head}\r\nConnection: Upgrade\r\n\r\n`),
    );
    const gateway = await gatewayTo({ write: ['127.0.0.1:1'], read: [reader] });
    const events = await fetch(`${gateway.url}/v1/orders/o1/live`);
    const chunks = events.body!.pipeThrough(new TextDecoderStream()).getReader();
    const text = async () => (await chunks.read()).value;
    expect(await text()).toBe('data: one\n\n');
    more();
    expect(await text()).toBe('data: two\n\n');

    const { port } = new URL(gateway.url);
    const socket = connect(Number(port), '127.0.0.1');
    stops.push(async () => socket.destroy());
    socket.write('GET /v1/live HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1.1 101 [^]*Upgrade: websocket/);
  });

  test('a ticket for live push is posted to a read API', async () => {
    const reader = await backend((_request, response) => response.end('read'));
    const writer = await backend((_request, response) => response.end('write'));
    const gateway = await gatewayTo({ write: [writer], read: [reader] });
    const posted = await Promise.all(
      ['/v1/live/tickets', '/v1/orders'].map(async (path) =>
        (await fetch(gateway.url + path, { method: 'POST' })).text(),
      ),
    );
    expect(posted).toEqual(['read', 'write']);
  });
});

/** Answers an upgrade; `head`: the protocol asked for. */
function upgradeOf(server: Server, answer: (socket: { write(text: string): unknown }, head: string) => void): void {
  server.on('upgrade', (request, socket) => answer(socket, String(request.headers.upgrade)));
}
