import { asError } from '@waybill/shared-kernel/as-error.js';
import { connect, type Channel, type ChannelModel, type ConfirmChannel } from 'amqplib';
import type { QueueName } from '@waybill/shared-kernel/ports/broker.js';
import type { Names } from '../names.js';

/**
 * A program of the release before batches, as the server sees it: the declarations that it makes, how it publishes each
 * event by itself, and that it declares its queue again when that was deleted. Never to be changed.
 */
export class OlderBuild {
  readonly #names: Names;
  readonly #capacity: number;
  readonly #model: ChannelModel;
  /** What became of its channels and its declarations that ought not to. */
  readonly faults: string[] = [];
  /** Bodies that its consumers took. */
  readonly taken: string[] = [];
  #publishing: ConfirmChannel | undefined;
  #isClosed = false;

  private constructor(names: Names, model: ChannelModel, capacity: number) {
    this.#names = names;
    this.#model = model;
    this.#capacity = capacity;
    model.on('error', (error: Error) => this.faults.push(error.message));
  }

  /** `capacity`: messages that its queues hold before they refuse more. */
  static async start(url: string, names: Names, capacity = 10_000): Promise<OlderBuild> {
    return new OlderBuild(names, await connect(url), capacity);
  }

  /** Declares a queue and takes what comes, until it is stopped; deleted, it is declared again. */
  async consume(queue: QueueName, category: string): Promise<void> {
    if (this.#isClosed) return;
    const channel = await this.#model.createChannel();
    channel.on('error', (error: Error) => this.faults.push(error.message));
    const name = await this.declare(queue, category, channel);
    await channel.consume(name, (message) => {
      if (message === null) {
        void this.consume(queue, category);
        return;
      }
      this.taken.push(message.content.toString());
      channel.ack(message);
    });
  }

  /** As it declares a queue of one category; answers with its name. */
  async declare(queue: QueueName, category: string, on?: Channel): Promise<string> {
    const channel = on ?? (await this.#model.createChannel());
    const name = this.#names.older.queue(queue);
    await this.#declareExchanges(channel);
    await channel.assertQueue(name, {
      durable: true,
      arguments: {
        'x-queue-type': 'quorum',
        'x-single-active-consumer': true,
        'x-max-length': this.#capacity,
        'x-overflow': 'reject-publish',
        'x-delivery-limit': 1_000_000_000,
        'x-dead-letter-exchange': this.#names.older.deadLetters,
      },
    });
    await channel.bindQueue(name, this.#names.older.events, `${queue.partition}.${category}.#`);
    if (on === undefined) await channel.close();
    return name;
  }

  /** Publishes until the server has confirmed it: on another channel when one is lost. Rejects where it is refused. */
  async publish(partition: number, category: string, body: string): Promise<void> {
    for (;;) {
      const channel = (this.#publishing ??= await this.#open());
      try {
        await new Promise<void>((resolve, reject) => {
          const key = `${partition}.${category}.OrderPlaced`;
          channel.publish(this.#names.older.events, key, Buffer.from(body), { persistent: true }, (refusal: unknown) =>
            refusal === null ? resolve() : reject(asError(refusal)),
          );
        });
        return;
      } catch (error) {
        if (this.#publishing === channel) throw error;
      }
    }
  }

  async stop(): Promise<void> {
    this.#isClosed = true;
    await this.#model.close();
  }

  async #open(): Promise<ConfirmChannel> {
    const channel = await this.#model.createConfirmChannel();
    // An exchange that was deleted under it costs the channel, and it opens another.
    const lost = (): void => {
      if (this.#publishing === channel) this.#publishing = undefined;
    };
    channel.on('error', lost);
    channel.on('close', lost);
    await this.#declareExchanges(channel);
    return channel;
  }

  async #declareExchanges(channel: Channel): Promise<void> {
    const { events, deadLetters } = this.#names.older;
    await channel.assertExchange(events, 'topic', { durable: true });
    await channel.assertExchange(deadLetters, 'fanout', { durable: true });
    await channel.assertQueue(deadLetters, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
    await channel.bindQueue(deadLetters, deadLetters, '');
  }
}
