import { once } from 'node:events';
import { Agent, get, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import { BadConfiguration } from '@waybill/shared-kernel/errors.js';
import { listen } from './listen.js';

const anyPort = { host: '127.0.0.1', port: 0, portVariable: 'WAYBILL_READ_PORT' };
const hello = (_request: IncomingMessage, response: ServerResponse) => response.end('hello');

test('serves at the address it names', async () => {
  const server = await listen(hello, anyPort);
  expect(server.url).toBe(`http://127.0.0.1:${server.port}`);
  expect(await (await fetch(server.url)).text()).toBe('hello');
  await server.close();
  await expect(fetch(server.url)).rejects.toThrow();
});

describe('refuses in a sentence that names the variable', () => {
  test('a port that is in use', async () => {
    const server = await listen(hello, anyPort);
    const second = listen(hello, { ...anyPort, port: server.port });
    await expect(second).rejects.toThrow(BadConfiguration);
    await expect(second).rejects.toThrow('WAYBILL_READ_PORT');
    await server.close();
  });

  test('a host that is not this machine', async () => {
    const refused = listen(hello, { ...anyPort, host: '203.0.113.7' });
    await expect(refused).rejects.toThrow(BadConfiguration);
    await expect(refused).rejects.toThrow('WAYBILL_HOST');
  });
});

test('closing waits no longer than it may for a request that does not end', async () => {
  const server = await listen((_request, response) => void response.write('for ever'), { ...anyPort, lingerMs: 1 });
  const { body } = await fetch(server.url);
  await server.close();
  await expect(new Response(body).text()).rejects.toThrow();
});

test('closing lets the request under way end, and idle connections do not hold it up', async () => {
  let begin: (response: ServerResponse) => void;
  const begun = new Promise<ServerResponse>((resolve) => {
    begin = resolve;
  });
  const server = await listen((request, response) => {
    if (request.url === '/slow') begin(response);
    else response.end('quick');
  }, anyPort);
  const agent = new Agent({ keepAlive: true });
  const fetched = async (path: string): Promise<string> => {
    const [answer] = (await once(get(`${server.url}${path}`, { agent }), 'response')) as [IncomingMessage];
    let text = '';
    for await (const chunk of answer) text += String(chunk);
    return text;
  };
  expect(await fetched('/quick')).toBe('quick');
  const slow = fetched('/slow');
  const response = await begun;
  const closed = server.close();
  response.end('done');
  expect(await slow).toBe('done');
  await closed;
  agent.destroy();
});

test('closing does not wait for connections over which nothing was ever asked', async () => {
  const server = await listen(hello, anyPort);
  const ahead = connect(server.port, '127.0.0.1');
  await once(ahead, 'connect');
  // Whatever was asked later than this connection was made is answered later than that is known.
  await (await fetch(server.url)).text();
  const hungUp = once(ahead, 'close');
  await server.close();
  await hungUp;
});
