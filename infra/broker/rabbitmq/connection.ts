import { asError } from '@waybill/shared-kernel/as-error.js';
import { backOffDelay } from '@waybill/shared-kernel/back-off.js';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import { connect, type ChannelModel } from 'amqplib';
import { systemRandomness, systemTimer } from '../../clock/system.js';
import type { Notify } from './notice.js';
import type { RabbitMqTuning } from './tuning.js';

/**
 * One AMQP connection, made anew whenever it is lost, until it is closed. The recovery of amqplib is not used because
 * it leaves the socket of a peer that went silent half-open, which holds memory and keeps the process from ending.
 */
export class Connection {
  readonly #url: string;
  readonly #name: string;
  readonly #tuning: RabbitMqTuning;
  readonly #notify: Notify;
  readonly #closing = new AbortController();
  readonly #finished: Promise<void>;
  #model: ChannelModel | undefined;
  #fault: Error | undefined;
  #waiting: (() => void)[] = [];
  /** Aborted, it destroys the socket of the connection, or of the attempt at one. */
  #socket = new AbortController();
  #isBlocked = false;

  /** `name`: as the server lists it. It connects at once, in the background. */
  constructor(url: string, name: string, tuning: RabbitMqTuning, notify: Notify) {
    this.#url = withHeartbeat(url, tuning.heartbeatSeconds);
    this.#name = name;
    this.#tuning = tuning;
    this.#notify = notify;
    this.#finished = this.#run();
  }

  isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  /** The server asked us to stop sending: whatever is sent now only fills buffers. */
  get isBlocked(): boolean {
    return this.#isBlocked;
  }

  /** The live connection, as soon as there is one. Throws `Unavailable` when `signal` aborts first, or it was closed. */
  async model(signal?: AbortSignal): Promise<ChannelModel> {
    while (this.#model === undefined) {
      if (this.isClosed()) throw new Unavailable('broker', 'The broker is closed.');
      if (signal?.aborted === true) throw this.unavailable();
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
        signal?.addEventListener('abort', () => resolve(), { once: true });
      });
    }
    return this.#model;
  }

  /** Throws `Unavailable` while there is none. */
  assertUp(): void {
    if (this.#model === undefined) throw this.unavailable();
  }

  /** Why there is no answer, as far as it is known. */
  unavailable(): Unavailable {
    const why = this.#fault === undefined ? '' : `: ${this.#fault.message}`;
    return new Unavailable('broker', `RabbitMQ does not answer${why}.`, { cause: this.#fault });
  }

  /** Says goodbye, or cuts the line when that takes too long. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#wakeAll();
    if (this.#model !== undefined) {
      const over = new AbortController();
      const farewell = this.#model.close().catch(() => undefined);
      await Promise.race([farewell, systemTimer.sleep(this.#tuning.closeTimeout, over.signal)]);
      over.abort();
    }
    this.#socket.abort();
    await this.#finished;
  }

  async #run(): Promise<void> {
    for (let failures = 0; !this.isClosed(); failures += 1) {
      this.#socket = new AbortController();
      const began = performance.now();
      const reason = await this.#live();
      this.#model = undefined;
      this.#isBlocked = false;
      this.#fault = reason;
      // What is left of the socket of a silent peer would stay half-open.
      this.#socket.abort();
      if (this.isClosed()) return;
      this.#notify({ kind: 'lost', connection: this.#name, reason });
      if (performance.now() - began > this.#tuning.backOff.most) failures = 0;
      await systemTimer.sleep(backOffDelay(this.#tuning.backOff, failures, systemRandomness), this.#closing.signal);
    }
  }

  /** One life of the connection; resolves with the reason of its end. */
  async #live(): Promise<Error> {
    try {
      return await this.#follow(await this.#connect(this.#socket.signal));
    } catch (error) {
      return asError(error);
    }
  }

  async #connect(signal: AbortSignal): Promise<ChannelModel> {
    const options = {
      signal,
      noDelay: true,
      timeout: this.#tuning.connectTimeout,
      clientProperties: { connection_name: this.#name },
    };
    return connect(this.#url, options);
  }

  /** Announces a connection and resolves with the reason of its end. */
  #follow(model: ChannelModel): Promise<Error> {
    const ended = new Promise<Error>((resolve) => {
      let fault: Error | undefined;
      model.on('error', (error: Error) => {
        fault = error;
      });
      model.once('close', (error?: Error) => resolve(fault ?? error ?? new Error('The server closed the connection.')));
    });
    model.on('blocked', (reason) => {
      this.#isBlocked = true;
      this.#notify({ kind: 'blocked', reason });
    });
    model.on('unblocked', () => {
      this.#isBlocked = false;
      this.#notify({ kind: 'unblocked' });
    });
    this.#model = model;
    this.#fault = undefined;
    this.#notify({ kind: 'connected', connection: this.#name });
    this.#wakeAll();
    return ended;
  }

  #wakeAll(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}

function withHeartbeat(url: string, seconds: number): string {
  const parsed = new URL(url);
  if (!parsed.searchParams.has('heartbeat')) parsed.searchParams.set('heartbeat', String(seconds));
  return parsed.href;
}
