import { FaultyStore, type Fate } from '@waybill/command-side/testing/faulty-store.js';
import type { NewEvent } from '@waybill/shared-kernel/message.js';
import type { Process } from './schedule.js';
import type { World } from './world.js';

/** How often an append goes wrong, and how often it is the last thing that a process does; shares of all. */
const faulty = 0.004;
const deadly = {
  'a write API': 0.001,
  'the process manager': 0.0008,
  'the payment service': 0.004,
  'the command line': 0.02,
} as const;
/** The pick-up is in the order's stream and not in the delivery's: dying there is worth trying. */
const deadlyHalfWay = 0.03;

type Dependencies = Pick<World, 'log' | 'weather' | 'chance' | 'tally' | 'schedule'>;

/**
 * The log as one process of ours has it: appends are lost, or are done and not heard of, at once or at all, others come in between, and
 * with some of them the process dies. Of a dead one nothing reaches the log any more.
 */
export class ProcessLog extends FaultyStore {
  readonly #dependencies: Dependencies;
  readonly #name: keyof typeof deadly;
  isDead = false;

  constructor(name: keyof typeof deadly, dependencies: Dependencies, process?: Process) {
    super(dependencies.log);
    this.#name = name;
    this.#dependencies = dependencies;
    this.fate = async (_stream, events) => {
      if (dependencies.chance.is(0.5) && (await dependencies.schedule.interrupt(process)))
        dependencies.tally.count('came in between');
      return this.#fateOf(events);
    };
  }

  #fateOf(events: readonly NewEvent[]): Fate {
    const { weather, chance, tally } = this.#dependencies;
    if (this.isDead) return 'lost';
    if (weather.isDown('log')) {
      tally.count('append during an outage of the log');
      return 'lost';
    }
    if (weather.isCalm) return 'done';
    const isHalfWay = this.#name === 'a write API' && events.some(({ type }) => type === 'DeliveryPickedUp');
    this.isDead = chance.is(isHalfWay ? deadlyHalfWay : deadly[this.#name]);
    if (!this.isDead && !chance.is(faulty)) return 'done';
    const fate = chance.one(['lost', 'unheard', 'cut off'] as const);
    tally.count(`append ${fate}`);
    if (this.isDead) tally.count(`crash of ${this.#name}`);
    if (this.isDead && isHalfWay && fate === 'lost') tally.count('crash half-way in a pick-up');
    return fate;
  }
}
