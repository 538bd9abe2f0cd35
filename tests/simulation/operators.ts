import { requestIntervention, type Request } from '@waybill/cli/fulfilment/request-intervention.js';
import { worklist, openStates } from '@waybill/command-side/fulfilment/worklist/worklist.js';
import { NotFound, RuleViolated, Unavailable, WrongExpectedRevision } from '@waybill/shared-kernel/errors.js';
import { suspendedOrders } from '@waybill/command-side/fulfilment/suspension/suspended-orders.js';
import { ProcessLog } from './process-log.js';
import { hour, minute } from './time.js';
import type { World } from './world.js';

/** Operators who look at the worklist, have this done again and that undone, and take back what was delivered. */
export class Operators {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  begin(): void {
    const { schedule, chance, positions } = this.#world;
    schedule.begin(async () => {
      await positions.declare(worklist);
      await positions.declare(suspendedOrders);
      for (;;) {
        await schedule.pause(chance.between(10 * minute, hour));
        const noted = await positions.list(worklist, { equal: { state: chance.one(openStates) }, limit: 20 });
        if (noted.length > 0) await this.#ask(chance.is(0.8) ? 'retry' : 'compensate', chance.one(noted).key);
      }
    });
    schedule.begin(async () => {
      const delivered: string[] = [];
      this.#world.log.watch(({ type, data }) => {
        if (type === 'OrderDelivered') delivered.push(String(data['orderId']));
      });
      for (;;) {
        await schedule.pause(chance.between(hour, 4 * hour));
        if (delivered.length > 0) await this.#ask('compensate', chance.one(delivered));
      }
    });
  }

  async #ask(request: Request, orderId: string): Promise<void> {
    const { schedule, chance, positions: readStore, tally } = this.#world;
    const store = new ProcessLog('the command line', this.#world);
    const dependencies = { store, readStore, clock: schedule.clock, randomness: chance.randomness };
    const actor = { sub: 'olga', role: 'operator' };
    try {
      await requestIntervention(request, orderId, { ...dependencies, actor, reason: 'A call from the customer.' });
      tally.count(`asked by hand to ${request}`);
    } catch (error) {
      const expected = [NotFound, RuleViolated, WrongExpectedRevision, Unavailable];
      if (!expected.some((kind) => error instanceof kind)) throw error;
      tally.count(`asked by hand to ${request} in vain`);
    }
  }
}
