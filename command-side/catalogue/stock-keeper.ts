import { InvalidInput } from '@waybill/shared-kernel/errors.js';
import { eventIdOf } from '@waybill/shared-kernel/idempotency.js';
import type { StockItem } from '@waybill/shared-kernel/events/fulfilment.js';
import type { ProductEvent } from '@waybill/shared-kernel/events/product.js';
import type { NewEvent, RequestMark } from '@waybill/shared-kernel/message.js';
import type { Randomness, Timer } from '@waybill/shared-kernel/ports/clock.js';
import { beginning } from '@waybill/shared-kernel/ports/event-store.js';
import { systemSubject } from '@waybill/shared-kernel/ports/keys.js';
import { uuidV5 } from '@waybill/shared-kernel/uuid-v5.js';
import type { AggregateStreams, Loaded } from '../handling/aggregate-streams.js';
import { againOnConflict } from '../handling/conflict.js';
import { envelope, type Cause } from '../handling/envelope.js';
import type { ProductCommand, ProductState } from './product.js';
import { decideStock, type StockCommand, type StockEvent, type StockOutcome } from './stock.js';

type Products = AggregateStreams<ProductCommand, ProductState, ProductEvent>;

/**
 * `reserved`: what was set aside, of the products whose stock is counted. `refused`: the product of which there is too
 * little; what was set aside of others stays so until all that was asked for is released.
 */
export type Reservation = { readonly reserved: readonly StockItem[] } | { readonly refused: string };

/**
 * A position of the log up to which nothing can have been recorded of what is asked for: known already, or to be found.
 * The later it is, the less is looked for in the log.
 */
export type Since = number | (() => Promise<number>);

/** A command that waits for its product, and the functions that answer it. */
interface Waiting {
  readonly command: StockCommand;
  readonly cause: Cause;
  readonly since: Since;
  readonly asOf: number | undefined;
  /** What the log has of it up to `through`; before it was looked for, nothing up to the beginning. */
  inLog: { readonly found: ReadonlySet<string>; readonly through: number };
  readonly answer: (outcome: StockOutcome) => void;
  readonly fail: (error: unknown) => void;
}

/** Commands that are decided together, at most: an append of some 50 kB. */
const together = 100;

/** Storage format: ids are made with it by rule. */
const namespace = '3f9d3c0a-52f5-4f0e-8b8e-6d5c7c1c9b02';

/**
 * The stock of products, as orders take it and give it back. All of a process go through one keeper: it is the only
 * writer of each product's stream there, so that however many want the same product they do not get into each other's
 * way. Those who wait are decided one after the other against one state and appended in one append. Other processes may
 * write the same streams; losing against them is tried again a few times, and then rejects with `ConcurrentRequest` for
 * those who waited. After any rejection the same may be asked again: whatever was recorded is known, or looked for in the
 * log, where it is older than what is remembered of a product; who waits for that holds up nobody else.
 */
export class StockKeeper {
  readonly #products: Products;
  readonly #dependencies: { readonly timer: Timer; readonly randomness: Randomness };
  /** Who waits for which product; a product is in it as long as there is somebody at work on it. */
  readonly #waiting = new Map<string, Waiting[]>();

  constructor(products: Products, dependencies: { readonly timer: Timer; readonly randomness: Randomness }) {
    this.#products = products;
    this.#dependencies = dependencies;
  }

  /**
   * Sets aside what an order needs, each product once in `items`, or says of which there is too little. Products are
   * asked for in the order of their ids: of orders that want the same last pieces of several, one gets them all. `asOf`:
   * position of the log at which the order stands; a product may be as it stood then.
   */
  async reserve(
    orderId: string,
    items: readonly StockItem[],
    cause: Cause,
    since: Since = beginning,
    asOf?: number,
  ): Promise<Reservation> {
    const reserved: StockItem[] = [];
    for (const item of inOrder(items)) {
      const outcome = await this.#ask({ type: 'ReserveStock', orderId, ...item }, cause, since, asOf);
      if (outcome === 'refused') return { refused: item.productId };
      if (outcome === 'reserved') reserved.push(item);
    }
    return { reserved };
  }

  /**
   * Gives back what an order has, and lets it have nothing of these products from now on. `certain`: all of it was
   * reserved; else only what the products' streams know of is given back.
   */
  async release(
    orderId: string,
    items: readonly StockItem[],
    certain: boolean,
    cause: Cause,
    since: Since = beginning,
  ): Promise<void> {
    for (const item of inOrder(items)) {
      await this.#ask({ type: 'ReleaseStock', orderId, certain, ...item }, cause, since);
    }
  }

  #ask(command: StockCommand, cause: Cause, since: Since, asOf?: number): Promise<StockOutcome> {
    return new Promise((answer, fail) => {
      const through = typeof since === 'number' ? since : beginning;
      this.#wait({ command, cause, since, asOf, inLog: { found: new Set(), through }, answer, fail });
    });
  }

  #wait(one: Waiting): void {
    const { productId } = one.command;
    const waiting = this.#waiting.get(productId);
    if (waiting !== undefined) waiting.push(one);
    else void this.#write(productId, [one]);
  }

  async #write(productId: string, waiting: Waiting[]): Promise<void> {
    this.#waiting.set(productId, waiting);
    // Those who come in the same turn of the event loop are taken together.
    await Promise.resolve();
    for (let most = together; waiting.length > 0;) most = await this.#answer(productId, waiting, most);
    this.#waiting.delete(productId);
  }

  /**
   * Answers at most so many of those who wait, and, whenever it has to decide again, those who came meanwhile. Where the
   * store takes less at once, they wait on. Resolves with how many to take the next time.
   */
  async #answer(productId: string, waiting: Waiting[], most: number): Promise<number> {
    const those: Waiting[] = [];
    let mayLook = true;
    try {
      const outcomes = await againOnConflict(async () => {
        those.push(...waiting.splice(0, most - those.length));
        const shown = mayLook ? await this.#shown(productId, those) : undefined;
        mayLook = false;
        const answered = shown === undefined ? undefined : await this.#record(shown, productId, those);
        // Nobody is refused by what the stream may not say any more.
        if (answered?.every(([, outcome]) => outcome !== 'refused') === true) return answered;
        // Of one that is not there nothing is counted.
        return this.#record(await this.#products.loadExpected(productId), productId, those);
      }, this.#dependencies);
      for (const [{ answer }, outcome] of outcomes) answer(outcome);
    } catch (error) {
      if (error instanceof InvalidInput && those.length > 1) {
        // It is too much for one append, and none of them is to blame.
        waiting.unshift(...those);
        return those.length >> 1;
      }
      for (const { fail } of those) fail(error);
    }
    return Math.min(2 * most, together);
  }

  /**
   * The product without reading its stream, as it stood when the last of the orders was placed, or later. `undefined`: it must
   * be read, as it always is for what is released.
   */
  async #shown(productId: string, those: readonly Waiting[]): Promise<Loaded<ProductState> | undefined> {
    let latest = beginning;
    for (const { asOf } of those) {
      if (asOf === undefined) return undefined;
      latest = Math.max(latest, asOf);
    }
    return this.#products.shown(productId, latest);
  }

  /** Those of which something may be in the log that is not remembered leave, and come back when it was looked for. */
  async #record(
    loaded: Loaded<ProductState>,
    productId: string,
    those: Waiting[],
  ): Promise<readonly (readonly [Waiting, StockOutcome])[]> {
    const products = this.#products;
    const { forgottenThrough } = loaded.requests;
    const isKnown = ({ inLog }: Waiting): boolean => inLog.through >= forgottenThrough;
    for (const one of those) if (!isKnown(one)) void this.#lookFor(one, loaded);
    those.splice(0, those.length, ...those.filter(isKnown));
    let state: ProductState = loaded.state;
    const events: NewEvent[] = [];
    const decided = new Set<string>();
    const outcomes = those.map((one) => {
      const { command, cause, inLog } = one;
      const ids = requestIds(command);
      const was = (id: string): boolean =>
        decided.has(id) || inLog.found.has(id) || loaded.requests.revisionOf(id) !== undefined;
      const before = { reserved: was(ids.ReserveStock), released: was(ids.ReleaseStock) };
      const { outcome, event } = decideStock(command, state, before);
      if (event !== undefined) {
        const id = ids[command.type];
        state = products.decider.evolve(state, event);
        decided.add(id);
        events.push(recordOf(event, id, cause));
      }
      return [one, outcome] as const;
    });
    if (events.length > 0) await products.appendByRule(productId, loaded, events);
    return outcomes;
  }

  async #lookFor(one: Waiting, loaded: Loaded<ProductState>): Promise<void> {
    const { command, since, inLog } = one;
    const through = loaded.requests.forgottenThrough;
    try {
      const after = Math.max(inLog.through, typeof since === 'number' ? since : await since());
      const ids = Object.values(requestIds(command));
      const found =
        after < through ? await this.#products.recordedBetween(command.productId, loaded, ids, after, through) : [];
      one.inLog = { found: new Set([...inLog.found, ...found]), through: Math.max(after, through) };
      this.#wait(one);
    } catch (error) {
      one.fail(error);
    }
  }
}

function requestIds({ orderId, productId }: StockCommand): Readonly<Record<StockCommand['type'], string>> {
  return {
    ReserveStock: requestId('ReserveStock', orderId, productId),
    ReleaseStock: requestId('ReleaseStock', orderId, productId),
  };
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
  return envelope(event, eventIdOf(id, 0), event.data.productId, { ...cause, request });
}
