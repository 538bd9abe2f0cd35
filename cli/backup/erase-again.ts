import { existsSync } from 'node:fs';
import { carryOutErasures } from '@waybill/command-side/customers/erasures-in-log.js';
import type { WallClock } from '@waybill/shared-kernel/ports/clock.js';
import type { dataFiles } from '@waybill/infra/process/config.js';
import { openLog } from '@waybill/infra/event-store/sqlite/log-file.js';
import { categoryOf } from '@waybill/shared-kernel/stream.js';
import type { StreamFault } from '@waybill/shared-kernel/stream-faults.js';
import { SqliteEventStore } from '@waybill/infra/event-store/sqlite/sqlite-event-store.js';
import { openErasableKeys } from '@waybill/infra/keys/sqlite/key-store.js';
import { closing } from '../stores/closing.js';

/**
 * Destroys in copies of the files the keys of whoever the log says is erased: the copy of the keys may be older than
 * that. Needs no master key. Answers with what keeps it from telling whether customers are erased: events of theirs that cannot
 * be read, or are gone.
 */
export async function eraseAgain(
  files: ReturnType<typeof dataFiles>,
  clock: WallClock,
): Promise<readonly StreamFault[]> {
  if (!existsSync(files.keys) || !existsSync(files.log)) return [];
  const doubted: StreamFault[] = [];
  await closing(openErasableKeys(files.keys), (keys) =>
    closing(new SqliteEventStore(openLog(files.log, { readonly: true }), { clock }), async (log) => {
      const carryOut = (customerId: string) => keys.destroy(customerId);
      await carryOutErasures(log, keys, carryOut, { unreadable: (fault) => doubted.push(fault) });
      doubted.push(...(await log.cutStreams()).filter(({ stream }) => categoryOf(stream) === 'customer'));
    }),
  );
  return doubted;
}
