import { deliveries, deliverySteps, type DeliverySteps } from '@waybill/projections/read-models/deliveries.js';
import { WaybillError } from '@waybill/shared-kernel/errors.js';
import { deliveryIdOf } from '@waybill/shared-kernel/stream.js';
import { readLiveOf } from '../reading/live-model.js';
import type { Dependencies } from '../reading/model.js';

/** Which events of an order's delivery are no positions; `undefined`: nobody knows, and they are all to be read. */
export type StepsOf = (orderId: string) => Promise<DeliverySteps | undefined>;

/** By the delivery's document. One that stands still, or cannot be had, does not say: the log alone does. */
export function deliveryStepsOf(dependencies: Dependencies): StepsOf {
  const { readStore } = dependencies;
  const readDeliveries = readLiveOf(deliveries, dependencies);

  return async (orderId) => {
    try {
      return await readDeliveries(undefined, async ({ projection: { collection }, gauge }) => {
        // Measured for its refusal: of what was made from another log nothing is believed.
        await gauge.lags();
        const [document] = await readStore.load(collection, [deliveryIdOf(orderId)]);
        return document === undefined || document.degraded !== undefined ? undefined : deliverySteps(document);
      });
    } catch (error) {
      if (error instanceof WaybillError) return undefined;
      throw error;
    }
  };
}
