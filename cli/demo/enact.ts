import { NotFound, RuleViolated, Unavailable } from '@waybill/shared-kernel/errors.js';
import { type SteadyClock, type Timer, timestamp, type WallClock } from '@waybill/shared-kernel/ports/clock.js';
import { deliveryIdOf } from '@waybill/shared-kernel/stream.js';
import type { ApiClient, Caller } from './api-client.js';
import type { DemoPlan, Fate, PlannedOrder } from './plan.js';

export interface EnactedOrder {
  readonly orderId: string;
  readonly customerId: string;
  readonly courierId: string;
  readonly fate: Fate;
}

export interface EnactDependencies {
  readonly api: ApiClient;
  readonly clock: WallClock;
  readonly steadyClock: SteadyClock;
  readonly timer: Timer;
  /** Orders begun a second. */
  readonly rate: number;
  readonly onProgress: (done: number, total: number) => void;
}

/** Milliseconds between two looks whether fulfilment has come to something, and looks before that is given up. */
const pause = 50;
const mostLooks = 1000;

/** Orders that may be under way at once. */
const mostAtOnce = 16;

/** Lets people and couriers of a plan work, through the write API. A repeat of the same plan changes nothing. */
export async function enact(plan: DemoPlan, dependencies: EnactDependencies): Promise<readonly EnactedOrder[]> {
  const { api, steadyClock, timer, rate, onProgress } = dependencies;
  for (const { merchantId, ...product } of plan.products) {
    await api.command({ sub: merchantId, role: 'merchant' }, '/v1/products', product.productId, product);
  }
  for (const customer of plan.customers) {
    await api.command({ sub: customer.customerId, role: 'customer' }, '/v1/customers', customer.customerId, customer);
  }
  const began = steadyClock.now();
  const enacted: EnactedOrder[] = [];
  const next = plan.orders.entries();
  const worker = async () => {
    for (const [index, order] of next) {
      await timer.sleep(Math.max(0, began + (index * 1000) / rate - steadyClock.now()));
      enacted[index] = await new OrderActor(`${plan.name}-${index}`, order, dependencies).act();
      onProgress(enacted.filter(Boolean).length, plan.orders.length);
    }
  };
  await Promise.all(Array.from({ length: mostAtOnce }, worker));
  return enacted;
}

/** One order from its placing to its end. */
class OrderActor {
  readonly #key: string;
  readonly #order: PlannedOrder;
  readonly #dependencies: EnactDependencies;
  readonly #customer: Caller;
  readonly #courier: Caller;

  constructor(key: string, order: PlannedOrder, dependencies: EnactDependencies) {
    this.#key = key;
    this.#order = order;
    this.#dependencies = dependencies;
    this.#customer = { sub: order.customerId, role: 'customer' };
    this.#courier = { sub: order.courierId, role: 'courier' };
  }

  async act(): Promise<EnactedOrder> {
    const { customerId, courierId, lines, paymentToken, fate } = this.#order;
    const { api } = this.#dependencies;
    const placing = { customerId, lines, payment: { token: paymentToken } };
    const { orderId } = await api.command(this.#customer, '/v1/orders', `${this.#key}-place`, placing);
    const id = String(orderId);
    switch (fate) {
      case 'cancelled': {
        const body = { reason: 'changed my mind' };
        await api.command(this.#customer, `/v1/orders/${id}/cancellation`, `${this.#key}-cancel`, body);
        break;
      }
      case 'declined':
        await this.#onceFulfilled(async () => {
          const { status } = await api.read(this.#customer, `/v1/orders/${id}`);
          if (status !== 'rejected') throw new NotFound('rejection', id);
        });
        break;
      default:
        await this.#deliver(deliveryIdOf(id), fate);
    }
    return { orderId: id, customerId, courierId, fate };
  }

  async #deliver(deliveryId: string, fate: Exclude<Fate, 'cancelled' | 'declined'>): Promise<void> {
    const { courierId } = this.#order;
    await this.#onceFulfilled(() => this.#step(deliveryId, 'assignment', { courierId }));
    await this.#step(deliveryId, 'pickup');
    await this.#report(deliveryId, 52.52, 13.4);
    if (fate === 'delivered-at-second-try') {
      await this.#step(deliveryId, 'failure', { reason: 'nobody at home', next: 'retry' });
    }
    await this.#report(deliveryId, 52.53, 13.42);
    if (fate === 'returned') {
      await this.#step(deliveryId, 'failure', { reason: 'address not found', next: 'return' });
      await this.#step(deliveryId, 'return');
    } else {
      await this.#step(deliveryId, 'completion', { proof: 'signed at the door' });
    }
  }

  async #step(deliveryId: string, what: string, body: object = {}, key = what): Promise<void> {
    const { api } = this.#dependencies;
    await api.command(this.#courier, `/v1/deliveries/${deliveryId}/${what}`, `${this.#key}-${key}`, body);
  }

  /** A position is of its moment, so it cannot be repeated: in a repeat of the plan its delivery is over. */
  async #report(deliveryId: string, latitude: number, longitude: number): Promise<void> {
    const at = timestamp(this.#dependencies.clock);
    try {
      await this.#step(deliveryId, 'positions', { latitude, longitude, at }, at);
    } catch (error) {
      if (!(error instanceof RuleViolated)) throw error;
    }
  }

  /** Fulfilment has the order paid, and schedules its delivery or rejects it; until then there is no such thing. */
  async #onceFulfilled(step: () => Promise<void>): Promise<void> {
    for (let look = 1; ; look += 1) {
      try {
        await step();
        return;
      } catch (error) {
        if (!(error instanceof NotFound)) throw error;
        if (look === mostLooks) {
          throw new Unavailable('fulfilment', 'The order makes no progress. See npx waybill fulfilment list.', {
            cause: error,
          });
        }
      }
      await this.#dependencies.timer.sleep(pause);
    }
  }
}
