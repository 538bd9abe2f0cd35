import { epochMs, type WallClock } from '@waybill/shared-kernel/ports/clock.js';
import type {
  Collections,
  QuarantinedDocuments,
  DocumentLists,
  DocumentGroups,
} from '@waybill/shared-kernel/ports/read-store.js';
import {
  mostCounted,
  quarantinedIn,
  type Figure,
  type Measure,
} from '@waybill/shared-kernel/subscriptions/progress-figures.js';
import { suspendedOrders } from './suspension/suspended-orders.js';
import { countOverdue, figuresByState } from './worklist/worklist-figures.js';
import { openStates, worklist } from './worklist/worklist.js';

/** Milliseconds by which a deadline may be over before it counts: what is done about it is under way. */
const grace = 30_000;

export function measureSuspended({ readStore }: { readonly readStore: Collections & QuarantinedDocuments }): Measure {
  return async () => {
    await readStore.declare(suspendedOrders);
    return [await quarantinedIn(suspendedOrders, readStore)];
  };
}

export function measureFulfilment({ readStore, clock }: WorklistStores): Measure {
  return async () => {
    await readStore.declare(worklist);
    const now = epochMs(clock);
    const found = await figuresByState(readStore, now);
    const figures = openStates.map(async (state): Promise<readonly Figure[]> => {
      const { count = 0 } = found[state] ?? {};
      const overdue = count === 0 ? 0 : await countOverdue(state, readStore, now - grace, mostCounted.overdue);
      return [
        { name: 'waybill_fulfilment_orders', state, value: count },
        { name: 'waybill_fulfilment_overdue_orders', state, value: overdue },
      ];
    });
    return (await Promise.all(figures)).flat();
  };
}

interface WorklistStores {
  readonly readStore: Collections & DocumentLists & DocumentGroups;
  readonly clock: WallClock;
}
