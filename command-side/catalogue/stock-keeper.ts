import { eventIdOf } from '@waybill/shared-kernel/idempotency.js';
import type { StockItem } from '@waybill/shared-kernel/events/fulfilment.js';
import type { ProductEvent } from '@waybill/shared-kernel/events/product.js';
import type { NewEvent, RequestMark } from '@waybill/shared-kernel/message.js';
import type { Randomness, Timer } from '@waybill/shared-kernel/ports/clock.js';
import { systemSubject } from '@waybill/shared-kernel/ports/keys.js';
import { uuidV5 } from '@waybill/shared-kernel/uuid-v5.js';
import type { AggregateStreams } from '../aggregate-streams.js';
import { againOnConflict } from '../conflict.js';
import { envelopes, type Cause } from '../envelope.js';
import type { ProductCommand, ProductState } from './product.js';
import { decideStock, type StockCommand, type StockEvent, type StockOutcome } from './stock.js';

type Products = AggregateStreams<ProductCommand, ProductState, ProductEvent>;

/**
 * `reserved`: what was set aside, of the products whose stock is counted. `refused`: the product of which there is too
 * little; what was set aside of others stays so until all that was asked for is released.
 */
export type Reservation = { readonly reserved: readonly StockItem[] } | { readonly refused: string };

/** A command that waits for its product, and how its answer is told. */
interface Waiting {
  readonly command: StockCommand;
  readonly cause: Cause;
  readonly answer: (outcome: StockOutcome) => void;
  readonly fail: (error: unknown) => void;
}

/** Commands that are decided together, at most: an append of some 50 kB. */
const together = 100;

const namespace = '3f9d3c0a-52f5-4f0e-8b8e-6d5c7c1c9b02';

/**
 * The stock of products, as orders take it and give it back. All of a process go through one keeper: it is the only
 * writer of each product's stream there, so that however many want the same product they do not get into each other's
 * way. Those who wait are decided one after the other against one state and appended in one append. Other processes may
 * write the same streams; losing against them is tried again a few times, and then rejects with `ConcurrentRequest` for
 * those who waited. After any rejection the same may be asked again: whatever was recorded is known.
 */
export class StockKeeper {
  readonly #products: Products;
  readonly #means: { readonly timer: Timer; readonly randomness: Randomness };
  /** Who waits for which product; a product is in it as long as there is somebody at work on it. */
  readonly #waiting = new Map<string, Waiting[]>();

  constructor(products: Products, means: { readonly timer: Timer; readonly randomness: Randomness }) {
    this.#products = products;
    this.#means = means;
  }

  /**
   * Sets aside what an order needs, each product once in `items`, or says of which there is too little. Products are
   * asked for in the order of their ids: of orders that want the same last pieces of several, one gets them all.
   */
  async reserve(orderId: string, items: readonly StockItem[], cause: Cause): Promise<Reservation> {
    const reserved: StockItem[] = [];
    for (const item of inOrder(items)) {
      const outcome = await this.#ask({ type: 'ReserveStock', orderId, ...item }, cause);
      if (outcome === 'refused') return { refused: item.productId };
      if (outcome === 'reserved') reserved.push(item);
    }
    return { reserved };
  }

  /**
   * Gives back what an order has, and lets it have nothing of these products from now on. `certain`: all of it was
   * reserved; else only what the products' streams know of is given back.
   */
  async release(orderId: string, items: readonly StockItem[], certain: boolean, cause: Cause): Promise<void> {
    for (const item of inOrder(items)) await this.#ask({ type: 'ReleaseStock', orderId, certain, ...item }, cause);
  }

  #ask(command: StockCommand, cause: Cause): Promise<StockOutcome> {
    return new Promise((answer, fail) => {
      const one = { command, cause, answer, fail };
      const waiting = this.#waiting.get(command.productId);
      if (waiting !== undefined) waiting.push(one);
      else void this.#write(command.productId, [one]);
    });
  }

  async #write(productId: string, waiting: Waiting[]): Promise<void> {
    this.#waiting.set(productId, waiting);
    // Those who come in the same turn of the event loop are taken together.
    await Promise.resolve();
    while (waiting.length > 0) await this.#answer(productId, waiting);
    this.#waiting.delete(productId);
  }

  /** Answers those who wait, and, whenever it has to decide again, those who came meanwhile. */
  async #answer(productId: string, waiting: Waiting[]): Promise<void> {
    const those: Waiting[] = [];
    try {
      const outcomes = await againOnConflict(() => {
        those.push(...waiting.splice(0, together - those.length));
        return this.#record(productId, those);
      }, this.#means);
      those.forEach(({ answer }, index) => answer(outcomes[index]!));
    } catch (error) {
      for (const { fail } of those) fail(error);
    }
  }

  async #record(productId: string, those: readonly Waiting[]): Promise<readonly StockOutcome[]> {
    const products = this.#products;
    const loaded = await products.load(productId);
    let state: ProductState = loaded.state;
    const events: NewEvent[] = [];
    const decided = new Set<string>();
    const isKnown = (id: string): boolean => decided.has(id) || loaded.requests.revisionOf(id) !== undefined;
    const outcomes = those.map(({ command, cause }) => {
      const { orderId } = command;
      const before = {
        reserved: isKnown(requestId('ReserveStock', orderId, productId)),
        released: isKnown(requestId('ReleaseStock', orderId, productId)),
      };
      const { outcome, event } = decideStock(command, state, before);
      if (event !== undefined) {
        const id = requestId(command.type, orderId, productId);
        state = products.decider.evolve(state, event);
        decided.add(id);
        events.push(recordOf(event, id, cause));
      }
      return outcome;
    });
    if (events.length > 0) await products.append(productId, loaded, events);
    return outcomes;
  }
}

function inOrder(items: readonly StockItem[]): readonly StockItem[] {
  return items.toSorted((one, other) => (one.productId < other.productId ? -1 : 1));
}

/** By which the product's stream knows a command of an order, whatever caused it and how often. */
function requestId(type: StockCommand['type'], orderId: string, productId: string): string {
  return uuidV5(JSON.stringify([type, orderId, productId]), namespace);
}

/** Its id follows from the request: the same again is the same event to the store. */
function recordOf(event: StockEvent, id: string, cause: Cause): NewEvent {
  const request: RequestMark = { id, hash: '', subject: systemSubject };
  const [envelope] = envelopes([event], event.data.productId, { ...cause, request });
  return { ...envelope!, id: eventIdOf(id, 0) };
}
