import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import { FaultyStore } from '../../testing/faulty-store.js';

/** What is wrong with an event: no step leads from its version, or nothing in it is what it should be. */
export type Cloud = 'version' | 'payload';

/** A log in which some events cannot be understood, as by a program with a fault, until that is mended. */
export class CloudedStore extends FaultyStore {
  readonly #log: EventStore;
  /** By stream and revision, `order-o1@1`. */
  readonly clouds = new Map<string, Cloud>();

  constructor(log: EventStore) {
    super(log);
    this.#log = log;
  }

  override readStream: EventStore['readStream'] = async (...asked) =>
    (await this.#log.readStream(...asked)).map((event) => this.#seen(event));
  override readAll: EventStore['readAll'] = async (...asked) => {
    const page = await this.#log.readAll(...asked);
    return { ...page, events: page.events.map((event) => this.#seen(event)) };
  };

  #seen(event: RecordedEvent): RecordedEvent {
    const cloud = this.clouds.get(`${event.stream}@${event.revision}`);
    if (cloud === undefined) return event;
    return cloud === 'version' ? { ...event, schemaVersion: 0 } : { ...event, data: {} };
  }
}
