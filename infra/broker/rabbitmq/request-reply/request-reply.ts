import { Unavailable } from '@waybill/shared-kernel/errors.js';
import type { Answering, Body, OnRequest, RequestReply } from '@waybill/shared-kernel/ports/request-reply.js';
import { Answerer } from './answerer.js';
import { Asker } from './asker.js';
import type { RabbitMqOptions } from '../broker.js';
import { Connection } from '../connection.js';
import { Names } from '../names.js';
import { rabbitMqTuning } from '../tuning.js';

/** Request and reply over RabbitMQ. */
export function openRabbitMqRequestReply(options: RabbitMqOptions): RequestReply {
  const names = new Names(options.prefix ?? 'waybill');
  const tuning = { ...rabbitMqTuning, ...options.tuning };
  const notify = options.notify ?? (() => undefined);
  const connection = new Connection(options.url, 'waybill requests', tuning, notify);
  const answerers = new Set<Answerer>();
  let asker: Asker | undefined;

  function assertOpen(): void {
    if (connection.isClosed()) throw new Unavailable('broker', 'The broker is closed.');
  }

  return {
    async request(service: string, body: Body, correlationId: string, timeout: number): Promise<Body> {
      assertOpen();
      asker ??= new Asker(connection, tuning, notify);
      return asker.ask(names.requests(service), body, correlationId, timeout);
    },
    async answer(service: string, onRequest: OnRequest): Promise<Answering> {
      assertOpen();
      const answerer = new Answerer(connection, names.requests(service), onRequest, tuning, notify);
      answerers.add(answerer);
      await answerer.attached;
      return {
        close: async () => {
          await answerer.close();
          answerers.delete(answerer);
        },
      };
    },
    async close(): Promise<void> {
      await asker?.close();
      await Promise.all([...answerers].map((answerer) => answerer.stop()));
      await connection.close();
    },
  };
}
