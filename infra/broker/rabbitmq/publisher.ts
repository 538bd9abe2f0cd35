import { Unavailable } from '@waybill/shared-kernel/errors.js';
import type { EventBatch } from '@waybill/shared-kernel/ports/broker.js';
import type { ConfirmChannel } from 'amqplib';
import type { Connection } from './connection.js';
import { encode, type Letter } from './envelope.js';
import { Link } from './link.js';
import type { Names } from './names.js';
import type { Notify } from './notice.js';
import { declareExchange } from './topology.js';
import type { RabbitMqTuning } from './tuning.js';

interface Outgoing extends Letter {
  readonly confirmed: () => void;
  readonly failed: (reason: Unavailable) => void;
}

/**
 * Publishes with confirms, in order. What was not confirmed when a connection or channel was lost, when the server
 * refused something, or when it confirmed nothing for long, is sent again, in order, on another channel.
 */
export class Publisher {
  readonly #connection: Connection;
  readonly #names: Names;
  readonly #tuning: RabbitMqTuning;
  readonly #notify: Notify;
  readonly #link: Link<ConfirmChannel>;
  /** In the order of publishing. Whoever publishes bounds how many there are. */
  readonly #unconfirmed = new Set<Outgoing>();
  #channel: ConfirmChannel | undefined;
  #confirms = 0;
  #isClosed = false;

  constructor(connection: Connection, names: Names, tuning: RabbitMqTuning, notify: Notify) {
    this.#connection = connection;
    this.#names = names;
    this.#tuning = tuning;
    this.#notify = notify;
    this.#link = new Link<ConfirmChannel>(
      connection,
      {
        name: 'publishing channel',
        open: (model) => model.createConfirmChannel(),
        use: (channel) => this.#use(channel),
        lost: () => {
          this.#channel = undefined;
        },
      },
      tuning,
      notify,
    );
  }

  /** Resolves when all of them are confirmed, however long it takes. Rejects with `Unavailable` when closed. */
  async publish(batches: readonly EventBatch[]): Promise<void> {
    if (this.#isClosed) throw closed();
    await Promise.all(batches.map((batch) => this.#publish(encode(batch))));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const { failed } of this.#unconfirmed) failed(closed());
    this.#unconfirmed.clear();
    await this.#link.close();
  }

  #publish(letter: Letter): Promise<void> {
    return new Promise((resolve, reject) => {
      const outgoing: Outgoing = { ...letter, confirmed: resolve, failed: reject };
      this.#unconfirmed.add(outgoing);
      if (this.#channel !== undefined) this.#send(this.#channel, outgoing);
    });
  }

  async #use(channel: ConfirmChannel): Promise<void> {
    await declareExchange(channel, this.#names);
    this.#watch(channel);
    this.#channel = channel;
    for (const outgoing of this.#unconfirmed) this.#send(channel, outgoing);
  }

  #send(channel: ConfirmChannel, outgoing: Outgoing): void {
    const { routingKey, body, options, confirmed } = outgoing;
    try {
      channel.publish(this.#names.events, routingKey, body, options, (refusal: unknown) => {
        if (refusal !== null) {
          giveUp(channel);
          return;
        }
        this.#confirms += 1;
        this.#unconfirmed.delete(outgoing);
        confirmed();
      });
    } catch {
      // The channel is closing; what is not confirmed is sent on the next.
    }
  }

  /** A confirm may be lost with the queue it concerned; waiting for it for ever would stop the relay. */
  #watch(channel: ConfirmChannel): void {
    let seen = this.#confirms;
    const watch = setInterval(() => {
      const isStuck = this.#unconfirmed.size > 0 && this.#confirms === seen && !this.#connection.isBlocked;
      seen = this.#confirms;
      if (!isStuck) return;
      this.#notify({ kind: 'unconfirmed', count: this.#unconfirmed.size });
      giveUp(channel);
    }, this.#tuning.confirmTimeout);
    channel.once('close', () => clearInterval(watch));
  }
}

/** Its link opens another. */
function giveUp(channel: ConfirmChannel): void {
  try {
    channel.close().catch(() => undefined);
  } catch {
    // It is closed already.
  }
}

function closed(): Unavailable {
  return new Unavailable('broker', 'The broker is closed.');
}
