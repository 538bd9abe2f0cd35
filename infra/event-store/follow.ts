import { setImmediate as nextTurn } from 'node:timers/promises';
import type { LogPage, LogPages } from '@waybill/shared-kernel/ports/event-store.js';
import type { Changes } from './changes.js';

/** `Subscribable.subscribe` for a log that can be read and that announces its changes. Ends when `changes` closes, too. */
export async function* follow(
  log: LogPages,
  changes: Changes,
  after: number,
  limit: number,
  signal: AbortSignal,
): AsyncGenerator<LogPage, void, undefined> {
  const over = () => signal.aborted || changes.closed;
  let position = after;
  let saidEnd = false;
  while (!over()) {
    const count = changes.count;
    const page = await log.readAll(position, limit);
    if (over()) return;
    if (page.through > position || (page.isEnd && !saidEnd)) {
      position = page.through;
      saidEnd ||= page.isEnd;
      yield page;
    }
    // A long catch-up of a quick reader must not keep the thread from everything else.
    if (page.isEnd) await changes.since(count, signal);
    else await nextTurn();
  }
}
