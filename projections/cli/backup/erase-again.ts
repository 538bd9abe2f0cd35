import { existsSync } from 'node:fs';
import { carryOutErasures } from '@waybill/shared-kernel/erasures-in-log.js';
import type { Clock } from '@waybill/shared-kernel/ports/clock.js';
import type { dataFiles } from '@waybill/infra/config.js';
import { openLog } from '@waybill/infra/event-store/sqlite/log-file.js';
import { SqliteEventStore } from '@waybill/infra/event-store/sqlite/sqlite-event-store.js';
import { openErasableKeys } from '@waybill/infra/keys/sqlite/key-store.js';
import { closing } from '../closing.js';

/**
 * Destroys in copies of the files the keys of whoever the log says is erased: the copy of the keys may be older than
 * that. Needs no master key.
 */
export async function eraseAgain(files: ReturnType<typeof dataFiles>, clock: Clock): Promise<void> {
  if (!existsSync(files.keys) || !existsSync(files.log)) return;
  await closing(openErasableKeys(files.keys), (keys) =>
    closing(new SqliteEventStore(openLog(files.log, { readonly: true }), { clock }), (log) =>
      carryOutErasures(log, keys, (customerId) => keys.destroy(customerId)),
    ),
  );
}
