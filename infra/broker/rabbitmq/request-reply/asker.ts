import { Unavailable } from '@waybill/shared-kernel/errors.js';
import type { Body } from '@waybill/shared-kernel/ports/request-reply.js';
import type { Channel, ConsumeMessage } from 'amqplib';
import { systemRandomness } from '../../../clock/system.js';
import type { Connection } from '../connection.js';
import { Link } from '../link.js';
import type { Notify } from '../notice.js';
import type { RabbitMqTuning } from '../tuning.js';

/** Pseudo-queue by which the server brings an answer to the very channel that asked. */
const replyTo = 'amq.rabbitmq.reply-to';

/** Header of a request: the asker's correlation id. The property of that name tells one attempt from another. */
export const correlationHeader = 'x-waybill-correlation-id';
/** Header of an answer that is none: why. */
export const failureHeader = 'x-waybill-failure';

interface Question {
  readonly resolve: (body: Body) => void;
  readonly reject: (reason: Error) => void;
}

/** Sends requests and matches the answers to them. */
export class Asker {
  readonly #connection: Connection;
  readonly #link: Link<Channel>;
  /** Id of the attempt → who waits for its answer. */
  readonly #questions = new Map<string, Question>();
  #channel: Channel | undefined;
  #waiting: (() => void)[] = [];

  constructor(connection: Connection, tuning: RabbitMqTuning, notify: Notify) {
    this.#connection = connection;
    this.#link = new Link<Channel>(
      connection,
      {
        name: 'asking channel',
        open: (model) => model.createChannel(),
        use: (channel) => this.#use(channel),
        lost: (reason) => this.#lost(reason),
      },
      tuning,
      notify,
    );
  }

  /** `timeout` in milliseconds, waiting for a connection included. */
  ask(queue: string, body: Body, correlationId: string, timeout: number): Promise<Body> {
    const attempt = systemRandomness.uuid();
    return new Promise<Body>((resolve, reject) => {
      const timer = setTimeout(() => {
        const question = this.#questions.get(attempt);
        question?.reject(
          this.#channel === undefined
            ? this.#connection.unavailable()
            : new Unavailable('service', `No answer from ${queue} within ${timeout} ms.`),
        );
      }, timeout);
      const settled = (): void => {
        clearTimeout(timer);
        this.#questions.delete(attempt);
      };
      this.#questions.set(attempt, {
        resolve: (answer) => {
          settled();
          resolve(answer);
        },
        reject: (reason) => {
          settled();
          reject(reason);
        },
      });
      this.#whenOpen((channel) => {
        if (!this.#questions.has(attempt)) return;
        channel.sendToQueue(queue, Buffer.from(JSON.stringify(body)), {
          mandatory: true,
          // What is not taken in time is not worth working on.
          expiration: timeout,
          contentType: 'application/json',
          correlationId: attempt,
          replyTo,
          headers: { [correlationHeader]: correlationId },
        });
      });
    });
  }

  async close(): Promise<void> {
    this.#lost(new Error('The broker is closed.'));
    await this.#link.close();
  }

  #whenOpen(send: (channel: Channel) => void): void {
    const trySending = (): void => {
      const channel = this.#channel;
      if (channel === undefined) this.#waiting.push(trySending);
      else send(channel);
    };
    trySending();
  }

  async #use(channel: Channel): Promise<void> {
    channel.on('return', ({ properties, fields }) => {
      const nobody = new Unavailable('service', `Nobody answers ${fields.routingKey}.`);
      this.#questions.get(String(properties.correlationId))?.reject(nobody);
    });
    await channel.consume(replyTo, (answer) => this.#receive(answer), { noAck: true });
    this.#channel = channel;
    for (const send of this.#waiting.splice(0)) send();
  }

  /** Late and doubled answers meet no question. */
  #receive(answer: ConsumeMessage | null): void {
    if (answer === null) return;
    const question = this.#questions.get(String(answer.properties.correlationId));
    if (question === undefined) return;
    const failure: unknown = answer.properties.headers?.[failureHeader];
    if (typeof failure === 'string') question.reject(new Unavailable('service', failure));
    else question.resolve(JSON.parse(answer.content.toString()) as Body);
  }

  /** Answers go to the channel that asked, and that is gone. */
  #lost(reason: Error): void {
    const hadChannel = this.#channel !== undefined;
    this.#channel = undefined;
    if (!hadChannel && !this.#connection.isClosed()) return;
    const lost = new Unavailable('broker', `The answer is lost: ${reason.message}`, { cause: reason });
    for (const question of [...this.#questions.values()]) question.reject(lost);
  }
}
