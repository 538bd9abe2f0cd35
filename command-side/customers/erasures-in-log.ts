import { StreamUnreadable } from '@waybill/shared-kernel/errors.js';
import type { EventType } from '@waybill/shared-kernel/events/catalogue.js';
import type { StreamEvents, LogPages } from '@waybill/shared-kernel/ports/event-store.js';
import type { EventMark, NotedErasures } from '@waybill/shared-kernel/ports/keys.js';
import { readLog } from '@waybill/shared-kernel/read-stream.js';
import { isStreamFault } from '@waybill/shared-kernel/stream-faults.js';
import { categoryOf, parseStream } from '@waybill/shared-kernel/stream.js';

const erasure: EventType = 'CustomerErased';

export interface CarryingOut {
  /** Asked before each page whether to go on. */
  readonly betweenPages?: () => Promise<boolean>;
  /** Called with each event of a customer that cannot be read, which may be their erasure. */
  readonly unreadable?: (fault: StreamUnreadable) => void;
}

/**
 * Has every erasure carried out that a log tells of and the keys do not know to be done: what a crash left undone, or
 * all that came after an older copy of the keys. Carrying one out again must do no harm. How far the log was read is
 * noted with the keys after each page.
 */
export async function carryOutErasures(
  log: StreamEvents & LogPages,
  keys: NotedErasures,
  carryOut: (customerId: string) => Promise<void>,
  { betweenPages, unreadable }: CarryingOut = {},
): Promise<void> {
  const noted = await keys.erasedUpTo();
  const from = noted !== undefined && (await isIn(log, noted)) ? noted.position : 0;
  for await (const page of readLog(log, from)) {
    if ((await betweenPages?.()) === false) return;
    for (const { type, stream } of page.events) if (type === erasure) await carryOut(parseStream(stream).id);
    for (const { stream, revision = 0, position, why, detail } of page.marks) {
      if (why === 'unreadable' && categoryOf(stream) === 'customer')
        unreadable?.(new StreamUnreadable(stream, revision, position, detail));
    }
    const last = page.events.at(-1);
    if (last !== undefined) await keys.noteErasedUpTo(last);
  }
}

/**
 * Whether a log has an event where it was noted. One restored from before has not, or has others there by now; and its
 * stream may have been cut since.
 */
async function isIn(log: StreamEvents, { id, stream, revision, position }: EventMark): Promise<boolean> {
  try {
    const [event] = await log.readStream(stream, revision, 1);
    return event?.id === id && event.position === position;
  } catch (error) {
    if (isStreamFault(error)) return false;
    throw error;
  }
}
