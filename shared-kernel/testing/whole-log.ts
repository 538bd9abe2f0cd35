import type { RecordedEvent } from '../message.js';
import { beginning, type LogPages } from '../ports/event-store.js';
import { readLog } from '../read-stream.js';

/** Every event of ours after a position, however many there are. */
export async function wholeLog(store: LogPages, after = beginning): Promise<readonly RecordedEvent[]> {
  const events: RecordedEvent[] = [];
  for await (const page of readLog(store, after)) events.push(...page.events);
  return events;
}
