import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import { answerUnreadable } from './unreadable-request.js';

let server: Server;

afterEach(() => new Promise((closed) => server.close(closed)));

/** Sends bytes, and resolves with all that came back when the server had hung up. */
async function exchange(sent: string, api: RequestListener): Promise<string> {
  server = createServer({ headersTimeout: 1, requestTimeout: 1, connectionsCheckingInterval: 20 }, api);
  answerUnreadable(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.write(sent);
  let answered = '';
  for await (const chunk of socket) answered += String(chunk);
  return answered;
}

const ignored: RequestListener = () => undefined;

test.each([
  ['what is not HTTP', 'GET /v1/orders HTTP/1.1\r\nno header\r\n\r\n', 400, 'malformed-request'],
  ['a header that is too long', `GET / HTTP/1.1\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 400, 'malformed-request'],
  ['headers that do not come', 'GET / HTTP/1.1\r\nHost:', 408, 'request-too-slow'],
  ['a body that does not come', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n', 408, 'request-too-slow'],
])('%s is answered with a problem', async (_what, sent, status, kind) => {
  const answered = await exchange(sent, ignored);
  const [head, body] = answered.split('\r\n\r\n') as [string, string];
  expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  expect(head).toContain('\r\nContent-Type: application/problem+json');
  expect(head).toMatch(/\r\nX-Request-Id: [0-9a-f-]{36}(\r\n|$)/);
  expect(head).toContain(`\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`);
  expect(JSON.parse(body)).toMatchObject({ type: `urn:waybill:problem:${kind}`, status });
});

test('nothing is written into an answer that has begun', async () => {
  const sent = 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n';
  const answered = await exchange(sent, (_request, response) => {
    response.writeHead(200, { 'Content-Length': 9 }).write('half');
  });
  expect(answered).toMatch(/^HTTP\/1.1 200 OK\r\n[^]*\r\n\r\nhalf$/);
});
