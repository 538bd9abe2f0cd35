import { Overloaded } from '@waybill/shared-kernel/errors.js';
import { partitionCount, partitionOf } from '@waybill/shared-kernel/partitions/partition.js';
import type { SteadyClock } from '@waybill/shared-kernel/ports/clock.js';

/** The position through which the process manager has handled the log, of each partition, in their order. */
export type HandledThrough = () => Promise<readonly number[]>;

export interface AdmissionTuning {
  /** Orders that are taken after a quiet time, whatever is carried meanwhile … */
  readonly burst: number;
  /** … within so many milliseconds, … */
  readonly burstMs: number;
  /** … if they are carried in so many milliseconds, once it is known how quickly that goes. */
  readonly burstCarriedMs: number;
  /** Milliseconds without a crowd after which there may be a burst again. */
  readonly quietMs: number;
  /** As many may always wait. */
  readonly leastWaiting: number;
  /** Milliseconds that an order may wait for the process manager, beside what it takes when there is no queue. */
  readonly queueMs: number;
  /** What it takes without a queue is never believed to be more, milliseconds. */
  readonly mostUnqueuedMs: number;
  /** Between two looks at what is handled, milliseconds. */
  readonly lookEveryMs: number;
  /** Milliseconds after which what was seen counts as not known. */
  readonly knownForMs: number;
  /** A partition whose position has not moved for so many milliseconds says nothing. */
  readonly stallMs: number;
}

export const admissionTuning: AdmissionTuning = {
  burst: 2_000,
  burstMs: 5_000,
  burstCarriedMs: 8_000,
  quietMs: 5_000,
  leastWaiting: 100,
  queueMs: 400,
  mostUnqueuedMs: 2_000,
  lookEveryMs: 100,
  knownForMs: 2_000,
  stallMs: 10_000,
};

export interface AdmissionDependencies {
  readonly handledThrough: HandledThrough;
  /** One that is never set. */
  readonly steadyClock: SteadyClock;
  readonly tuning?: Partial<AdmissionTuning>;
}

/** The place of an order that was admitted. */
export interface Admitted {
  /** The order was appended. `position`: its own in the log. It then waits until it is handled. */
  readonly placed: (position: number) => void;
  /** Gives the place back where nothing was placed; else nothing comes of it. */
  readonly release: () => void;
}

/** An order of this process that the process manager has not handled yet. */
interface Waiting {
  readonly caller: string;
  readonly position: number;
  readonly admittedAtMs: number;
  readonly placedAtMs: number;
}

/** What of a partition is known. */
interface Partition {
  waiting: Waiting[];
  /** Position through which it is handled. */
  through: number;
  movedAtMs: number;
  /** It has not moved for long, though orders wait. They are not counted until it moves. */
  isStalled: boolean;
}

/** Milliseconds over which the rate at which orders are handled is averaged. */
const averagedOverMs = 1_000;
/** Milliseconds of a crowd after which that rate is known. */
const knownAfterMs = 1.5 * averagedOverMs;
/** By how much of the time that passes the time without a queue is believed to grow: things may have become slower. */
const doubt = 0.01;
/** Less than a quiet time: whoever waits for it is not taken for quiet. */
const mostSecondsToWait = 4;

/**
 * Admission control: of new orders a process takes no more than the process manager carries, so that what is taken is
 * carried out soon. It counts its own orders alone, from when they are admitted until they are handled, so that several
 * processes find their shares by themselves. As many may wait as are handled in twice the time that an order takes
 * without a queue, and a little more (Little's law), so that a slow path is not taken for a queue; callers share that
 * evenly. After a quiet time a burst is taken as it comes.
 *
 * Where it is not known how far the process manager has come, or it stands still, orders are taken: they are safe in
 * the log, and writing needs nothing else.
 */
export class OrderAdmission {
  readonly #handledThrough: HandledThrough;
  readonly #clock: SteadyClock;
  readonly #tuning: AdmissionTuning;
  readonly #partitions: readonly Partition[];
  /** Caller → orders of theirs that wait, those that are being placed among them. */
  readonly #waitingOf = new Map<string, number>();
  /** At n: callers who have n or more waiting. At 0 nothing. */
  readonly #callersWith: number[] = [];
  #waiting = 0;
  #isLooking = false;
  #lookedAtMs = -Infinity;
  /** Orders that are handled in a millisecond, lately. */
  #rate = 0;
  /** Milliseconds from admitted to handled, on average, when there is no queue. */
  #unqueuedMs: number;
  #crowdedAtMs = -Infinity;
  #crowdedSinceMs = -Infinity;
  /** Orders taken since then. */
  #takenInCrowd = 0;

  constructor({ handledThrough, steadyClock, tuning }: AdmissionDependencies) {
    this.#handledThrough = handledThrough;
    this.#clock = steadyClock;
    this.#tuning = { ...admissionTuning, ...tuning };
    this.#unqueuedMs = this.#tuning.mostUnqueuedMs;
    const unknown = { through: -1, movedAtMs: steadyClock.now(), isStalled: false };
    this.#partitions = Array.from({ length: partitionCount }, () => ({ ...unknown, waiting: [] }));
  }

  /**
   * A place for an order of this caller, which counts from now on. Throws `Overloaded` where it would have to wait too
   * long.
   */
  admit(caller: string, orderId: string): Admitted {
    const now = this.#clock.now();
    const { lookEveryMs, knownForMs } = this.#tuning;
    const knownSinceMs = now - this.#lookedAtMs;
    if (knownSinceMs >= lookEveryMs && !this.#isLooking) void this.#look();
    if (knownSinceMs <= knownForMs) this.#requireRoom(caller, now);
    return this.#takePlace(caller, orderId, now);
  }

  #requireRoom(caller: string, now: number): void {
    const limit = this.#limit();
    // Those that are being placed may come to nothing: only a burst of them is a crowd by itself.
    const placed = this.#partitions.reduce((sum, { waiting }) => sum + waiting.length, 0);
    if (placed >= limit || this.#waiting >= Math.max(limit, this.#tuning.burst)) this.#noteCrowd(now);
    if (now - this.#crowdedAtMs > this.#tuning.quietMs) return;
    if (this.#isBurst(now) || this.#isWithinShare(caller, limit)) return;
    this.#noteCrowd(now);
    throw new Overloaded(this.#secondsUntil(limit));
  }

  #takePlace(caller: string, orderId: string, admittedAtMs: number): Admitted {
    const partition = this.#partitions[partitionOf(orderId)]!;
    // Where nothing is handled nothing is counted.
    const isCounted = !partition.isStalled;
    this.#takenInCrowd += 1;
    if (isCounted) this.#count(caller);
    let isBeingPlaced = true;
    const end = (): boolean => {
      const ended = isBeingPlaced;
      isBeingPlaced = false;
      if (ended && isCounted) this.#forget([{ caller }]);
      return ended;
    };
    return {
      placed: (position) => {
        if (!end() || partition.isStalled) return;
        partition.waiting.push({ caller, position, admittedAtMs, placedAtMs: this.#clock.now() });
        this.#count(caller);
      },
      release: () => {
        if (end()) this.#takenInCrowd -= 1;
      },
    };
  }

  #count(caller: string): void {
    this.#waiting += 1;
    const own = (this.#waitingOf.get(caller) ?? 0) + 1;
    this.#waitingOf.set(caller, own);
    this.#callersWith[own] = (this.#callersWith[own] ?? 0) + 1;
  }

  /** Orders that may wait. */
  #limit(): number {
    const { leastWaiting, queueMs } = this.#tuning;
    return Math.max(leastWaiting, this.#rate * (2 * this.#unqueuedMs + queueMs));
  }

  #noteCrowd(now: number): void {
    if (now - this.#crowdedAtMs > this.#tuning.quietMs) {
      this.#crowdedSinceMs = now;
      // What waits is of the burst before, perhaps of those who were told to come again and do.
      this.#takenInCrowd = this.#waiting;
    }
    this.#crowdedAtMs = now;
  }

  #isBurst(now: number): boolean {
    const { burst, burstMs, burstCarriedMs } = this.#tuning;
    const crowdedForMs = now - this.#crowdedSinceMs;
    const isCarriedSoon = crowdedForMs < knownAfterMs || this.#waiting < this.#rate * burstCarriedMs;
    return this.#takenInCrowd < burst && crowdedForMs < burstMs && isCarriedSoon;
  }

  /** Whether all of it could wait if nobody had more waiting than this caller then has: max-min fairness. */
  #isWithinShare(caller: string, limit: number): boolean {
    const own = (this.#waitingOf.get(caller) ?? 0) + 1;
    let total = 1;
    for (let n = 1; n <= own && total <= limit; n += 1) total += this.#callersWith[n] ?? 0;
    return total <= limit;
  }

  /** In how many seconds half of what may wait will have been handled. */
  #secondsUntil(limit: number): number {
    const seconds = this.#rate === 0 ? 1 : Math.ceil((this.#waiting - limit / 2) / this.#rate / 1_000);
    return Math.min(Math.max(seconds, 1), mostSecondsToWait);
  }

  /** Never rejects. */
  async #look(): Promise<void> {
    this.#isLooking = true;
    try {
      const handled = await this.#handledThrough();
      this.#learn(handled, this.#clock.now());
    } catch {
      // Not known then: it is asked again with the next order, and who is down says so elsewhere.
      for (const partition of this.#partitions) this.#drop(partition);
    } finally {
      this.#isLooking = false;
    }
  }

  #learn(handled: readonly number[], now: number): void {
    const sinceMs = now - this.#lookedAtMs;
    this.#lookedAtMs = now;
    const hadWaiting = this.#waiting > 0;
    let count = 0;
    let waitedMs = 0;
    for (const [index, partition] of this.#partitions.entries()) {
      for (const { admittedAtMs } of this.#handledOf(partition, handled[index] ?? -1, now)) {
        count += 1;
        waitedMs += now - admittedAtMs;
      }
    }
    if (sinceMs > this.#tuning.knownForMs || !hadWaiting) return;
    this.#rate += (1 - Math.exp(-sinceMs / averagedOverMs)) * (count / sinceMs - this.#rate);
    if (count > 0) {
      const grown = this.#unqueuedMs + doubt * sinceMs;
      this.#unqueuedMs = Math.min(waitedMs / count, grown, this.#tuning.mostUnqueuedMs);
    }
  }

  /** Takes those out that are handled, and gives them; all, where nothing of it was handled for long. */
  #handledOf(partition: Partition, through: number, now: number): readonly Waiting[] {
    const { waiting } = partition;
    if (through > partition.through) {
      partition.movedAtMs = now;
      partition.isStalled = false;
    }
    partition.through = through;
    const handled = waiting.filter(({ position }) => position <= through);
    partition.waiting = waiting.filter(({ position }) => position > through);
    this.#forget(handled);
    const sinceMs = Math.max(partition.movedAtMs, partition.waiting[0]?.placedAtMs ?? now);
    if (now - sinceMs > this.#tuning.stallMs) {
      partition.isStalled = true;
      this.#drop(partition);
    }
    return handled;
  }

  #drop(partition: Partition): void {
    this.#forget(partition.waiting);
    partition.waiting = [];
  }

  #forget(orders: readonly Pick<Waiting, 'caller'>[]): void {
    this.#waiting -= orders.length;
    for (const { caller } of orders) {
      const own = this.#waitingOf.get(caller)!;
      this.#callersWith[own]! -= 1;
      if (own === 1) this.#waitingOf.delete(caller);
      else this.#waitingOf.set(caller, own - 1);
    }
  }
}
