import { systemClock, systemRandomness } from '../infra/dist/clock/system.js';
import { dataFiles } from '../infra/dist/process/config.js';
import { openSqliteEventStore } from '../infra/dist/event-store/sqlite/sqlite-event-store.js';
import { openSqliteKeyStore } from '../infra/dist/keys/sqlite/key-store.js';
import { openSqliteReadStore } from '../infra/dist/read-store/sqlite/read-store.js';
import { catchUp } from '../projections/dist/projecting/catch-up.js';
import { projections } from '../projections/dist/read-models/projections.js';
import { logBeginning, Trail } from '../shared-kernel/dist/subscriptions/log-position.js';
import { partitionCount } from '../shared-kernel/dist/partitions/partition.js';
import { seal } from '../shared-kernel/dist/personal-data.js';
import { readLog } from '../shared-kernel/dist/read-stream.js';
import { fillLog } from './orders-log.mjs';

/**
 * Fills a data folder with orders, their customers' keys and all read models, before a server opens it. `also` appends
 * what else is to be there.
 */
export async function fillFolder(folder, { orders, customers, also }) {
  const files = dataFiles(folder);
  const keys = openSqliteKeyStore({ file: files.keys, masterKeyFile: files.masterKey, randomness: systemRandomness });
  const addresses = new Map();
  for (let number = 0; number < customers; number += 1) {
    const customerId = `customer-${number}`;
    const address = { street: `Weg ${number}`, city: 'Berlin', postalCode: '10115' };
    addresses.set(customerId, { address, key: await keys.create(customerId) });
  }
  await keys.close();
  const store = openSqliteEventStore(files.log, { clock: systemClock });
  const addressOf = (customerId) => {
    const { address, key } = addresses.get(customerId);
    return seal(customerId, key, address, systemRandomness);
  };
  await fillLog(store, { orders, customers, addressOf });
  await also?.(store, addressOf);
  const readStore = openSqliteReadStore(files.readModels);
  await catchUp(projections, { store, readStore, clock: systemClock });
  await readStore.saveRelayCheckpoint(await checkpointAtEnd(store, readStore));
  await readStore.close();
  await store.close();
}

/** As if a relay had carried it all: the server need not do so before it is measured. */
async function checkpointAtEnd(store, readStore) {
  let trail = Trail.from(logBeginning);
  for await (const page of readLog(store, 0, await store.head())) trail = trail.pass(page.events, page.through);
  const position = trail.position();
  for (let partition = 0; partition < partitionCount; partition += 1) {
    await readStore.saveConsumerPosition('fulfilment', partition, position);
  }
  return { ...position, heads: {} };
}
