import { asError } from '@waybill/shared-kernel/as-error.js';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import type { Timer } from '@waybill/shared-kernel/ports/clock.js';
import type { LogPage, LogPages, Subscribable } from '@waybill/shared-kernel/ports/event-store.js';
import { readLog } from '@waybill/shared-kernel/read-stream.js';

/** Milliseconds between two comparisons of a subscription with the log. */
export const lookEveryMs = 5_000;

/**
 * A subscription to the log that cannot die unnoticed. It ends with `Unavailable` if it has not handed out an event of
 * ours that the log held one look ago; the reader then subscribes again from its position. Records of other programs do
 * not count. While the reader is busy with a page there are no looks. `verify` is called at each look: if it rejects,
 * other than with `Unavailable`, the subscription ends with that.
 */
export async function* watchedSubscription(
  log: LogPages & Subscribable,
  timer: Timer,
  after: number,
  limit: number,
  signal: AbortSignal,
  verify: () => Promise<void> = () => Promise.resolve(),
): AsyncGenerator<LogPage, void, undefined> {
  const leaving = new AbortController();
  const over = AbortSignal.any([signal, leaving.signal]);
  const pages = log.subscribe(after, limit, over)[Symbol.asyncIterator]();
  let position = after;
  /** Position of an event that the log held one look ago; never of a time before the reader began to wait. */
  let owed = after;
  /** There is no event of ours up to here. */
  let lookedThrough = after;
  /** Ends the wait for the next page. */
  let endWait: ((fault?: Error) => void) | undefined;

  async function watch(): Promise<void> {
    while (!over.aborted) {
      await timer.sleep(lookEveryMs, over);
      if (endWait !== undefined && owed > position) {
        endWait(new Unavailable('event store', 'The subscription to the log has stopped delivering.'));
      }
      await verify().catch((fault: unknown) => {
        if (!(fault instanceof Unavailable)) endWait?.(asError(fault));
      });
      // A log that cannot be asked does not end the subscription: whoever reads it meets that fault.
      const held = await nextEvent().catch(() => position);
      if (endWait !== undefined) owed = held;
    }
  }

  /** Position of an event that comes next, where the log has one. */
  async function nextEvent(): Promise<number> {
    for await (const { events, through } of readLog(log, Math.max(position, lookedThrough))) {
      if (events[0] !== undefined) return events[0].position;
      lookedThrough = through;
    }
    return position;
  }

  /** `undefined` when it is over. One that is silent may not even hear that. */
  function nextPage(): Promise<IteratorResult<LogPage, unknown> | undefined> {
    owed = position;
    return new Promise((resolve, reject) => {
      endWait = (fault) => (fault === undefined ? resolve(undefined) : reject(fault));
      pages.next().then(resolve, reject);
      if (over.aborted) endWait();
    });
  }

  over.addEventListener('abort', () => endWait?.());
  void watch();
  try {
    while (!over.aborted) {
      const next = await nextPage();
      endWait = undefined;
      if (next === undefined || next.done === true) return;
      position = next.value.through;
      yield next.value;
    }
  } finally {
    leaving.abort();
    // Not awaited: a dead subscription may never answer.
    pages.return?.().catch(() => undefined);
  }
}
