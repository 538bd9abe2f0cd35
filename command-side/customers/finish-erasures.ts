import type { BackOff } from '@waybill/shared-kernel/back-off.js';
import type { StreamUnreadable } from '@waybill/shared-kernel/errors.js';
import type {
  Appender,
  StreamReader,
  BackwardsStreamReader,
  LogReader,
} from '@waybill/shared-kernel/ports/event-store.js';
import { retryUntilAborted } from '@waybill/shared-kernel/retry.js';
import { aggregatesIn } from '../handling/aggregates.js';
import { Erasures, type ErasureDependencies } from './erasures.js';

export interface FinishingDependencies extends Omit<ErasureDependencies, 'store' | 'aggregates'> {
  readonly store: Appender & StreamReader & BackwardsStreamReader & LogReader;
  /** Told of each fault, after which it is tried again. */
  readonly report: (fault: Error, of: string) => void;
}

/** What is said of an event of a customer that cannot be read. */
function mayBeErased({ stream, message }: StreamUnreadable): Error {
  return new Error(`Whether ${stream} is erased cannot be told: ${message} If they are, erase them again.`);
}

const backOff: BackOff = { first: 500, most: 30_000 };

/**
 * Carries out, beside everything else, the erasures that a crash or keys from an older copy have left undone; once, as
 * a process that can erase starts. `stop` resolves when nothing of it is under way any more.
 */
export function finishErasures(dependencies: FinishingDependencies): {
  readonly done: Promise<void>;
  stop(): Promise<void>;
} {
  const { store, timer, randomness, report } = dependencies;
  const erasures = new Erasures({ ...dependencies, aggregates: aggregatesIn(store) });
  const stopping = new AbortController();
  const { signal } = stopping;

  const finish = () => erasures.finish(signal, (fault) => report(mayBeErased(fault), 'erasures'));
  const failed = (fault: Error) => report(fault, 'erasures');
  const done = retryUntilAborted(finish, signal, { backOff, timer, randomness, failed });
  return {
    done,
    stop: () => {
      stopping.abort();
      return done;
    },
  };
}
