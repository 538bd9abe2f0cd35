import { Unavailable } from '@waybill/shared-kernel/errors.js';
import type { Timer } from '@waybill/shared-kernel/ports/clock.js';
import type { EventStore, SubscriptionBatch } from '@waybill/shared-kernel/ports/event-store.js';

/** Milliseconds between two comparisons of a subscription with the log. */
export const vigilance = 5_000;

type Followed = Pick<EventStore, 'subscribe' | 'readAll' | 'head'>;

/**
 * A log whose subscriptions do not die without a word: one that hands out nothing, though the log held more than it has
 * handed out one look ago, ends with `Unavailable`, and whoever follows takes up another from where it is. A reader that
 * is busy with a batch is not looked at.
 */
export function vigilantLog(log: Followed, timer: Timer, every = vigilance): Followed {
  return {
    readAll: (after, limit) => log.readAll(after, limit),
    head: () => log.head(),
    subscribe: (after, limit, signal) => watchedSubscription(log, timer, every, after, limit, signal),
  };
}

async function* watchedSubscription(
  log: Followed,
  timer: Timer,
  every: number,
  after: number,
  limit: number,
  signal: AbortSignal,
): AsyncGenerator<SubscriptionBatch, void, undefined> {
  const leaving = new AbortController();
  const over = AbortSignal.any([signal, leaving.signal]);
  const batches = log.subscribe(after, limit, over)[Symbol.asyncIterator]();
  let position = after;
  /** What the log held one look ago; never of a time before the reader began to wait. */
  let owed = after;
  /** Ends the wait for the next batch. */
  let endWait: ((fault?: Unavailable) => void) | undefined;

  async function watch(): Promise<void> {
    while (!over.aborted) {
      await timer.sleep(every, over);
      if (endWait !== undefined && owed > position) {
        endWait(new Unavailable('event store', 'The subscription to the log has fallen silent.'));
      }
      // That the log cannot be asked is no silence: who reads it meets that fault.
      const head = await log.head().catch(() => position);
      if (endWait !== undefined) owed = head;
    }
  }

  /** `undefined` when it is over. One that is silent may not even hear that. */
  function nextBatch(): Promise<IteratorResult<SubscriptionBatch, unknown> | undefined> {
    owed = position;
    return new Promise((resolve, reject) => {
      endWait = (fault) => (fault === undefined ? resolve(undefined) : reject(fault));
      batches.next().then(resolve, reject);
      if (over.aborted) endWait();
    });
  }

  over.addEventListener('abort', () => endWait?.());
  void watch();
  try {
    while (!over.aborted) {
      const next = await nextBatch();
      endWait = undefined;
      if (next === undefined || next.done === true) return;
      position = next.value.events.at(-1)?.position ?? position;
      yield next.value;
    }
  } finally {
    leaving.abort();
    // Not awaited: what has fallen silent may never answer.
    batches.return?.().catch(() => undefined);
  }
}
