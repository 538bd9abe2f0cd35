import { describe } from '@jest/globals';

/** Where the tests find a RabbitMQ server, `amqp://…`; without one they are skipped, and the run says so. */
export const amqpUrl = process.env['WAYBILL_TEST_AMQP'] ?? '';

/** `describe` where there is a server. */
export const describeWithServer: (name: string, tests: () => void) => void = amqpUrl === '' ? describe.skip : describe;

/** The server's address, for a proxy. */
export function serverAddress(): { host: string; port: number } {
  const { hostname, port } = new URL(amqpUrl);
  return { host: hostname, port: Number(port || 5672) };
}

/** The server, reached through a proxy. */
export function urlThrough(proxyPort: number): string {
  const url = new URL(amqpUrl);
  url.hostname = '127.0.0.1';
  url.port = String(proxyPort);
  return url.href;
}
