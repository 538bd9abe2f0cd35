import type { Timer } from '@waybill/shared-kernel/ports/clock.js';
import type { ConsumerCheckpoints } from '@waybill/shared-kernel/ports/read-store.js';
import { partitionOf } from '@waybill/shared-kernel/partitions/partition.js';
import { suspendedOrders } from '@waybill/command-side/fulfilment/suspension/suspended-orders.js';

export interface WaitForFulfilmentDependencies {
  readonly readStore: ConsumerCheckpoints;
  readonly timer: Timer;
  /** Milliseconds that it waits for the process manager; 0 where none runs. */
  readonly answerTimeoutMs: number;
}

/** Milliseconds between two looks. */
const look = 50;

/** Waits until the process manager has come to a position in the partition of an order. False: it has not, in time. */
export async function waitForFulfilment(
  orderId: string,
  position: number,
  { readStore, timer, answerTimeoutMs }: WaitForFulfilmentDependencies,
): Promise<boolean> {
  for (let waited = 0; waited < answerTimeoutMs; waited += look) {
    const { through } = await readStore.consumerPosition(suspendedOrders.name, partitionOf(orderId));
    if (through >= position) return true;
    await timer.sleep(look);
  }
  return false;
}
