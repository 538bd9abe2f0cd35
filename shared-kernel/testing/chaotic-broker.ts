import type { Broker, Message } from '../ports/broker.js';

/** What becomes of a message on its way: how often it arrives, and how much later than others. */
export interface Fate {
  readonly copies: number;
  readonly delay: number;
}

/** A broker that loses, doubles and reorders what is published together, as fate has it. */
export function chaoticBroker(broker: Broker, fate: (message: Message) => Fate): Broker {
  return {
    declare: (queue, categories) => broker.declare(queue, categories),
    publish: (messages) => {
      const arriving = messages.flatMap((message, index) => {
        const { copies, delay } = fate(message);
        return Array.from({ length: copies }, (_, copy) => ({ message, turn: index + delay * (copy + 1) }));
      });
      return broker.publish(arriving.sort((a, b) => a.turn - b.turn).map(({ message }) => message));
    },
    consume: (queue, prefetch, onMessages) => broker.consume(queue, prefetch, onMessages),
    remove: (queue) => broker.remove(queue),
    depth: (queue) => broker.depth(queue),
    close: () => broker.close(),
  };
}
