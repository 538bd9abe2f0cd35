import {
  fulfilmentStream,
  type Fulfilment,
  type FulfilmentHistory,
} from '@waybill/command-side/fulfilment/fulfilment-stream.js';
import type { OrderPlaced } from '@waybill/shared-kernel/events/order.js';
import { upcast, type KnownEvent } from '@waybill/shared-kernel/events/upcast.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import { parseStream, streamName, type Category } from '@waybill/shared-kernel/stream.js';

/** A log by stream, as it ended. */
export class History {
  readonly #streams = new Map<string, KnownEvent[]>();

  constructor(readonly events: readonly RecordedEvent[]) {
    for (const event of events) {
      const stream = this.#streams.get(event.stream);
      if (stream === undefined) this.#streams.set(event.stream, [upcast(event)]);
      else stream.push(upcast(event));
    }
  }

  of(category: Category, id: string): readonly KnownEvent[] {
    return this.#streams.get(streamName(category, id)) ?? [];
  }

  /** Ids of a category, in the order in which they came to be. */
  ids(category: Category): readonly string[] {
    return [...this.#streams.keys()]
      .map(parseStream)
      .flatMap((stream) => (stream.category === category ? stream.id : []));
  }

  typesOf(category: Category, id: string): readonly string[] {
    return this.of(category, id).map(({ type }) => type);
  }

  placement(orderId: string): OrderPlaced {
    const [placed] = this.of('order', orderId);
    if (placed?.type !== 'OrderPlaced') throw new Error(`order ${orderId} does not begin with its placement`);
    return placed.data;
  }

  /** How the fulfilment of an order stands, and at which revision; −1: there is none. */
  fulfilment(orderId: string): { readonly state: Fulfilment; readonly revision: number } {
    const events = this.of('fulfilment', orderId);
    const state = (events as readonly (KnownEvent & FulfilmentHistory)[]).reduce(
      (before, event) => fulfilmentStream.evolve(before, event),
      fulfilmentStream.initialState,
    );
    return { state, revision: events.length - 1 };
  }
}
