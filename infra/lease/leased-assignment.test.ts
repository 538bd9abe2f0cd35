import { beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Assignment, AssignPartitions } from '@waybill/shared-kernel/assignment.js';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import {
  leasedLeadership,
  leasedPartitions,
  leadershipTuning,
  partitionTuning,
  type LeasedMeans,
} from '@waybill/shared-kernel/leased-assignment.js';
import { partitionCount } from '@waybill/shared-kernel/partition.js';
import type { LeaseStore } from '@waybill/shared-kernel/ports/lease.js';
import { SimulatedTime } from '@waybill/shared-kernel/testing/simulated-time.js';
import { seededRandomness } from '../clock/seeded.js';
import { openMemoryLeaseStore, type MemoryLeases } from './memory/lease-store.js';

/** Work that somebody has begun and not finished. */
interface Acting {
  readonly process: number;
  readonly partition: number;
  /** It stood still meanwhile, so it may be late: it counts until it is told to stop only. */
  mayBeLate: boolean;
  isAsleep: boolean;
}

type StoreState = 'up' | 'down' | 'silent';

/** Some processes over the same leases, in a time of their own. */
class Simulation {
  readonly time = new SimulatedTime();
  readonly leases: MemoryLeases = new Map();
  readonly acting = new Set<Acting>();
  readonly faults: string[] = [];
  /** Partitions that were begun in one turn. */
  readonly begun: number[][] = [];
  readonly #assign: (means: LeasedMeans) => AssignPartitions;
  #started = 0;

  constructor(assign: (means: LeasedMeans) => AssignPartitions = leasedPartitions) {
    this.#assign = assign;
  }

  /** `finishing`: how long its work takes to stop, milliseconds. */
  start(finishing = 0): SimulatedWorker {
    this.#started += 1;
    return new SimulatedWorker(this, this.#started, this.#assign, finishing);
  }

  /** Nobody works on what another works on, at any moment of this time. */
  async pass(milliseconds: number): Promise<void> {
    await this.time.pass(milliseconds, () => {
      const awake = [...this.acting].filter(({ isAsleep }) => !isAsleep);
      const partitions = awake.map(({ partition }) => partition);
      expect(partitions).toHaveLength(new Set(partitions).size);
    });
  }
}

class SimulatedWorker {
  readonly #simulation: Simulation;
  readonly #number: number;
  readonly #process;
  readonly assignment: Assignment;
  store: StoreState = 'up';
  /** How often it asked the store. */
  questions = 0;
  state: 'running' | 'stalled' | 'gone' = 'running';

  constructor(
    simulation: Simulation,
    number: number,
    assign: (means: LeasedMeans) => AssignPartitions,
    finishing: number,
  ) {
    this.#simulation = simulation;
    this.#number = number;
    this.#process = simulation.time.process(number * 1_000_000);
    const { clock, timer } = this.#process;
    const means: LeasedMeans = {
      leases: this.#through(openMemoryLeaseStore(simulation.leases, clock)),
      clock,
      timer,
      randomness: seededRandomness(`process ${number}`),
      report: (_, lease) => simulation.faults.push(lease),
    };
    let together: number[] = [];
    this.assignment = assign(means)('group', (partition) => {
      if (together.length === 0) {
        queueMicrotask(() => {
          simulation.begun.push(together);
          together = [];
        });
      }
      together.push(partition);
      const acting: Acting = { process: number, partition, mayBeLate: false, isAsleep: false };
      simulation.acting.add(acting);
      return {
        stop: async () => {
          if (acting.mayBeLate) simulation.acting.delete(acting);
          if (finishing > 0) await timer.sleep(finishing);
          simulation.acting.delete(acting);
        },
      };
    });
  }

  get held(): number {
    return this.assignment.held().length;
  }

  async stop(): Promise<void> {
    if (this.state !== 'running') return;
    this.state = 'gone';
    await this.assignment.stop();
  }

  kill(): void {
    this.state = 'gone';
    this.#process.stall();
    for (const acting of this.#acting()) this.#simulation.acting.delete(acting);
  }

  /** It does nothing any more, and what it was at may go on when it wakes. */
  stall(): void {
    if (this.state !== 'running') return;
    this.state = 'stalled';
    this.#process.stall();
    for (const acting of this.#acting()) Object.assign(acting, { mayBeLate: true, isAsleep: true });
  }

  wake(): void {
    if (this.state !== 'stalled') return;
    this.state = 'running';
    this.#process.wake();
    const asleep = this.#acting();
    // By then it knows what it missed.
    void this.#process.timer.sleep(1).then(() => asleep.forEach((acting) => (acting.isAsleep = false)));
  }

  #acting(): readonly Acting[] {
    return [...this.#simulation.acting].filter(({ process }) => process === this.#number);
  }

  /** The store as it is for this process. */
  #through(store: LeaseStore): LeaseStore {
    const ask = <Answer>(question: () => Promise<Answer>): Promise<Answer> => {
      this.questions += 1;
      if (this.store === 'down') return Promise.reject(new Unavailable('lease store', 'Gone.'));
      if (this.store === 'silent') return new Promise(() => {});
      return question();
    };
    return {
      acquire: (...asked) => ask(() => store.acquire(...asked)),
      renew: (...asked) => ask(() => store.renew(...asked)),
      release: (...asked) => ask(() => store.release(...asked)),
      held: (...asked) => ask(() => store.held(...asked)),
      close: () => store.close(),
    };
  }
}

const { ttl, look } = partitionTuning;
/** After which one that is gone is replaced: it was seen last a look later, and is missed a look late. */
const replaced = ttl + 3 * look;

function heldBy(...workers: readonly SimulatedWorker[]): number[] {
  return workers.flatMap(({ assignment }) => assignment.held()).sort((left, right) => left - right);
}

const every = [...Array(partitionCount).keys()];

describe('partitions by lease', () => {
  let simulation: Simulation;
  beforeEach(() => {
    simulation = new Simulation();
  });

  test('one that is alone has all of them, begun together', async () => {
    const alone = simulation.start();
    await simulation.pass(2 * look);
    expect(alone.assignment.held()).toEqual(every);
    expect(simulation.begun).toEqual([every]);
  });

  test('it costs a question for each look, and one for all leases that are renewed', async () => {
    const alone = simulation.start();
    await simulation.pass(10 * ttl);
    const { questions } = alone;
    await simulation.pass(10 * ttl);
    expect(alone.held).toBe(partitionCount);
    expect(alone.questions - questions).toBe(10 * (ttl / look + 4));
  });

  test('two that start together have half of them each', async () => {
    const [one, other] = [simulation.start(), simulation.start()];
    await simulation.pass(4 * look);
    expect([one.held, other.held]).toEqual([4, 4]);
    expect(heldBy(one, other)).toEqual(every);
    expect(simulation.begun.map((together) => together.length)).toEqual([4, 4]);
  });

  test('one that comes late is given its half, once the work on it is finished', async () => {
    const one = simulation.start(2_000);
    await simulation.pass(ttl);
    const other = simulation.start();
    await simulation.pass(2 * look);
    expect([one.held, other.held, simulation.acting.size]).toEqual([4, 0, 8]);
    await simulation.pass(2_000 + look);
    expect([one.held, other.held]).toEqual([4, 4]);
    expect(heldBy(one, other)).toEqual(every);
  });

  test('one that takes longer to finish than its lease lasts keeps it meanwhile', async () => {
    const one = simulation.start(5 * ttl);
    await simulation.pass(2 * look);
    const other = simulation.start();
    await simulation.pass(4 * ttl);
    expect([one.held, other.held, simulation.acting.size]).toEqual([4, 0, 8]);
    await simulation.pass(2 * ttl);
    expect([one.held, other.held]).toEqual([4, 4]);
  });

  test('when one is killed the other has all of them', async () => {
    const [one, other] = [simulation.start(), simulation.start()];
    await simulation.pass(ttl);
    one.kill();
    await simulation.pass(replaced);
    expect(other.assignment.held()).toEqual(every);
  });

  test('one that was killed long ago does not count for those who come', async () => {
    const [one, other] = [simulation.start(), simulation.start()];
    await simulation.pass(ttl);
    one.kill();
    await simulation.pass(2 * replaced);
    await other.stop();
    const [third, fourth] = [simulation.start(), simulation.start()];
    await simulation.pass(4 * look);
    expect([third.held, fourth.held]).toEqual([4, 4]);
  });

  test('one that is shut down gives them back at once', async () => {
    const [one, other] = [simulation.start(), simulation.start()];
    await simulation.pass(ttl);
    void one.stop();
    await simulation.pass(look);
    expect(other.assignment.held()).toEqual(every);
    expect(heldBy(one)).toEqual([]);
  });

  test('one that is shut down in the middle of taking leaves nothing taken', async () => {
    for (let moment = 0; moment <= 3 * look; moment += 50) {
      const one = simulation.start();
      await simulation.pass(moment);
      await one.stop();
      expect(simulation.acting.size).toBe(0);
      expect([...simulation.leases.values()].filter(({ owner }) => owner !== null)).toEqual([]);
    }
  });

  test.each<StoreState>(['down', 'silent'])('one whose store is %s stops before its leases end', async (store) => {
    const one = simulation.start(ttl / 4 - 1);
    await simulation.pass(2 * ttl);
    one.store = store;
    const other = simulation.start();
    await simulation.pass(ttl - 1);
    expect(simulation.acting.size).toBe(0);
    await simulation.pass(3 * look);
    expect(other.assignment.held()).toEqual(every);
    if (store === 'silent') return;
    one.store = 'up';
    await simulation.pass(ttl);
    expect([one.held, other.held]).toEqual([4, 4]);
  });

  test('a store that is down for a moment takes nothing from anybody', async () => {
    const [one, other] = [simulation.start(), simulation.start()];
    await simulation.pass(ttl);
    for (const worker of [one, other]) worker.store = 'down';
    await simulation.pass(ttl / 4);
    for (const worker of [one, other]) worker.store = 'up';
    await simulation.pass(2 * ttl);
    expect(simulation.begun.flat()).toHaveLength(partitionCount);
    expect(simulation.faults).not.toEqual([]);
  });

  test('one that stood still longer than its leases stops when it wakes, and gets its share again', async () => {
    const [one, other] = [simulation.start(), simulation.start()];
    await simulation.pass(ttl);
    one.stall();
    await simulation.pass(replaced);
    expect(other.held).toBe(8);
    one.wake();
    await simulation.pass(1);
    expect(one.held).toBe(0);
    await simulation.pass(ttl);
    expect([one.held, other.held]).toEqual([4, 4]);
  });

  test('of more processes than partitions the rest stand by', async () => {
    const workers = Array.from({ length: partitionCount + 3 }, () => simulation.start());
    await simulation.pass((partitionCount + 6) * look);
    expect(workers.map(({ held }) => held).sort()).toEqual([0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1]);
    workers.find(({ held }) => held === 1)!.kill();
    await simulation.pass(replaced);
    expect(heldBy(...workers.filter(({ state }) => state === 'running'))).toEqual(every);
  });

  test('whoever joins, leaves, dies, sleeps or is cut off: nobody works beside another, and in the end all is even', async () => {
    const anyStep = fc.record({
      what: fc.constantFrom('start', 'start', 'stop', 'kill', 'stall', 'wake', 'cut', 'silence', 'mend'),
      who: fc.nat(5),
      then: fc.integer({ min: 0, max: 2 * ttl }),
      finishing: fc.integer({ min: 0, max: ttl / 4 - 1 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(anyStep, { minLength: 1, maxLength: 25 }), async (steps) => {
        simulation = new Simulation();
        const workers = [simulation.start()];
        for (const { what, who, then, finishing } of steps) {
          const worker = workers[who % workers.length]!;
          if (what === 'start') workers.push(simulation.start(finishing));
          if (what === 'stop') void worker.stop();
          if (what === 'kill') worker.kill();
          if (what === 'stall') worker.stall();
          if (what === 'wake') worker.wake();
          if (what === 'cut' && worker.store === 'up') worker.store = 'down';
          // Its questions stay unanswered for ever.
          if (what === 'silence') worker.store = 'silent';
          if (what === 'mend' && worker.store === 'down') worker.store = 'up';
          await simulation.pass(then);
        }
        for (const worker of workers) {
          worker.wake();
          if (worker.store === 'silent') worker.kill();
          worker.store = 'up';
        }
        const last = simulation.start();
        await simulation.pass(4 * ttl + workers.length * look);
        const running = [last, ...workers].filter(({ state }) => state === 'running');
        expect(heldBy(...running)).toEqual(every);
        const counts = running.map(({ held }) => held);
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
        expect(simulation.acting.size).toBe(partitionCount);
      }),
      { numRuns: 60 },
    );
  }, 60_000);
});

describe('leadership by lease', () => {
  let simulation: Simulation;
  beforeEach(() => {
    simulation = new Simulation(leasedLeadership);
  });

  test('one leads, also when others come and go; another takes over when it is gone', async () => {
    const leader = simulation.start();
    await simulation.pass(leadershipTuning.ttl);
    expect(leader.held).toBe(1);
    const others = [simulation.start(), simulation.start()];
    await simulation.pass(leadershipTuning.ttl);
    others[0]!.kill();
    await simulation.pass(2 * leadershipTuning.ttl);
    others.push(simulation.start());
    await simulation.pass(2 * leadershipTuning.ttl);
    expect(heldBy(...others)).toEqual([]);
    expect(simulation.begun).toEqual([[0]]);
    leader.kill();
    await simulation.pass(4_000);
    expect(heldBy(...others.slice(1))).toEqual([0]);
  });

  test('a leader that is shut down is replaced at once', async () => {
    const leader = simulation.start();
    await simulation.pass(leadershipTuning.ttl);
    const other = simulation.start();
    await simulation.pass(leadershipTuning.ttl);
    void leader.stop();
    await simulation.pass(2 * leadershipTuning.look);
    expect(other.held).toBe(1);
  });
});
