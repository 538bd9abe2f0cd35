import { GatewayOfTests } from '@waybill/command-side/payments/testing/gateway.js';
import { minute, second } from './time.js';
import type { World } from './world.js';

const lost = 0.01;
const unheard = 0.01;
const noticeLost = 0.1;

/** The simulated payment gateway: now and then it is not there, loses calls and answers, and its notices come late. */
export class Gateway extends GatewayOfTests {
  constructor({ weather, chance, tally, schedule }: Pick<World, 'weather' | 'chance' | 'tally' | 'schedule'>) {
    super(schedule.clock);
    this.fate = (call) => {
      if (weather.isCalm) return 'done';
      const fate = weather.isDown('gateway') ? 'lost' : chance.among({ lost, unheard }, 'done');
      tally.count(`gateway: ${call} ${fate}`);
      return fate;
    };
  }

  begin({ schedule, chance, tally, apis }: World): void {
    this.notify = (notice) => {
      if (chance.is(noticeLost)) return tally.count('notice lost');
      schedule.begin(
        async () => tally.count((await apis.notify(notice)) ? 'notice taken' : 'notice not taken'),
        chance.anywhere(second, 30 * minute),
      );
    };
    schedule.begin(async () => {
      for (;;) {
        await schedule.pause(chance.between(second, 6 * minute));
        this.decide();
      }
    });
  }
}
