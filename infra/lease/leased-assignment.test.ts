import { beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Assignment, AssignPartitions } from '@waybill/shared-kernel/partitions/assignment.js';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import {
  leasedLeadership,
  leasedPartitions,
  leadershipTuning,
  partitionTuning,
  type LeasedDependencies,
} from '@waybill/shared-kernel/partitions/leased-assignment.js';
import { partitionCount } from '@waybill/shared-kernel/partitions/partition.js';
import type { LeaseStore } from '@waybill/shared-kernel/ports/lease.js';
import type { Progress } from '@waybill/shared-kernel/subscriptions/stall-detector.js';
import { SimulatedTime } from '@waybill/shared-kernel/testing/simulated-time.js';
import { seededRandomness } from '../clock/seeded.js';
import { openMemoryLeaseStore, type MemoryLeases } from './memory/lease-store.js';

/** Work that somebody has begun and not finished. */
interface Acting {
  readonly process: number;
  readonly partition: number;
  /** It stood still meanwhile, so it may be late: it counts only until it is asked to stop. */
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
  /** Where the log ends. */
  head = 0;
  /** Partition → everything up to here is done. */
  readonly done = new Map<number, number>();
  readonly #assign: (dependencies: LeasedDependencies) => AssignPartitions;
  #started = 0;

  constructor(assign: (dependencies: LeasedDependencies) => AssignPartitions = leasedPartitions) {
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
  /** What it cannot work on. */
  cannot: readonly number[] = [];
  /** When it began what, on its clock. */
  readonly begun: { readonly partition: number; readonly at: number }[] = [];
  /** How it says how far it has come. */
  tells: 'at once' | 'nothing' | 'never' | 'not knowing' = 'at once';
  state: 'running' | 'stalled' | 'gone' = 'running';

  constructor(
    simulation: Simulation,
    number: number,
    assign: (dependencies: LeasedDependencies) => AssignPartitions,
    finishing: number,
  ) {
    this.#simulation = simulation;
    this.#number = number;
    this.#process = simulation.time.process(number * 1_000_000);
    const { clock, timer } = this.#process;
    const dependencies: LeasedDependencies = {
      leases: this.#through(openMemoryLeaseStore(simulation.leases, clock)),
      clock,
      timer,
      randomness: seededRandomness(`process ${number}`),
      report: (_, lease) => simulation.faults.push(lease),
    };
    let together: number[] = [];
    this.assignment = assign(dependencies)('group', (partition) => {
      if (together.length === 0) {
        queueMicrotask(() => {
          simulation.begun.push(together);
          together = [];
        });
      }
      together.push(partition);
      this.begun.push({ partition, at: clock.now() });
      const acting: Acting = { process: number, partition, mayBeLate: false, isAsleep: false };
      simulation.acting.add(acting);
      let isStopping = false;
      return {
        progress: () => (isStopping ? [] : this.#progress(partition)),
        stop: async () => {
          isStopping = true;
          if (acting.mayBeLate) simulation.acting.delete(acting);
          if (finishing > 0) await timer.sleep(finishing);
          simulation.acting.delete(acting);
        },
      };
    });
  }

  /** What it can do is done as soon as it is asked. */
  #progress(partition: number): readonly Progress[] | Promise<readonly Progress[]> {
    if (this.tells === 'nothing') return [];
    if (this.tells === 'never') return new Promise(() => {});
    if (this.tells === 'not knowing') return Promise.reject(new Unavailable('event store', 'Gone.'));
    const { head, done } = this.#simulation;
    if (!this.cannot.includes(partition)) done.set(partition, head);
    const position = done.get(partition) ?? 0;
    return [{ name: 'work', position, isUpToDate: position === head }];
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

describe('work that stands still', () => {
  const { stallTimeoutMs, partingMs, abstention } = leadershipTuning;
  /** Within which another has it. */
  const givenOn = 10_000;

  describe('of one that leads', () => {
    let simulation: Simulation;
    let leader: SimulatedWorker;
    beforeEach(async () => {
      simulation = new Simulation(leasedLeadership);
      leader = simulation.start(partingMs - leadershipTuning.look);
      await simulation.pass(leadershipTuning.ttl);
      leader.cannot = [0];
    });
    const standby = async (finishing?: number): Promise<SimulatedWorker> => {
      const other = simulation.start(finishing);
      await simulation.pass(leadershipTuning.ttl);
      return other;
    };

    test('is left to the standby, which does it', async () => {
      const other = await standby();
      simulation.head = 1;
      await simulation.pass(givenOn);
      expect([leader.held, other.held]).toEqual([0, 1]);
      expect(simulation.done.get(0)).toBe(1);
      expect(simulation.faults).toEqual(['group/partition/0']);
    });

    test('is not given back while nothing is due', async () => {
      const other = await standby();
      await simulation.pass(20 * stallTimeoutMs);
      expect([leader.held, other.held]).toEqual([1, 0]);
      expect(simulation.begun).toEqual([[0]]);
    });

    test('is not given back by one that moves, however slowly', async () => {
      const other = await standby();
      simulation.head = 100;
      for (let position = 1; position < 10; position += 1) {
        simulation.done.set(0, position);
        await simulation.pass(stallTimeoutMs - leadershipTuning.look);
      }
      expect([leader.held, other.held]).toEqual([1, 0]);
    });

    test.each(['never', 'not knowing'] as const)('is left to the standby by one that tells %s', async (tells) => {
      const other = await standby();
      leader.tells = tells;
      simulation.head = 1;
      await simulation.pass(givenOn);
      expect([leader.held, other.held]).toEqual([0, 1]);
    });

    test('stays where nobody tells how far it has come', async () => {
      leader.tells = 'nothing';
      const other = await standby();
      simulation.head = 1;
      await simulation.pass(2 * givenOn);
      expect([leader.held, other.held]).toEqual([1, 0]);
    });

    test('is kept by one that is alone, which goes on once it can', async () => {
      simulation.head = 1;
      await simulation.pass(10 * givenOn);
      expect(leader.held).toBe(1);
      expect(simulation.begun).toEqual([[0]]);
      leader.cannot = [];
      await simulation.pass(leadershipTuning.look);
      expect(simulation.done.get(0)).toBe(1);
      // Nothing of it counts by then.
      await simulation.pass(leadershipTuning.look);
      const other = await standby();
      await simulation.pass(givenOn);
      expect([leader.held, other.held]).toEqual([1, 0]);
    });

    test('is taken at once by one that comes', async () => {
      simulation.head = 1;
      await simulation.pass(2 * givenOn);
      const other = simulation.start();
      await simulation.pass(partingMs + 4 * leadershipTuning.look);
      expect([leader.held, other.held]).toEqual([0, 1]);
    });

    test('is given back though it does not end, and does not begin again beside itself', async () => {
      simulation = new Simulation(leasedLeadership);
      leader = simulation.start(4 * givenOn);
      await simulation.pass(leadershipTuning.ttl);
      leader.cannot = [0];
      simulation.head = 1;
      const other = simulation.start();
      // The work that does not end is late, and no more than that.
      for (const acting of simulation.acting) acting.mayBeLate = true;
      await simulation.pass(givenOn);
      expect([leader.held, other.held]).toEqual([0, 1]);
      await other.stop();
      await simulation.pass(givenOn);
      expect(leader.begun).toHaveLength(1);
      await simulation.pass(4 * givenOn);
      expect(leader.held).toBe(1);
    });

    test('stays with another that cannot either, while the work of the first has not ended', async () => {
      simulation = new Simulation(leasedLeadership);
      leader = simulation.start(10 * abstention.mostInTurnMs);
      await simulation.pass(leadershipTuning.ttl);
      const other = simulation.start();
      for (const worker of [leader, other]) worker.cannot = [0];
      simulation.head = 1;
      for (const acting of simulation.acting) acting.mayBeLate = true;
      await simulation.pass(8 * abstention.mostInTurnMs);
      expect(other.begun).toHaveLength(1);
      expect([leader.held, other.held]).toEqual([0, 1]);
    });

    test('goes to and fro between two that cannot, seldom; and the first that can does it', async () => {
      const other = await standby();
      other.cannot = [0];
      simulation.head = 1;
      await simulation.pass(20 * abstention.mostInTurnMs);
      for (const { begun } of [leader, other]) {
        const pauses = begun.slice(1).map(({ at }, index) => at - begun[index]!.at);
        expect(Math.min(...pauses)).toBeGreaterThanOrEqual(abstention.firstMs);
        expect(pauses.at(-1)).toBeGreaterThanOrEqual(abstention.mostInTurnMs);
        // Both had their turn all the time.
        expect(Math.max(...pauses)).toBeLessThan(2 * abstention.mostInTurnMs + givenOn);
      }
      const able = [leader, other].find(({ held }) => held === 0)!;
      able.cannot = [];
      await simulation.pass(abstention.mostInTurnMs + givenOn);
      expect(simulation.done.get(0)).toBe(1);
      expect(able.held).toBe(1);
    });

    test('of several the one that can is found', async () => {
      const others = [await standby(), await standby(), await standby()];
      for (const other of others.slice(0, 2)) other.cannot = [0];
      simulation.head = 1;
      await simulation.pass(3 * givenOn);
      expect(others.map(({ held }) => held)).toEqual([0, 0, 1]);
      expect(simulation.done.get(0)).toBe(1);
    });

    test('leaves nothing taken when all are shut down or killed', async () => {
      const other = await standby();
      other.cannot = [0];
      simulation.head = 1;
      await simulation.pass(2 * givenOn);
      await leader.stop();
      await other.stop();
      expect([...simulation.leases.values()].filter(({ owner }) => owner !== null)).toEqual([]);
      const [third, fourth] = [simulation.start(), simulation.start()];
      for (const worker of [third, fourth]) worker.cannot = [0];
      await simulation.pass(2 * givenOn);
      third.kill();
      fourth.kill();
      const last = simulation.start();
      await simulation.pass(givenOn);
      expect(last.held).toBe(1);
    });
  });

  describe('on partitions', () => {
    let simulation: Simulation;
    beforeEach(() => {
      simulation = new Simulation();
    });

    test.each([0, 1, 3])('is left to others, and what goes well stays: %i of four', async (count) => {
      const [one, other] = [simulation.start(), simulation.start()];
      await simulation.pass(ttl);
      const well = one.assignment.held().slice(0, count);
      one.cannot = every.filter((partition) => !well.includes(partition));
      simulation.head = 1;
      await simulation.pass(givenOn);
      expect(one.assignment.held()).toEqual(well);
      expect(heldBy(one, other)).toEqual(every);
      expect(simulation.begun.flat()).toHaveLength(partitionCount + 4 - count);
      expect(every.map((partition) => simulation.done.get(partition))).toEqual(every.map(() => 1));
    });

    test('does not come back sooner because the rest goes well', async () => {
      const [one, other] = [simulation.start(), simulation.start()];
      await simulation.pass(ttl);
      const [cannot] = one.assignment.held();
      one.cannot = [cannot!];
      simulation.head = 1;
      await simulation.pass(stallTimeoutMs + 2 * look);
      expect([one.held, other.held]).toEqual([3, 5]);
      await simulation.pass(abstention.firstMs - 2 * look);
      const abstentions = [...simulation.leases.values()].filter(({ name }) => name.includes('/abstention/'));
      expect(abstentions).toMatchObject([{ name: `group/abstention/${cannot}/0`, owner: expect.any(String) }]);
      await simulation.pass(ttl);
      expect([one.held, other.held]).toEqual([4, 4]);
    });

    test('comes back after a while, and stays away longer each time it fails again', async () => {
      const [one, other] = [simulation.start(), simulation.start()];
      await simulation.pass(ttl);
      one.cannot = every;
      const pauses: number[] = [];
      for (let time = 0; time < 4; time += 1) {
        let waited = 0;
        for (; one.held > 0; waited += look) {
          simulation.head += 1;
          await simulation.pass(look);
        }
        for (waited = 0; one.held === 0; waited += look) await simulation.pass(look);
        pauses.push(waited);
      }
      for (const [index, pause] of pauses.slice(1).entries()) expect(pause).toBeGreaterThan(1.5 * pauses[index]!);
      expect(pauses[0]).toBeGreaterThanOrEqual(abstention.firstMs - look);
      one.cannot = [];
      await simulation.pass(givenOn);
      expect([one.held, other.held]).toEqual([4, 4]);
      // It has gone well for long enough.
      one.cannot = every;
      simulation.head += 1;
      await simulation.pass(givenOn);
      expect([one.held, other.held]).toEqual([0, 8]);
      await simulation.pass(abstention.firstMs);
      expect(one.held).toBeGreaterThan(0);
    });

    test('ends in the hands of whoever can, whoever else cannot, joins, leaves, dies or is cut off', async () => {
      const tuning = { ...partitionTuning, abstention: { firstMs: 2_000, mostMs: 64_000, mostInTurnMs: 4_000 } };
      const anyStep = fc.record({
        what: fc.constantFrom(
          'start',
          'stop',
          'kill',
          'stall',
          'wake',
          'cut',
          'mend',
          'break',
          'break',
          'repair',
          'go',
        ),
        who: fc.nat(4),
        then: fc.integer({ min: 0, max: 3 * stallTimeoutMs }),
        cannot: fc.subarray(every, { minLength: 1 }),
      });
      type Step = typeof anyStep extends fc.Arbitrary<infer One> ? One : never;
      const step = (what: Step['what'], then = 0, who = 0, cannot: number[] = []): Step => ({
        what,
        who,
        then,
        cannot,
      });
      // Two that cannot handed it to each other for ever, beside three that can.
      const handedToAndFro = [
        ...[step('start'), step('start'), step('break', 0, 1, [2, 4, 7]), step('go', 3_483), step('start', 8)],
        step('break', 9, 2, [2, 4]),
      ];
      await fc.assert(
        fc.asyncProperty(fc.array(anyStep, { minLength: 1, maxLength: 15 }), fc.boolean(), async (steps, areMended) => {
          simulation = new Simulation((dependencies) => leasedPartitions(dependencies, tuning));
          const workers = [simulation.start()];
          for (const { what, who, then, cannot } of steps) {
            const worker = workers[who % workers.length]!;
            if (what === 'start') workers.push(simulation.start(partingMs / 4));
            if (what === 'stop') void worker.stop();
            if (what === 'kill') worker.kill();
            if (what === 'stall') worker.stall();
            if (what === 'wake') worker.wake();
            if (what === 'cut') worker.store = 'down';
            if (what === 'mend') worker.store = 'up';
            if (what === 'break') worker.cannot = cannot;
            if (what === 'repair') worker.cannot = [];
            if (what === 'go') simulation.head += 1;
            await simulation.pass(then);
          }
          const last = simulation.start();
          for (const worker of workers) {
            worker.wake();
            worker.store = 'up';
            if (areMended) worker.cannot = [];
          }
          simulation.head += 1;
          // Those who cannot have it in turn until each abstains for longer than a round of the others takes.
          const isDone = () => every.every((partition) => simulation.done.get(partition) === simulation.head);
          for (let waitedMs = 0; !isDone() && waitedMs < 300_000; waitedMs += givenOn) await simulation.pass(givenOn);
          const running = [last, ...workers].filter(({ state }) => state === 'running');
          expect(every.map((partition) => simulation.done.get(partition))).toEqual(every.map(() => simulation.head));
          if (!areMended) return;
          await simulation.pass(tuning.abstention.mostMs + 2 * givenOn);
          expect(heldBy(...running)).toEqual(every);
          const counts = running.map(({ held }) => held);
          expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
        }),
        { numRuns: 40, examples: [[handedToAndFro, false]] },
      );
    }, 180_000);
  });
});
