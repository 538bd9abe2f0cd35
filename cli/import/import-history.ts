import { WrongExpectedRevision } from '@waybill/shared-kernel/errors.js';
import type { Appender, LogHead } from '@waybill/shared-kernel/ports/event-store.js';
import type { History, HistoryStep } from './history.js';

/** Appends that may wait for their commit together: they share it, where the store groups commits. */
const inFlight = 128;

export interface Imported {
  /** Events of this run. When two imports of the same orders run at once, each also counts those of the other. */
  readonly added: number;
  /** Orders of which the log holds another history, in the order in which they were met; these were left as they are. */
  readonly refused: readonly { readonly orderId: string; readonly detail: string }[];
}

type StepOfOrder = HistoryStep & { readonly orderId: string };

function byTime(histories: readonly History[]): readonly StepOfOrder[] {
  const steps = histories.flatMap(({ orderId, steps }) => steps.map((step) => ({ ...step, orderId })));
  return steps.sort((one, other) => (one.at < other.at ? -1 : one.at > other.at ? 1 : 0));
}

/**
 * Appends histories so that the log's order follows the times at which things happened (closely: several appends are
 * in flight, one at a time of each order). May be stopped at any point, killed too, and run again: what is in the log
 * already is met there by its ids and stays. Throws `Unavailable` when the store is down; run it again then.
 */
export async function importHistory(
  store: Appender & LogHead,
  histories: readonly History[],
  onProgress: (events: number) => void = () => undefined,
): Promise<Imported> {
  const steps = byTime(histories);
  const refused = new Map<string, string>();
  const lastOfOrder = new Map<string, Promise<void>>();
  const headBefore = await store.head();
  let next = 0;
  let done = 0;
  let added = 0;
  let failed = false;

  const append = async ({ orderId, stream, expectedRevision, events }: StepOfOrder): Promise<void> => {
    try {
      if (refused.has(orderId)) return;
      const { position } = await store.append(stream, expectedRevision, events);
      if (position > headBefore) added += events.length;
    } catch (error) {
      if (!(error instanceof WrongExpectedRevision)) throw error;
      refused.set(
        orderId,
        `stream ${stream} holds other events from revision ${expectedRevision + 1} on; nothing of this order was changed from there`,
      );
    }
  };

  const worker = async (): Promise<void> => {
    for (let step = steps[next]; step !== undefined && !failed; step = steps[next]) {
      next += 1;
      const current = step;
      const mine = (lastOfOrder.get(current.orderId) ?? Promise.resolve()).then(() => append(current));
      lastOfOrder.set(current.orderId, mine);
      try {
        await mine;
      } catch (error) {
        failed = true;
        throw error;
      }
      if (lastOfOrder.get(current.orderId) === mine) lastOfOrder.delete(current.orderId);
      done += current.events.length;
      onProgress(done);
    }
  };

  const workers = await Promise.allSettled(Array.from({ length: inFlight }, worker));
  const failure = workers.find((outcome) => outcome.status === 'rejected');
  if (failure !== undefined) throw failure.reason;
  return { added, refused: [...refused].map(([orderId, detail]) => ({ orderId, detail })) };
}
