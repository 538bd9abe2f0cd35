import { day, hour, minute, second } from './time.js';
import type { World } from './world.js';

/** What everybody needs and nobody here owns. */
export type Service = 'log' | 'gateway' | 'broker';

const outages: Readonly<Record<Service, { readonly every: number; readonly least: number; readonly most: number }>> = {
  log: { every: 16 * hour, least: minute, most: 10 * minute },
  gateway: { every: 30 * hour, least: 20 * minute, most: 3 * hour },
  broker: { every: 20 * hour, least: 2 * minute, most: 30 * minute },
};

/** Which services are down. In calm weather none is, and nothing goes wrong by chance. */
export class Weather {
  isCalm = false;
  readonly #down = new Set<Service>();
  #aheadMs = 0;

  /** By how much the wall clock of the process manager's host is ahead. */
  get aheadMs(): number {
    return this.isCalm ? 0 : this.#aheadMs;
  }

  isDown(service: Service): boolean {
    return !this.isCalm && this.#down.has(service);
  }

  /** Has services fail, each now and then for a while, and a clock run ahead for a moment. */
  begin({ schedule, chance, tally }: Pick<World, 'schedule' | 'chance' | 'tally'>): void {
    for (const service of ['log', 'gateway', 'broker'] as const) {
      const { every, least, most } = outages[service];
      schedule.begin(async () => {
        for (;;) {
          await schedule.pause(chance.between(every / 2, (3 * every) / 2));
          this.#down.add(service);
          tally.count(`outage of the ${service}`);
          await schedule.pause(chance.between(least, most));
          this.#down.delete(service);
        }
      });
    }
    schedule.begin(async () => {
      for (;;) {
        await schedule.pause(chance.between(4 * hour, 12 * hour));
        this.#aheadMs = chance.anywhere(minute, 2 * day);
        tally.count('clock of the process manager set ahead');
        await schedule.pause(chance.anywhere(second, 50 * second));
        this.#aheadMs = 0;
      }
    });
  }
}
