import { Unavailable, WrongExpectedRevision } from '@waybill/shared-kernel/errors.js';
import type { NewEvent } from '@waybill/shared-kernel/message.js';
import { noStream, type Appended, type Appender, type StreamReader } from '@waybill/shared-kernel/ports/event-store.js';
import { requireWhole } from '@waybill/shared-kernel/stream-faults.js';

/**
 * Appends; where the store does not say what came of it, looks once whether the events are there before that is said to
 * have failed. Rejects with `WrongExpectedRevision` where others are in their place, for then they never can be, and with
 * `Unavailable` where none are: they may still come, and whoever asks again must find them by what they hold. Where nothing is
 * left of a stream that was to be new, it is `StreamCut`: reading it again would find nothing again.
 */
export async function appendSurely(
  store: Appender & StreamReader,
  stream: string,
  expectedRevision: number,
  events: readonly NewEvent[],
): Promise<Appended> {
  try {
    return await store.append(stream, expectedRevision, events);
  } catch (error) {
    if (error instanceof WrongExpectedRevision && expectedRevision === noStream) await requireWhole(store, stream);
    if (!(error instanceof Unavailable)) throw error;
    const there = await store.readStream(stream, expectedRevision + 1, events.length).catch(() => []);
    const last = there.at(-1);
    if (last === undefined) throw error;
    const isOurs = there.length === events.length && there.every(({ id }, index) => id === events[index]?.id);
    if (isOurs) return { revision: last.revision, position: last.position };
    throw new WrongExpectedRevision(stream, expectedRevision, last.revision);
  }
}
