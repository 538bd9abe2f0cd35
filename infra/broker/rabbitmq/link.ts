import { asError } from '@waybill/shared-kernel/as-error.js';
import { backOffDelay } from '@waybill/shared-kernel/back-off.js';
import type { Channel, ChannelModel } from 'amqplib';
import { systemRandomness, systemTimer } from '../../clock/system.js';
import type { Connection } from './connection.js';
import type { Notify } from './notice.js';
import type { RabbitMqTuning } from './tuning.js';

export interface LinkUser<C extends Channel> {
  readonly name: string;
  open(model: ChannelModel): Promise<C>;
  /** Declares, consumes … on a fresh channel. A throw closes it, and another is opened after a pause. */
  use(channel: C): Promise<void>;
  /** The channel is gone, and with it whatever it had not confirmed or acked. */
  lost(reason: Error): void;
}

/** Keeps one channel open: when it or its connection is lost, it opens another, after a pause, until it is closed. */
export class Link<C extends Channel> {
  readonly #connection: Connection;
  readonly #user: LinkUser<C>;
  readonly #tuning: RabbitMqTuning;
  readonly #notify: Notify;
  readonly #closing = new AbortController();
  readonly #finished: Promise<void>;
  readonly #abandoned: Promise<Error>;
  #abandon!: (reason: Error) => void;
  #channel: C | undefined;

  constructor(connection: Connection, user: LinkUser<C>, tuning: RabbitMqTuning, notify: Notify) {
    this.#connection = connection;
    this.#user = user;
    this.#tuning = tuning;
    this.#notify = notify;
    this.#abandoned = new Promise((resolve) => {
      this.#abandon = resolve;
    });
    this.#finished = this.#run();
  }

  /** Closes the channel: what is not acked goes back to its queue. Must not be awaited inside `use`. */
  async close(): Promise<void> {
    this.#closing.abort();
    if (this.#channel !== undefined) await goodbye(this.#channel, this.#tuning.closeTimeout);
    // Of a line that stands still there is nothing to wait for.
    this.#abandon(new Error('closed'));
    await this.#finished;
  }

  async #run(): Promise<void> {
    for (let failures = 0; !this.#isOver(); failures += 1) {
      const began = performance.now();
      const reason = await Promise.race([this.#live(), this.#abandoned]);
      if (this.#isOver()) return;
      this.#notify({ kind: 'lost', connection: this.#user.name, reason });
      if (performance.now() - began > this.#tuning.backOff.most) failures = 0;
      await systemTimer.sleep(backOffDelay(this.#tuning.backOff, failures, systemRandomness), this.#closing.signal);
    }
  }

  #isOver(): boolean {
    return this.#closing.signal.aborted || this.#connection.isClosed();
  }

  /** One life of the channel; resolves with the reason of its end. */
  async #live(): Promise<Error> {
    let reason: Error;
    try {
      const channel = await this.#user.open(await this.#connection.model(this.#closing.signal));
      const ended = endOf(channel);
      this.#channel = channel;
      try {
        if (this.#closing.signal.aborted) throw new Error('closed');
        await this.#user.use(channel);
      } catch (error) {
        await goodbye(channel, this.#tuning.closeTimeout);
        throw error;
      }
      reason = await ended;
    } catch (error) {
      reason = asError(error);
    }
    this.#channel = undefined;
    this.#user.lost(reason);
    return reason;
  }
}

function endOf(channel: Channel): Promise<Error> {
  return new Promise((resolve) => {
    let fault: Error | undefined;
    channel.on('error', (error) => {
      fault = error;
    });
    channel.once('close', () => resolve(fault ?? new Error('The connection or the channel was closed.')));
  });
}

/** Closes a channel in peace, whatever state it is in, within bounded time. */
async function goodbye(channel: Channel, timeout: number): Promise<void> {
  const over = new AbortController();
  try {
    await Promise.race([channel.close(), systemTimer.sleep(timeout, over.signal)]);
  } catch {
    // It was closed already, or its connection was.
  } finally {
    over.abort();
  }
}
