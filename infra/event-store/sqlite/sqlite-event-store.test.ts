import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventStoreContract } from '@waybill/shared-kernel/ports/event-store.contract.js';
import { appendUnreadable } from '../testing/append-unreadable.js';
import { startAppendWorker } from './append-worker.js';
import { openLog } from './log-file.js';
import { openSqliteEventStore } from './sqlite-event-store.js';

/** Rows can only be deleted, which leaves no trace where all of a stream are. */
const differences = { hasAdministration: false };

eventStoreContract(
  'sqlite, appends in the calling thread',
  async (clock) => {
    const folder = await mkdtemp(join(tmpdir(), 'waybill-log-'));
    const file = join(folder, 'log.sqlite');
    const database = openLog(file);
    const store = openSqliteEventStore(file, { clock });
    const another = openSqliteEventStore(file, { clock });
    return {
      store,
      another,
      truncate: async (stream, before) => {
        database.prepare('DELETE FROM events WHERE stream = ? AND revision < ?').run(stream, before);
      },
      appendUnreadable: (stream, revision) => appendUnreadable(store, stream, revision),
      async dispose() {
        database.close();
        await Promise.all([store.close(), another.close()]);
        await rm(folder, { recursive: true });
      },
    };
  },
  differences,
);

eventStoreContract(
  'sqlite, appends in a worker thread',
  async (clock) => {
    const folder = await mkdtemp(join(tmpdir(), 'waybill-log-'));
    const file = join(folder, 'log.sqlite');
    const worker = await startAppendWorker(file);
    const database = openLog(file);
    const store = openSqliteEventStore(file, { clock, appender: worker.port() });
    const another = openSqliteEventStore(file, { clock, appender: worker.port() });
    return {
      store,
      another,
      truncate: async (stream, before) => {
        database.prepare('DELETE FROM events WHERE stream = ? AND revision < ?').run(stream, before);
      },
      appendUnreadable: (stream, revision) => appendUnreadable(store, stream, revision),
      async dispose() {
        database.close();
        await Promise.all([store.close(), another.close()]);
        await worker.close();
        await rm(folder, { recursive: true });
      },
    };
  },
  differences,
);
