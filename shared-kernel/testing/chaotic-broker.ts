import type { Broker, EventBatch } from '../ports/broker.js';

/** What becomes of a batch on its way: how often it arrives, and how much later than others. */
export interface Fate {
  readonly copies: number;
  readonly delay: number;
}

/** A broker that loses, doubles and reorders what is published together, as fate has it. */
export function chaoticBroker(broker: Broker, fate: (batch: EventBatch) => Fate): Broker {
  return {
    declare: (queue, categories) => broker.declare(queue, categories),
    publish: (batches) => {
      const arriving = batches.flatMap((batch, index) => {
        const { copies, delay } = fate(batch);
        return Array.from({ length: copies }, (_, copy) => ({ batch, turn: index + delay * (copy + 1) }));
      });
      return broker.publish(arriving.sort((a, b) => a.turn - b.turn).map(({ batch }) => batch));
    },
    consume: (queue, prefetch, onBatches) => broker.consume(queue, prefetch, onBatches),
    remove: (queue) => broker.remove(queue),
    depth: (queue) => broker.depth(queue),
    close: () => broker.close(),
  };
}
