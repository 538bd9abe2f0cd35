import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventStoreContract } from '@waybill/shared-kernel/ports/event-store.contract.js';
import { startAppendWorker } from './append-worker.js';
import { openSqliteEventStore } from './sqlite-event-store.js';

eventStoreContract('sqlite, appends in the calling thread', async (clock) => {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-log-'));
  const file = join(folder, 'log.sqlite');
  const store = openSqliteEventStore(file, { clock });
  const another = openSqliteEventStore(file, { clock });
  return {
    store,
    another,
    async dispose() {
      await Promise.all([store.close(), another.close()]);
      await rm(folder, { recursive: true });
    },
  };
});

eventStoreContract('sqlite, appends in a worker thread', async (clock) => {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-log-'));
  const file = join(folder, 'log.sqlite');
  const worker = await startAppendWorker(file);
  const store = openSqliteEventStore(file, { clock, appender: worker.port() });
  const another = openSqliteEventStore(file, { clock, appender: worker.port() });
  return {
    store,
    another,
    async dispose() {
      await Promise.all([store.close(), another.close()]);
      await worker.close();
      await rm(folder, { recursive: true });
    },
  };
});
