import { workerData } from 'node:worker_threads';
import type { DocumentBatch } from '@waybill/shared-kernel/ports/read-store.js';
import { openSqliteReadStore } from '../read-store.js';

export interface BatchesToCommit {
  readonly file: string;
  readonly batches: readonly DocumentBatch[];
}

/** A thread that commits batches to a read store, one after the other. */
const { file, batches } = workerData as BatchesToCommit;
const store = openSqliteReadStore(file);
for (const batch of batches) {
  await store.declare(batch.collection);
  await store.commit(batch);
}
await store.close();
