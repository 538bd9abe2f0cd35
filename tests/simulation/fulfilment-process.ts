import { BelievedTime } from '@waybill/command-side/fulfilment/deadlines/believed-time.js';
import type { LazyCheckpoints } from '@waybill/command-side/fulfilment/lazy-checkpoints.js';
import {
  fulfilmentCategories,
  fulfilmentOf,
  sharedByPartitions,
  type FulfilmentDependencies,
  type FulfilmentTarget,
} from '@waybill/command-side/fulfilment/run-fulfilment.js';
import { LiveLook } from '@waybill/command-side/handling/live-look.js';
import { ConcurrentRequest, Unavailable } from '@waybill/shared-kernel/errors.js';
import { partitionCount } from '@waybill/shared-kernel/partitions/partition.js';
import type { Timer } from '@waybill/shared-kernel/ports/clock.js';
import { categoryOf } from '@waybill/shared-kernel/stream.js';
import { after } from '@waybill/shared-kernel/subscriptions/log-position.js';
import type { PaymentProcess } from './payment-process.js';
import { ProcessLog } from './process-log.js';
import { minute, second } from './time.js';
import type { World } from './world.js';

const process = 'fulfilment';

/** Milliseconds from one look at the deadlines to the next, at most. */
export const mostBetweenLooks = 8 * minute;

interface Partition {
  readonly target: FulfilmentTarget;
  /** Up to where it is done; `undefined`: it has to look that up. */
  position: number | undefined;
}

/** One life of it. */
interface Running {
  readonly store: ProcessLog;
  readonly late: LazyCheckpoints;
  readonly partitions: readonly Partition[];
}

/**
 * The process manager: all its partitions side by side, woken by what is appended, in batches of any size, and by time.
 * When it dies, what it had not saved is lost, and the next one does it again.
 */
export class FulfilmentProcess {
  readonly #world: World;
  readonly #payments: PaymentProcess;
  #running: Running;
  #isWoken = false;

  constructor(world: World, payments: PaymentProcess) {
    this.#world = world;
    this.#payments = payments;
    this.#running = this.#start();
  }

  begin(): void {
    const { schedule, chance, log } = this.#world;
    log.watch(() => this.#wake(3 * second));
    schedule.begin(
      async () => {
        for (;;) {
          await schedule.pause(chance.between(20 * second, mostBetweenLooks));
          await this.#settle(this.#running.partitions.map((partition) => this.#look(partition)));
        }
      },
      0,
      process,
    );
    schedule.begin(
      async () => {
        for (;;) {
          await schedule.pause(chance.between(second, 10 * minute));
          const { late } = this.#running;
          for (let partition = 0; partition < partitionCount; partition += 1) await late.flush(partition);
        }
      },
      0,
      process,
    );
  }

  /** Has it end in order: what it did is written. */
  async stop(): Promise<void> {
    for (let partition = 0; partition < partitionCount; partition += 1) await this.#running.late.flush(partition);
  }

  /** At the latest after so many milliseconds. */
  #wake(within: number): void {
    if (this.#isWoken) return;
    this.#isWoken = true;
    const { schedule, chance } = this.#world;
    schedule.begin(() => this.#work(), chance.between(1, within), process);
  }

  async #work(): Promise<void> {
    this.#isWoken = false;
    const { chance } = this.#world;
    const { partitions } = this.#running;
    const most = chance.is(0.5) ? 1000 : chance.anywhere(1, 50);
    const looks = chance.is(0.05) ? partitions.map((partition) => this.#look(partition)) : [];
    const { isMore, failed } = await this.#settle([
      ...partitions.map((partition) => this.#advance(partition, most)),
      ...looks,
    ]);
    if (failed) this.#wake(30 * second);
    else if (isMore) this.#wake(second);
  }

  /** Whether there may be more of this partition. */
  async #advance(partition: Partition, most: number): Promise<boolean> {
    const { target } = partition;
    partition.position ??= (await target.position()).through;
    const page = this.#world.log.ofPartition(target.partition, partition.position, most);
    const end = page.at(-1);
    if (end === undefined) return false;
    const events = page.filter(({ stream }) => fulfilmentCategories.includes(categoryOf(stream)!));
    await target.apply(events, after(end));
    partition.position = end.position;
    return page.length === most;
  }

  /** As one that knows how far it has come in the log. */
  async #look({ target, position }: Partition): Promise<boolean> {
    if (position === undefined) return false;
    const { log, schedule } = this.#world;
    const [next] = log.ofPartition(target.partition, position, 1);
    await target.lookAtDeadlines(next === undefined ? schedule.clock.now() : Date.parse(next.recordedAt));
    return false;
  }

  /** Waits for all of it; then one that died is followed by the next. */
  async #settle(works: readonly Promise<boolean>[]): Promise<{ readonly isMore: boolean; readonly failed: boolean }> {
    const outcomes = await Promise.allSettled(works);
    const faults = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : []));
    for (const fault of faults) {
      if (!(fault instanceof Unavailable || fault instanceof ConcurrentRequest)) throw fault;
    }
    if (this.#running.store.isDead) {
      this.#running = this.#start();
      this.#wake(second);
    }
    const isMore = outcomes.some((outcome) => outcome.status === 'fulfilled' && outcome.value);
    return { isMore, failed: faults.length > 0 };
  }

  #start(): Running {
    const { schedule, chance, positions, weather } = this.#world;
    const { clock } = schedule;
    const wallClock = { time: () => new Date(clock.now() + weather.aheadMs) };
    const store = new ProcessLog('the process manager', this.#world, process);
    // Who can be called back from waiting waits until then: positions are saved when that is told, not behind its back.
    const timer: Timer = {
      sleep: (milliseconds, signal) => (signal === undefined ? schedule.timer.sleep(milliseconds) : aborted(signal)),
    };
    const dependencies: FulfilmentDependencies = {
      ...{ store, positions, timer, randomness: chance.randomness },
      believedTime: new BelievedTime({ wallClock, steadyClock: clock }),
      look: new LiveLook({ store, clock, timer: schedule.timer }),
      askPayment: this.#payments.ask,
      quarantined: ({ key, error }) => this.#world.amiss.push(`order ${key}: its fulfilment was suspended: ${error}`),
    };
    const shared = sharedByPartitions(dependencies);
    const targets = Array.from({ length: partitionCount }, (_, partition) =>
      fulfilmentOf(partition, dependencies, shared),
    );
    return { store, late: shared.late, partitions: targets.map((target) => ({ target, position: undefined })) };
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
