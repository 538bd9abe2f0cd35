import { verifyReadModels } from '@waybill/projections/audit/verify-read-models.js';
import { catchUp } from '@waybill/projections/projecting/catch-up.js';
import { auditedLists } from '@waybill/cli/fulfilment/lists.js';
import { projections } from '@waybill/projections/read-models/projections.js';
import { documentsOf } from '@waybill/projections/testing/logs.js';
import { openSqliteReadStore } from '@waybill/infra/read-store/sqlite/read-store.js';
import type { World } from '../world.js';

/** What the process manager keeps says, as far as it has come, what the log says. */
export async function checkLists({
  log: store,
  positions: readStore,
}: Pick<World, 'log' | 'positions'>): Promise<readonly string[]> {
  const { differences } = await verifyReadModels(await auditedLists(readStore), { store, readStore });
  return differences.map((difference) => `the audit of the lists finds ${JSON.stringify(difference)}`);
}

/** The read models are what the log says, and made anew from it they are the same. */
export async function checkReadModels({
  log: store,
  readStore,
  schedule: { clock },
}: Pick<World, 'log' | 'readStore' | 'schedule'>): Promise<readonly string[]> {
  const amiss: string[] = [];
  const { differences, quarantined } = await verifyReadModels(projections, { store, readStore });
  for (const difference of differences) amiss.push(`the audit finds ${JSON.stringify(difference)}`);
  for (const { projection, key } of quarantined) amiss.push(`${projection} ${key} is quarantined`);
  const anew = openSqliteReadStore(':memory:');
  try {
    await catchUp(projections, { store, readStore: anew, clock });
    for (const projection of projections) {
      const { name } = projection.collection;
      const [those, rebuilt] = [await documentsOf(readStore, projection), await documentsOf(anew, projection)];
      if (those.length !== rebuilt.length)
        amiss.push(`${name} has ${those.length} documents, rebuilt ${rebuilt.length}`);
      those.forEach((document, index) => {
        if (JSON.stringify(document) === JSON.stringify(rebuilt[index])) return;
        amiss.push(`${name} ${document.key} is not what it is when it is made anew`);
      });
    }
  } finally {
    await anew.close();
  }
  return amiss;
}
