import { existsSync } from 'node:fs';
import { systemRandomness } from '@waybill/infra/clock/system.js';
import { shown, type Config } from '@waybill/infra/process/config.js';
import { masterKeySource } from '@waybill/infra/process/engines.js';
import { openMongoDbKeyStore } from '@waybill/infra/keys/mongodb/key-store.js';
import { inspectMongoDb, type InspectedMongoDb } from '@waybill/infra/read-store/mongodb/inspect.js';
import { bad, good, skipped, warning, type Check } from './check.js';
import { judgeAhead } from './event-store.js';
import { withReadModels } from './stores.js';

const answerTimeoutMs = 1_500;

/** The server of the read models, where they are on one, and the keys that are kept there. */
export async function checkReadStore(config: Config): Promise<readonly Check[]> {
  const { readStore } = config;
  if (readStore.kind === 'sqlite') return [skipped('read store', 'a file of the data folder')];
  const live = await withReadModels(config, (_readStore, projections) => Promise.resolve(projections));
  const collections = (live ?? []).map(({ collection }) => collection);
  const seen = await inspectMongoDb({ url: readStore.url, collections, answerTimeoutMs });
  return [...judgeReadStore(shown(readStore.url), seen, live !== undefined), ...(await checkKeys(config))];
}

export function judgeReadStore(address: string, seen: InspectedMongoDb, isMade: boolean): readonly Check[] {
  const { version, roundTripMs, replicaSet, writeFault, missingIndexes, clockAheadMs } = seen;
  const where = replicaSet === undefined ? 'a server alone' : `replica set ${replicaSet}`;
  return [
    good('read store', `MongoDB ${version} at ${address}, ${where}, ${roundTripMs} ms`),
    writeFault === undefined
      ? good('read store writes', 'acknowledged by a majority')
      : bad(
          'read store writes',
          `No majority acknowledges them: ${writeFault.message}`,
          "Give the user of WAYBILL_READ_STORE the role readWrite on its database, and start the replica set's other members.",
        ),
    judgeIndexes(missingIndexes, isMade),
    ...(clockAheadMs === undefined ? [] : [judgeAhead('clock of the read store', Math.abs(clockAheadMs))]),
  ];
}

function judgeIndexes(missing: InspectedMongoDb['missingIndexes'], isMade: boolean): Check {
  const name = 'read store indexes';
  if (!isMade) return skipped(name, 'No read models have been made yet: start the projector.');
  const [first] = Object.entries(missing);
  if (first === undefined) return good(name, 'all there');
  const [collection, indexes] = first;
  return bad(
    name,
    `${collection} lacks ${indexes.join(', ')}.`,
    'Drop the collection and its document in "collections", and start the projector: it is rebuilt from the log.',
  );
}

async function checkKeys(config: Config): Promise<readonly Check[]> {
  const { readStore, eventStore, masterKey } = config;
  if (readStore.kind !== 'mongodb' || eventStore.kind !== 'eventstoredb') return [];
  const source = masterKeySource(config, systemRandomness);
  if (masterKey === undefined && !existsSync(source.masterKeyFile)) {
    return [
      warning(
        'master key',
        'There is none yet, and each machine would make its own.',
        'Set WAYBILL_MASTER_KEY, the same for all processes.',
      ),
    ];
  }
  const keys = openMongoDbKeyStore({ url: readStore.url, ...source });
  try {
    await keys.assertMasterKeyFits();
    return [good('master key', 'fits the keys in the read store')];
  } finally {
    await keys.close();
  }
}
