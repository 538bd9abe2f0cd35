import type { WorklistItem } from '../worklist.js';
import type { WorklistNote } from '../worklist-writer.js';

/** What an order waits for, as a process manager notes it; of the rest of its fulfilment only that it was begun. */
export function worklistNote(orderId: string, revision: number, item: WorklistItem): WorklistNote {
  const nothing = { reserved: undefined, charge: undefined, deliveryId: undefined };
  const progress = { status: 'reserving', orderId, items: [], money: 'none', ...nothing } as const;
  return { orderId, revision, ...item, progress };
}
