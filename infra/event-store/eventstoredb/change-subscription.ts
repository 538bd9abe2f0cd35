import { streamNameFilter } from '@eventstore/db-client';
import type { BackOff } from '@waybill/shared-kernel/back-off.js';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import type { Randomness, Timer } from '@waybill/shared-kernel/ports/clock.js';
import { categories } from '@waybill/shared-kernel/stream.js';
import { retryUntilAborted } from '@waybill/shared-kernel/retry.js';
import type { Changes } from '../changes.js';
import { faultOf } from './fault.js';
import type { Nodes } from './nodes.js';
import { positionOf, readPositionOf } from './position.js';

export interface ChangeSubscriptionDependencies {
  /** A subscription ends with the connection that it was made on. */
  readonly nodes: Pick<Nodes, 'connection' | 'left'>;
  /** The position of the last record of the log, whoever wrote it. */
  readonly head: () => Promise<number>;
  /** The position of the last event of ours that a reader of this store has met since it was asked to forget. */
  readonly lastMet: () => number;
  readonly forgetMet: () => void;
  readonly changes: Changes;
  readonly timer: Timer;
  readonly randomness: Randomness;
  /** How often the subscription is compared with the log. */
  readonly watchMs: number;
  readonly backOff: BackOff;
  readonly report: (fault: Error) => void;
}

/**
 * Announces that the log has grown. Its subscription serves for nothing else: readers read the events from the log,
 * page by page, from their own positions.
 *
 * - No event is lost or doubled when the subscription dies.
 * - No reader is cut off for being slow. (The server drops a subscriber that is 500 events behind; newer servers only
 *   say `fellBehind`.)
 * - It needs neither `caughtUp` nor a checkpoint, which would run ahead of the work. (A persistent subscription keeps
 *   no order.)
 * - The cost: the server sends each live event twice to a process that follows.
 *
 * It subscribes to our streams alone. Readers pass records of other programs at each comparison with the log's head,
 * not at each record. It announces until `signal` aborts, and never rejects.
 */
export async function announceChanges(
  dependencies: ChangeSubscriptionDependencies,
  signal: AbortSignal,
): Promise<void> {
  const { timer, randomness, backOff, report } = dependencies;
  const failed = (fault: Error) => report(faultOf(fault));
  while (!signal.aborted) {
    await retryUntilAborted((progressed) => listen(dependencies, signal, progressed), signal, {
      ...{ backOff, timer, randomness, failed },
    });
  }
}

/**
 * One subscription, from the head of the log. Returns when `signal` aborts or the connection was replaced; rejects when
 * the subscription has died.
 */
async function listen(
  dependencies: ChangeSubscriptionDependencies,
  signal: AbortSignal,
  confirmed: () => void,
): Promise<void> {
  const { nodes, head, lastMet, changes, timer, watchMs } = dependencies;
  // The server may have been given an older log while nothing was subscribed.
  dependencies.forgetMet();
  // Subscribing from a position is exclusive, so everything after this one is announced.
  let heard = await head();
  const { left } = nodes;
  const { client, credentials } = nodes.connection;
  const subscription = client.subscribeToAll({
    fromPosition: readPositionOf(heard),
    filter: streamNameFilter({ prefixes: categories.map((category) => `${category}-`) }),
    credentials,
    requiresLeader: true,
  });
  const over = new AbortController();
  const end = (error: Error = new Unavailable('event store', 'The subscription to EventStoreDB has ended.')) => {
    over.abort(error);
  };
  for (const ending of [signal, left])
    ending.addEventListener('abort', () => end(), { once: true, signal: over.signal });
  // When the server dies, one error is all that comes: no end, no close.
  subscription
    .on('error', end)
    .on('end', () => end())
    .on('close', () => end());
  subscription.on('data', ({ event }) => {
    if (event !== undefined) heard = positionOf(event.position);
    changes.announce();
  });
  subscription.on('confirmation', () => {
    confirmed();
    // For what was appended while nothing was subscribed.
    changes.announce();
  });
  try {
    // It can also die without an error: an event of ours that was read one look ago must have been announced by now.
    for (let [owed, seen] = [heard, heard]; ;) {
      await timer.sleep(watchMs, over.signal);
      if (signal.aborted || left.aborted) return;
      if (over.signal.aborted) throw over.signal.reason;
      if (heard < owed)
        throw new Unavailable('event store', 'The subscription to EventStoreDB has stopped delivering.');
      owed = lastMet();
      const end = await head();
      if (end !== seen) changes.announce();
      seen = end;
    }
  } finally {
    end();
    // Not `break` or `destroy`, which leak the call. Fails where the call was never made.
    subscription.unsubscribe().catch(() => undefined);
  }
}
