import type { OfDelivery } from '@waybill/shared-kernel/events/delivery.js';
import { timestamp } from '@waybill/shared-kernel/ports/clock.js';
import { insist } from './client.js';
import { day, hour, minute, second } from './time.js';
import type { World } from './world.js';

const couriers = 30;

/** What somebody does with a delivery that they have. */
const conduct = { release: 0.05, lose: 0.015, fail: 0.07, retry: 0.05, dawdle: 0.02 } as const;

type Step = 'assignment' | 'release' | 'pickup' | 'positions' | 'completion' | 'failure' | 'return';

/** Couriers look out for open deliveries; some deliveries nobody wants. */
export class Couriers {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  begin(): void {
    const { log, schedule, chance } = this.#world;
    log.watch(({ type, data }) => {
      if (type !== 'DeliveryScheduled' && type !== 'DeliveryReleased') return;
      if (chance.is(0.04)) return;
      const { deliveryId, orderId } = data as unknown as OfDelivery;
      const rivals = chance.is(0.05) ? 2 : 1;
      const soon = chance.anywhere(2 * minute, 8 * hour);
      for (let rival = 0; rival < rivals; rival += 1) {
        schedule.begin(() => this.#take(deliveryId, orderId), soon + chance.between(0, second));
      }
    });
  }

  async #take(deliveryId: string, orderId: string): Promise<void> {
    const { schedule, chance, tally } = this.#world;
    const courierId = `courier-${chance.between(1, couriers)}`;
    const step = (name: Step, body: object = {}) => this.#step(name, deliveryId, courierId, body);
    if (!(await step('assignment', { courierId }))) return;
    await schedule.pause(chance.anywhere(minute, 4 * hour));
    const does = chance.among(conduct, 'deliver');
    if (does === 'release') {
      await step('release');
      return;
    }
    if (chance.is(0.05)) this.#changeOfMind(orderId);
    if (!(await step('pickup')) && !chance.is(0.5)) return;
    const reports = chance.between(0, 2);
    for (let report = 0; report < reports; report += 1) {
      await schedule.pause(chance.between(minute, 20 * minute));
      await this.#report(deliveryId, courierId);
    }
    tally.count(`courier is to ${does}`);
    switch (does) {
      case 'deliver':
        break;
      case 'dawdle':
        await schedule.pause(chance.between(2 * day, 4 * day));
        break;
      case 'lose':
        return;
      case 'retry':
        await step('failure', { reason: 'Nobody is at home.', next: 'retry' });
        await schedule.pause(chance.between(hour, day));
        break;
      case 'fail':
        await step('failure', { reason: 'There is no such house.', next: 'return' });
        if (chance.is(0.4)) return;
        await schedule.pause(chance.anywhere(hour, 3 * day));
        await step('return');
        return;
      default:
        return does satisfies never;
    }
    await step('completion', chance.is(0.5) ? { proof: 'signed' } : {});
  }

  /** Whether it is so now. */
  async #step(name: Step, id: string, courierId: string, body: object): Promise<boolean> {
    const by = { sub: courierId, role: 'courier' } as const;
    const outcome = await insist({ by, route: `/v1/deliveries/:deliveryId/${name}`, id, body }, this.#world);
    return outcome !== undefined && 'done' in outcome;
  }

  async #report(deliveryId: string, courierId: string): Promise<void> {
    const { chance, schedule } = this.#world;
    const at = timestamp({ time: () => new Date(schedule.clock.now() - chance.between(0, 10 * minute)) });
    const latitude = 35 + chance.between(0, 1000) / 1000;
    const longitude = 129 + chance.between(0, 1000) / 1000;
    await this.#step('positions', deliveryId, courierId, { latitude, longitude, at });
  }

  /** At the very moment of the pick-up. */
  #changeOfMind(orderId: string): void {
    const by = { sub: 'olga', role: 'operator' } as const;
    const route = '/v1/orders/:orderId/cancellation';
    const asked = { by, route, id: orderId, body: { reason: 'The customer takes no more parcels.' } } as const;
    this.#world.tally.count('cancelled at the door');
    this.#world.schedule.begin(() => insist(asked, this.#world));
  }
}
