import { partitionCount } from '@waybill/shared-kernel/partitions/partition.js';
import type { ConsumerCheckpoints } from '@waybill/shared-kernel/ports/read-store.js';
import type { HandledThrough } from '../ordering/admission.js';
import { fulfilmentConsumer } from './run-fulfilment.js';

/** As the process manager notes it in the read store, some hundred milliseconds late. */
export function handledThroughIn(positions: ConsumerCheckpoints): HandledThrough {
  const partitions = Array.from({ length: partitionCount }, (_, partition) => partition);
  return () =>
    Promise.all(
      partitions.map(async (partition) => (await positions.consumerPosition(fulfilmentConsumer, partition)).through),
    );
}
