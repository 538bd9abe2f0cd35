import { orders, partiesOf, type OrderParties } from '@waybill/projections/read-models/orders.js';
import { viewPast } from '@waybill/projections/replay/view-past.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';

/** Whose an order is by what the log has of it, as far as that can be folded. */
export function partiesInLog(events: readonly RecordedEvent[]): OrderParties {
  return viewPast(orders, partiesOf, events).view ?? { merchantIds: [] };
}
