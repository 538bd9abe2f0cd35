import { existsSync } from 'node:fs';
import { dataFiles, type Config } from '@waybill/infra/process/config.js';
import { openEventStoreDb } from '@waybill/infra/event-store/eventstoredb/eventstoredb-event-store.js';
import { openLog } from '@waybill/infra/event-store/sqlite/log-file.js';
import { SqliteEventStore } from '@waybill/infra/event-store/sqlite/sqlite-event-store.js';
import { openMongoDbReadStore } from '@waybill/infra/read-store/mongodb/read-store.js';
import { openSqliteReadStore } from '@waybill/infra/read-store/sqlite/read-store.js';
import type { WallClock } from '@waybill/shared-kernel/ports/clock.js';
import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import type { ReadStore, CollectionVersionStore } from '@waybill/shared-kernel/ports/read-store.js';
import type { Projection } from '@waybill/shared-kernel/projection.js';
import { projections } from '@waybill/projections/read-models/projections.js';
import { atVersion, versionsOfShape } from '@waybill/projections/rebuild/versions.js';
import { closing } from '../stores/closing.js';

// Stores as they are looked at: nothing is made, and nobody waits for long.

const answerTimeoutMs = 1_500;

/** Runs work on the log; `undefined`: there is none yet. */
export async function withLog<T>(
  { eventStore, dataFolder }: Config,
  clock: WallClock,
  work: (log: EventStore) => Promise<T>,
): Promise<T | undefined> {
  const { log: file } = dataFiles(dataFolder);
  if (eventStore.kind === 'eventstoredb') return closing(openEventStoreDb(eventStore.url, { answerTimeoutMs }), work);
  if (!existsSync(file)) return undefined;
  return closing(new SqliteEventStore(openLog(file, { readonly: true }), { clock }), work);
}

/** Runs work on the read models that are read now; `undefined`: there are none yet. */
export async function withReadModels<T>(
  { readStore, dataFolder }: Config,
  work: (readStore: ReadStore, live: readonly Projection[]) => Promise<T>,
): Promise<T | undefined> {
  const { readModels: file } = dataFiles(dataFolder);
  if (readStore.kind === 'sqlite' && !existsSync(file)) return undefined;
  const store =
    readStore.kind === 'sqlite'
      ? openSqliteReadStore(file, { readonly: true })
      : openMongoDbReadStore({ url: readStore.url, readonly: true });
  return closing(store, async () => {
    const live = await liveIn(store);
    if (live === undefined) return undefined;
    for (const { collection } of live) await store.declare(collection);
    return work(store, live);
  });
}

async function liveIn(readStore: CollectionVersionStore): Promise<readonly Projection[] | undefined> {
  const live: Projection[] = [];
  for (const projection of projections) {
    const { collection } = projection;
    const versions = versionsOfShape(await readStore.versions(collection.name), collection);
    if (versions === undefined) return undefined;
    live.push(atVersion(projection, versions.live));
  }
  return live;
}
