import { RuleViolated, type StreamUnreadable } from '@waybill/shared-kernel/errors.js';
import { carryOutErasures } from './erasures-in-log.js';
import {
  type Randomness,
  type SteadyClock,
  type Timer,
  timestamp,
  type WallClock,
} from '@waybill/shared-kernel/ports/clock.js';
import type {
  Appended,
  Appender,
  StreamEvents,
  BackwardsStreamReader,
  LogReader,
} from '@waybill/shared-kernel/ports/event-store.js';
import type { KeyStore } from '@waybill/shared-kernel/ports/keys.js';
import { isStreamFault } from '@waybill/shared-kernel/stream-faults.js';
import type { Aggregates } from '../handling/aggregates.js';
import { againOnConflict } from '../handling/conflict.js';
import { envelopes, type Cause } from '../handling/envelope.js';
import { eraseUnread } from './erase-unread.js';
import type { UnderWay } from './customer.js';
import { OrdersUnderWay } from './orders-under-way.js';

export interface ErasureDependencies {
  readonly store: Appender & StreamEvents & BackwardsStreamReader & LogReader;
  readonly aggregates: Pick<Aggregates, 'customers' | 'orders'>;
  readonly keys: KeyStore;
  readonly clock: WallClock;
  readonly steadyClock: SteadyClock;
  readonly randomness: Randomness;
  readonly timer: Timer;
}

/**
 * What an erasure takes beside its event. `CustomerErased` is appended first and is what holds: from then on no order is
 * taken, the id stays used, and the key is to be destroyed by whoever knows of it, again without harm. So a crash after
 * the event, and keys that were put back from an older copy, are made up for from the log: see `finish`.
 */
export class Erasures {
  readonly #dependencies: ErasureDependencies;
  readonly #underWay: OrdersUnderWay;

  constructor(dependencies: ErasureDependencies) {
    this.#dependencies = dependencies;
    this.#underWay = new OrdersUnderWay({ ...dependencies, clock: dependencies.steadyClock });
  }

  /**
   * Those that stand in the way of an erasure as the log stands now, or later. Operators decide where nobody can tell whose
   * an order is: it may never end, and the law does not wait. Throws as `OrdersUnderWay.of`.
   */
  async ordersUnderWay(customerId: string, role: string): Promise<UnderWay> {
    const { theirs, ofUnknown } = await this.#underWay.of(customerId);
    return { theirs, ofUnknown: role === 'operator' ? [] : ofUnknown };
  }

  /**
   * Does what `CustomerErased` of a customer says: destroys the key, and cancels orders that were placed while the
   * erasure looked for some. Nobody could deliver them.
   */
  async carryOut(customerId: string): Promise<void> {
    await this.#dependencies.keys.destroy(customerId);
    const { theirs } = await this.#underWay.of(customerId);
    for (const orderId of theirs) await this.#takeBack(orderId);
  }

  /** Of a customer whose stream cannot be read, and carries it out: see `eraseUnread`. */
  eraseUnread(customerId: string, cause: Cause, matches: (revision: number) => boolean): Promise<Appended> {
    return eraseUnread(customerId, cause, matches, { ...this.#dependencies, erasures: this });
  }

  /**
   * For an order that was just placed: cancels it where its customer was erased meanwhile. Of the two, placing and
   * erasing, each writes first and looks then, so at least one of them sees the other. `placedAt`: position of the order
   * in the log, where it was placed just now; of a repeat the customer's stream says it.
   */
  async takeBackIfErased(orderId: string, customerId: string, placedAt?: number): Promise<void> {
    const { customers } = this.#dependencies.aggregates;
    const { state } =
      placedAt === undefined ? await customers.loadExpected(customerId) : await customers.lookUp(customerId, placedAt);
    if (state.status === 'erased') await this.#takeBack(orderId);
  }

  /**
   * Carries out whatever of the log's erasures is left to do, from the keys' own note on. Until `signal` aborts.
   * `unreadable`: called with each event of a customer that cannot be read, which may be their erasure.
   */
  finish(signal: AbortSignal, unreadable: (fault: StreamUnreadable) => void): Promise<void> {
    const { store, keys, timer } = this.#dependencies;
    return carryOutErasures(store, keys, (customerId) => this.#finish(customerId), {
      betweenPages: async () => {
        // Others have requests.
        await timer.sleep(0);
        return !signal.aborted;
      },
      unreadable,
    });
  }

  async #finish(customerId: string): Promise<void> {
    const { keys } = this.#dependencies;
    // Of most nothing is left to do but to see to it that there never is a key again.
    if ((await keys.find(customerId)) === undefined) await keys.destroy(customerId);
    else await this.carryOut(customerId);
  }

  async #takeBack(orderId: string): Promise<void> {
    const { aggregates, randomness, clock } = this.#dependencies;
    const { orders } = aggregates;
    const id = randomness.uuid();
    const cause = { id, occurredAt: timestamp(clock), correlationId: id, traceparent: undefined };
    const command = { type: 'CancelOrder', orderId, reason: 'The customer was erased.', by: 'system' } as const;
    await againOnConflict(async () => {
      const loaded = await orders.load(orderId);
      const events = orders.decider.decide(command, loaded.state);
      if (events.length === 0) return;
      const byNobody = { ...cause, actor: undefined, request: undefined };
      await orders.append(orderId, loaded, envelopes(events, orderId, byNobody, randomness));
    }, this.#dependencies).catch((error: unknown) => {
      // It came to its end by itself, or is out for delivery; or it cannot be read any more, and nobody goes on with it.
      if (!(error instanceof RuleViolated) && !isStreamFault(error)) throw error;
    });
  }
}
