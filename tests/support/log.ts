import { systemClock } from '@waybill/infra/clock/system.js';
import { dataFiles } from '@waybill/infra/process/config.js';
import { openSqliteEventStore } from '@waybill/infra/event-store/sqlite/sqlite-event-store.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import { readLog } from '@waybill/shared-kernel/read-stream.js';

/** Every event of a data folder's log, in position order. */
export function readWholeLog(dataFolder: string): Promise<RecordedEvent[]> {
  return readOnceAndClose(openSqliteEventStore(dataFiles(dataFolder).log, { clock: systemClock }));
}

/** Every event of a log that is opened for this alone, in position order. */
export async function readOnceAndClose(store: EventStore): Promise<RecordedEvent[]> {
  try {
    const events: RecordedEvent[] = [];
    for await (const page of readLog(store, 0)) events.push(...page.events);
    return events;
  } finally {
    await store.close();
  }
}
