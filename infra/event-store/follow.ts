import { setImmediate as nextTurn } from 'node:timers/promises';
import type { EventStore, SubscriptionBatch } from '@waybill/shared-kernel/ports/event-store.js';
import type { Changes } from './changes.js';

/** `EventStore.subscribe` for a log that can be read and that announces its changes. Ends when `changes` closes, too. */
export async function* follow(
  log: Pick<EventStore, 'readAll'>,
  changes: Changes,
  after: number,
  limit: number,
  signal: AbortSignal,
): AsyncGenerator<SubscriptionBatch, void, undefined> {
  const over = () => signal.aborted || changes.closed;
  let position = after;
  let saidCaughtUp = false;
  while (!over()) {
    const count = changes.count;
    // One more than asked for tells whether anything comes after.
    const page = await log.readAll(position, limit + 1);
    if (over()) return;
    const caughtUp = page.length <= limit;
    const events = caughtUp ? page : page.slice(0, limit);
    position = events.at(-1)?.position ?? position;
    if (events.length > 0 || !saidCaughtUp) {
      saidCaughtUp ||= caughtUp;
      yield { events, caughtUp };
    }
    // A long catch-up of a quick reader must not keep the thread from everything else.
    if (caughtUp) await changes.since(count, signal);
    else await nextTurn();
  }
}
