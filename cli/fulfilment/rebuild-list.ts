import { Unavailable } from '@waybill/shared-kernel/errors.js';
import { partitionCount, partitionOf } from '@waybill/shared-kernel/partitions/partition.js';
import type { RebuildOutcome } from '@waybill/shared-kernel/ports/collection-versions.js';
import { timestamp, type Randomness } from '@waybill/shared-kernel/ports/clock.js';
import type { StreamReader, LogReader } from '@waybill/shared-kernel/ports/event-store.js';
import { logBeginning, type LogPosition } from '@waybill/shared-kernel/subscriptions/log-position.js';
import type {
  Collections,
  DocumentStore,
  CollectionCheckpoints,
  AuditableDocuments,
  ConsumerCheckpoints,
} from '@waybill/shared-kernel/ports/read-store.js';
import { isStreamFault } from '@waybill/shared-kernel/stream-faults.js';
import { suspendedOrders } from '@waybill/command-side/fulfilment/suspension/suspended-orders.js';
import { compareWithLog, type AuditDependencies } from '@waybill/projections/audit/verify-read-models.js';
import { DifferenceCount, shownDifferences } from '@waybill/projections/rebuild/found-differences.js';
import { auditedLists, type FulfilmentList, type ListDependencies } from './lists.js';

export interface RebuildListDependencies extends ListDependencies {
  readonly store: StreamReader & LogReader;
  readonly readStore: Collections & DocumentStore & CollectionCheckpoints & AuditableDocuments & ConsumerCheckpoints;
  readonly randomness: Randomness;
}

/** Rounds in which the process manager may win. */
const mostConflicts = 10;

/**
 * Makes a list that the process manager keeps what the log says it is, in place: every document that differs from the
 * log is written anew, on condition that it still is as it was read, so that the process manager goes on meanwhile, and
 * finds what is due. Of what it has handled all must be there. Then the list is compared once more.
 */
export async function rebuildList(
  { projection, anew }: FulfilmentList,
  dependencies: RebuildListDependencies,
  onProgress?: (position: number, head: number) => void,
): Promise<RebuildOutcome> {
  const { readStore, clock, randomness } = dependencies;
  const { collection } = projection;
  await auditedLists(readStore);
  const progress = onProgress === undefined ? {} : { onProgress };
  const mended = new DifferenceCount();
  const keys = new Set<string>();
  const handled: Pick<AuditDependencies, 'readStore'> = {
    readStore: {
      scan: (...asked) => readStore.scan(...asked),
      wrongSums: (asked) => readStore.wrongSums(asked),
      positions: () => handledBy(readStore),
    },
  };
  const options = { explained: shownDifferences, ...progress };
  await compareWithLog(
    [projection],
    { ...dependencies, ...handled },
    (difference) => {
      keys.add(difference.key);
      mended.add(difference);
    },
    options,
  );
  for (const key of keys) await write(key);
  const differences = new DifferenceCount();
  const { documents } = await compareWithLog(
    [projection],
    dependencies,
    (difference) => differences.add(difference),
    options,
  );
  return {
    id: randomness.uuid(),
    kind: 'rebuild',
    version: collection.version,
    result: differences.count === 0 ? 'switched' : 'differs',
    endedAt: timestamp(clock),
    documents: documents[0]!,
    differences: differences.found(),
    mended: mended.found(),
  };

  async function write(key: string): Promise<void> {
    for (let round = 0; round <= mostConflicts; round += 1) {
      const [stored] = await readStore.load(collection, [key]);
      const write = await anew(key, stored, dependencies).catch(faultAsNothing);
      // What cannot be read any more stays as it was, and still differs.
      if (write === undefined) return;
      const writes = [write];
      const batch = { collection, partition: partitionOf(key), writes, position: logBeginning };
      if ((await readStore.commit(batch)).length === 0) return;
    }
    throw new Unavailable('read store', 'There were too many conflicts with the process manager.');
  }
}

function faultAsNothing(error: unknown): undefined {
  if (!isStreamFault(error)) throw error;
}

/** Per partition: everything up to here the process manager has handled. */
function handledBy(readStore: ConsumerCheckpoints): Promise<readonly LogPosition[]> {
  const partitions = Array.from({ length: partitionCount }, (_, partition) => partition);
  return Promise.all(partitions.map((partition) => readStore.consumerPosition(suspendedOrders.name, partition)));
}
