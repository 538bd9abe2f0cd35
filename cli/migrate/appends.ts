import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import type { LogPages } from '@waybill/shared-kernel/ports/event-store.js';
import { readLog } from '@waybill/shared-kernel/read-stream.js';

/** Events of one stream that follow one another in the log; never empty. */
export type Run = readonly RecordedEvent[];

/**
 * The log after a position as the appends that would make it again. No two events that were appended together are in
 * two: those stand beside each other and were recorded at one time, so whatever does goes together. Appends to one
 * stream that follow one another become one of at most `mostBytes`, which is of JSON and so more than is stored. What
 * was appended together may be more than that.
 *
 * Cut from the same position, the log gives the same appends.
 */
export async function* appendsOf(log: LogPages, after: number, mostBytes: number): AsyncGenerator<Run, void> {
  let run: RecordedEvent[] = [];
  let bytes = 0;
  for await (const together of togetherIn(log, after)) {
    const more = bytesOf(together);
    if (run.length > 0 && (run[0]?.stream !== together[0]?.stream || bytes + more > mostBytes)) {
      yield run;
      [run, bytes] = [[], 0];
    }
    run.push(...together);
    bytes += more;
  }
  if (run.length > 0) yield run;
}

async function* togetherIn(log: LogPages, after: number): AsyncGenerator<Run, void> {
  let together: RecordedEvent[] = [];
  for await (const page of readLog(log, after)) {
    for (const event of page.events) {
      const last = together.at(-1);
      if (last !== undefined && (last.stream !== event.stream || last.recordedAt !== event.recordedAt)) {
        yield together;
        together = [];
      }
      together.push(event);
    }
  }
  if (together.length > 0) yield together;
}

/** As JSON, in UTF-8. */
export function bytesOf(run: Run): number {
  return run.reduce((sum, event) => sum + Buffer.byteLength(JSON.stringify(event)), 0);
}
