import type { BatchPublisher } from '@waybill/shared-kernel/ports/broker.js';
import { watched, type WatchPublish } from '@waybill/shared-kernel/watch.js';

/** The way to the broker, watched. */
export function watchedPublisher(broker: BatchPublisher, watch: WatchPublish): BatchPublisher {
  return { publish: (batches) => watched(watch(batches), () => broker.publish(batches)) };
}
