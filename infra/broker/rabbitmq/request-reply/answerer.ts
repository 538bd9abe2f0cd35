import { asError } from '@waybill/shared-kernel/as-error.js';
import type { Body, OnRequest } from '@waybill/shared-kernel/ports/request-reply.js';
import type { Channel, ConsumeMessage } from 'amqplib';
import { correlationHeader, failureHeader } from './asker.js';
import type { Connection } from '../connection.js';
import { Link } from '../link.js';
import type { Notify } from '../notice.js';
import type { RabbitMqTuning } from '../tuning.js';

/** Requests that one answerer works on at the same time. */
const together = 100;

/** Milliseconds after which the queue of a service that nobody answers for is gone. */
const forgotten = 600_000;

/** Answers the requests to one service. */
export class Answerer {
  /** Resolves when it takes requests for the first time. */
  readonly attached: Promise<void>;
  readonly #queue: string;
  readonly #onRequest: OnRequest;
  readonly #link: Link<Channel>;
  readonly #working = new Set<Promise<void>>();
  #channel: Channel | undefined;
  #consumerTag = '';
  #isClosing = false;
  #attach!: () => void;

  constructor(connection: Connection, queue: string, onRequest: OnRequest, tuning: RabbitMqTuning, notify: Notify) {
    this.#queue = queue;
    this.#onRequest = onRequest;
    this.attached = new Promise((resolve) => {
      this.#attach = resolve;
    });
    this.#link = new Link<Channel>(
      connection,
      {
        name: `answerer of ${queue}`,
        open: (model) => model.createChannel(),
        use: (channel) => this.#use(channel),
        lost: () => {
          this.#channel = undefined;
        },
      },
      tuning,
      notify,
    );
  }

  /** Finishes what it works on. */
  async close(): Promise<void> {
    this.#isClosing = true;
    await this.#channel?.cancel(this.#consumerTag).catch(() => undefined);
    await Promise.all(this.#working);
    await this.stop();
  }

  /** Leaves what it works on to somebody else. */
  async stop(): Promise<void> {
    this.#isClosing = true;
    this.#attach();
    await this.#link.close();
  }

  async #use(channel: Channel): Promise<void> {
    if (this.#isClosing) return;
    await channel.assertQueue(this.#queue, { durable: true, arguments: { 'x-expires': forgotten } });
    await channel.prefetch(together);
    const { consumerTag } = await channel.consume(this.#queue, (request) => {
      if (request === null) {
        // Somebody deleted the queue; another channel declares it again.
        void channel.close().catch(() => undefined);
        return;
      }
      const work = this.#work(channel, request).finally(() => this.#working.delete(work));
      this.#working.add(work);
    });
    this.#consumerTag = consumerTag;
    this.#channel = channel;
    this.#attach();
  }

  async #work(channel: Channel, request: ConsumeMessage): Promise<void> {
    const correlationId: unknown = request.properties.correlationId;
    const replyTo: unknown = request.properties.replyTo;
    let answer: Body = null;
    let failure: string | undefined;
    try {
      const id: unknown = request.properties.headers?.[correlationHeader];
      answer = await this.#onRequest(JSON.parse(request.content.toString()) as Body, String(id));
    } catch (error) {
      failure = asError(error).message;
    }
    try {
      if (typeof replyTo === 'string') {
        channel.sendToQueue(replyTo, Buffer.from(JSON.stringify(answer)), {
          contentType: 'application/json',
          correlationId: String(correlationId),
          ...(failure === undefined ? {} : { headers: { [failureHeader]: failure } }),
        });
      }
      channel.ack(request);
    } catch {
      // The channel is gone: the request goes to somebody else, who knows it by its correlation id.
    }
  }
}
