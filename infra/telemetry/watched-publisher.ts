import type { Broker } from '@waybill/shared-kernel/ports/broker.js';
import { watched, type WatchPublish } from '@waybill/shared-kernel/watch.js';

/** The way to the broker, watched. */
export function watchedPublisher(broker: Pick<Broker, 'publish'>, watch: WatchPublish): Pick<Broker, 'publish'> {
  return { publish: (batches) => watched(watch(batches), () => broker.publish(batches)) };
}
