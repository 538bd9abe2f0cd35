import type { EventType } from './events/catalogue.js';
import type { EventStore } from './ports/event-store.js';
import type { EventMark, KeyStore } from './ports/keys.js';
import { readLog } from './read-stream.js';
import { parseStream } from './stream.js';

const erasure: EventType = 'CustomerErased';

type ErasuresNoted = Pick<KeyStore, 'erasedUpTo' | 'noteErasedUpTo'>;

/**
 * Has every erasure carried out that a log tells of and the keys do not know to be done: what a crash left undone, or
 * all that came after an older copy of the keys. Carrying one out again must do no harm. How far the log was read is
 * noted with the keys after each page, and before the next `betweenPages` is asked whether to go on.
 */
export async function carryOutErasures(
  log: Pick<EventStore, 'readAll' | 'readStream'>,
  keys: ErasuresNoted,
  carryOut: (customerId: string) => Promise<void>,
  betweenPages: () => Promise<boolean> = () => Promise.resolve(true),
): Promise<void> {
  const noted = await keys.erasedUpTo();
  const from = noted !== undefined && (await isIn(log, noted)) ? noted.position : 0;
  for await (const page of readLog(log, from)) {
    if (!(await betweenPages())) return;
    for (const { type, stream } of page) if (type === erasure) await carryOut(parseStream(stream).id);
    await keys.noteErasedUpTo(page.at(-1)!);
  }
}

/** Whether a log has an event where it was noted. One restored from before has not, or has others there by now. */
async function isIn(
  log: Pick<EventStore, 'readStream'>,
  { id, stream, revision, position }: EventMark,
): Promise<boolean> {
  const [event] = await log.readStream(stream, revision, 1);
  return event?.id === id && event.position === position;
}
