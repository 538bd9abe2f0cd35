import { openLog } from '@waybill/infra/event-store/sqlite/log-file.js';
import { SqliteEventStore } from '@waybill/infra/event-store/sqlite/sqlite-event-store.js';
import type { WallClock } from '@waybill/shared-kernel/ports/clock.js';
import { beginning } from '@waybill/shared-kernel/ports/event-store.js';
import { readLog } from '@waybill/shared-kernel/read-stream.js';
import { faultOf, type StreamFault } from '@waybill/shared-kernel/stream-faults.js';
import { closing } from './closing.js';

/** How many are named for people. */
const mostNamed = 20;

/** Every event of a log file that cannot be read, in the order of the log, and then every stream of which events are gone. */
export function faultsOfFile(
  file: string,
  clock: WallClock,
  onProgress: (position: number, head: number) => void = () => undefined,
): Promise<readonly StreamFault[]> {
  return closing(new SqliteEventStore(openLog(file, { readonly: true }), { clock }), async (log) => {
    const faults: StreamFault[] = [];
    const head = await log.head();
    for await (const { marks, through } of readLog(log, beginning)) {
      for (const mark of marks) {
        const fault = await faultOf(log, mark);
        if (fault !== undefined) faults.push(fault);
      }
      onProgress(through, head);
    }
    return [...faults, ...(await log.cutStreams())];
  });
}

/** A line each; of many the first. */
export function formatFaults(faults: readonly Pick<StreamFault, 'message'>[]): string {
  const lines = faults.slice(0, mostNamed).map(({ message }) => `  ${message}\n`);
  const left = faults.length - lines.length;
  return `${lines.join('')}${left > 0 ? `  … and ${left} more\n` : ''}`;
}
