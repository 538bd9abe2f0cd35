import { againOnConflict } from '../handling/conflict.js';
import { envelopes, type Cause } from '../handling/envelope.js';
import type { Aggregates } from '../handling/aggregates.js';
import type { Randomness, Timer } from '@waybill/shared-kernel/ports/clock.js';

/**
 * Records on the order's stream, where it races with a cancellation, that the parcel leaves; the delivery's own event
 * follows. Done before by the same courier it is a no-op. Throws `RuleViolated` when the order may not leave.
 */
export async function dispatchOrder(
  orders: Aggregates['orders'],
  orderId: string,
  courierId: string,
  cause: Cause,
  dependencies: { readonly timer: Timer; readonly randomness: Randomness },
): Promise<void> {
  await againOnConflict(async () => {
    const loaded = await orders.load(orderId);
    const events = orders.decider.decide({ type: 'DispatchOrder', orderId, courierId }, loaded.state);
    if (events.length > 0)
      await orders.append(orderId, loaded, envelopes(events, orderId, cause, dependencies.randomness));
  }, dependencies);
}
