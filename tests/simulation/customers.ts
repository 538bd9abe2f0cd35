import { insist } from './client.js';
import type { Merchants } from './merchants.js';
import { day, hour, minute, second } from './time.js';
import type { World } from './world.js';

const customers = 150;
const erased = 6;
const tokens = { tok_decline: 0.05, tok_slow: 0.05, tok_fail_once: 0.03, tok_hang: 0.02, tok_double: 0.03 };

/** Customers who order all week long, most of them by day. */
export class Customers {
  readonly #world: World;
  readonly #merchants: Merchants;

  constructor(world: World, merchants: Merchants) {
    this.#world = world;
    this.#merchants = merchants;
  }

  /** So many orders within so many milliseconds. */
  begin(orders: number, within: number): void {
    const { schedule, chance } = this.#world;
    for (let number = 1; number <= customers; number += 1) {
      schedule.begin(() => this.#register(`customer-${number}`), chance.between(0, 30 * minute));
    }
    for (let number = 1; number <= erased; number += 1) {
      schedule.begin(() => this.#leave(`customer-${number}`), chance.between(day, within));
    }
    for (let order = 0; order < orders; order += 1) {
      const moment = chance.between(hour, within);
      const isNight = moment % day > 14 * hour && chance.is(0.8);
      schedule.begin(() => this.#order(), isNight ? Math.max(hour, moment - 12 * hour) : moment);
    }
  }

  async #register(customerId: string): Promise<void> {
    const address = { street: `${this.#world.chance.between(1, 99)} Harbour Road`, city: 'Busan', postalCode: '48058' };
    const body = { customerId, name: `Name of ${customerId}`, phone: '+82 51 000 0000', address };
    await insist({ by: this.#as(customerId), route: '/v1/customers', body }, this.#world);
  }

  async #leave(customerId: string): Promise<void> {
    const { schedule, chance, tally } = this.#world;
    for (;;) {
      const route = '/v1/customers/:customerId/erasure';
      const outcome = await insist({ by: this.#as(customerId), route, id: customerId }, this.#world);
      if (outcome !== undefined && 'done' in outcome) break;
      await schedule.pause(chance.between(hour, 12 * hour));
    }
    tally.count('customer erased');
  }

  async #order(): Promise<void> {
    const { schedule, chance } = this.#world;
    const customerId = `customer-${chance.between(1, customers)}`;
    const lines = Array.from({ length: chance.between(1, 3) }, () => {
      return { productId: chance.one(this.#merchants.products).productId, quantity: chance.anywhere(1, 8) };
    });
    const token = chance.among(tokens, 'tok_approve');
    const chosenId = chance.is(0.3) ? { orderId: `order-${chance.randomness.uuid()}` } : {};
    const body = { ...chosenId, customerId, lines, payment: { token } };
    const outcome = await insist({ by: this.#as(customerId), route: '/v1/orders', body }, this.#world);
    if (outcome === undefined || !('done' in outcome)) return;
    const orderId = String(outcome.done.body['orderId']);
    if (!chance.is(0.12)) return;
    await schedule.pause(chance.anywhere(second, 2 * day));
    await this.#cancel(orderId, customerId);
  }

  async #cancel(orderId: string, customerId: string): Promise<void> {
    const { chance } = this.#world;
    const by = chance.is(0.8) ? this.#as(customerId) : ({ sub: 'olga', role: 'operator' } as const);
    const route = '/v1/orders/:orderId/cancellation';
    await insist({ by, route, id: orderId, body: { reason: 'Not needed any more.' } }, this.#world);
  }

  #as(customerId: string) {
    return { sub: customerId, role: 'customer' } as const;
  }
}
