import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from '@jest/globals';
import { requestIdOf } from '@waybill/shared-kernel/idempotency.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import { totalQueue, type TotalQueue } from './total-queue.js';
import { type Answer, post } from './write-client.js';

/** A command that was sent; `answer` is missing while nobody knows what became of it. */
export interface Attempt {
  readonly key: string;
  readonly path: string;
  readonly body: unknown;
  answer?: Answer;
}

/** What of the log comes of commands that `SentCommands` places, one event each. */
const firstEvents: ReadonlySet<string> = new Set(['OrderPlaced', 'OrderCancelled']);

/** Orders that one caller placed and cancelled, and what became of each command: for the total-queue check. */
export class SentCommands {
  readonly #caller: string;
  readonly #token: string;
  readonly #attempts: Attempt[] = [];

  /** `caller` names a log's newcomer; `token`: its own, of an operator and merchant. */
  constructor(caller: string, token: string) {
    this.#caller = caller;
    this.#token = token;
  }

  /** Body of the command that places an order. */
  get order(): object {
    const lines = [{ productId: `tea-${this.#caller}`, quantity: 1 }];
    return { customerId: `ann-${this.#caller}`, lines, payment: { token: 'tok_approve' } };
  }

  /** Those that were answered, in the order in which they were sent. */
  get answered(): readonly Attempt[] {
    return this.#attempts.filter(({ answer }) => answer !== undefined);
  }

  /** Lists a product and registers a customer, without whom there are no orders. */
  async setTheTable(url: string): Promise<void> {
    const product = { productId: `tea-${this.#caller}`, name: 'Tea', unitPrice: { amount: 900, currency: 'EUR' } };
    const address = { street: 'Weg 1', city: 'Berlin', postalCode: '10115' };
    const customer = { customerId: `ann-${this.#caller}`, name: 'Ann', phone: '+49 30 1', address };
    expect(await post(url, '/v1/products', this.#token, 'p', product)).toMatchObject({ status: 201 });
    expect(await post(url, '/v1/customers', this.#token, 'c', customer)).toMatchObject({ status: 201 });
  }

  /** Places an order and cancels every fourth. False where it is not known what became of the command. */
  async placeAndPerhapsCancel(url: string): Promise<boolean> {
    const placed = await this.#send(url, this.#attempt('/v1/orders', this.order));
    if (placed === undefined) return false;
    if (this.#attempts.length % 4 !== 0) return true;
    const { orderId } = JSON.parse(placed.text) as { orderId: string };
    const cancellation = this.#attempt(`/v1/orders/${orderId}/cancellation`, { reason: 'changed my mind' });
    return (await this.#send(url, cancellation)) !== undefined;
  }

  /** Sends those again of which it is not known what became. False where that is so again of one. */
  async repeatUnanswered(url: string): Promise<boolean> {
    for (const attempt of this.#attempts.filter(({ answer }) => answer === undefined)) {
      if ((await this.#send(url, attempt)) === undefined) return false;
    }
    return true;
  }

  /** Sends again what was answered, with its own key. */
  repeat(url: string, { path, key, body }: Attempt): Promise<Answer> {
    return post(url, path, this.#token, key, body);
  }

  /** What was sent and what was acknowledged beside what a log holds. */
  compare(events: readonly RecordedEvent[]): TotalQueue {
    const found = events.flatMap(({ type, actor, request }) =>
      actor?.sub === this.#caller && request !== undefined && firstEvents.has(type) ? [request.id] : [],
    );
    return totalQueue(this.#ids(this.#attempts), this.#ids(this.answered), found);
  }

  #attempt(path: string, body: unknown): Attempt {
    const attempt: Attempt = { key: randomUUID(), path, body };
    this.#attempts.push(attempt);
    return attempt;
  }

  /** `undefined`: the connection broke, or it is not to be had now, which says when to come again. */
  async #send(url: string, attempt: Attempt): Promise<Answer | undefined> {
    let answer: Answer;
    try {
      answer = await this.repeat(url, attempt);
    } catch {
      return undefined;
    }
    if (answer.status === 429) {
      await sleep(1_000 * Number(answer.headers.get('retry-after')));
      return this.#send(url, attempt);
    }
    if (answer.status === 503) {
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
      return undefined;
    }
    // The first one with the key is still being worked on, its caller gone.
    if (answer.status === 409 && answer.text.includes(':concurrent-request')) return undefined;
    expect([200, 201]).toContain(answer.status);
    attempt.answer = answer;
    return answer;
  }

  /** Ids of the requests, as events name them. */
  #ids(attempts: readonly Attempt[]): Set<string> {
    return new Set(attempts.map(({ key, path }) => requestIdOf(this.#caller, 'operator', 'POST', path, key)));
  }
}
